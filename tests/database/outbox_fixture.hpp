// An outbox in a real database, and queries for tests to inspect it.
#ifndef WECHATPAY_TESTS_DATABASE_OUTBOX_FIXTURE_HPP
#define WECHATPAY_TESTS_DATABASE_OUTBOX_FIXTURE_HPP

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "src/outbox/store.hpp"
#include "tests/database/servers.hpp"

namespace wechatpay::bonus_commit::outbox {

inline const Owner owner = {"1900000001", "https://api.example"};

class OutboxParts {
 protected:
  explicit OutboxParts(DatabaseServer& server) : server_(server) { open_administration(url_)->install(); }
  OutboxParts(const OutboxParts&) = delete;
  OutboxParts& operator=(const OutboxParts&) = delete;
  ~OutboxParts() {
    try {
      server_.drop(database_);
    } catch (const DatabaseError& error) {
      ADD_FAILURE() << error.what();
    }
  }

  /// A store with its own connection, opened for the merchant that owns the tables.
  std::unique_ptr<Store> store(const std::string& url) const {
    auto made = open_store(url);
    made->open(owner);
    return made;
  }
  std::unique_ptr<Store> store() const { return store(url_); }

  void execute(const std::string& statements) const { connect(url_)->execute(statements); }

  /// The first column of the first row.
  std::string value(const std::string& query) const { return connect(url_)->query(query).at(0).at(0); }
  int number(const std::string& query) const { return std::stoi(value(query)); }

  /// Inserts `count` orders, named `name`-1 and so on, in one transaction.
  void insert(int count, const std::string& name = "order") const {
    std::string statement =
        "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value) VALUES ";
    for (int i = 1; i <= count; ++i) {
      statement.append(i > 1 ? ", " : "").append("('478515832665', '478515832665', '").append(name).append("-");
      statement.append(std::to_string(i)).append("', '1230000109', '1900000109', 30)");
    }
    execute(statement + ";");
  }

  static Claim claim_of(std::size_t most, const std::string& token = "token") {
    Claim claim;
    claim.token = token;
    claim.most = most;
    claim.merchant = owner.merchant;
    return claim;
  }

  static Settlement settlement_of(const Row& row, const std::string& token, Fate fate) {
    Settlement settlement;
    settlement.id = row.id;
    settlement.token = token;
    settlement.fate = fate;
    if (fate == Fate::dead) settlement.kind = "refused";
    return settlement;
  }

  /// Waits until `so` returns true. Returns false after two minutes.
  static bool becomes(const std::function<bool()>& so) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (!so()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  int unsettled() const { return number("SELECT count(*) FROM wechatpay_bonus_outbox"); }
  int done() const { return number("SELECT count(*) FROM wechatpay_bonus_outbox_done"); }
  int dead() const { return number("SELECT count(*) FROM wechatpay_bonus_outbox_dead"); }

  DatabaseServer& server_;
  const std::string database_ = server_.new_database();
  const std::string url_ = server_.url(database_);
};

/// A server that many tests use. It starts when the first of them does.
struct SharedServer {
  const char* name;
  DatabaseServer& (*get)();
};

/// Tests for every database.
class OutboxTest : public ::testing::TestWithParam<SharedServer>, protected OutboxParts {
 protected:
  OutboxTest() : OutboxParts(GetParam().get()) {}
};

/// Tests for PostgreSQL only.
class PostgresqlOutboxTest : public ::testing::Test, protected OutboxParts {
 protected:
  PostgresqlOutboxTest() : OutboxParts(PostgresqlServer::shared()) {}
};

inline const std::vector<SharedServer>& servers() {
  static const std::vector<SharedServer> all = {
      {"PostgreSQL", PostgresqlServer::shared},
#ifdef WECHATPAY_WITH_MARIADB_SERVER
      {"MariaDB", MariadbServer::shared},
#endif
  };
  return all;
}

inline std::string server_name(const ::testing::TestParamInfo<SharedServer>& info) { return info.param.name; }

}  // namespace wechatpay::bonus_commit::outbox

#endif
