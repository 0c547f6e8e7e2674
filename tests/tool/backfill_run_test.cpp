#include "backfill_run.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exit_status.hpp"
#include "src/outbox/meaning.hpp"
#include "tests/support/counting_transport.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace testing;

namespace {

Error failure(Remedy remedy, Outcome outcome = Outcome::not_sent) {
  Error error = transport_error(TransportFault::other, outcome, "a long explanation");
  error.remedy = remedy;
  return error;
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// While it exists, this process cannot write to any file beyond its first `most` bytes.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t most) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{most, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  void (*signal_)(int);
  rlimit before_{};
};

/// A backfill of an order file. `transport_` answers the requests.
class BackfillTest : public ::testing::Test {
 protected:
  BackfillTest() {
    options_.failed = folder_.path("failed");
    options_.journal = folder_.path("journal");
    options_.max_in_flight = 1;
  }

  static std::string orders(int count) {
    std::string text = "card_id,code,out_trade_no,mchid,sub_mchid,bonus_value\n";
    for (int i = 1; i <= count; ++i) text += "1,2,order-" + std::to_string(i) + ",4,5,6\n";
    return text;
  }

  int run(const std::string& content) { return run(content, transport_); }

  int run(const std::string& content, const std::shared_ptr<Transport>& transport) {
    ClientOptions client_options;
    client_options.origins = {"https://127.0.0.1:1"};
    client_options.retry.max_tries = 1;
    client_options.rate_limit.per_second = rate_of_client_;
    const auto client =
        BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), transport, client_options);
    OrderFile file = OrderFile::open(folder_.write("orders.csv", content), {}).value();
    Journal journal(options_.journal, "here");
    BackfillRun run(options_, std::move(file), journal, interruption_);
    ::testing::internal::CaptureStderr();
    const int status = run.run(client.value());
    said_ = ::testing::internal::GetCapturedStderr();
    summary_ = run.summary();
    return status;
  }

  /// WeChat Pay refuses the next request.
  void refuse() {
    transport_->then(
        [this](const HttpRequest& request) { return wechat_pay_.error(400, "PARAM_ERROR", "no such card", request); });
  }

  /// Makes a journal on which a statement fails: `when` is "BEFORE INSERT ON orders" or the like.
  void break_journal(const std::string& when) const {
    { const Journal journal(options_.journal, "here"); }
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(options_.journal.c_str(), &database), SQLITE_OK);
    const std::string trigger = "CREATE TRIGGER broken " + when + " BEGIN SELECT RAISE(ABORT, 'the disk is gone'); END";
    EXPECT_EQ(sqlite3_exec(database, trigger.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }

  bool said(const std::string& text) const { return contains(said_, text); }
  std::string failed() const { return read_text(options_.failed); }

  const TemporaryFolder folder_;
  FakeWechatPay wechat_pay_;
  const std::shared_ptr<MockTransport> transport_ = std::make_shared<MockTransport>();
  BackfillOptions options_;
  double rate_of_client_ = 0;
  int interruption_ = -1;
  std::string said_;
  nlohmann::ordered_json summary_;
};

TEST_F(BackfillTest, StopsAtOnceOnAFaultOfTheSetUpAndSettlesNothing) {
  for (const Remedy remedy : {Remedy::correct_setup, Remedy::correct_the_program}) {
    const std::size_t before = transport_->requests().size();
    transport_->then(failure(remedy));
    EXPECT_EQ(run(orders(50)), ExitStatus::not_sent);
    EXPECT_EQ(transport_->requests().size(), before + 1);
    EXPECT_TRUE(said("Stopped: every further order would fail in the same way: other (not sent)")) << said_;
  }
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  EXPECT_EQ(run(orders(50)), ExitStatus::success);
  EXPECT_TRUE(said("50 credited, 0 failed\n")) << said_;
}

TEST_F(BackfillTest, StopsAfterTenRefusedPermissionsInARow) {
  transport_->otherwise([](const HttpRequest&) { return failure(Remedy::ask_wechat_pay); });
  EXPECT_EQ(run(orders(50)), ExitStatus::not_sent);
  EXPECT_EQ(transport_->requests().size(), 10U);
  options_.stop_after = 3;
  run(orders(50));
  EXPECT_EQ(transport_->requests().size(), 13U);
  options_.stop_after = 0;
  run(orders(50));
  EXPECT_EQ(transport_->requests().size(), 63U);
}

TEST_F(BackfillTest, GoesOnAfterARefusedMerchantIdAndStopsAfterTenInARow) {
  const auto refuse = [this](const HttpRequest& request) {
    return wechat_pay_.error(400, "PARAM_ERROR",
                             "http header\u4e2d\u7684mchid\u4e0epost payload\u4e2d\u7684mchid\u4e0d\u5339\u914d",
                             request);
  };
  transport_->then(refuse);
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  EXPECT_EQ(run(orders(3)), ExitStatus::refused);
  EXPECT_TRUE(said("2 credited, 1 failed\n")) << said_;
  transport_->otherwise(refuse);
  EXPECT_EQ(run(orders(50)), ExitStatus::not_sent);
  EXPECT_EQ(transport_->requests().size(), 3U + 10U) << "the first order again, then others";
  EXPECT_TRUE(said("Stopped: 10 failures in a row (--stop-after), the last one: 400 PARAM_ERROR (refused)")) << said_;
}

TEST_F(BackfillTest, SettlesARefusalOfTheOrderAloneAndGoesOn) {
  const auto refuse = [this](int status, const char* code) {
    transport_->then([this, status, code](const HttpRequest& request) {
      return wechat_pay_.error(status, code, "no such card", request);
    });
  };
  refuse(400, "PARAM_ERROR");
  transport_->then(failure(Remedy::retry_later));
  refuse(403, "NO_AUTH");
  EXPECT_EQ(run(orders(3)), ExitStatus::not_sent);
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  EXPECT_EQ(run(orders(3)), ExitStatus::refused);
  EXPECT_TRUE(said("2 credited, 0 failed, 1 refused by earlier runs")) << said_;
}

TEST_F(BackfillTest, TellsACauseOnceAndCountsTheRest) {
  transport_->otherwise([](const HttpRequest&) { return failure(Remedy::retry_later); });
  EXPECT_EQ(run(orders(50)), ExitStatus::not_sent);
  EXPECT_EQ(times(said_, "a long explanation"), 1U) << said_;
  EXPECT_TRUE(said("50 x other (not sent), first on line 2\n")) << said_;
}

TEST_F(BackfillTest, TellsWhatEarlierRunsLearnedWhereThisOneHasNotToldIt) {
  transport_->then(
      [this](const HttpRequest& request) { return wechat_pay_.error(400, "PARAM_ERROR", "no such card", request); });
  run(orders(1));
  run(orders(1));
  EXPECT_TRUE(said("1 x 400 PARAM_ERROR (refused), first on line 2: ")) << said_;
  EXPECT_TRUE(said("no such card")) << said_;
}

TEST_F(BackfillTest, TellsOfFewRowsOfOneCause) {
  std::string content = orders(0);
  for (int i = 0; i < 30; ++i) content += "1,2,3,4,5,many" + std::to_string(i) + "\n";
  EXPECT_EQ(run(content + "1,2,3,4\n"), ExitStatus::refused);
  EXPECT_EQ(times(said_, "bonus_value must be a whole number"), 3U) << said_;
  EXPECT_TRUE(said("line 32: has 4 fields")) << said_;
  EXPECT_TRUE(said("0 credited, 0 failed, 31 invalid rows\n")) << said_;
}

TEST_F(BackfillTest, TellsOfRowsOfTwentyCausesAtMost) {
  std::string content = orders(0);
  for (const char* none :
       {"null", "none", "nil", "nan", "NA", "NaT", "undefined", "empty", "blank", "missing", "void"}) {
    content += std::string(none) + ",2,3,4,5,6\n1," + none + ",3,4,5,6\n";
  }
  EXPECT_EQ(run(content), ExitStatus::refused);
  EXPECT_EQ(times(said_, ", which means no value"), 20U) << said_;
  EXPECT_TRUE(said("0 credited, 0 failed, 22 invalid rows\n")) << said_;
}

TEST_F(BackfillTest, LeavesWhatFailedUntilThenWhereItStops) {
  options_.stop_after = 2;
  transport_->otherwise([](const HttpRequest&) { return failure(Remedy::retry_later); });
  run(orders(5));
  EXPECT_TRUE(said("failed has the rows that failed so far: fix the causes, then run backfill on it.")) << said_;
  EXPECT_TRUE(said("Part of the file was not processed. Run the same command again to resume.")) << said_;
  EXPECT_EQ(times(failed(), "\n"), 3U) << failed();
  EXPECT_TRUE(contains(failed(), "order-2,4,5,6,\"not sent: a long explanation")) << failed();

  options_.stop_after = 1;
  run(orders(5));
  EXPECT_TRUE(contains(failed(), "order-2")) << "of the run before, which came further: " << failed();
}

TEST_F(BackfillTest, PromisesNothingWithoutAJournal) {
  options_.journal = "";
  options_.stop_after = 1;
  transport_->otherwise([](const HttpRequest&) { return failure(Remedy::retry_later); });
  run(orders(5));
  EXPECT_TRUE(said("There is no journal: the next run commits all orders again")) << said_;
  EXPECT_FALSE(said("Run the same command again")) << said_;
}

TEST_F(BackfillTest, HoldsBackWhatASpreadsheetMayHaveRounded) {
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  const std::string content = orders(1) + "1,2,1217752501201410000000000000,4,5,6\n";
  EXPECT_EQ(run(content), ExitStatus::refused);
  EXPECT_TRUE(said("line 3: out_trade_no may have been rounded")) << said_;
  EXPECT_TRUE(said("1 credited, 0 failed, 1 held back as possibly rounded (--allow-rounded commits them)")) << said_;
  EXPECT_TRUE(contains(failed(), "--allow-rounded commits it anyway")) << failed();
  EXPECT_FALSE(contains(failed(), "not an order")) << failed();
  options_.allow_rounded = true;
  EXPECT_EQ(run(content), ExitStatus::success);
  EXPECT_TRUE(said("1 credited, 0 failed, 1 credited by earlier runs")) << said_;
}

TEST_F(BackfillTest, CommitsNoRowOfWhatFailedThatIsNoOrder) {
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  const std::string cut = "1,2,order-2,4,5,3";
  EXPECT_EQ(run(orders(1) + "1,2,order-1,4,5,31\n" + cut), ExitStatus::refused);
  EXPECT_TRUE(contains(failed(), "\n1,2,order-1,4,5,31,\"not an order: out_trade_no order-1 is on")) << failed();
  EXPECT_TRUE(contains(failed(), "\n" + cut + ",\"not an order: the last line does not end with")) << failed();
  for (int again = 0; again < 2; ++again) {
    options_.journal = "";
    EXPECT_EQ(run(failed()), ExitStatus::refused);
    EXPECT_EQ(transport_->requests().size(), 1U);
    EXPECT_TRUE(said("0 credited, 0 failed, 2 invalid rows")) << said_;
  }
}

TEST_F(BackfillTest, GivesItsSummaryAsJson) {
  transport_->then(failure(Remedy::retry_later)).otherwise([this](const HttpRequest& request) {
    return wechat_pay_.answer(request);
  });
  run(orders(3) + "1,2,3,4\n");
  EXPECT_EQ(summary_["complete"], true);
  EXPECT_EQ(summary_["credited"], 2);
  EXPECT_EQ(summary_["failed"], 1);
  EXPECT_EQ(summary_["bad_rows"], 1);
  EXPECT_EQ(summary_["failures"][0]["label"], "other (not sent)");
  EXPECT_EQ(summary_["failures"][0]["count"], 1);
  EXPECT_EQ(summary_["failed_file"], options_.failed);
  EXPECT_EQ(summary_["journal"], options_.journal);
}

TEST_F(BackfillTest, EndsWithTheWorstOfSeveralOutcomesInWhicheverOrderTheyCome) {
  using Outcomes = std::vector<Outcome>;
  const auto status_of = [this](const Outcomes& outcomes) {
    options_.journal = "";
    for (const Outcome outcome : outcomes) {
      if (outcome == Outcome::refused) {
        refuse();
      } else {
        transport_->then(failure(Remedy::retry_later, outcome));
      }
    }
    transport_->then([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
    return run(orders(static_cast<int>(outcomes.size()) + 1));
  };
  EXPECT_EQ(status_of({}), ExitStatus::success);
  EXPECT_EQ(status_of({Outcome::refused}), ExitStatus::refused);
  EXPECT_EQ(status_of({Outcome::not_sent}), ExitStatus::not_sent);
  EXPECT_EQ(status_of({Outcome::unknown}), ExitStatus::unknown);
  Outcomes all = {Outcome::not_sent, Outcome::refused, Outcome::unknown};
  for (const Outcomes& two : {Outcomes{all[0], all[1]}, Outcomes{all[1], all[0]}}) {
    EXPECT_EQ(status_of(two), ExitStatus::not_sent);
  }
  std::sort(all.begin(), all.end());
  do {
    EXPECT_EQ(status_of(all), ExitStatus::unknown);
  } while (std::next_permutation(all.begin(), all.end()));
}

TEST_F(BackfillTest, SaysThatAnOrderIsUnknownRatherThanThatItStopped) {
  options_.stop_after = 1;
  transport_->otherwise([](const HttpRequest&) { return failure(Remedy::retry_later, Outcome::unknown); });
  EXPECT_EQ(run(orders(3)), ExitStatus::unknown);
  EXPECT_EQ(summary_["complete"], false);
}

TEST_F(BackfillTest, SaysThatNotAllWasDoneRatherThanThatOneWasRefused) {
  options_.stop_after = 1;
  refuse();
  EXPECT_EQ(run(orders(3)), ExitStatus::not_sent);
}

TEST_F(BackfillTest, SaysThatNotAllWasDoneWhereTheFileOfFailuresCannotBeWritten) {
  options_.failed = folder_.path("none/failed");
  refuse();
  EXPECT_EQ(run(orders(1)), ExitStatus::not_sent);
  EXPECT_TRUE(said(" cannot be written: the failed rows are in the journal")) << said_;
}

TEST_F(BackfillTest, EndsAsUnknownWhereItsJournalCannotBeWrittenAndLosesNoOrder) {
  options_.max_in_flight = 3;
  const auto transport = std::make_shared<CountingTransport>();
  auto status = std::async(std::launch::async, [&] { return run(orders(5), transport); });
  transport->wait_for(3);
  {
    const FileSizeLimit full(16 * 1024);  // less than the journal has, and more than is said
    transport->answer(wechat_pay_);
    EXPECT_EQ(status.get(), ExitStatus::unknown);
  }
  EXPECT_EQ(transport->sent(), 3U);
  EXPECT_EQ(times(said_, "journal: "), 1U) << said_;
  EXPECT_TRUE(said("\n0 credited, 0 failed\n")) << said_;
  EXPECT_FALSE(said("Run the same command again")) << said_;
  EXPECT_EQ(summary_["complete"], false);
  EXPECT_EQ(summary_["failures"].size(), 0U);

  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  EXPECT_EQ(run(orders(5)), ExitStatus::success);
  EXPECT_TRUE(said("5 credited, 0 failed\n")) << said_;
}

TEST_F(BackfillTest, CommitsNoOrderThatItsJournalCannotTakeUp) {
  break_journal("BEFORE INSERT ON orders");
  EXPECT_EQ(run(orders(3)), ExitStatus::unknown);
  EXPECT_EQ(transport_->requests().size(), 0U);
  EXPECT_EQ(times(said_, "journal: the disk is gone\n"), 1U) << said_;
  EXPECT_EQ(summary_["complete"], false);
}

TEST_F(BackfillTest, IsNotCompleteWhereItHasReadTheFileButCouldNotWriteEachResult) {
  break_journal("BEFORE UPDATE OF outcome ON orders");
  options_.max_in_flight = 64;  // so it reads to the end before the answer
  const auto transport = std::make_shared<CountingTransport>();
  auto status = std::async(std::launch::async, [&] { return run(orders(1), transport); });
  transport->wait_for(1);
  transport->answer(wechat_pay_);
  EXPECT_EQ(status.get(), ExitStatus::unknown);
  EXPECT_EQ(summary_["complete"], false);
  EXPECT_EQ(summary_["credited"], 0);
}

TEST_F(BackfillTest, SaysThatNotAllWasDoneWhereTheJournalFailsAtTheEnd) {
  break_journal("BEFORE UPDATE OF value ON about WHEN NEW.key = 'failed'");
  refuse();
  EXPECT_EQ(run(orders(1)), ExitStatus::not_sent);
  EXPECT_TRUE(said("journal: the disk is gone\n")) << said_;
  EXPECT_TRUE(said("failed cannot be written: the failed rows are in the journal")) << said_;
  EXPECT_FALSE(std::filesystem::exists(options_.failed));
}

TEST_F(BackfillTest, PromisesNoJournalWhereThereIsNoneForRowsThatCannotBeWritten) {
  options_.journal = "";
  options_.failed = folder_.path("none/failed");
  refuse();
  EXPECT_EQ(run(orders(1)), ExitStatus::not_sent);
  EXPECT_TRUE(said(" cannot be written\n")) << said_;
}

TEST_F(BackfillTest, WritesObjectsThatFailedAsObjectsThatItReadsAgain) {
  const std::string object =
      "{\"card_id\":\"1\",\"code\":\"2\",\"out_trade_no\":\"3\",\"mchid\":\"4\",\"sub_mchid\":\"5\",\"bonus_value\":6}";
  transport_->then(failure(Remedy::retry_later));
  EXPECT_EQ(run(object + "\n"), ExitStatus::not_sent);
  EXPECT_EQ(failed().substr(0, object.size()), object.substr(0, object.size() - 1) + ",");
  EXPECT_TRUE(contains(failed(), ",\"error\":\"not sent: a long explanation")) << failed();
  EXPECT_EQ(times(failed(), "\n"), 1U) << failed();
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  EXPECT_EQ(run(failed()), ExitStatus::success);
  EXPECT_TRUE(said("1 credited, 0 failed\n")) << said_;
}

/// Interrupts a backfill.
class Interruption {
 public:
  Interruption() { EXPECT_EQ(::pipe(ends_), 0); }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption() {
    for (const int end : ends_) ::close(end);
  }

  int descriptor() const { return ends_[0]; }
  void come() const { EXPECT_EQ(::write(ends_[1], "", 1), 1); }

 private:
  int ends_[2] = {-1, -1};
};

TEST_F(BackfillTest, EndsAsInterruptedAndSaysWhatIsLost) {
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  const Interruption interruption;
  interruption.come();
  interruption_ = interruption.descriptor();
  EXPECT_EQ(run(orders(2)), ExitStatus::interrupted);
  EXPECT_TRUE(said("Press Ctrl-C again to end at once; nothing is lost either way.\n")) << said_;
  EXPECT_TRUE(said("\nInterrupted. Run the same command again to resume.\n")) << said_;
  EXPECT_EQ(summary_["interrupted"], true);
  EXPECT_EQ(summary_["complete"], false);

  options_.journal = "";
  EXPECT_EQ(run(orders(2)), ExitStatus::interrupted);
  EXPECT_TRUE(said("Press Ctrl-C again to end at once.\n")) << said_;
  EXPECT_TRUE(said("\nInterrupted. There is no journal: the next run commits all orders again")) << said_;
}

TEST_F(BackfillTest, AnOrderThatWaitsForTheRateWhenItIsInterruptedHasNotFailed) {
  rate_of_client_ = 0.001;
  options_.max_in_flight = 2;
  const Interruption interruption;
  interruption_ = interruption.descriptor();
  const auto transport = std::make_shared<CountingTransport>();
  auto status = std::async(std::launch::async, [&] { return run(orders(2), transport); });
  transport->wait_for(1);
  interruption.come();
  transport->answer(wechat_pay_);
  EXPECT_EQ(status.get(), ExitStatus::interrupted);
  EXPECT_TRUE(said("\n1 credited, 0 failed\n")) << said_;
  EXPECT_FALSE(std::filesystem::exists(options_.failed)) << failed();
}

TEST_F(BackfillTest, HasNoMoreOrdersInProgressThanTheRateGivesInTwoSeconds) {
  options_.max_in_flight = 64;
  options_.rate = 2.4;
  const auto transport = std::make_shared<CountingTransport>();
  auto status = std::async(std::launch::async, [&] { return run(orders(40), transport); });
  for (std::size_t sent = 5; sent <= 40; sent += 5) {
    transport->wait_for(sent);
    transport->answer(wechat_pay_);
  }
  EXPECT_EQ(status.get(), ExitStatus::success);
  EXPECT_EQ(transport->most_held(), 5U);
}

TEST_F(BackfillTest, CountsFailuresFromTheLastCreditOn) {
  options_.stop_after = 2;
  const auto credit = [this](const HttpRequest& request) { return wechat_pay_.answer(request); };
  for (int i = 0; i < 3; ++i) transport_->then(failure(Remedy::retry_later)).then(credit);
  transport_->otherwise([](const HttpRequest&) { return failure(Remedy::retry_later); });
  EXPECT_EQ(run(orders(20)), ExitStatus::not_sent);
  EXPECT_EQ(transport_->requests().size(), 8U);
  EXPECT_TRUE(said("Stopped: 2 failures in a row (--stop-after), the last one: other (not sent)")) << said_;
}

TEST_F(BackfillTest, CountsRefusedPermissionsFromTheLastOtherFailureOn) {
  options_.stop_after = 50;
  for (int block = 0; block < 2; ++block) {
    for (int i = 0; i < 9; ++i) transport_->then(failure(Remedy::ask_wechat_pay));
    transport_->then(failure(Remedy::retry_later));
  }
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  run(orders(30));
  EXPECT_EQ(summary_["complete"], true) << said_;
  EXPECT_EQ(summary_["credited"], 10);
}

TEST_F(BackfillTest, TellsOfTwentyCausesAtMost) {
  for (int i = 10; i < 35; ++i) {
    transport_->then([this, i](const HttpRequest& request) {
      return wechat_pay_.error(400, "PARAM_ERROR", "reason " + std::to_string(i), request);
    });
  }
  run(orders(25));
  EXPECT_EQ(times(said_, "out_trade_no order-"), 20U) << said_;
  EXPECT_TRUE(said("25 x 400 PARAM_ERROR (refused), first on line 2\n")) << said_;
}

TEST_F(BackfillTest, GivesEachCountOfItsSummaryUnderItsOwnName) {
  const auto row = [](const std::string& name) { return "1,2," + name + ",4,5,6\n"; };
  transport_->then([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  transport_->otherwise(
      [this](const HttpRequest& request) { return wechat_pay_.error(400, "PARAM_ERROR", "no such card", request); });
  run(orders(3));
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  std::string content = orders(3) + row("new-1") + row("new-1") + row("new-1") + row("new-1");
  for (const char* bad : {"a", "b", "c", "d"}) content += std::string("1,2,") + bad + ",4,5,many\n";
  for (int i = 1; i <= 5; ++i) content += row("12177525012014" + std::to_string(i) + "0000000000000");
  run(content);
  const std::string message = summary_["failures"][0]["message"];
  const nlohmann::ordered_json expected = {
      {"complete", true},
      {"interrupted", false},
      {"credited", 1},
      {"failed", 0},
      {"bad_rows", 4},
      {"doubtful_rows", 5},
      {"credited_before", 1},
      {"refused_before", 2},
      {"repeated", 3},
      {"failures", {{{"label", "400 PARAM_ERROR (refused)"}, {"count", 2}, {"first_line", 3}, {"message", message}}}},
      {"failed_file", options_.failed},
      {"journal", options_.journal}};
  EXPECT_EQ(summary_.dump(), expected.dump());
}

TEST_F(BackfillTest, NamesNoFileOfFailuresWhereNothingFailed) {
  transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  EXPECT_EQ(run(orders(1)), ExitStatus::success);
  EXPECT_FALSE(summary_.contains("failed_file"));
  EXPECT_FALSE(std::filesystem::exists(options_.failed));
  EXPECT_FALSE(summary_.contains("stopped_because"));
}

TEST(BackfillDecisions, SettleOnlyAVerifiedRefusalOfTheOrder) {
  Error error;
  error.outcome = Outcome::refused;
  Answer& answer = error.tries.emplace_back().answer.emplace();
  answer.verification_fault = VerificationFault::none;
  for (const Remedy remedy : {Remedy::retry_later, Remedy::correct_request, Remedy::correct_setup,
                              Remedy::ask_wechat_pay, Remedy::correct_the_program}) {
    error.remedy = remedy;
    EXPECT_EQ(outbox::settled(outbox::meaning_of(error)), remedy == Remedy::correct_request) << to_string(remedy);
  }
  error.remedy = Remedy::correct_request;
  answer.verification_fault = VerificationFault::header_missing;
  EXPECT_FALSE(outbox::settled(outbox::meaning_of(error)));
  answer.verification_fault = VerificationFault::none;
  error.outcome = Outcome::unknown;
  EXPECT_FALSE(outbox::settled(outbox::meaning_of(error)));
  EXPECT_TRUE(outbox::settled(outbox::meaning_of(CommitReceipt{})));
}

}  // namespace
}  // namespace wechatpay::bonus_commit::tool
