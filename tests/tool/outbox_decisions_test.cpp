// The decisions of the relay and `backfill` for each result, in tables.
#include "src/outbox/decisions.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <map>
#include <vector>

#include "src/outbox/breaker.hpp"
#include "src/outbox/fairness.hpp"
#include "src/outbox/lease.hpp"
#include "src/outbox/meaning.hpp"
#include "src/outbox/polling.hpp"
#include "src/outbox/session.hpp"
#include "src/outbox/store.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// An error after one try with this answer. With status 0, an error without any try.
Error error(Remedy remedy, Outcome outcome, int status, bool verified = true, ErrorKind kind = ErrorKind::api_error) {
  Error made;
  made.kind = kind;
  made.remedy = remedy;
  made.outcome = outcome;
  made.message = "what happened";
  if (status == 0) return made;
  Answer answer;
  answer.http_status = status;
  answer.code = "CODE";
  answer.request_id = "ID";
  answer.verification_fault = verified ? VerificationFault::none : VerificationFault::header_missing;
  Try made_try;
  made_try.answer = answer;
  made.tries.push_back(made_try);
  return made;
}

struct Case {
  const char* what;
  CommitResult result;
  Meaning meaning;
  bool settled;
};

std::vector<Case> cases() {
  const Outcome refused = Outcome::refused;
  const Outcome unknown = Outcome::unknown;
  const Outcome not_sent = Outcome::not_sent;
  Error shut_down = error(Remedy::retry_later, not_sent, 0, false, ErrorKind::transport_failed);
  shut_down.transport_fault = TransportFault::shut_down;
  return {
      {"a receipt", CommitReceipt(), Meaning::credited, true},
      {"the check", error(Remedy::correct_request, not_sent, 0, false, ErrorKind::invalid_request), Meaning::invalid,
       false},
      {"400, verified", error(Remedy::correct_request, refused, 400), Meaning::refused, true},
      {"400, unverified", error(Remedy::correct_request, refused, 400, false), Meaning::failed, false},
      {"400 after an unknown", error(Remedy::correct_request, unknown, 400), Meaning::failed, false},
      {"403", error(Remedy::ask_wechat_pay, refused, 403), Meaning::permission_missing, false},
      {"401", error(Remedy::correct_setup, refused, 401, false), Meaning::setup_wrong, false},
      {"401, verified", error(Remedy::correct_setup, refused, 401), Meaning::setup_wrong, false},
      {"another merchant's id", error(Remedy::correct_setup, refused, 400), Meaning::setup_doubtful, false},
      {"another merchant's id after an unknown", error(Remedy::correct_setup, unknown, 400), Meaning::setup_doubtful,
       false},
      {"a key unknown here", error(Remedy::correct_setup, unknown, 204, false), Meaning::setup_wrong, false},
      {"misuse", error(Remedy::correct_the_program, not_sent, 0, false, ErrorKind::misuse), Meaning::setup_wrong,
       false},
      {"429", error(Remedy::retry_later, refused, 429), Meaning::failed, false},
      {"503", error(Remedy::retry_later, refused, 503, false), Meaning::failed, false},
      {"the rate", error(Remedy::retry_later, not_sent, 0, false, ErrorKind::rate_limited), Meaning::not_called, false},
      {"stopped before", error(Remedy::retry_later, not_sent, 0, false, ErrorKind::cancelled), Meaning::not_called,
       false},
      {"stopped between tries", error(Remedy::retry_later, unknown, 503, false, ErrorKind::cancelled), Meaning::failed,
       false},
      {"shut down", shut_down, Meaning::not_called, false},
  };
}

TEST(Meaning, OfEachResult) {
  for (const Case& one : cases()) {
    EXPECT_EQ(meaning_of(one.result), one.meaning) << one.what;
    EXPECT_EQ(settled(meaning_of(one.result)), one.settled) << one.what;
  }
}

TEST(Meaning, A429HaltsAsRetryAfterAsksBetweenASecondAndFiveMinutes) {
  Error too_fast = error(Remedy::retry_later, Outcome::refused, 429);
  EXPECT_EQ(halt_after(too_fast), seconds(1));
  for (const auto& [asked, given] : {std::pair(0, 1), {20, 20}, {4000, 300}}) {
    too_fast.retry_after = seconds(asked);
    EXPECT_EQ(halt_after(too_fast), seconds(given));
  }
  EXPECT_FALSE(halt_after(error(Remedy::retry_later, Outcome::refused, 503)));
  EXPECT_FALSE(halt_after(CommitReceipt()));
}

Row row(int attempts, int claims, std::chrono::hours age = std::chrono::hours(0)) {
  Row made;
  made.id = 7;
  made.attempts = attempts;
  made.claims = claims;
  made.age = age;
  return made;
}

TEST(Decision, EachMeaningHasAFate) {
  for (const Case& one : cases()) {
    const Settlement made = settlement_of(row(0, 1), "token", one.result, GivingUp(), true, 0.5);
    EXPECT_EQ(made.id, 7);
    EXPECT_EQ(made.token, "token");
    switch (one.meaning) {
      case Meaning::credited: EXPECT_EQ(made.fate, Fate::done); break;
      case Meaning::invalid:
        EXPECT_EQ(made.fate, Fate::dead);
        EXPECT_EQ(made.kind, "invalid");
        break;
      case Meaning::refused:
        EXPECT_EQ(made.fate, Fate::dead);
        EXPECT_EQ(made.kind + made.code + made.request_id + made.message, "refusedCODEIDwhat happened");
        break;
      case Meaning::permission_missing:
        EXPECT_EQ(made.fate, Fate::wait);
        EXPECT_EQ(made.pause, std::chrono::minutes(10));
        break;
      case Meaning::setup_wrong:
      case Meaning::not_called: EXPECT_EQ(made.fate, Fate::hand_back) << one.what; break;
      case Meaning::setup_doubtful:
      case Meaning::failed:
        EXPECT_EQ(made.fate, Fate::wait) << one.what;
        EXPECT_EQ(made.pause, seconds(5)) << one.what;
        break;
    }
  }
}

TEST(Decision, GivesUpAnOldOrderAfterTwelveFailuresWhileOthersSucceed) {
  const CommitResult failed = error(Remedy::retry_later, Outcome::unknown, 500);
  const auto fate = [&failed](int attempts, int days, bool breaker_closed, bool ever = true) {
    GivingUp giving_up;
    giving_up.ever = ever;
    return settlement_of(row(attempts, attempts + 1, std::chrono::hours(24 * days)), "token", failed, giving_up,
                         breaker_closed, 0.5)
        .fate;
  };
  EXPECT_EQ(fate(11, 3, true), Fate::dead);
  EXPECT_EQ(fate(10, 3, true), Fate::wait);
  EXPECT_EQ(fate(11, 2, true), Fate::wait);
  EXPECT_EQ(fate(11, 3, false), Fate::wait);
  EXPECT_EQ(fate(1000, 100, true, false), Fate::wait);
}

TEST(Decision, AMissingPermissionIsNeverDeadByAge) {
  const Settlement made = settlement_of(row(1000, 1001, std::chrono::hours(24 * 100)), "token",
                                        error(Remedy::ask_wechat_pay, Outcome::refused, 403), GivingUp(), true, 0.5);
  EXPECT_EQ(made.fate, Fate::wait);
}

TEST(Decision, ADoubtfulSetUpIsTheOrdersFaultAfterFiveTriesWhileOthersSucceed) {
  const CommitResult doubtful = error(Remedy::correct_setup, Outcome::refused, 400);
  EXPECT_EQ(settlement_of(row(3, 4), "token", doubtful, GivingUp(), true, 0.5).fate, Fate::wait);
  EXPECT_EQ(settlement_of(row(4, 5), "token", doubtful, GivingUp(), false, 0.5).fate, Fate::wait);
  EXPECT_EQ(settlement_of(row(4, 5), "token", doubtful, GivingUp(), true, 0.5).fate, Fate::dead);
  const CommitResult in_doubt = error(Remedy::correct_setup, Outcome::unknown, 400);
  EXPECT_EQ(settlement_of(row(4, 5), "token", in_doubt, GivingUp(), true, 0.5).fate, Fate::wait);
}

TEST(Decision, BackoffDoublesFromFiveSecondsToAnHourAFifthMoreOrLess) {
  EXPECT_EQ(backoff(0, 0.5), seconds(5));
  EXPECT_EQ(backoff(1, 0.5), seconds(10));
  EXPECT_EQ(backoff(9, 0.5), seconds(2560));
  EXPECT_EQ(backoff(10, 0.5), seconds(3600));
  EXPECT_EQ(backoff(1000000, 0.5), seconds(3600));
  EXPECT_EQ(backoff(0, 0), milliseconds(4000));
  EXPECT_EQ(backoff(0, 1), milliseconds(6000));
}

TEST(Decision, ARowWhoseWorkersDieIsSuspectedAndThenDead) {
  EXPECT_FALSE(is_suspect(row(2, 7)));
  EXPECT_TRUE(is_suspect(row(2, 8)));
  EXPECT_FALSE(dead_before_call(row(2, 12), "token"));
  const auto dead = dead_before_call(row(2, 13), "token");
  ASSERT_TRUE(dead);
  EXPECT_EQ(dead->kind, "poison");
  Row contradicted = row(0, 1);
  contradicted.contradicted = true;
  EXPECT_EQ(dead_before_call(contradicted, "token")->kind, "conflict");
}

TEST(Decision, TheMerchantIdsOfARowGiveItsMode) {
  BonusCommitRequest order;
  order.mchid = "1";
  EXPECT_EQ(mode_of(order), MerchantMode::direct);
  order.sub_mchid = "2";
  EXPECT_EQ(mode_of(order), MerchantMode::both);
  order.mchid.clear();
  EXPECT_EQ(mode_of(order), MerchantMode::partner);
}

TEST(Decision, AnOrderFitsAnotherModeWhereTheMerchantIdsAloneAreWrong) {
  BonusCommitRequest order;
  order.card_id = order.code = order.out_trade_no = "1";
  order.mchid = "1230000109";
  order.sub_mchid = "1900000109";
  order.bonus_value = 1;
  EXPECT_TRUE(fits_another_mode(order, MerchantMode::direct));
  EXPECT_TRUE(fits_another_mode(order, MerchantMode::partner));
  EXPECT_FALSE(fits_another_mode(order, MerchantMode::both));
  order.bonus_value = 0;
  EXPECT_FALSE(fits_another_mode(order, MerchantMode::direct));
}

TEST(Breaker, ProbesWithOneCallAtTheStartAndAfterTwentyFailures) {
  Breaker breaker;
  Clock::time_point now{std::chrono::hours(1)};
  EXPECT_TRUE(breaker.admits(now, 0));
  EXPECT_FALSE(breaker.admits(now, 1));
  EXPECT_FALSE(breaker.failing()) << "no call was made yet";
  breaker.answered(now);
  EXPECT_TRUE(breaker.admits(now, 63));
  for (int i = 1; i < 20; ++i) EXPECT_FALSE(breaker.failed(now));
  EXPECT_TRUE(breaker.closed());
  EXPECT_TRUE(breaker.failed(now));
  EXPECT_FALSE(breaker.closed());
  EXPECT_TRUE(breaker.failing());
  EXPECT_FALSE(breaker.failed(now)) << "a call that began before";
  for (const int pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_FALSE(breaker.admits(now + seconds(pause) - milliseconds(1), 0)) << pause;
    now += seconds(pause);
    EXPECT_TRUE(breaker.admits(now, 0)) << pause;
    EXPECT_FALSE(breaker.failed(now));
  }
  breaker.answered(now);
  EXPECT_TRUE(breaker.closed());
  for (int i = 0; i < 20; ++i) breaker.failed(now);
  EXPECT_EQ(breaker.next_probe(), now + seconds(1));
}

TEST(Breaker, ASuccessBetweenFailuresStartsTheCountAnew) {
  Breaker breaker;
  Clock::time_point now{std::chrono::hours(1)};
  breaker.answered(now);
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(breaker.failed(now));
  breaker.answered(now);
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(breaker.failed(now));
  EXPECT_TRUE(breaker.closed());
}

TEST(Breaker, AFailureIsItsOrdersOnlyAloneAndTenMinutesAfterAnOutage) {
  Breaker breaker;
  Clock::time_point now{std::chrono::hours(1)};
  EXPECT_FALSE(breaker.others_succeed(now));
  breaker.answered(now);
  EXPECT_FALSE(breaker.others_succeed(now));
  now += std::chrono::minutes(9);
  breaker.answered(now);
  EXPECT_FALSE(breaker.others_succeed(now));
  now += std::chrono::minutes(1);
  breaker.failed(now);
  EXPECT_TRUE(breaker.others_succeed(now));
  breaker.failed(now);
  EXPECT_FALSE(breaker.others_succeed(now)) << "two in a row";
  breaker.answered(now);
  EXPECT_TRUE(breaker.others_succeed(now));
  for (int i = 0; i < 20; ++i) breaker.failed(now);
  breaker.answered(now + seconds(1));
  EXPECT_FALSE(breaker.others_succeed(now + std::chrono::minutes(10)));
  EXPECT_TRUE(breaker.others_succeed(now + std::chrono::minutes(10) + seconds(1)));
}

TEST(Lease, HasRoomForACallUntilADeadlineBeforeItsEndAndIsRenewedAtAThird) {
  const Lease::Clock::time_point begin{};
  const Lease lease(begin, seconds(90));
  EXPECT_EQ(Lease::deadline(seconds(90)), seconds(30));
  EXPECT_EQ(lease.renewal(), begin + seconds(30));
  EXPECT_TRUE(lease.has_room(begin + seconds(60)));
  EXPECT_FALSE(lease.has_room(begin + seconds(60) + milliseconds(1)));
  EXPECT_FALSE(lease.has_room(begin + std::chrono::hours(1)));
}

TEST(Lease, IsJudgedByAClockThatGoesOnWhileTheMachineSleeps) {
#ifdef CLOCK_BOOTTIME
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  const auto before = now();
  const auto between = Lease::Clock::now().time_since_epoch();
  EXPECT_LE(before, between);
  EXPECT_LE(between, now());
#endif
}

TEST(Polling, GoesOnAtOnceAfterAFullBatchAndElseSlowsDownToTwoSeconds) {
  Polling polling;
  EXPECT_EQ(polling.after(10, 10, 0.5), milliseconds(0));
  EXPECT_EQ(polling.after(10, 9, 0.5), milliseconds(200));
  for (const int pause : {200, 300, 450, 675, 1012, 1518, 2000, 2000}) {
    EXPECT_EQ(polling.after(10, 0, 0.5), milliseconds(pause));
  }
  EXPECT_EQ(polling.after(10, 0, 0), milliseconds(1500));
  EXPECT_EQ(polling.after(10, 0, 1), milliseconds(2500));
  EXPECT_EQ(polling.after(10, 1, 0.5), milliseconds(200));
}

TEST(Turns, GiveEachMerchantTheSameShareAndBeginBehindTheLastOne) {
  const auto turns = [](const std::vector<std::string>& merchants, const std::string& last, std::size_t most) {
    std::vector<Merchant> some;
    some.reserve(merchants.size());
    for (const std::string& merchant : merchants) some.push_back({"1", merchant});
    std::string made;
    for (const Turn& turn : turns_of(some, {"1", last}, most)) {
      made += turn.merchant.sub_mchid + std::to_string(turn.share) + " ";
    }
    return made;
  };
  EXPECT_EQ(turns({}, "", 5), "");
  EXPECT_EQ(turns({"a"}, "", 0), "");
  EXPECT_EQ(turns({"a"}, "", 5), "a5 ");
  EXPECT_EQ(turns({"c", "a", "b"}, "", 7), "a3 b2 c2 ");
  EXPECT_EQ(turns({"c", "a", "b"}, "a", 7), "b3 c2 a2 ");
  EXPECT_EQ(turns({"a", "b", "c"}, "c", 1), "a1 ");
  EXPECT_EQ(turns({"a", "b", "c"}, "a", 1), "b1 ");
  EXPECT_EQ(turns({"a", "c"}, "b", 1), "c1 ") << "the last one has no more rows";
  EXPECT_EQ(turns({"a", "b", "c"}, "b", 2), "c1 a1 ");
}

TEST(Turns, GiveTheRestToEachMerchantInItsTurn) {
  for (const std::size_t most : {1U, 2U, 4U, 5U, 7U}) {
    std::map<std::string, std::size_t> rows;
    Merchant last{"1", "b"};
    for (int claim = 0; claim < 3; ++claim) {
      const auto turns = turns_of({{"1", "a"}, {"1", "b"}, {"1", "c"}}, last, most);
      for (const Turn& turn : turns) rows[turn.merchant.sub_mchid] += turn.share;
      last = next_last(turns, 3);
    }
    EXPECT_EQ(rows, (std::map<std::string, std::size_t>{{"a", most}, {"b", most}, {"c", most}}));
  }
}

TEST(Pace, AClaimTakesHalfASecondsRowsAndWaitsForHalfOfThem) {
  const auto pace = [](double per_second) {
    Pace made;
    made.per_second = per_second;
    return made;
  };
  EXPECT_EQ(pace(100).most_at_once(), 50U);
  EXPECT_EQ(pace(100).burst(), 100U);
  EXPECT_EQ(pace(100).pause(milliseconds(1)), milliseconds(250));
  EXPECT_EQ(pace(0.5).most_at_once(), 1U);
  EXPECT_EQ(pace(0.5).pause(milliseconds(1)), milliseconds(1000));
  EXPECT_EQ(pace(0.001).pause(milliseconds(1)), milliseconds(2000));
  EXPECT_EQ(pace(0).pause(milliseconds(1)), milliseconds(1));
  EXPECT_EQ(pace(100).pause(milliseconds(1234)), milliseconds(1234)) << "an idle worker slows down with a rate, too";
  EXPECT_EQ(pace(70000).time_of(35000), milliseconds(500));
  EXPECT_EQ(pace(100).room_for(50), milliseconds(500));
  EXPECT_EQ(pace(100).room_for(101), milliseconds(0));
  EXPECT_GT(pace(0).most_at_once(), 1000000U);
}

TEST(Owner, ItsHostIsTheSameInAnyOrder) {
  EXPECT_EQ(host_of({"https://b.example/", "https://A.example"}), "https://a.example,https://b.example");
  EXPECT_EQ(host_of({"https://a.example", "https://b.example"}), "https://a.example,https://b.example");
}

TEST(DatabaseUrl, IsOfAKnownDatabaseAndItsPasswordIsFound) {
  EXPECT_EQ(fault_of_url("postgresql://user@host/name"), "");
  EXPECT_EQ(fault_of_url("mysql://user@host/name"), "");
  for (const char* wrong : {"", "host=localhost", "http://Hunter2", "Hunter2", "postgresql://host\nHunter2",
                            "postgresql://user:Hunter2/name", "mysql://a:1,user:Hunter2?b=c", "mysql://u:Hun@ter2@h/n",
                            "postgresql://u:Hun?ter2@h/n", "postgresql://u:Hun/ter2@h/n", "postgresql://u:Hun#ter2@h",
                            "postgresql://h/n?user=Hunter2@company"}) {
    EXPECT_NE(fault_of_url(wrong), "") << wrong;
    EXPECT_FALSE(contains(fault_of_url(wrong), "ter2"));
  }
  for (const char* with : {"postgresql://user:secret@host/name", "postgresql://user:a:b@c@host", "postgres://:x@h",
                           "postgresql://u:se?cret@h/n", "mysql://u:se/cret@h/n", "mysql://u:pa@ss@h/n",
                           "postgresql://host/name?password=x", "postgresql:///n?a=b&password=x&c=d",
                           "postgresql://h/n?pass%77ord=x", "postgresql://h/n?sslpassword=x"}) {
    EXPECT_TRUE(has_password(with)) << with;
  }
  for (const char* without : {"postgresql://user@host:5432/name", "postgresql:///name?host=/tmp/a%20b",
                              "postgresql://[::1]:5432/name", "postgresql://a:1,b:2/n?target_session_attrs=any"}) {
    EXPECT_FALSE(has_password(without)) << without;
    EXPECT_EQ(fault_of_url(without), "") << without;
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit::outbox
