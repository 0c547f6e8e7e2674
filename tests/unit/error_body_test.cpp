#include <gtest/gtest.h>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/stages/answer.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

/// What is read from an error body with this `detail`.
ErrorBody with_detail(const std::string& detail) {
  const auto body = parse_error_body(R"({"code":"E","message":"m","detail":)" + detail + "}");
  EXPECT_TRUE(body) << detail;
  return body.value_or(ErrorBody{});
}

std::string many(std::size_t count, std::string_view text) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

/// The beginning of an object, `size` bytes long.
std::string object_of(std::size_t size) {
  const std::string begin = R"({"a":")" + std::string(2040, '!') + R"(","b":")";
  return begin + std::string(size - begin.size() - 1, '!') + '"';
}

TEST(ErrorBody, TakesEachValueFromItsPath) {
  const ErrorBody body =
      with_detail(R"({"field":"f","value":"v","issue":"i","location":"l","detail":{"issue":"inner"},)"
                  R"("sign_information":{"sign_message_length":66,"truncated_sign_message":"GET\n"}})");
  EXPECT_EQ(body.code, "E");
  EXPECT_EQ(body.message, "m");
  ASSERT_TRUE(body.fault);
  EXPECT_EQ(body.fault->field, "f");
  EXPECT_EQ(body.fault->value, "v");
  EXPECT_EQ(body.fault->issue, "i");
  EXPECT_EQ(body.fault->location, "l");
  ASSERT_TRUE(body.sign_information);
  EXPECT_EQ(body.sign_information->message, "GET\n");
  EXPECT_EQ(body.sign_information->length, 66U);
}

TEST(ErrorBody, TakesNoValueFromAPathThatOnlyLooksSimilar) {
  for (const char* detail :
       {R"([{"field":"x"}])", R"({"a":{"field":"x"}})", R"({"":{"field":"x"}})", R"({"/field":"x","field/":"x"})"}) {
    EXPECT_FALSE(with_detail(detail).fault) << detail;
  }
  for (const char* inner :
       {R"("detail/issue":"x")", R"("detail":[{"issue":"x"}])", R"("issue":"","a":{"issue":"x"})"}) {
    EXPECT_EQ(with_detail(std::string(R"({"field":"f",)") + inner + "}").fault.value().issue, "") << inner;
  }
  for (const char* root : {"details", "detail/", "/detail", "detail/detail", ""}) {
    const auto body = parse_error_body(std::string(R"({"code":"E",")") + root + R"(":{"field":"x","code":"x"}})");
    ASSERT_TRUE(body) << root;
    EXPECT_EQ(body->code, "E") << root;
    EXPECT_EQ(body->detail, "") << root;
    EXPECT_FALSE(body->fault) << root;
  }
  EXPECT_FALSE(parse_error_body(R"({"code":"E","detail/field":"x"})").value().fault);
}

TEST(ErrorBody, TakesOnlyAStringForCodeAndMessage) {
  for (const char* other : {"17", "true", "null", R"(["E"])", R"({"code":"E"})"}) {
    EXPECT_FALSE(parse_error_body(std::string(R"({"code":)") + other + "}")) << other;
    EXPECT_EQ(parse_error_body(std::string(R"({"code":"E","message":)") + other + "}").value().message, "") << other;
  }
}

TEST(ErrorBody, HasAFaultIfDetailNamesAField) {
  EXPECT_FALSE(with_detail(R"({"value":"v","issue":"i"})").fault);
  EXPECT_EQ(with_detail(R"({"field":""})").fault.value().field, "");
  EXPECT_EQ(with_detail(R"({"field":"a","field":"b"})").fault.value().field, "b");
}

TEST(ErrorBody, TakesAStringUnchangedAndAnyOtherValueAsJson) {
  const ErrorBody body = with_detail(R"({"field":"\u202e\"","value":[ 1.50, 1E5, {"\u202e" : null} ],"issue":true})");
  EXPECT_EQ(body.fault.value().field, "\xE2\x80\xAE\"");
  EXPECT_EQ(body.fault.value().value, R"([1.50,1E5,{"\u202E":null}])");
  EXPECT_EQ(body.fault.value().issue, "true");
}

TEST(ErrorBody, KeepsTheOrderOfDetailItsRepeatedKeysAndItsNumbers) {
  const std::string detail = R"({"b":[],"a":{},"b":[1.50,1E5,-7,18446744073709551616,0.10,true,false,null]})";
  EXPECT_EQ(with_detail(detail).detail, detail);
}

TEST(ErrorBody, EscapesAsShortAsJsonCan) {
  EXPECT_EQ(
      with_detail(R"("\u0022\u005c\u002f\u000a\u000d\u0009\u0008\u000c\u000b\u007f\udb43\udfff\ud83d\ude00")").detail,
      "\"\\\"\\\\/\\n\\r\\t\\b\\f\\u000B\\u007F\\uDB43\\uDFFF\xF0\x9F\x98\x80\"");
}

TEST(ErrorBody, CutsLongStringsAndKeys) {
  const auto quoted = [](std::size_t size, const char* end) { return '"' + std::string(size, '!') + end + '"'; };
  EXPECT_EQ(with_detail(quoted(2043, "")).detail, quoted(2043, ""));
  EXPECT_EQ(with_detail(quoted(2044, "")).detail, quoted(2043, "\xE2\x80\xA6"));
  EXPECT_EQ(with_detail("{" + quoted(251, "") + ":1}").detail, "{" + quoted(251, "") + ":1}");
  EXPECT_EQ(with_detail("{" + quoted(252, "") + ":1}").detail, "{" + quoted(251, "\xE2\x80\xA6") + ":1}");
}

TEST(ErrorBody, LeavesOutWhatIsNestedDeeperThan32LevelsOfTheBody) {
  const auto nested = [](std::size_t levels, const std::string& inside) {
    return many(levels, R"({"a":[)") + inside + many(levels, "]}");
  };
  EXPECT_EQ(with_detail(nested(15, "[1]")).detail, nested(15, "[1]"));
  EXPECT_EQ(with_detail(nested(15, "[[1]]")).detail, nested(15, "[]"));
  EXPECT_EQ(with_detail(nested(15, R"([0,{"k":"s"},[[[]],true],1])")).detail, nested(15, "[0,1]"));
}

TEST(ErrorBody, LeavesOutWhatHasNoRoom) {
  EXPECT_EQ(with_detail(object_of(4088) + R"(,"c":1})").detail, object_of(4088) + R"(,"c":1})");
  EXPECT_EQ(with_detail(object_of(4089) + R"(,"c":1})").detail, object_of(4089) + "}");
  EXPECT_EQ(with_detail(object_of(4088) + R"(,"c":[]})").detail, object_of(4088) + R"(,"c":[]})");
  EXPECT_EQ(with_detail(object_of(4089) + R"(,"c":[]})").detail, object_of(4089) + "}");
  const std::string arrays = many(30, "[");
  const std::string first = '"' + std::string(2000, '!') + "\",\"" + std::string(2028, '!') + '"';
  EXPECT_EQ(with_detail(arrays + first + ",1" + many(30, "]")).detail, arrays + first + ",1" + many(30, "]"));
  EXPECT_EQ(with_detail(arrays + first + ",12" + many(30, "]")).detail, arrays + first + many(30, "]"));
  EXPECT_EQ(with_detail("1." + std::string(5000, '5')).detail, "");
}

TEST(ErrorBody, TakesAStringThatHasNoRoomButNothingFromAnObjectOrArrayThatHasNone) {
  const ErrorBody body =
      with_detail(object_of(4085) + R"(,"detail":{"issue":"x","field":"x"},"value":["x"],"location":"l","field":"f"})");
  EXPECT_EQ(body.detail, object_of(4085) + "}");
  ASSERT_TRUE(body.fault);
  EXPECT_EQ(body.fault->field, "f");
  EXPECT_EQ(body.fault->value, "");
  EXPECT_EQ(body.fault->issue, "");
  EXPECT_EQ(body.fault->location, "l");
  EXPECT_FALSE(with_detail(object_of(4090) + R"(,"field":["x",{"field":"x"}]})").fault);
}

}  // namespace
}  // namespace wechatpay::bonus_commit
