/// Passes arbitrary requests through check(), serialize() and request_path(), and parses the output again.
///
/// An input is `card_id|code|out_trade_no|mchid|sub_mchid|bonus_value|MODE|SENT`. MODE begins with the first letter of
/// a MerchantMode. If SENT is not empty, the request is also sent to FakeWechatPay.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tests/fuzz/fuzz_support.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/json.hpp"
#include "wechatpay/bonus_commit/stages/body.hpp"
#include "wechatpay/bonus_commit/stages/check.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

constexpr std::int64_t now = 1554208460;

BonusCommitRequest request_of(std::string_view& input) {
  BonusCommitRequest request;
  for (std::string* field :
       {&request.card_id, &request.code, &request.out_trade_no, &request.mchid, &request.sub_mchid}) {
    *field = take(input, '|');
  }
  request.bonus_value = number_of<std::int64_t>(take(input, '|'));
  const std::string_view mode = take(input, '|').substr(0, 1);
  request.merchant_mode = mode == "d" ? MerchantMode::direct : mode == "p" ? MerchantMode::partner : MerchantMode::both;
  return request;
}

auto fields_of(const BonusCommitRequest& request) {
  return std::tie(request.card_id, request.code, request.out_trade_no, request.mchid, request.sub_mchid,
                  request.bonus_value, request.merchant_mode);
}

/// Empty if `segment` contains anything other than unreserved characters and %XX.
std::string decoded(std::string_view segment) {
  std::string text;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      const std::string_view one = segment.substr(i, 1);
      require(one.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") != 0,
              "a path has unreserved characters alone", segment);
      text += one;
      continue;
    }
    const std::string_view digits = segment.substr(i + 1, 2);
    unsigned int byte = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    require(read.ptr == digits.data() + 2, "a path has two digits behind each %", segment);
    text += static_cast<char>(byte);
    i += 2;
  }
  return text;
}

void check_path(const BonusCommitRequest& request) {
  const std::string path = request_path(request);
  std::string_view rest = path;
  for (const char* fixed : {"", "v3", "marketing", "membercard-open", "cards"}) {
    require(take(rest, '/') == fixed, "the path begins as documented", path);
  }
  require(decoded(take(rest, '/')) == request.card_id, "the path names the card", path);
  require(take(rest, '/') == "codes", "the card is one segment", path);
  require(decoded(take(rest, '/')) == request.code, "the path names the code", path);
  require(rest == "bonus/commit", "the code is one segment", path);
}

void check_body(const BonusCommitRequest& request, const std::string& body) {
  const auto parsed = nlohmann::ordered_json::parse(body, nullptr, false);
  nlohmann::ordered_json expected;
  expected["out_trade_no"] = request.out_trade_no;
  if (request.merchant_mode != MerchantMode::partner) expected["mchid"] = request.mchid;
  if (request.merchant_mode != MerchantMode::direct) expected["sub_mchid"] = request.sub_mchid;
  expected["bonus_value"] = request.bonus_value;
  require(parsed == expected, "the body says what the request says, in the documented order", body);
}

void check_faults(const std::vector<Fault>& faults) {
  for (const Fault& fault : faults) {
    require(!fault.field.empty() && !fault.issue.empty(), "a fault names the field and what is wrong with it");
    require(is_one_safe_line(fault.value), "a fault's value can stand in a log", fault.value);
  }
  const std::string message = invalid_request(faults).message;
  require(is_one_safe_line(message), "the message is one line of UTF-8", message);
}

/// WeChat Pay's documented limits of a text: 1 to 32 characters of at most three bytes.
void check_passed(const std::string& text) {
  const auto of = [&text](unsigned int from, unsigned int to) {
    return std::count_if(text.begin(), text.end(), [&](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return byte >= from && byte <= to;
    });
  };
  const auto characters = static_cast<std::ptrdiff_t>(text.size()) - of(0x80, 0xBF);
  require(characters >= 1 && characters <= 32, "a text has 1 to 32 characters", text);
  require(of(0x00, 0x1F) + of(0x7F, 0x7F) == 0, "a text has no control characters", text);
  require(of(0xF0, 0xFF) == 0, "a text has no characters of four bytes", text);
  require(text.front() != ' ' && text.back() != ' ', "a text neither begins nor ends with a blank", text);
  require(is_one_safe_line(text), "all of a text can be seen", text);
}

/// FakeWechatPay shares no code with the library's serializer or signer. It must read the values that were sent. It is
/// recreated from time to time, because it remembers every order.
void check_with_wechat_pay(const BonusCommitRequest& request, const std::string& body,
                           const std::vector<Fault>& faults) {
  struct World {
    FakeWechatPay fake{{"1900000001", [] { return at(now); }}};
    Credentials credentials = fake.credentials();
  };
  static std::unique_ptr<World> world;
  if (world == nullptr || world->fake.count_committed() >= 100) world = std::make_unique<World>();
  HttpRequest http;
  http.method = "POST";
  http.path = request_path(request);
  http.body = body;
  static std::uint64_t requests = 0;
  const std::string nonce = std::to_string(++requests);  // WeChat Pay refuses a nonce_str that it has seen
  const SignedParts parts{http.method, http.path, now, nonce, http.body};
  http.headers = {{"Accept", "application/json"},
                  {"Content-Type", "application/json"},
                  {"User-Agent", "fuzz"},
                  {"Authorization", authorization(world->credentials, parts).value()}};
  const HttpResponse response = world->fake.answer(http);

  // Only the library knows that the mode excludes an id. Only the fake knows which merchant owns an id.
  const bool of_the_mode = std::any_of(faults.begin(), faults.end(), [](const Fault& fault) {
    return contains(fault.issue, "must not be given with MerchantMode");
  });
  // Only the library refuses values that WeChat Pay's documents do not mention.
  const bool undocumented = std::any_of(faults.begin(), faults.end(), [](const Fault& fault) {
    return contains(fault.issue, "cannot be seen") || contains(fault.issue, "begin or end with a blank");
  });
  const bool of_another = request.merchant_mode == MerchantMode::direct && request.mchid != "1900000001";
  if (of_the_mode || undocumented || (faults.empty() && of_another)) return;
  require(response.status == (faults.empty() ? 204 : 400), "WeChat Pay takes what check() passes, and nothing else",
          response.body);
  if (!faults.empty()) {
    const nlohmann::json detail = nlohmann::json::parse(response.body).at("detail");
    const std::string field = detail.at("field");
    const auto names_it = [&field](const Fault& fault) { return fault.field == field; };
    // The fake sees characters of four bytes while it parses the body, before it looks at single values.
    const bool any_order = contains(detail.at("issue").get<std::string>(), "four bytes");
    require(any_order ? std::any_of(faults.begin(), faults.end(), names_it) : names_it(faults.front()),
            "both find the same fault first", response.body);
    return;
  }
  const auto orders = world->fake.committed();
  require(std::any_of(orders.begin(), orders.end(),
                      [&](const CommittedOrder& order) { return fields_of(order.request) == fields_of(request); }),
          "WeChat Pay reads what was meant", body);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wechatpay::bonus_commit;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const BonusCommitRequest request = request_of(input);
  const auto faults = request.check();
  check_faults(faults);
  check_path(request);

  const auto body = serialize(request);
  if (body) {
    check_body(request, *body);
  } else {
    require(!faults.empty() && body.error().faults.size() == faults.size(), "what check() passes is serialized");
  }
  if (faults.empty()) {
    for (const std::string& text : {request.card_id, request.code, request.out_trade_no}) check_passed(text);
    for (const std::string& id : {request.mchid, request.sub_mchid}) {
      if (!id.empty()) check_passed(id);
      require(id.find_first_not_of("0123456789") == std::string::npos, "a merchant id is digits", id);
    }
    for (const std::string& text : {request.card_id, request.code}) {
      require(text != "." && text != "..", "the path keeps its segments", text);
    }
    require(request.bonus_value >= 1, "points are positive");
    const nlohmann::json json = request;
    require(fields_of(json.get<BonusCommitRequest>()) == fields_of(request), "JSON holds the whole request");
  }
  if (!input.empty() && body) check_with_wechat_pay(request, *body, faults);
  return 0;
}
