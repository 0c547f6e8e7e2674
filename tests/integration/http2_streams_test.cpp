// HTTP/2 streams that the server refuses, with frames that the test writes itself.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>

#include "tests/support/http2_connection.hpp"
#include "tests/support/raw_server.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

class Http2Streams : public ::testing::Test {
 protected:
  /// Returns the bytes that the server sends for a request. `number` counts the requests of all connections from 1. If
  /// the bytes are empty, the server closes the connection.
  using Serve = std::function<std::string(std::uint32_t stream, int number)>;

  void serve(Serve serve) { serve_ = std::move(serve); }

  std::string credit(std::uint32_t stream) const {
    HttpRequest request;
    request.headers = {{"Wechatpay-Serial", wechat_pay_.public_key_id()}};
    return Http2Connection::answer(stream, wechat_pay_.sign({204, {}, ""}, request));
  }

  BonusCommitClient client(int max_tries) {
    CurlOptions curl_options;
    curl_options.ca_bundle_file = RawServer::ca_file();
    ClientOptions options;
    options.origins = {server_.origin()};
    options.retry.max_tries = max_tries;
    options.retry.first_backoff = std::chrono::milliseconds(1);
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(),
                                     CurlTransport::create(curl_options).value(), options)
        .value();
  }

  const FakeWechatPay wechat_pay_;
  Serve serve_;
  std::atomic<int> requests_{0};
  RawServer server_{[this](RawServer::Connection& raw, int) {
                      Http2Connection connection(raw);
                      while (const std::uint32_t stream = connection.next_request()) {
                        const std::string frames = serve_(stream, ++requests_);
                        if (frames.empty()) return;
                        connection.write(frames);
                      }
                    },
                    TLS1_3_VERSION, "h2"};
};

TEST_F(Http2Streams, CarryACommit) {
  serve([this](std::uint32_t stream, int) { return credit(stream); });
  const auto running = client(1);
  for (int i = 0; i < 3; ++i) {
    const CommitResult result = running.commit(seed_request());
    EXPECT_TRUE(result) << result.error().message;
  }
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(Http2Streams, ThatAreRefusedAreSentAgainByNobodyButTheClientWhichSignsAnew) {
  serve([](std::uint32_t stream, int) { return Http2Connection::refuse(stream); });
  for (const int max_tries : {1, 3}) {
    requests_ = 0;
    const CommitResult result = client(max_tries).commit(seed_request());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::transport_failed);
    EXPECT_EQ(result.error().outcome, Outcome::unknown);
    EXPECT_TRUE(contains(result.error().message, "on which it refused the request")) << result.error().message;
    EXPECT_EQ(requests_, static_cast<int>(result.error().tries.size())) << "libcurl by itself would send it five times";
  }
}

TEST_F(Http2Streams, ThatAreRefusedAreTriedAgain) {
  serve([this](std::uint32_t stream, int number) {
    return number == 1 ? Http2Connection::refuse(stream) : credit(stream);
  });
  const CommitResult result = client(2).commit(seed_request());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->tries, 2);
  EXPECT_EQ(requests_, 2);
}

TEST_F(Http2Streams, OfAConnectionThatTheServerEndsAfterAnAnswerAreFollowedByAnotherConnection) {
  serve([this](std::uint32_t stream, int number) {
    return credit(stream) + (number == 1 ? Http2Connection::go_away(stream) : "");
  });
  const auto running = client(1);
  for (int i = 0; i < 3; ++i) {
    const CommitResult result = running.commit(seed_request());
    EXPECT_TRUE(result) << result.error().message;
  }
  EXPECT_EQ(requests_, 3);
  EXPECT_EQ(server_.connections(), 2);
}

TEST_F(Http2Streams, ThatAServerLeavesUnservedAsItEndsAreTriedAgainOnceEach) {
  serve([this](std::uint32_t stream, int number) {
    return number == 2 ? Http2Connection::go_away(stream - 2) + Http2Connection::refuse(stream) : credit(stream);
  });
  const auto running = client(2);
  ASSERT_TRUE(running.commit(seed_request()));
  const CommitResult result = running.commit(seed_request());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->tries, 2);
  EXPECT_EQ(requests_, 3);
  EXPECT_EQ(server_.connections(), 2);
}

TEST_F(Http2Streams, OfAConnectionThatClosesUnderThemAreUnknown) {
  serve([](std::uint32_t, int) { return std::string(); });
  const CommitResult result = client(1).commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().outcome, Outcome::unknown);
  EXPECT_EQ(requests_, 1);
}

}  // namespace
}  // namespace wechatpay::bonus_commit
