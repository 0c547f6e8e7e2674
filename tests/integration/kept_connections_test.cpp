// Keep-alive connections: which of them a request may be sent over, and what happens to the others.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>

#include "tests/support/sending.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

using std::chrono::milliseconds;

Result<HttpResponse> send_to(Transport& transport, const std::string& origin, const std::string& path = "/a",
                             bool fresh_connection = false) {
  HttpRequest request = request_to(origin);
  request.path = path;
  SendOptions options = within(std::chrono::seconds(10));
  options.fresh_connection = fresh_connection;
  return send(transport, std::move(request), std::move(options));
}

/// Answers each request with its path, and runs `more` after the first answer.
class Answering {
 public:
  using More = std::function<void(RawServer::Connection&)>;

  explicit Answering(More more)
      : server_([this, more = std::move(more)](RawServer::Connection& connection, int) {
          for (std::string got = connection.read_request(); !got.empty(); got = connection.read_request()) {
            const std::string path = got.substr(5, got.find(' ', 5) - 5);
            const bool first = ++requests_ == 1;
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size()) + "\r\n\r\n" + path);
            if (!first) continue;
            more(connection);
            connection.wait_until_delivered();
            done_.set_value();
          }
        }) {}

  std::string origin() const { return server_.origin(); }
  int connections() const { return server_.connections(); }
  int requests() const { return requests_; }
  void wait() { done_.get_future().wait(); }

 private:
  std::atomic<int> requests_{0};
  std::promise<void> done_;
  RawServer server_;
};

TEST(KeptConnection, IsNotUsedWhereAnAnswerIsLeftOverOnIt) {
  for (const std::string left_over :
       {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}", "x"}) {
    Answering server([&](RawServer::Connection& connection) { connection.write(left_over); });
    const auto curl = trusting_transport();
    ASSERT_EQ(send_to(*curl, server.origin(), "/first").value().body, "/first");
    server.wait();
    for (const char* path : {"/second", "/third"}) {
      const auto answer = send_to(*curl, server.origin(), path);
      ASSERT_TRUE(answer) << answer.error().message;
      EXPECT_EQ(answer->body, path) << "after " << left_over;
      EXPECT_FALSE(answer->transfer.connection_reused && std::string(path) == "/second");
    }
    EXPECT_EQ(server.connections(), 2);
    EXPECT_EQ(server.requests(), 3) << "nothing was sent over the connection that was given up";
  }
}

TEST(KeptConnection, IsNotUsedWhereAnAnswerIsLeftOverBehindTheBodyOfAnother) {
  const RawServer server([](RawServer::Connection& connection, int) {
    for (std::string got = connection.read_request(); !got.empty(); got = connection.read_request()) {
      const std::string path = got.substr(5, got.find(' ', 5) - 5);
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size()) + "\r\n\r\n");
      connection.write(path + "HTTP/1.1 204 No Content\r\n\r\n");  // in one TLS record
    }
  });
  const auto curl = trusting_transport();
  for (const char* path : {"/first", "/second", "/third"}) {
    const auto answer = send_to(*curl, server.origin(), path);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, path);
  }
}

TEST(KeptConnection, IsLookedAtInTheMomentInWhichAnotherRequestsAnswerEnds) {
  const RawServer server([](RawServer::Connection& connection, int) {
    for (std::string got = connection.read_request(); !got.empty(); got = connection.read_request()) {
      const std::string path = got.substr(5, got.find(' ', 5) - 5);
      const std::string answer =
          "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size()) + "\r\n\r\n" + path;
      connection.write_both(answer, answer);
    }
  });
  CurlOptions options;
  options.max_connections = 6;
  const auto curl = trusting_transport(options);
  std::vector<std::future<Result<HttpResponse>>> answers;
  for (int i = 0; i < 300; ++i) {
    HttpRequest request = request_to(server.origin());
    request.path = "/" + std::to_string(i);
    answers.push_back(start(*curl, std::move(request)));
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto answer = answers[i].get();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "/" + std::to_string(i));
  }
}

TEST(KeptConnection, IsNotUsedWhereAnIdle408IsLeftOnIt) {
  Answering server([](RawServer::Connection& connection) {
    connection.write("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    connection.close_politely();
  });
  const auto curl = trusting_transport();
  ASSERT_TRUE(send_to(*curl, server.origin()));
  server.wait();
  EXPECT_EQ(send_to(*curl, server.origin(), "/second").value().body, "/second");
}

TEST(KeptConnection, IsNotUsedWhereTheServerHasClosedIt) {
  Answering server([](RawServer::Connection& connection) { connection.close_politely(); });
  const auto curl = trusting_transport();
  ASSERT_TRUE(send_to(*curl, server.origin()));
  server.wait();
  const auto answer = send_to(*curl, server.origin(), "/second");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_FALSE(answer->transfer.connection_reused);
  EXPECT_EQ(server.requests(), 2);
}

TEST(KeptConnection, IsLookedAtBehindAProxy) {
  const RawServer server([](RawServer::Connection& connection, int) {
    while (!connection.read_request().empty()) {
      connection.write_both("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", empty_answer);
    }
  });
  const ConnectProxy proxy;
  CurlOptions options;
  options.proxy = proxy.url();
  const auto curl = trusting_transport(options);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(send_to(*curl, server.origin()).value().status, 200);
}

TEST(KeptConnection, IsUsedWhereOnlySessionTicketsHaveArrived) {
  std::atomic<int> tickets{0};
  const RawServer server([&](RawServer::Connection& connection, int) {
    while (!connection.read_request().empty()) {
      connection.write(empty_answer);
      connection.send_session_ticket();
      ++tickets;
    }
  });
  const auto curl = trusting_transport();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(send_to(*curl, server.origin()));
    while (tickets <= i) std::this_thread::yield();
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(KeptConnection, IsNotUsedByARequestThatWantsAFreshOne) {
  Answering server([](RawServer::Connection&) {});
  const auto curl = trusting_transport();
  ASSERT_TRUE(send_to(*curl, server.origin()));
  EXPECT_FALSE(send_to(*curl, server.origin(), "/b", true).value().transfer.connection_reused);
  EXPECT_EQ(server.connections(), 2);
  EXPECT_TRUE(send_to(*curl, server.origin(), "/c").value().transfer.connection_reused);
}

TEST(KeptConnection, IsNotUsedAgainAfterATimeout) {
  const RawServer server([](RawServer::Connection& connection, int number) {
    connection.read_request();
    if (number == 1) connection.read_request();
    connection.write(empty_answer);
    connection.read_request();
  });
  const auto curl = trusting_transport();
  const Error error = send(*curl, request_to(server.origin()), within(milliseconds(200))).error();
  EXPECT_EQ(error.transport_fault, TransportFault::timeout);
  EXPECT_TRUE(send_to(*curl, server.origin()));
}

class KeptConnections : public ::testing::Test {
 protected:
  void start(std::size_t connections) {
    CurlOptions curl_options;
    curl_options.ca_bundle_file = sandbox_->files().ca;
    ClientOptions options;
    options.origins = {sandbox_->origin()};
    client_.emplace(BonusCommitClient::create(sandbox_->wechat_pay().credentials(),
                                              sandbox_->wechat_pay().platform_keys(),
                                              CurlTransport::create(curl_options).value(), options)
                        .value());
    // All requests are sent at once. The sandbox holds them until it has them all, so each needs its own connection.
    std::atomic<std::size_t> there{0};
    sandbox_->answer_with([&](const HttpRequest& request) {
      ++there;
      while (there < connections) std::this_thread::yield();
      return sandbox_->wechat_pay().answer(request);
    });
    std::vector<CommitFuture> futures;
    for (std::size_t i = 0; i < connections; ++i) futures.push_back(client_->commit_async(seed_request()));
    for (CommitFuture& future : futures) ASSERT_TRUE(future.get());
    sandbox_->answer_with({});
  }

  const std::unique_ptr<Sandbox> sandbox_ = Sandbox::start().value();
  std::optional<BonusCommitClient> client_;
};

TEST_F(KeptConnections, ThatTheServerHasClosedCostNoTry) {
  for (const auto fault : {SandboxFault::Kind::polite_close, SandboxFault::Kind::early_close}) {
    for (int i = 0; i < 12; ++i) sandbox_->inject(fault);
    start(12);
    const CommitResult result = client_->commit(seed_request());
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_LE(result->tries, 2) << to_string(SandboxFault(fault));
  }
}

TEST_F(KeptConnections, WithAnAnswerLeftOverSettleNoOtherOrder) {
  for (int i = 0; i < 5; ++i) sandbox_->inject(SandboxFault::Kind::extra_answer);
  start(1);
  for (int i = 0; i < 20; ++i) {
    BonusCommitRequest request = seed_request();
    request.out_trade_no = "order " + std::to_string(i);
    const CommitResult result = client_->commit(request);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->tries, 1);
    EXPECT_EQ(sandbox_->wechat_pay().times_committed(request.out_trade_no), 1U);
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit
