// Malformed answers, and headers in rare forms, from real servers.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/sending.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/stages/retry.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

/// A client's result for `answer`. The connection closes after the answer.
Result<HttpResponse> received(const std::string& answer) {
  const RawServer server([&answer](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.write(answer);
  });
  return send(*trusting_transport(), request_to(server.origin()));
}

TEST(Answer, WithBrokenTrailersDidNotCome) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n";
  for (const std::string rest : {"0\r\nno colon\r\n\r\n", "0\r\nA: b", "0\r\nA: b\r\n", "0\r\n", "0", "zz\r\n",
                                 "ffffffffffffffffff\r\n", "2\r\n{}x"}) {
    const auto answer = received(chunked + rest);
    ASSERT_FALSE(answer) << rest;
    EXPECT_EQ(answer.error().outcome, Outcome::unknown) << rest;
    EXPECT_TRUE(worth_another_try(answer.error())) << rest << answer.error().message;
  }
  const std::string large = "0\r\nA: " + std::string(70000, 'x') + "\r\n\r\n";
  EXPECT_TRUE(worth_another_try(received(chunked + large).error()));
}

TEST(Answer, KeepsNoTrailers) {
  const auto answer = received(
      "HTTP/1.1 200 OK\r\nA: header\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: trailer\r\n"
      "HTTP/1.1: 200 OK\r\n\r\n");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "{}");
  EXPECT_EQ(header_values(answer->headers, "A").size(), 1U);
  EXPECT_EQ(header_value(answer->headers, "A"), "header");
}

TEST(Answer, HasItsFoldedHeadersWhole) {
  const auto answer =
      received("HTTP/1.1 204 No Content\r\nWechatpay-Serial:\r\n PUB_KEY_ID_1\r\nA: one\r\n\ttwo\r\n\r\n");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(header_value(answer->headers, "Wechatpay-Serial"), "PUB_KEY_ID_1");
  EXPECT_EQ(header_value(answer->headers, "A"), "one two");
}

TEST(Answer, KeepsTheHeadersBeforeOneThatBeginsAsAStatusLine) {
  const auto answer = received("HTTP/1.1 204 No Content\r\nA: one\r\nHTTP/1.1 200: OK\r\nB: two\r\n\r\n");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 204);
  EXPECT_EQ(header_value(answer->headers, "A"), "one");
  EXPECT_EQ(header_value(answer->headers, "B"), "two");
}

TEST(Answer, HasTheHeadersOfTheFinalAnswerAlone) {
  const auto answer = received(
      "HTTP/1.1 103 Early Hints\r\nA: hint\r\n\r\nHTTP/1.1 102 Processing\r\nB: hint\r\n\r\n"
      "HTTP/1.1 204 No Content\r\nA: one\r\n\r\n");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->headers.size(), 1U);
  EXPECT_EQ(header_value(answer->headers, "A"), "one");
}

TEST(Answer, BehindAProxyHasNoneOfTheProxysHeaders) {
  const RawServer server([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.write("HTTP/1.1 204 No Content\r\nA: one\r\n\r\n");
    connection.read_request();
  });
  const ConnectProxy proxy;
  CurlOptions options;
  options.proxy = proxy.url();
  const auto answer = send(*trusting_transport(options), request_to(server.origin()));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->headers.size(), 1U);
}

TEST(Answer, OfAHostThatNobodyCanCheckIsNotWaitedFor) {
  const RawServer server([](RawServer::Connection& connection, int) { connection.read_request(); });
  const TemporaryFolder folder;
  CurlOptions options;
  options.ca_bundle_file = folder.write("ca.pem", read_text(RawServer::ca_file()));
  for (const char* broken : {"", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    folder.write("ca.pem", read_text(RawServer::ca_file()));
    const auto curl = CurlTransport::create(options).value();
    folder.write("ca.pem", broken);
    const Error error = send(*curl, request_to(server.origin())).error();
    EXPECT_EQ(to_string(error.transport_fault), to_string(TransportFault::tls_verification)) << error.message;
    EXPECT_EQ(error.outcome, Outcome::not_sent);
    EXPECT_FALSE(worth_another_try(error));
    EXPECT_TRUE(contains(error.message, "install ca-certificates, or give CurlOptions::ca_bundle_file"))
        << error.message;
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit
