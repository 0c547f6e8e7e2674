// Runs the outbox's statements on a real server.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "src/outbox/decisions.hpp"
#include "tests/database/outbox_fixture.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

/// The message of the DatabaseError that `run` throws. Empty if it throws none.
std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const DatabaseError& error) {
    return error.what();
  }
  return "";
}

TEST_P(OutboxTest, InstallsTwiceAndByTwoAtATimeWithoutAnError) {
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, &failures] {
      if (!error_of([this] { open_administration(url_)->install(); }).empty()) ++failures;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(open_administration(url_)->status().version, schema_version);
}

TEST_P(OutboxTest, ASecondInstallationWaitsForNoTransactionAndHoldsNoneUp) {
  const auto merchant = connect(url_);
  merchant->execute(
      "BEGIN; INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, bonus_value) VALUES "
      "('1', '2', '3', '4', 5);");
  EXPECT_EQ(error_of([this] { open_administration(url_)->install(); }), "");
  execute("DELETE FROM wechatpay_bonus_outbox_about;");
  EXPECT_EQ(error_of([this] { open_administration(url_)->install(); }), "");
  EXPECT_EQ(open_administration(url_)->status().version, schema_version);
  merchant->execute("COMMIT;");
}

TEST_P(OutboxTest, AnInstallationMakesTheIndexOfMerchantsWhereTheTablesAreOlderThanIt) {
  const std::string drop = server_.name() == "PostgreSQL"
                               ? "DROP INDEX wechatpay_bonus_outbox_fair;"
                               : "DROP INDEX wechatpay_bonus_outbox_fair ON wechatpay_bonus_outbox;";
  execute(drop);
  open_administration(url_)->install();
  EXPECT_EQ(error_of([&] { execute(drop); }), "");
}

TEST_F(PostgresqlOutboxTest, AnIndexThatIsMissingIsMadeWhereItsLockIsToBeHadSoon) {
  execute("DROP INDEX wechatpay_bonus_outbox_due; DELETE FROM wechatpay_bonus_outbox_about;");
  const auto merchant = connect(url_);
  merchant->execute("BEGIN; LOCK TABLE wechatpay_bonus_outbox IN ROW EXCLUSIVE MODE;");
  EXPECT_TRUE(contains(error_of([this] { open_administration(url_)->install(); }), "lock timeout"));
  merchant->execute("COMMIT;");
  open_administration(url_)->install();
  EXPECT_EQ(value("SELECT to_regclass('wechatpay_bonus_outbox_due') IS NOT NULL"), "t");
}

TEST_P(OutboxTest, AClaimTakesTheOldestDueRowsAndNoOtherClaimTakesThem) {
  insert(5);
  execute("UPDATE wechatpay_bonus_outbox SET due_at = now() - interval '1' hour WHERE out_trade_no = 'order-4';");
  execute("UPDATE wechatpay_bonus_outbox SET due_at = now() + interval '1' hour WHERE out_trade_no = 'order-1';");
  const auto store = this->store();
  const auto first = store->claim(claim_of(10, "a"));
  ASSERT_EQ(first.size(), 4U);
  EXPECT_EQ(first[0].order.out_trade_no, "order-4");
  EXPECT_EQ(first[1].order.out_trade_no, "order-2");
  EXPECT_EQ(first[0].order.bonus_value, 30);
  EXPECT_EQ(first[0].claims, 1);
  insert(3, "later");
  EXPECT_EQ(store->claim(claim_of(10, "b")).size(), 3U);
  EXPECT_EQ(store->claim(claim_of(10, "c")).size(), 0U);
}

TEST_P(OutboxTest, ARowWhoseLeaseHasEndedIsClaimedAgainAndItsOldTokenSettlesAndRenewsNothing) {
  insert(1);
  const auto store = this->store();
  Claim short_claim = claim_of(1, "stopped");
  short_claim.lease = std::chrono::milliseconds(1);
  const Row row = store->claim(short_claim).at(0);
  std::vector<Row> again;
  ASSERT_TRUE(becomes([&] { return !(again = store->claim(claim_of(1, "awake"))).empty(); }));
  EXPECT_EQ(again[0].claims, 2);
  for (const Fate fate : {Fate::done, Fate::dead, Fate::wait, Fate::hand_back}) {
    const Settled settled = store->settle({settlement_of(row, "stopped", fate)});
    EXPECT_EQ(settled.done + settled.dead + settled.back, 0U);
  }
  EXPECT_TRUE(store->renew({{row.id, "stopped"}}, std::chrono::seconds(90)).empty());
  EXPECT_EQ(store->renew({{row.id, "awake"}}, std::chrono::seconds(90)).size(), 1U);
  EXPECT_EQ(store->settle({settlement_of(row, "awake", Fate::done)}).done, 1U);
  EXPECT_EQ(done(), 1);
  EXPECT_EQ(unsettled(), 0);
}

TEST_P(OutboxTest, ASettlementOfEachFateIsWrittenOnceHoweverOftenItIsRepeated) {
  insert(4);
  const auto store = this->store();
  const auto rows = store->claim(claim_of(4));
  ASSERT_EQ(rows.size(), 4U);
  std::vector<Settlement> settlements = {
      settlement_of(rows[0], "token", Fate::done), settlement_of(rows[1], "token", Fate::dead),
      settlement_of(rows[2], "token", Fate::wait), settlement_of(rows[3], "token", Fate::hand_back)};
  settlements[0].request_id = "0AF1\"\\'{},";
  settlements[1].message = "a \"quoted\" \\ message, {with} 'braces' $ $9";
  settlements[2].pause = settlements[3].pause = std::chrono::hours(1);
  settlements[2].message = "timeout";
  for (int i = 0; i < 3; ++i) {
    const Settled settled = store->settle(settlements);
    EXPECT_EQ(settled.done, i == 0 ? 1U : 0U);
    EXPECT_EQ(settled.dead, i == 0 ? 1U : 0U);
    EXPECT_EQ(settled.back, i == 0 ? 2U : 0U);
  }
  EXPECT_EQ(value("SELECT request_id FROM wechatpay_bonus_outbox_done"), "0AF1\"\\'{},");
  EXPECT_EQ(value("SELECT message FROM wechatpay_bonus_outbox_dead"), "a \"quoted\" \\ message, {with} 'braces' $ $9");
  EXPECT_EQ(value("SELECT attempts || ' ' || claims || ' ' || last_error FROM wechatpay_bonus_outbox "
                  "WHERE out_trade_no = 'order-3'"),
            "1 1 timeout");
  EXPECT_EQ(value("SELECT attempts || ' ' || claims FROM wechatpay_bonus_outbox WHERE out_trade_no = 'order-4'"),
            "0 0");
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE claim IS NULL AND due_at > now()"), 2);
}

TEST_P(OutboxTest, CountsAtTheirLimitStopNeitherAClaimNorASettlement) {
  insert(4);
  execute("UPDATE wechatpay_bonus_outbox SET claims = 2147483647, attempts = 2147483647;");
  const auto store = this->store();
  const auto rows = store->claim(claim_of(4));
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_FALSE(is_suspect(rows[0]));
  const Settled settled =
      store->settle({settlement_of(rows[0], "token", Fate::done), settlement_of(rows[1], "token", Fate::dead),
                     settlement_of(rows[2], "token", Fate::wait), settlement_of(rows[3], "token", Fate::hand_back)});
  EXPECT_EQ(settled.done + settled.dead + settled.back, 4U);
  EXPECT_EQ(number("SELECT attempts FROM wechatpay_bonus_outbox_done"), 2147483647);
  EXPECT_EQ(number("SELECT attempts FROM wechatpay_bonus_outbox_dead"), 2147483647);
}

TEST_P(OutboxTest, AllWorkersTogetherKeepTheRate) {
  using Clock = std::chrono::steady_clock;
  insert(4000);
  const auto begin = Clock::now();
  std::atomic<int> claimed{0};
  const auto enough = [&] { return Clock::now() - begin > std::chrono::seconds(2) && claimed >= 200; };  // a burst
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      const auto store = this->store();
      while (!enough() && Clock::now() - begin < std::chrono::minutes(2)) {
        Claim claim = claim_of(50);
        claim.pace.per_second = 200;
        claimed += static_cast<int>(store->claim(claim).size());
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double> time = Clock::now() - begin;
  EXPECT_LE(claimed, 200 * time.count() + 200);
  EXPECT_GE(claimed, 200);
}

TEST_P(OutboxTest, ARateGoesOnAfterTheDatabasesClockWasSetBack) {
  insert(1);
  const auto store = this->store();
  execute("UPDATE wechatpay_bonus_outbox_pace SET next_at = now() + interval '1' day;");
  Claim claim = claim_of(1);
  claim.pace.per_second = 100;
  EXPECT_EQ(store->claim(claim).size(), 1U);
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox_pace WHERE next_at <= now() + interval '1' minute"), 1);
}

TEST_P(OutboxTest, AClaimThatMayTakeNoneOfTheDueRowsTakesNothingOfTheRate) {
  insert(1);
  execute("UPDATE wechatpay_bonus_outbox SET due_at = now() - interval '1' hour;");
  const auto store = this->store();
  const std::string before = value("SELECT next_at FROM wechatpay_bonus_outbox_pace");
  Claim claim = claim_of(1);
  claim.pace.per_second = 100;
  claim.low = std::chrono::duration_cast<std::chrono::microseconds>(
                  (std::chrono::system_clock::now() - std::chrono::minutes(1)).time_since_epoch())
                  .count();
  EXPECT_TRUE(store->claim(claim).empty());
  EXPECT_EQ(value("SELECT next_at FROM wechatpay_bonus_outbox_pace"), before);
}

/// One turn for each, by `sub_mchid`.
std::vector<Turn> turns(const std::vector<std::pair<std::string, std::size_t>>& shares) {
  std::vector<Turn> made;
  made.reserve(shares.size());
  for (const auto& [sub_mchid, share] : shares) made.push_back({{"1230000109", sub_mchid}, share});
  return made;
}

TEST_P(OutboxTest, AClaimInTurnsTakesTheOldestRowsOfEachMerchantAndNoMoreThanItsShare) {
  insert(50, "many");
  insert(3, "few");
  insert(3, "later");
  execute(
      "UPDATE wechatpay_bonus_outbox SET sub_mchid = '$1' WHERE out_trade_no LIKE 'few%';"
      "UPDATE wechatpay_bonus_outbox SET sub_mchid = '7', due_at = now() + interval '1' hour WHERE out_trade_no LIKE "
      "'later%';");
  const auto store = this->store();
  std::vector<std::string> due;
  for (const Merchant& merchant : store->merchants_due(claim_of(8))) due.push_back(merchant.sub_mchid);
  std::sort(due.begin(), due.end());
  EXPECT_EQ(due, (std::vector<std::string>{"$1", "1900000109"}));
  Claim claim = claim_of(8);
  claim.turns = turns({{"$1", 4}, {"7", 4}, {"1900000109", 4}});
  std::map<std::string, int> claimed;
  for (const Row& row : store->claim(claim)) ++claimed[row.order.sub_mchid];
  if (server_.name() == "PostgreSQL") {
    EXPECT_EQ(claimed, (std::map<std::string, int>{{"$1", 3}, {"1900000109", 4}}));
  } else {  // any of the oldest rows, so that workers conflict less often
    EXPECT_GE(claimed["$1"], 1);
    EXPECT_EQ(claimed["1900000109"], 4);
  }
  claim.turns = turns({{"1900000109", 8}});
  claim.pace.per_second = 100;
  EXPECT_EQ(store->claim(claim).size(), 8U);
  store->halt(owner.merchant, std::chrono::minutes(5), "429");
  EXPECT_TRUE(store->claim(claim).empty());
  claim.pace = {};
  EXPECT_TRUE(store->claim(claim).empty());
}

TEST_P(OutboxTest, AClaimInTurnsTakesOfTheRateWhatItClaims) {
  insert(1000, "many");
  insert(1, "few");
  execute("UPDATE wechatpay_bonus_outbox SET sub_mchid = '7' WHERE out_trade_no LIKE 'few%';");
  const auto store = this->store();
  Claim claim = claim_of(50);
  claim.pace.per_second = 2;
  claim.turns = turns({{"nobody", 50}});
  EXPECT_TRUE(store->claim(claim).empty());
  EXPECT_FALSE(store->waits_for_rate());
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox_pace WHERE next_at <= now() + interval '1' second"), 1);
  execute("UPDATE wechatpay_bonus_outbox_pace SET next_at = now() - interval '1' second;");
  claim.turns = turns({{"7", 25}, {"1900000109", 25}});
  EXPECT_EQ(store->claim(claim).size(), 26U);
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox_pace WHERE next_at BETWEEN now() + interval '1' second "
                   "AND now() + interval '14' second"),
            1)
      << "half a second for each row";
  EXPECT_TRUE(store->claim(claim).empty());
  EXPECT_TRUE(store->waits_for_rate());
  EXPECT_TRUE(store->claim(claim_of(1)).size() == 1 && !store->waits_for_rate());
}

TEST_P(OutboxTest, AMerchantIsDueWhereOneOfItsRowsHasWaitedForTheDelay) {
  insert(3, "young");
  insert(3, "old");
  execute(
      "UPDATE wechatpay_bonus_outbox SET sub_mchid = '7', created_at = now() - interval '1' hour WHERE out_trade_no "
      "LIKE 'old%';");
  Claim claim = claim_of(1);
  EXPECT_EQ(store()->merchants_due(claim).size(), 2U);
  claim.delay = std::chrono::minutes(2);
  const auto due = store()->merchants_due(claim);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].sub_mchid, "7");
}

TEST_P(OutboxTest, ARowIsClaimedWhenItWasInsertedAsLongAgoAsTheDelayIs) {
  insert(3);
  execute(
      "UPDATE wechatpay_bonus_outbox SET created_at = now() - interval '3' minute WHERE out_trade_no <> 'order-1';"
      "UPDATE wechatpay_bonus_outbox SET due_at = now() + interval '1' minute WHERE out_trade_no = 'order-2';");
  const auto store = this->store();
  Claim claim = claim_of(10);
  claim.delay = std::chrono::minutes(4);
  claim.pace.per_second = 100;
  EXPECT_TRUE(store->claim(claim).empty());
  claim.delay = std::chrono::minutes(2);
  claim.turns = turns({{"1900000109", 10}});
  const auto rows = store->claim(claim);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].order.out_trade_no, "order-3") << "and it is due";
}

TEST_P(OutboxTest, AHaltIsForAllWorkersAndEndsByResume) {
  insert(3);
  const auto store = this->store();
  store->halt(owner.merchant, std::chrono::minutes(5), "429");
  Claim paced = claim_of(1);
  paced.pace.per_second = 100;
  EXPECT_TRUE(this->store()->claim(claim_of(1)).empty());
  EXPECT_TRUE(this->store()->claim(paced).empty());
  const auto administration = open_administration(url_);
  EXPECT_GT(administration->status().halted_seconds, 250);
  EXPECT_EQ(administration->status().why_halted, "429");
  administration->resume();
  EXPECT_EQ(store->claim(claim_of(1)).size(), 1U);
  EXPECT_EQ(store->claim(paced).size(), 1U);
}

TEST_P(OutboxTest, AHaltFromBeforeTheClockWasSetBackIsOver) {
  insert(3);
  const auto store = this->store();
  execute("UPDATE wechatpay_bonus_outbox_pace SET halted_until = now() + interval '1' hour;");
  Claim paced = claim_of(1);
  paced.pace.per_second = 100;
  EXPECT_EQ(store->claim(claim_of(1)).size(), 1U);
  EXPECT_EQ(store->claim(paced).size(), 1U);
  const auto administration = open_administration(url_);
  EXPECT_EQ(administration->status().halted_seconds, 0);
  store->halt(owner.merchant, std::chrono::minutes(1), "429");
  EXPECT_TRUE(store->claim(claim_of(1)).empty());
  EXPECT_LE(administration->status().halted_seconds, 60);
}

TEST_P(OutboxTest, ARowWhoseIdHadAnotherOneBeforeIsDoneBesideIt) {
  const auto store = this->store();
  for (int i = 0; i < 2; ++i) {
    execute(server_.name() == "PostgreSQL" ? "TRUNCATE wechatpay_bonus_outbox RESTART IDENTITY;"
                                           : "TRUNCATE wechatpay_bonus_outbox;");
    insert(1);
    Settlement done;
    done.id = store->claim(claim_of(1, std::to_string(i))).at(0).id;
    done.token = std::to_string(i);
    done.fate = Fate::done;
    EXPECT_EQ(done.id, 1);
    EXPECT_EQ(store->settle({done}).done, 1U);
  }
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox_done WHERE id = 1"), 2);
}

TEST_F(PostgresqlOutboxTest, ARowThatASessionOfAnotherTimeZoneInsertsIsDueAtOnce) {
  execute(
      "SET timezone = 'Asia/Shanghai'; INSERT INTO wechatpay_bonus_outbox "
      "(card_id, code, out_trade_no, mchid, bonus_value) VALUES ('1', '2', '3', '4', 5);");
  EXPECT_EQ(store()->claim(claim_of(1)).size(), 1U);
}

TEST_F(PostgresqlOutboxTest, TheMerchantNeedsTheRightToInsertAlone) {
  const std::string role = "merchant_of_" + database_;
  execute("CREATE ROLE " + role +
          " LOGIN; GRANT INSERT (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value) ON "
          "wechatpay_bonus_outbox TO " +
          role + ";");
  const std::string url = server_.url(database_, role);
  connect(url)->execute(
      "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, bonus_value) "
      "VALUES ('1', '2', '3', '4', 5);");
  EXPECT_EQ(unsettled(), 1);
  EXPECT_TRUE(contains(error_of([&] { store(url); }), "permission denied"));
  const auto missing = open_administration(url)->health().missing_rights;
  EXPECT_NE(std::find(missing.begin(), missing.end(), "DELETE on wechatpay_bonus_outbox"), missing.end());
  EXPECT_TRUE(contains(error_of([&] {
                         connect(url)->execute(
                             "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, bonus_value, "
                             "claims) VALUES ('1', '2', '3', '4', 5, 2147483647);");
                       }),
                       "permission denied"));
  EXPECT_TRUE(open_administration(url_)->health().missing_rights.empty());
}

TEST_P(OutboxTest, ARelayNeedsTheRightsThatDoctorLooksForAndNoOthers) {
  const bool postgresql = server_.name() == "PostgreSQL";
  const std::string role = "relay_of_" + database_;
  const std::string user = postgresql ? role : "'" + role + "'@'localhost'";
  execute(postgresql ? "CREATE ROLE " + role + " LOGIN;" : "CREATE USER " + user + ";");
  const std::vector<std::pair<std::string, std::string>> rights = {
      {"SELECT, UPDATE, DELETE", ""},
      {postgresql ? "SELECT, INSERT, UPDATE" : "SELECT, INSERT, DELETE", "_done"},
      {"SELECT, INSERT", "_dead"},
      {"SELECT, INSERT, UPDATE", "_pace"},
      {"SELECT, INSERT", "_about"}};
  for (const auto& [some, table] : rights) {
    std::string grant = "GRANT ";
    grant.append(some).append(" ON wechatpay_bonus_outbox").append(table).append(" TO ").append(user).append(";");
    execute(grant);
  }
  const std::string url = server_.url(database_, role);
  EXPECT_EQ(open_administration(url)->health().missing_rights, std::vector<std::string>());
  insert(4);
  const auto store = this->store(url);
  Claim paced = claim_of(4);
  paced.pace.per_second = 100;
  const auto rows = store->claim(paced);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(store->renew({{rows[0].id, "token"}}, std::chrono::seconds(90)).size(), 1U);
  store->settle({settlement_of(rows[0], "token", Fate::done), settlement_of(rows[1], "token", Fate::dead),
                 settlement_of(rows[2], "token", Fate::wait), settlement_of(rows[3], "token", Fate::hand_back)});
  EXPECT_EQ(done() + dead(), 2);
  EXPECT_EQ(store->claim(claim_of(1)).size(), 1U);
  store->halt(owner.merchant, std::chrono::minutes(5), "429");
  EXPECT_EQ(store->last_resume(), "");
  EXPECT_EQ(open_administration(url)->status().due, 1U);

  execute("REVOKE INSERT ON wechatpay_bonus_outbox_dead FROM " + user + ";");
  EXPECT_EQ(open_administration(url)->health().missing_rights,
            std::vector<std::string>{"INSERT on wechatpay_bonus_outbox_dead"});
  execute((postgresql ? "DROP OWNED BY " + role + "; DROP ROLE " : "DROP USER ") + user + ";");
}

TEST_P(OutboxTest, AUserWithoutTheRightToSeeOpenTransactionsIsToldWhichRightItIs) {
  const bool postgresql = server_.name() == "PostgreSQL";
  const std::string role = "relay_of_" + database_;
  const std::string user = postgresql ? role : "'" + role + "'@'localhost'";
  const std::string tables = postgresql ? "ALL TABLES IN SCHEMA public" : database_ + ".*";
  execute(postgresql ? "CREATE ROLE " + role + " LOGIN;" : "CREATE USER " + user + ";");
  execute("GRANT SELECT, INSERT, UPDATE, DELETE ON " + tables + " TO " + user + ";");
  const std::string url = server_.url(database_, role);
  const Health blind = open_administration(url)->health();
  EXPECT_FALSE(blind.oldest_transaction_seconds);
  EXPECT_EQ(blind.right_to_see_transactions, postgresql ? "pg_read_all_stats" : "PROCESS");
  execute((postgresql ? "GRANT pg_read_all_stats TO " : "GRANT PROCESS ON *.* TO ") + user + ";");
  const auto other = connect(url_);
  other->execute("BEGIN; UPDATE wechatpay_bonus_outbox_about SET value = value;");
  const auto seen = [&url] { return open_administration(url)->health().oldest_transaction_seconds; };
  EXPECT_TRUE(becomes([&seen] { return seen().value_or(0) >= 1; }));
  other->execute("ROLLBACK;");
  EXPECT_EQ(open_administration(url)->health().right_to_see_transactions, "");
  execute((postgresql ? "DROP OWNED BY " + role + "; DROP ROLE " : "DROP USER ") + user + ";");
}

TEST_P(OutboxTest, WhatTheServerSaysIsShownWithoutCharactersThatATerminalHeeds) {
  const bool postgresql = server_.name() == "PostgreSQL";
  const std::string hostile = "a\x1B[31m red\r\nline";
  const std::string error = error_of([&] {
    connect(url_)->execute(postgresql ? "DO $$ BEGIN RAISE EXCEPTION '" + hostile + "'; END $$;"
                                      : "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '" + hostile + "';");
  });
  EXPECT_TRUE(contains(error, "1B[31m red")) << error;  // MariaDB escapes it in its own way
  EXPECT_EQ(error.find_first_of("\x1B\r\n"), std::string::npos) << error;
  execute("INSERT INTO wechatpay_bonus_outbox_about VALUES ('merchant', '" + hostile + "'), ('host', 'x');");
  const std::string refused = error_of([this] { open_store(url_)->open(owner); });
  EXPECT_TRUE(contains(refused, "another merchant: a\\x1B[31m red\\x0D\\x0Aline,")) << refused;
}

TEST_P(OutboxTest, AStatementThatWaitsForTheServerEndsWhenAnotherThreadCutsItsConnection) {
  const auto session = connect(url_, std::chrono::hours(1));
  std::string error;
  std::thread waiting([&] {
    const bool postgresql = server_.name() == "PostgreSQL";
    error = error_of([&] { session->query(postgresql ? "SELECT pg_sleep(3000)" : "SELECT SLEEP(3000)"); });
  });
  session->interrupt();  // before or after it is sent
  waiting.join();
  EXPECT_NE(error, "");
  EXPECT_NE(error_of([&] { session->query("SELECT 1"); }), "");
}

TEST_P(OutboxTest, AServerThatAcceptsAConnectionAndSaysNothingIsGivenUp) {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listening, 8), 0);
  ASSERT_EQ(::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const std::string host = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const std::string url = server_.name() == "PostgreSQL" ? "postgresql://super@" + host + "/none?connect_timeout=2"
                                                         : "mysql://root@" + host + "/none";
  bool passing = false;
  std::string error;
  try {
    connect(url, std::chrono::hours(1));
  } catch (const DatabaseError& silence) {
    passing = silence.passing();
    error = silence.what();
  }
  EXPECT_TRUE(passing) << error;
  EXPECT_TRUE(contains(error, server_.name() == "PostgreSQL" ? "timeout" : "handshake")) << error;
  ::close(listening);
}

TEST_F(PostgresqlOutboxTest, HostileValuesAreDataAndAreCut) {
  const std::string hostile = "'); DROP TABLE wechatpay_bonus_outbox; --\\\"{}";
  connect(url_)->query(
      "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value) "
      "VALUES ($1, repeat('x', 10485760), $1, repeat('y', 10485760), repeat('z', 10485760), -9223372036854775808)",
      {hostile});
  const auto store = this->store();
  const auto rows = store->claim(claim_of(1));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].order.card_id, hostile);
  EXPECT_EQ(rows[0].order.code.size(), 64U);
  EXPECT_FALSE(rows[0].order.check().empty());
  Settlement dead = settlement_of(rows[0], "token", Fate::dead);
  dead.message = hostile;
  EXPECT_EQ(store->settle({dead}).dead, 1U);
  EXPECT_EQ(number("SELECT length(code) FROM wechatpay_bonus_outbox_dead"), 10485760);
  EXPECT_EQ(open_administration(url_)->dead({}, 10).at(0).message, hostile);
}

TEST_P(OutboxTest, AnOrderThatIsDoneWithOtherPointsIsSaidToBeContradicted) {
  insert(1);
  const auto store = this->store();
  store->settle({settlement_of(store->claim(claim_of(1)).at(0), "token", Fate::done)});
  insert(1);
  EXPECT_FALSE(store->claim(claim_of(1)).at(0).contradicted);
  insert(1);
  execute("UPDATE wechatpay_bonus_outbox SET bonus_value = 31 WHERE claim IS NULL;");
  EXPECT_TRUE(store->claim(claim_of(1)).at(0).contradicted);
}

TEST_P(OutboxTest, AnotherMerchantsAnotherHostsAndANewerOutboxAreRefused) {
  store();
  const auto refusal = [this](const Owner& other) { return error_of([&] { open_store(url_)->open(other); }); };
  EXPECT_TRUE(contains(refusal({"1900000002", owner.host}), "another merchant: 1900000001"));
  EXPECT_TRUE(contains(refusal({owner.merchant, "https://127.0.0.1:8443"}), "another host: https://api.example"));
  EXPECT_EQ(refusal(owner), "");
  EXPECT_EQ(refusal({owner.merchant, "https://api.example,https://api2.example"}), "");
  execute("DELETE FROM wechatpay_bonus_outbox_about WHERE value <> '1';");
  EXPECT_EQ(refusal({"1900000002", "https://127.0.0.1:8443"}), "") << "after a trial";
  execute(
      "DELETE FROM wechatpay_bonus_outbox_about WHERE value <> '1';"
      "UPDATE wechatpay_bonus_outbox_about SET value = '2' WHERE \"key\" = 'schema';");
  EXPECT_TRUE(contains(refusal(owner), "newer than this program knows"));
  EXPECT_TRUE(contains(error_of([this] { open_administration(url_)->install(); }), "newer than this program knows"));
  execute("UPDATE wechatpay_bonus_outbox_about SET value = '0' WHERE \"key\" = 'schema';");
  EXPECT_TRUE(contains(refusal(owner), "outbox upgrade"));
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox_about"), 1) << "none of them has made it its own";
}

TEST_P(OutboxTest, ADatabaseWithoutTablesIsToldHowToGetThem) {
  const std::string empty = server_.url(server_.new_database());
  EXPECT_TRUE(contains(error_of([&] { open_store(empty)->open(owner); }), "outbox install"));
}

TEST_F(PostgresqlOutboxTest, ADatabaseOfAnotherEncodingThanUtf8IsRefused) {
  const std::string name = database_ + "_latin1";
  execute("CREATE DATABASE " + name + " ENCODING 'LATIN1' TEMPLATE template0;");
  const std::string url = server_.url(name);
  EXPECT_TRUE(contains(error_of([&url] { open_administration(url)->install(); }), "needs UTF8"));
  connect(url)->execute(schema_for(url));
  EXPECT_TRUE(contains(error_of([this, &url] { store(url); }), "needs UTF8"));
  execute("DROP DATABASE " + name + ";");
}

TEST_F(PostgresqlOutboxTest, ADatabaseWhoseDefaultIsAStricterIsolationIsUsedAtReadCommitted) {
  execute("ALTER DATABASE " + database_ + " SET default_transaction_isolation = serializable;");
  EXPECT_EQ(value("SELECT current_setting('transaction_isolation')"), "read committed");
}

TEST_F(PostgresqlOutboxTest, AServerThatOnlyReadsIsNoOutboxAndSaysSo) {
  execute("ALTER DATABASE " + database_ + " SET default_transaction_read_only = on;");
  EXPECT_TRUE(contains(error_of([this] { open_store(url_); }), "read-only"));
}

TEST_F(PostgresqlOutboxTest, NoErrorRepeatsThePasswordOfItsUrl) {
  const std::string folder = server_.folder().string();
  const std::vector<std::string> urls = {
      "postgresql://super:Hunter2@127.0.0.1:1/none",
      "postgresql://stranger:Hunter2@/none?host=" + folder,
      "postgresql://super:Hunter2@[::1/none",
      "postgresql://super@/none?password=Hunter2&host=" + folder,
      "postgresql://super:Hunter2@/postgres?unknown=Hunter2&host=" + folder,
  };
  for (const std::string& url : urls) {
    const std::string error = error_of([&] { connect(url); });
    EXPECT_FALSE(error.empty());
    EXPECT_FALSE(contains(error, "Hunter2")) << error;
    EXPECT_TRUE(has_password(url)) << url;
  }
}

TEST_P(OutboxTest, APasswordWithCharactersOfAUrlIsRefusedAndNoPieceOfItShown) {
  const std::string scheme = url_.substr(0, url_.find("://"));
  for (const char* password : {"Hun?ter2", "Hun/ter2", "Hun@ter2", "Hun#ter2", "Hun/ter@r2", "1/Hun?ter:r2"}) {
    const std::string url = scheme + "://super:" + password + "@127.0.0.1:1/none";
    const std::string error = error_of([&url] { connect(url); });
    EXPECT_TRUE(contains(error, "%40 %2F %3F %23")) << error;
    EXPECT_FALSE(contains(error, "Hun") || contains(error, "ter2") || contains(error, "r2")) << error;
    EXPECT_TRUE(has_password(url)) << url;
  }
  EXPECT_TRUE(contains(error_of([&] { connect(scheme + "://super:Hunter2/none"); }), "a port that is no number"));
}

TEST_P(OutboxTest, DeadRowsAreListedTriedAgainAndDiscarded) {
  insert(3);
  const auto store = this->store();
  std::vector<Settlement> settlements;
  for (const Row& row : store->claim(claim_of(3))) settlements.push_back(settlement_of(row, "token", Fate::dead));
  settlements[0].kind = "exhausted";
  store->settle(settlements);
  const auto administration = open_administration(url_);
  EXPECT_EQ(administration->status().dead, (std::map<std::string, std::uint64_t>{{"exhausted", 1}, {"refused", 2}}));
  DeadRows exhausted;
  exhausted.kind = "exhausted";
  const auto listed = administration->dead(exhausted, 10);
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].order.out_trade_no, "order-1");
  EXPECT_EQ(listed[0].attempts, 1);
  EXPECT_EQ(administration->retry(exhausted), 1U);
  EXPECT_EQ(store->claim(claim_of(3)).at(0).order.out_trade_no, "order-1");
  DeadRows one;
  one.id = administration->dead({}, 1).at(0).id;
  EXPECT_EQ(administration->discard(one), 1U);
  EXPECT_EQ(administration->discard({}), 1U);
  EXPECT_EQ(dead(), 0);
}

TEST_P(OutboxTest, ManyDeadRowsAreListedInPagesAndTriedAgainAndDiscardedInParts) {
  execute(
      "INSERT INTO wechatpay_bonus_outbox_dead (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, attempts, "
      "created_at, kind, error_code, message, request_id) VALUES ('1', '2', '3', '4', '', 5, 1, now(), 'refused', "
      "'', '', '');");
  for (int i = 0; i < 13; ++i) {
    execute(
        "INSERT INTO wechatpay_bonus_outbox_dead (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, "
        "attempts, created_at, kind, error_code, message, request_id) SELECT card_id, code, out_trade_no, mchid, "
        "sub_mchid, bonus_value, attempts, created_at, kind, error_code, message, request_id FROM "
        "wechatpay_bonus_outbox_dead;");
  }
  const auto administration = open_administration(url_);
  DeadRows some;
  some.after = administration->dead({}, 8191).back().id;
  EXPECT_EQ(administration->dead(some, 10000).size(), 1U);
  EXPECT_EQ(administration->discard(some), 1U);
  some.after = administration->dead({}, 6000).back().id;
  EXPECT_EQ(administration->retry(some), 2191U);
  EXPECT_EQ(unsettled(), 2191);
  EXPECT_EQ(administration->discard({}), 6000U);
  EXPECT_EQ(dead(), 0);
}

TEST_F(PostgresqlOutboxTest, AStatementEndsInTheServerBeforeTheClientGivesItUp) {
  const auto limit = [this](std::chrono::seconds longest) {
    return connect(url_, longest)->query("SELECT current_setting('statement_timeout')").at(0).at(0);
  };
  EXPECT_EQ(limit(std::chrono::seconds(15)), "10s");
  EXPECT_EQ(limit(std::chrono::seconds(300)), "295s");
}

TEST_P(OutboxTest, OldDoneRowsArePrunedAndWaitingOnesMadeDue) {
  insert(3);
  const auto store = this->store();
  const auto rows = store->claim(claim_of(3));
  Settlement waits = settlement_of(rows[2], "token", Fate::wait);
  waits.pause = std::chrono::hours(1);
  store->settle({settlement_of(rows[0], "token", Fate::done), settlement_of(rows[1], "token", Fate::done), waits});
  execute("UPDATE wechatpay_bonus_outbox_done SET done_at = now() - interval '3' day WHERE out_trade_no = 'order-1';");
  const auto administration = open_administration(url_);
  EXPECT_EQ(administration->status().waiting, 1U);
  EXPECT_EQ(administration->status().done_in_last_hour, 1U);
  EXPECT_EQ(administration->prune(std::chrono::hours(48)), 1U);
  EXPECT_EQ(done(), 1);
  EXPECT_EQ(administration->resume(), 1U);
  EXPECT_EQ(administration->status().due, 1U);
}

TEST_F(PostgresqlOutboxTest, NoMoreRowsAreReadThanTheBatchHasWhereTheTableWasEmptyAtItsLastVacuum) {
  execute("ALTER TABLE wechatpay_bonus_outbox SET (autovacuum_enabled = false);");
  insert(1000, "earlier");
  const auto old_snapshot = connect(url_);  // so that VACUUM leaves the pages
  old_snapshot->execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;");
  execute("DELETE FROM wechatpay_bonus_outbox;");
  execute("VACUUM wechatpay_bonus_outbox;");
  insert(3000);
  const std::string rows_read =
      "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'wechatpay_bonus_outbox'";
  const std::string index_pages_read =
      "SELECT sum(idx_blks_hit + idx_blks_read) FROM pg_statio_user_indexes WHERE relname = 'wechatpay_bonus_outbox'";
  const auto others_ended = [this] {  // a session adds what it has read when it ends
    return number(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
               "pg_backend_pid() AND backend_type = 'client backend'") == 1;
  };
  Claim oldest = claim_of(64);
  Claim in_turns = claim_of(64);
  in_turns.turns = turns({{"1900000109", 64}});
  ASSERT_TRUE(becomes(others_ended));
  for (const Claim& claim : {oldest, in_turns}) {
    const int rows_before = number(rows_read);
    const int pages_before = number(index_pages_read);
    {
      const auto store = this->store();
      const auto rows = store->claim(claim);
      ASSERT_EQ(rows.size(), 64U);
      std::vector<HeldRow> held;
      std::vector<Settlement> settlements;
      for (const Row& row : rows) {
        held.push_back({row.id, "token"});
        settlements.push_back(settlement_of(row, "token", row.id % 2 == 0 ? Fate::done : Fate::wait));
      }
      EXPECT_EQ(store->renew(held, std::chrono::seconds(90)).size(), 64U);
      const Settled settled = store->settle(settlements);
      EXPECT_EQ(settled.done + settled.back, 64U);
    }
    ASSERT_TRUE(becomes(others_ended));
    EXPECT_LT(number(rows_read) - rows_before, 1000) << claim.turns.size();
    EXPECT_LT(number(index_pages_read) - pages_before, 3000) << claim.turns.size();
  }
}

INSTANTIATE_TEST_SUITE_P(Databases, OutboxTest, ::testing::ValuesIn(servers()), server_name);

}  // namespace
}  // namespace wechatpay::bonus_commit::outbox
