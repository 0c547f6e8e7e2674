// A relay's metrics over HTTP, as curl reads them.
#include "metrics_server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace testing;

namespace {

constexpr std::chrono::seconds limit{120};

/// The body and, on a separate line, the status.
std::string get(const std::string& url) {
  return run("curl --silent --max-time 60 --noproxy '*' --write-out '\\n%{http_code} %{content_type}' " + url).output;
}

outbox::Metrics with_claims(std::uint64_t claims) {
  outbox::Metrics metrics;
  metrics.claims = claims;
  metrics.moved_at = outbox::Metrics::Clock::now();
  return metrics;
}

TEST(ListeningAddress, IsAPortOfTheLoopbackUnlessAnotherAddressIsGiven) {
  struct Case {
    const char* text;
    const char* host;
    int port;
  };
  const std::vector<Case> cases = {
      {"9464", "127.0.0.1", 9464},       {":9464", "127.0.0.1", 9464},      {"0", "127.0.0.1", 0},
      {"127.0.0.1:1", "127.0.0.1", 1},   {"localhost:80", "localhost", 80}, {"[::1]:65535", "::1", 65535},
      {"0.0.0.0:9464", "0.0.0.0", 9464},
  };
  for (const Case& one : cases) {
    const auto address = listening_address(one.text);
    ASSERT_TRUE(address) << one.text;
    EXPECT_EQ(address->host, one.host);
    EXPECT_EQ(address->port, one.port);
  }
  for (const char* text : {"", ":", "65536", "-1", "+1", "1 ", "0x10", "127.0.0.1", "127.0.0.1:", "::1:9464", "[::1]",
                           "[127.0.0.1]:1", "example.com:1", "http://127.0.0.1:1", "[]:1", "[:1", "256.0.0.1:1"}) {
    EXPECT_FALSE(listening_address(text)) << text;
  }
}

TEST(MetricsServer, ServesMetricsAndHealthAsTheyAreAtThatMoment) {
  std::atomic<bool> moves{true};
  std::atomic<std::uint64_t> claims{7};
  const auto server = MetricsServer::start(
      {"127.0.0.1", 0},
      [&] {
        outbox::Metrics metrics = with_claims(claims);
        if (!moves) metrics.database_failing_since = metrics.moved_at - 2 * limit;
        return metrics;
      },
      limit);
  ASSERT_NE(server, nullptr);
  const std::string text = get(server->origin() + "/metrics");
  EXPECT_TRUE(contains(text, "\nwechatpay_bonus_outbox_claims_total 7\n")) << text;
  EXPECT_TRUE(contains(text, "\n200 text/plain; version=0.0.4; charset=utf-8")) << text;
  claims = 8;
  EXPECT_TRUE(contains(get(server->origin() + "/metrics"), "\nwechatpay_bonus_outbox_claims_total 8\n"));
  EXPECT_EQ(get(server->origin() + "/healthz"), "ok\n\n200 text/plain; charset=utf-8");
  moves = false;
  const std::string sick = get(server->origin() + "/healthz");
  EXPECT_TRUE(contains(sick, "the database has failed for ")) << sick;
  EXPECT_TRUE(contains(sick, " s\n\n503 text/plain; charset=utf-8")) << sick;
  EXPECT_TRUE(contains(get(server->origin() + "/"), "\n404 "));
}

TEST(MetricsServer, ListensOnAnIpv6AddressAndNamesItAsAUrlDoes) {
  const auto server = MetricsServer::start(
      {"::1", 0}, [] { return with_claims(7); }, limit);
  if (server == nullptr) GTEST_SKIP() << "this machine has no IPv6 loopback";
  EXPECT_EQ(server->origin().substr(0, 13), "http://[::1]:");
  EXPECT_TRUE(contains(get("--globoff '" + server->origin() + "/metrics'"), "_claims_total 7\n"));
}

TEST(MetricsServer, RefusesAPortThatAnotherOneHas) {
  const auto nothing = [] { return outbox::Metrics(); };
  const auto first = MetricsServer::start({"127.0.0.1", 0}, nothing, limit);
  ASSERT_NE(first, nullptr);
  const auto address = listening_address(first->origin().substr(std::string("http://").size()));
  ASSERT_TRUE(address);
  EXPECT_EQ(MetricsServer::start(*address, nothing, limit), nullptr);
}

TEST(MetricsServer, AnswersWhileConnectionsThatSayNothingAreOpenAndEndsWithThem) {
  auto server = MetricsServer::start(
      {"127.0.0.1", 0}, [] { return with_claims(1); }, limit);
  ASSERT_NE(server, nullptr);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(listening_address(server->origin().substr(7))->port));
  std::vector<int> silent;
  for (int i = 0; i < 4; ++i) {
    silent.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(silent.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_TRUE(contains(get(server->origin() + "/healthz"), "200"));
  server.reset();
  for (const int socket : silent) ::close(socket);
}

}  // namespace

}  // namespace wechatpay::bonus_commit::tool
