#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

#include <gtest/gtest.h>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

Result<HttpResponse> send(MockTransport& transport, const std::string& path) {
  HttpRequest request;
  request.path = path;
  Result<HttpResponse> answer = configuration_error("not completed");
  transport.send(request, {}, [&](Result<HttpResponse> result) { answer = std::move(result); });
  return answer;
}

TEST(MockTransport, AnswersInTheOrderOfTheScriptThenWithTheStandingAnswer) {
  MockTransport transport;
  transport.then(HttpResponse{204, {}, ""})
      .then(transport_error(TransportFault::timeout, Outcome::unknown, "timed out"))
      .then([](const HttpRequest& request) {
        return HttpResponse{200, {}, request.path};
      })
      .otherwise([](const HttpRequest&) {
        return HttpResponse{404, {}, ""};
      });
  EXPECT_EQ(transport.remaining(), 3U);
  EXPECT_EQ(send(transport, "/1")->status, 204);
  EXPECT_EQ(send(transport, "/2").error().message, "timed out");
  EXPECT_EQ(send(transport, "/3")->body, "/3");
  EXPECT_EQ(transport.remaining(), 0U);
  EXPECT_EQ(send(transport, "/4")->status, 404);
  EXPECT_EQ(send(transport, "/5")->status, 404);
}

TEST(MockTransport, RecordsEveryRequestWithItsOptions) {
  MockTransport transport;
  transport.otherwise([](const HttpRequest&) { return HttpResponse{204, {}, ""}; });
  static_cast<void>(send(transport, "/1"));
  HttpRequest second;
  second.path = "/2";
  second.headers = {{"Accept", "application/json"}};
  SendOptions delayed;
  delayed.delay = std::chrono::hours(1);
  transport.send(second, delayed, [](Result<HttpResponse>) {});
  const auto requests = transport.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].path, "/1");
  EXPECT_EQ(requests[1], second);
  ASSERT_EQ(transport.send_options().size(), 2U);
  EXPECT_EQ(transport.send_options()[1].delay, std::chrono::hours(1)) << "recorded, not waited for";
}

TEST(MockTransport, SaysWhatToDoWithoutAnAnswer) {
  MockTransport transport;
  const auto answer = send(transport, "/1");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().outcome, Outcome::not_sent);
  EXPECT_TRUE(contains(answer.error().message, "no answer for request 1")) << answer.error().message;
}

}  // namespace
}  // namespace wechatpay::bonus_commit
