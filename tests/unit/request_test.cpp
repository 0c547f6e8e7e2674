#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/stages/check.hpp"

#include <gtest/gtest.h>

#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

/// The fault of a request with exactly one fault.
Fault only_fault(const BonusCommitRequest& request) {
  const auto faults = request.check();
  EXPECT_EQ(faults.size(), 1U);
  return faults.empty() ? Fault{} : faults.front();
}

TEST(Check, PassesTheSeedsExample) { EXPECT_TRUE(seed_request().check().empty()); }

TEST(Check, FindsAllFaultsAtOnce) {
  BonusCommitRequest request;
  request.card_id = "..";
  const auto faults = request.check();
  ASSERT_EQ(faults.size(), 6U);
  EXPECT_EQ(faults[0].field, "card_id");
  EXPECT_EQ(faults[0].location, "path");
  EXPECT_EQ(faults[1].field, "code");
  EXPECT_EQ(faults[2].field, "/out_trade_no");
  EXPECT_EQ(faults[2].location, "body");
  EXPECT_EQ(faults[3].field, "/mchid");
  EXPECT_EQ(faults[4].field, "/sub_mchid");
  EXPECT_EQ(faults[5].field, "/bonus_value");
}

TEST(Check, AppliesTheTextRulesToEachField) {
  std::string BonusCommitRequest::*const members[] = {&BonusCommitRequest::card_id, &BonusCommitRequest::code,
                                                      &BonusCommitRequest::out_trade_no, &BonusCommitRequest::mchid,
                                                      &BonusCommitRequest::sub_mchid};
  const char* const names[] = {"card_id", "code", "/out_trade_no", "/mchid", "/sub_mchid"};
  const struct {
    std::string value;
    const char* issue;
  } cases[] = {
      {std::string(33, 'x'), "at most 32"},
      {"a\xFF", "UTF-8"},
      {"a😀", "four bytes"},
      {std::string("a\0b", 3), "control"},
      {"a\n", "control"},
      {"a\x7F", "control"},
      {"a\xC2\x85", "control"},
      {" 12", "must not begin or end with a blank"},
      {"12 ", "must not begin or end with a blank"},
      {" ", "must not begin or end with a blank"},
      {"\u200B12", "cannot be seen: it holds U+200B"},
      {"1\u00AD2", "cannot be seen: it holds U+00AD"},
      {"12\uFEFF", "cannot be seen: it holds U+FEFF"},
      {"12\u00A0", "cannot be seen: it holds U+00A0"},
      {"\u300012", "cannot be seen: it holds U+3000"},
      {"12\U000E0041", "cannot be seen: it holds U+E0041"},
  };
  for (std::size_t i = 0; i < 5; ++i) {
    for (const auto& each : cases) {
      BonusCommitRequest request = seed_request();
      request.*members[i] = each.value;
      const Fault fault = only_fault(request);
      EXPECT_EQ(fault.field, names[i]);
      EXPECT_TRUE(contains(fault.issue, each.issue)) << names[i] << ": " << fault.issue;
    }
  }
}

TEST(Check, ShowsInTheFaultWhatCannotBeSeen) {
  BonusCommitRequest request = seed_request();
  request.code = "478515832665\u200B";
  EXPECT_EQ(only_fault(request).value, "478515832665\\xE2\\x80\\x8B");
}

TEST(Check, PassesABlankWithinAnOrderNumber) {
  BonusCommitRequest request = seed_request();
  request.out_trade_no = "A 1";
  EXPECT_TRUE(request.check().empty());
}

TEST(Check, WantsMerchantIdsInAsciiDigits) {
  const struct {
    const char* value;
    const char* issue;
  } cases[] = {
      {"１900000109", "the full-width digit U+FF11"},
      {"190000010９", "the full-width digit U+FF19"},
      {"wxd678efh567hg6787", "looks like an appid"},
      {"5157F09EFDC096DE15EBE81A47057A72", "looks like a certificate's serial number"},
      {"19 00", "it holds a blank"},
      {"1900000109.0", "1 to 32 digits"},
      {"1.9E+09", "1 to 32 digits"},
      {"-1", "1 to 32 digits"},
      {"١٢٣", "1 to 32 digits"},
  };
  for (const auto& member : {&BonusCommitRequest::mchid, &BonusCommitRequest::sub_mchid}) {
    for (const auto& each : cases) {
      BonusCommitRequest request = seed_request();
      request.*member = each.value;
      const Fault fault = only_fault(request);
      EXPECT_EQ(fault.field, member == &BonusCommitRequest::mchid ? "/mchid" : "/sub_mchid");
      EXPECT_TRUE(contains(fault.issue, each.issue)) << fault.issue;
      EXPECT_EQ(fault.value, each.value);
    }
  }
}

TEST(Check, CountsCharactersNotBytes) {
  BonusCommitRequest request = seed_request();
  request.out_trade_no.clear();
  for (int i = 0; i < 32; ++i) request.out_trade_no += "单";
  EXPECT_TRUE(request.check().empty());
  request.out_trade_no += "单";
  EXPECT_TRUE(contains(only_fault(request).issue, "at most 32"));
}

TEST(Check, RefusesDotSegmentsInPathValuesAlone) {
  for (const char* dots : {".", ".."}) {
    BonusCommitRequest request = seed_request();
    request.card_id = dots;
    EXPECT_TRUE(contains(only_fault(request).issue, "dot segment"));
    request = seed_request();
    request.code = dots;
    EXPECT_TRUE(contains(only_fault(request).issue, "dot segment"));
    request = seed_request();
    request.out_trade_no = dots;
    EXPECT_TRUE(request.check().empty());
  }
  BonusCommitRequest request = seed_request();
  request.card_id = "...";
  EXPECT_TRUE(request.check().empty());
}

TEST(Check, WantsOnePointOrMore) {
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, (std::numeric_limits<std::int64_t>::min)()}) {
    BonusCommitRequest request = seed_request();
    request.bonus_value = value;
    const Fault fault = only_fault(request);
    EXPECT_EQ(fault.field, "/bonus_value");
    EXPECT_EQ(fault.value, std::to_string(value));
  }
  BonusCommitRequest request = seed_request();
  request.bonus_value = (std::numeric_limits<std::int64_t>::max)();
  EXPECT_TRUE(request.check().empty());
}

TEST(Check, TellsWhichModeFitsTheIdsThatAreThere) {
  const struct {
    MerchantMode mode;
    const char* mchid;
    const char* sub_mchid;
    const char* field;
    const char* hint;
  } cases[] = {
      {MerchantMode::both, "", "19", "/mchid", "MerchantMode::partner fits"},
      {MerchantMode::both, "12", "", "/sub_mchid", "MerchantMode::direct fits"},
      {MerchantMode::direct, "12", "19", "/sub_mchid", "MerchantMode::both fits"},
      {MerchantMode::partner, "12", "19", "/mchid", "MerchantMode::both fits"},
      {MerchantMode::direct, "", "", "/mchid", "give the direct merchant's id"},
      {MerchantMode::partner, "", "", "/sub_mchid", "give the sub-merchant's id"},
  };
  for (const auto& each : cases) {
    BonusCommitRequest request = seed_request();
    request.merchant_mode = each.mode;
    request.mchid = each.mchid;
    request.sub_mchid = each.sub_mchid;
    const Fault fault = only_fault(request);
    EXPECT_EQ(fault.field, each.field);
    EXPECT_TRUE(contains(fault.issue, each.hint)) << fault.issue;
  }
}

TEST(Check, NamesBothIdsThatAreInEachOthersPlace) {
  BonusCommitRequest request = seed_request();
  request.merchant_mode = MerchantMode::direct;
  request.mchid.clear();
  const auto faults = request.check();
  ASSERT_EQ(faults.size(), 2U);
  EXPECT_TRUE(contains(faults[0].issue, "MerchantMode::partner fits")) << faults[0].issue;
  EXPECT_TRUE(contains(faults[1].issue, "MerchantMode::partner fits")) << faults[1].issue;
}

TEST(Check, PassesOneIdWhereTheModeSaysSo) {
  BonusCommitRequest request = seed_request();
  request.merchant_mode = MerchantMode::direct;
  request.sub_mchid.clear();
  EXPECT_TRUE(request.check().empty());
  request = seed_request();
  request.merchant_mode = MerchantMode::partner;
  request.mchid.clear();
  EXPECT_TRUE(request.check().empty());
}

TEST(InvalidRequest, TellsEachFaultInOneLine) {
  BonusCommitRequest request = seed_request();
  request.code = "a\nb";
  request.bonus_value = 0;
  const Error error = invalid_request(request.check());
  EXPECT_EQ(error.kind, ErrorKind::invalid_request);
  EXPECT_EQ(error.outcome, Outcome::not_sent);
  EXPECT_EQ(error.message,
            "the request was not sent: code must not hold control characters (given: a\\x0Ab); /bonus_value must be 1 "
            "or more (given: 0)");
  EXPECT_EQ(error.faults.size(), 2U);
}

}  // namespace
}  // namespace wechatpay::bonus_commit
