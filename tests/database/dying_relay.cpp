// A relay or an operator's command that is killed at a named point.
//   dying_relay POINT DATABASE_URL ORIGIN CA CERTIFICATE KEY PUBLIC_KEY PUBLIC_KEY_ID
//   dying_relay POINT DATABASE_URL install
//   dying_relay POINT DATABASE_URL prune
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/outbox/relay.hpp"
#ifdef WECHATPAY_WITH_MYSQL
#include "src/outbox/mysql_store.hpp"
#endif
#include "src/outbox/postgresql_store.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

std::string& point() {
  static std::string name;
  return name;
}

/// Ends the process as SIGKILL from outside would: nothing is written, closed or released.
void die_at(const std::string& here) {
  while (here == point()) ::kill(::getpid(), SIGKILL);
}

/// Set by SIGUSR1: a third of the leases has passed.
std::atomic<bool> lease_passes{false};

/// Dies before or after a statement. The point names a part of the statement: "before statement: COMMIT".
class DyingSession : public Session {
 public:
  explicit DyingSession(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  Table query(const std::string& statement, const std::vector<std::string>& parameters) override {
    die(statement, "before statement: ");
    Table table = session_->query(statement, parameters);
    die(statement, "after statement: ");
    return table;
  }
  void execute(const std::string& statements) override {
    die(statements, "before statement: ");
    session_->execute(statements);
    die(statements, "after statement: ");
  }
  void interrupt() override { session_->interrupt(); }

 private:
  static void die(const std::string& statement, const std::string& when) {
    if (point().rfind(when, 0) != 0) return;
    if (statement.find(point().substr(when.size())) != std::string::npos) die_at(point());
  }

  const std::unique_ptr<Session> session_;
};

#ifndef WECHATPAY_WITH_MYSQL
using MysqlStore = PostgresqlStore;
using MysqlAdministration = PostgresqlAdministration;
#endif

/// A store or an administration whose statements are such points.
template <typename Interface, typename OfPostgresql, typename OfMysql>
std::unique_ptr<Interface> open(const std::string& url) {
  auto session = std::make_unique<DyingSession>(connect(url));
  if (url.rfind("postgresql:", 0) == 0) return std::make_unique<OfPostgresql>(std::move(session));
  return std::make_unique<OfMysql>(std::move(session));
}

class DyingStore : public Store {
 public:
  explicit DyingStore(std::unique_ptr<Store> store) : store_(std::move(store)) {}

  void open(const Owner& owner) override { store_->open(owner); }
  std::vector<Row> claim(const Claim& claim) override {
    auto rows = store_->claim(claim);
    if (!rows.empty()) die_at("after claim");
    return rows;
  }
  bool waits_for_rate() const override { return store_->waits_for_rate(); }
  std::vector<Merchant> merchants_due(const Claim& claim) override { return store_->merchants_due(claim); }
  std::vector<HeldRow> renew(const std::vector<HeldRow>& rows, std::chrono::milliseconds lease) override {
    die_at("before renew");
    auto held = store_->renew(rows, lease);
    die_at("after renew");
    return held;
  }
  Settled settle(const std::vector<Settlement>& settlements) override {
    die_at("before settle");
    const Settled settled = store_->settle(settlements);
    die_at("after settle");
    return settled;
  }
  void halt(const std::string& merchant, std::chrono::milliseconds time, const std::string& why) override {
    store_->halt(merchant, time, why);
  }
  std::string last_resume() override { return store_->last_resume(); }
  void interrupt() override { store_->interrupt(); }

 private:
  const std::unique_ptr<Store> store_;
};

class DyingTransport : public Transport {
 public:
  explicit DyingTransport(std::shared_ptr<Transport> transport) : transport_(std::move(transport)) {}

  void send(HttpRequest request, SendOptions options, Completion done) override {
    die_at("before send");
    transport_->send(std::move(request), std::move(options), [done = std::move(done)](auto response) mutable {
      die_at("after the answer");
      done(std::move(response));
    });
  }

 private:
  const std::shared_ptr<Transport> transport_;
};

int relay(const std::string& url, const std::vector<std::string>& words) {
  ClientOptions client_options;
  client_options.origins = {words.at(0)};
  client_options.retry.max_tries = 1;
  CurlOptions curl_options;
  curl_options.ca_bundle_file = words.at(1);
  PlatformKeys keys;
  if (!keys.add_public_key_file(words.at(5), words.at(4))) return 2;
  const auto credentials = Credentials::from_pem_files(words.at(2), words.at(3));
  if (!credentials) return 2;
  const auto client = BonusCommitClient::create(
      *credentials, keys, std::make_shared<DyingTransport>(CurlTransport::create(curl_options).value()),
      client_options);
  if (!client) return 2;
  RelayOptions options;
  options.owner = {credentials->mchid(), "https://api.example"};  // the same as in the fixture of the tests
  options.max_in_flight = 4;
  RelayTime time;
  // After SIGUSR1, calls look long enough in progress for their lease to be renewed.
  static_cast<void>(std::signal(SIGUSR1, [](int) { lease_passes = true; }));
  time.lease_now = [] { return Lease::Clock::now() + std::chrono::seconds(lease_passes ? 31 : 0); };
  Relay relay(
      options, [&url] { return std::make_unique<DyingStore>(open<Store, PostgresqlStore, MysqlStore>(url)); }, *client,
      [](const std::string& line) { std::cerr << line << "\n"; }, time);
  relay.run();
  return 3;  // an error: the process should have been killed
}

int run(const std::vector<std::string>& words) {
  point() = words.at(0);
  const std::string& url = words.at(1);
  if (words.size() > 3) return relay(url, {words.begin() + 2, words.end()});
  const auto administration = open<Administration, PostgresqlAdministration, MysqlAdministration>(url);
  if (words.at(2) == "install") administration->install();
  if (words.at(2) == "prune") administration->prune(std::chrono::hours(1));
  return 3;
}

}  // namespace

}  // namespace wechatpay::bonus_commit::outbox

int main(int argc, char** argv) {
  ::alarm(60);  // ends the process if it does not reach the point
  try {
    return wechatpay::bonus_commit::outbox::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
}
