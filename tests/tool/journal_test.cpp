#include "journal.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

OrderRow order(std::uint64_t line, const std::string& out_trade_no, std::int64_t points = 30) {
  OrderRow row;
  row.line = line;
  row.text = "the row of " + out_trade_no;
  row.request = {"1", "2", out_trade_no, "4", "5", points};
  return row;
}

CommitResult failure(Outcome outcome) {
  Error error = transport_error(TransportFault::timeout, outcome, "no answer in time");
  return error;
}

std::string refusal(const std::string& file, const std::string& about) {
  try {
    const Journal journal(file, about);
  } catch (const JournalError& error) {
    return error.what();
  }
  return "";
}

class JournalTest : public ::testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string file_ = folder_.path("journal");

  static Journal::Lookup look_up(Journal& journal, OrderRow row) { return journal.look_up(row); }

  static std::vector<std::string> failed_rows(Journal& journal,
                                              std::int64_t last = std::numeric_limits<std::int64_t>::max()) {
    std::vector<std::string> rows;
    journal.for_each_failed_row(
        last, [&rows](const std::string& text, const std::string& error) { rows.push_back(text + " | " + error); });
    return rows;
  }
};

TEST_F(JournalTest, MayBeReadByItsOwnerAlone) {
  using std::filesystem::perms;
  Journal journal(file_, "here");
  look_up(journal, order(1, "1"));
  for (const auto& file : std::filesystem::directory_iterator(folder_.path(""))) {
    EXPECT_EQ(file.status().permissions(), perms::owner_read | perms::owner_write) << file.path();
  }
}

TEST_F(JournalTest, GivesAnOrderAgainUntilItIsSettled) {
  {
    Journal first(file_, "here");
    for (const char* each : {"credited", "refused", "unknown", "not sent", "under way"}) {
      EXPECT_EQ(look_up(first, order(1, each)), Journal::Lookup::commit);
    }
    first.record(order(1, "credited").request, CommitReceipt{}, true);
    first.record(order(1, "refused").request, failure(Outcome::refused), true);
    first.record(order(1, "unknown").request, failure(Outcome::unknown), false);
    first.record(order(1, "not sent").request, failure(Outcome::not_sent), false);
  }
  Journal second(file_, "here");
  EXPECT_EQ(look_up(second, order(1, "credited")), Journal::Lookup::settled);
  EXPECT_EQ(look_up(second, order(2, "refused")), Journal::Lookup::refused);
  EXPECT_EQ(look_up(second, order(3, "unknown")), Journal::Lookup::commit);
  EXPECT_EQ(look_up(second, order(4, "not sent")), Journal::Lookup::commit);
  EXPECT_EQ(look_up(second, order(5, "under way")), Journal::Lookup::commit);
}

TEST_F(JournalTest, CommitsARefusedOrderWithOtherPointsAndKeepsThatUntilItIsDone) {
  {
    Journal first(file_, "here");
    EXPECT_EQ(look_up(first, order(1, "a", 30)), Journal::Lookup::commit);
    first.record(order(1, "a", 30).request, failure(Outcome::refused), true);
  }
  for (int run = 0; run < 2; ++run) {  // the first of these two runs ends without a result
    Journal later(file_, "here");
    EXPECT_EQ(look_up(later, order(1, "a", 40)), Journal::Lookup::commit) << run;
  }
}

TEST_F(JournalTest, CommitsARefusedOrderAgainIfAskedToAndKeepsThatUntilItIsDone) {
  {
    Journal first(file_, "here");
    EXPECT_EQ(look_up(first, order(1, "a")), Journal::Lookup::commit);
    first.record(order(1, "a").request, failure(Outcome::refused), true);
  }
  {
    Journal second(file_, "here");
    OrderRow row = order(1, "a");
    EXPECT_EQ(second.look_up(row, true), Journal::Lookup::commit);
  }
  Journal third(file_, "here");  // the second run ended without a result
  EXPECT_EQ(look_up(third, order(1, "a")), Journal::Lookup::commit);
}

TEST_F(JournalTest, RemembersWhichFileOfFailuresIsItsOwn) {
  {
    Journal first(file_, "here");
    EXPECT_FALSE(first.owns("failed"));
    first.own("failed");
  }
  Journal second(file_, "here");
  EXPECT_TRUE(second.owns("failed"));
  EXPECT_FALSE(second.owns("other"));
}

TEST_F(JournalTest, OfALaterLayoutIsLeftAlone) {
  { const Journal journal(file_, "here"); }
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "PRAGMA user_version = 2", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  EXPECT_TRUE(contains(refusal(file_, "here"), "by a newer version"));
}

/// Executes `sql` on the database `file`. Returns the first column of the result, one line per row.
std::string sqlite(const std::string& file, const std::string& sql) {
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  std::string rows;
  const auto add_row = [](void* all, int, char** values, char**) {
    *static_cast<std::string*>(all) += std::string(values[0] == nullptr ? "" : values[0]) + "\n";
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), add_row, &rows, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  sqlite3_close(database);
  return rows;
}

const std::string of_version_1 = read_text(WECHATPAY_SOURCE "/tests/tool/journal_1.0.0.sql");
const std::string wechat_pay = "https://api.mch.weixin.qq.com";

TEST_F(JournalTest, OfVersion1IsGoneOnWith) {
  sqlite(file_, of_version_1);
  Journal journal(file_, wechat_pay);
  EXPECT_TRUE(journal.owns("orders.csv.failed"));
  EXPECT_EQ(look_up(journal, order(2, "credited")), Journal::Lookup::settled);
  EXPECT_EQ(look_up(journal, order(3, "refused")), Journal::Lookup::refused);
  EXPECT_EQ(look_up(journal, order(4, "unknown")), Journal::Lookup::commit);
  EXPECT_EQ(look_up(journal, order(5, "not sent")), Journal::Lookup::commit);
  EXPECT_EQ(look_up(journal, order(6, "under way")), Journal::Lookup::commit);
  journal.record(order(4, "unknown").request, CommitReceipt{}, true);
  journal.record(order(5, "not sent").request, failure(Outcome::unknown), false);
  EXPECT_EQ(failed_rows(journal, 6),
            (std::vector<std::string>{
                "the row of refused | refused: WeChat Pay answered 400 INVALID_REQUEST: the code does not exist",
                "the row of not sent | unknown: no answer in time",
                "1,2,bad,4,5,0 | not an order: bonus_value must be 1 or more (given: 0)"}));
}

TEST_F(JournalTest, OfVersion1IsAboutTheHostThatItSays) {
  sqlite(file_, of_version_1);
  EXPECT_TRUE(contains(refusal(file_, "here"), "is about " + wechat_pay + ", not here"));
}

TEST_F(JournalTest, IsWrittenAsVersion1Reads) {
  const std::string form =
      "PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode;"
      "SELECT name || sql FROM sqlite_schema ORDER BY name; SELECT key FROM about";
  sqlite(file_, of_version_1);
  const std::string fresh = folder_.path("fresh");
  { const Journal journal(fresh, "here"); }
  EXPECT_EQ(sqlite(fresh, form), sqlite(file_, form));
}

TEST_F(JournalTest, KeepsWhatWechatPaySupportAsksFor) {
  {
    Journal journal(file_, "here");
    look_up(journal, order(1, "credited"));
    CommitReceipt receipt;
    receipt.request_id = "08AB";
    journal.record(order(1, "credited").request, receipt, true);
    look_up(journal, order(2, "refused"));
    Error refused;
    refused.outcome = Outcome::refused;
    refused.tries.emplace_back().answer.emplace().request_id = "08CD";
    journal.record(order(2, "refused").request, refused, true);
  }
  EXPECT_EQ(sqlite(file_, "SELECT outcome || ' ' || request_id || ' ' || row FROM orders ORDER BY line"),
            "credited 08AB \nrefused 08CD the row of refused\n");
}

TEST_F(JournalTest, CountsTheFailuresOfThisRunAloneWithTheMostFrequentFirst) {
  {
    Journal first(file_, "here");
    look_up(first, order(1, "earlier"));
    first.record(order(1, "earlier").request, failure(Outcome::unknown), false);
  }
  Journal second(file_, "here");
  for (const char* each : {"a", "b", "c"}) look_up(second, order(2, each));
  second.record(order(2, "a").request, transport_error(TransportFault::connect, Outcome::not_sent, "x"), false);
  second.record(order(2, "b").request, failure(Outcome::unknown), false);
  second.record(order(2, "c").request, failure(Outcome::unknown), false);
  std::vector<std::string> kinds;
  second.for_each_kind_of_failure(
      [&kinds](const Journal::Failures& kind) { kinds.push_back(std::to_string(kind.count) + " " + kind.label); });
  EXPECT_EQ(kinds, (std::vector<std::string>{"2 timeout (unknown)", "1 connect (not sent)"}));
}

TEST_F(JournalTest, TellsARowInDoubtFromOneThatIsNoOrder) {
  Journal journal(file_, "here");
  OrderRow doubtful = order(1, "a");
  doubtful.fault = "may have been rounded";
  doubtful.in_doubt = true;
  journal.look_up(doubtful);
  EXPECT_EQ(failed_rows(journal), std::vector<std::string>{"the row of a | may have been rounded"});
}

TEST_F(JournalTest, FindsAnOrderThatStandsTwiceInTheFile) {
  Journal journal(file_, "here");
  EXPECT_EQ(look_up(journal, order(2, "a", 30)), Journal::Lookup::commit);
  EXPECT_EQ(look_up(journal, order(3, "a", 30)), Journal::Lookup::repeated);
  OrderRow other = order(4, "a", 40);
  EXPECT_EQ(journal.look_up(other), Journal::Lookup::fault);
  EXPECT_EQ(other.fault, "out_trade_no a is on line 2 with bonus_value 30, here with 40: which one is right?");
  OrderRow member = order(5, "a", 40);
  member.request.code = "3";
  EXPECT_EQ(journal.look_up(member), Journal::Lookup::commit);
}

TEST_F(JournalTest, DoesNotCommitOtherPointsForAnOrderThatWasCredited) {
  {
    Journal first(file_, "here");
    EXPECT_EQ(look_up(first, order(1, "a", 30)), Journal::Lookup::commit);
    first.record(order(1, "a", 30).request, CommitReceipt{}, true);
  }
  Journal second(file_, "here");
  OrderRow other = order(1, "a", 40);
  EXPECT_EQ(second.look_up(other), Journal::Lookup::fault);
  EXPECT_TRUE(contains(other.fault, "was credited with bonus_value 30 before")) << other.fault;
}

TEST_F(JournalTest, ListsWhatFailedInTheOrderOfTheFile) {
  Journal journal(file_, "here");
  OrderRow bad = order(3, "bad");
  bad.fault = "is none";
  for (const OrderRow& row : {order(1, "a"), order(2, "b"), order(4, "c"), order(5, "d")}) look_up(journal, row);
  EXPECT_EQ(journal.look_up(bad), Journal::Lookup::fault);
  journal.record(order(5, "d").request, failure(Outcome::unknown), false);
  journal.record(order(1, "a").request, CommitReceipt{}, true);
  journal.record(order(2, "b").request, failure(Outcome::unknown), false);
  EXPECT_EQ(failed_rows(journal), (std::vector<std::string>{"the row of b | unknown: no answer in time",
                                                            "the row of bad | not an order: is none",
                                                            "the row of d | unknown: no answer in time"}));
  std::vector<std::string> kinds;
  journal.for_each_kind_of_failure([&kinds](const Journal::Failures& kind) {
    kinds.push_back(std::to_string(kind.count) + " " + kind.label + " " + std::to_string(kind.first_line));
  });
  EXPECT_EQ(kinds, std::vector<std::string>{"2 timeout (unknown) 2"});
}

TEST_F(JournalTest, ForgetsBadRowsOfEarlierRunsAndKeepsRefusedOrders) {
  OrderRow bad = order(3, "bad");
  bad.fault = "is none";
  {
    Journal first(file_, "here");
    EXPECT_EQ(first.look_up(bad), Journal::Lookup::fault);
    look_up(first, order(1, "a"));
    first.record(order(1, "a").request, failure(Outcome::refused), true);
  }
  Journal second(file_, "here");
  EXPECT_EQ(failed_rows(second), std::vector<std::string>{});
  EXPECT_EQ(look_up(second, order(2, "a")), Journal::Lookup::refused);
  EXPECT_EQ(failed_rows(second), std::vector<std::string>{"the row of a | refused: no answer in time"});
}

TEST_F(JournalTest, ListsWhatFailedBeforeBehindTheLineThatARunHasComeTo) {
  OrderRow bad = order(4, "bad");
  bad.fault = "is none";
  {
    Journal first(file_, "here");
    for (const OrderRow& row : {order(1, "a"), order(2, "b"), order(3, "c")}) {
      look_up(first, row);
      first.record(row.request, failure(Outcome::unknown), false);
    }
    EXPECT_EQ(first.look_up(bad), Journal::Lookup::fault);
  }
  Journal second(file_, "here");
  look_up(second, order(1, "a"));
  second.record(order(1, "a").request, CommitReceipt{}, true);
  look_up(second, order(2, "b"));
  second.record(order(2, "b").request, failure(Outcome::unknown), false);
  EXPECT_EQ(failed_rows(second, 2), (std::vector<std::string>{"the row of b | unknown: no answer in time",
                                                              "the row of c | unknown: no answer in time",
                                                              "the row of bad | not an order: is none"}));
  EXPECT_EQ(failed_rows(second), std::vector<std::string>{"the row of b | unknown: no answer in time"});
}

TEST_F(JournalTest, LabelsAFailureByStatusAndCodeFirst) {
  Journal journal(file_, "here");
  look_up(journal, order(1, "a"));
  Error error;
  error.kind = ErrorKind::api_error;
  error.outcome = Outcome::refused;
  Answer& answer = error.tries.emplace_back().answer.emplace();
  answer.http_status = 401;
  answer.code = "SIGN_ERROR";
  journal.record(order(1, "a").request, error, false);
  look_up(journal, order(2, "b"));
  error.kind = ErrorKind::unverified_answer;
  error.outcome = Outcome::unknown;
  answer.http_status = 204;
  answer.code = "";
  journal.record(order(2, "b").request, error, false);
  std::vector<std::string> labels;
  journal.for_each_kind_of_failure([&labels](const Journal::Failures& kind) { labels.push_back(kind.label); });
  EXPECT_EQ(labels, (std::vector<std::string>{"204, header missing (unknown)", "401 SIGN_ERROR (refused)"}));
}

TEST_F(JournalTest, IsRefusedWhereItIsAboutAnotherHost) {
  EXPECT_EQ(refusal(file_, "https://127.0.0.1:8443"), "");
  EXPECT_TRUE(contains(refusal(file_, "https://api.mch.weixin.qq.com"), "is about https://127.0.0.1:8443, not"));
  EXPECT_EQ(refusal(file_, "https://127.0.0.1:8443"), "");
}

TEST_F(JournalTest, IsRefusedWhereAnotherProcessUsesIt) {
  const Journal journal(file_, "here");
  EXPECT_TRUE(contains(refusal(file_, "here"), "is in use by another process"));
}

TEST_F(JournalTest, LeavesFilesAloneThatAreNoJournals) {
  const std::string text = folder_.write("text", std::string(5000, 'x'));
  EXPECT_TRUE(contains(refusal(text, "here"), "is not a journal")) << refusal(text, "here");
  EXPECT_EQ(read_text(text), std::string(5000, 'x'));

  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "CREATE TABLE somebody (s)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  EXPECT_TRUE(contains(refusal(file_, "here"), "but not a journal"));

  EXPECT_TRUE(contains(refusal("/none/journal", "here"), "choose another file with --journal"));
}

}  // namespace
}  // namespace wechatpay::bonus_commit::tool
