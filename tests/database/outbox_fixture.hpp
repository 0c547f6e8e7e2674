// An outbox in a real database, and how tests look into it.
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
#include "tests/database/postgresql_server.hpp"

namespace wechatpay::bonus_commit::outbox {

inline const Owner owner = {"1900000001", "https://api.example"};

class OutboxTest : public ::testing::Test {
 protected:
  OutboxTest() { open_administration(url_)->install(); }

  /// A store of its own connection, which the merchant's tables know.
  std::unique_ptr<Store> store(const std::string& url) const {
    auto made = open_store(url);
    made->open(owner);
    return made;
  }
  std::unique_ptr<Store> store() const { return store(url_); }

  void execute(const std::string& statements) const { connect(url_)->execute(statements); }

  /// The first column of the first line.
  std::string value(const std::string& query) const { return connect(url_)->query(query).at(0).at(0); }
  int number(const std::string& query) const { return std::stoi(value(query)); }

  /// So many orders, named `name`-1 and so on, in one transaction.
  void insert(int count, const std::string& name = "order") const {
    execute(
        "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value) "
        "SELECT '478515832665', '478515832665', '" +
        name + "-' || i, '1230000109', '1900000109', 30 FROM generate_series(1, " + std::to_string(count) + ") AS i;");
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

  /// Waits until it is so; false where it never was within two minutes.
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

  const std::string url_ = PostgresqlServer::shared().new_database();
};

}  // namespace wechatpay::bonus_commit::outbox

#endif
