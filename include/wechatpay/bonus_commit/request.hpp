/// What a commit says, and whether it is what the endpoint documents.
#ifndef WECHATPAY_BONUS_COMMIT_REQUEST_HPP
#define WECHATPAY_BONUS_COMMIT_REQUEST_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {

/// Which merchant ids the body carries. WeChat Pay's pages differ by the kind of merchant, and an id that was
/// forgotten must not look like one that was left out on purpose: so it is said.
enum class MerchantMode {
  both,     ///< `mchid` and `sub_mchid`
  direct,   ///< `mchid` alone: a direct merchant (直连商户)
  partner,  ///< `sub_mchid` alone: a service provider (服务商)
};

/// As json.hpp and the command line spell it: "both", "direct" or "partner".
constexpr std::string_view to_string(MerchantMode mode) noexcept {
  switch (mode) {
    case MerchantMode::both: return "both";
    case MerchantMode::direct: return "direct";
    case MerchantMode::partner: return "partner";
  }
  return "unknown";
}

/// Marks the bonus points that an order earned as credited (设置支付后展示的积分到账):
/// POST /v3/marketing/membercard-open/cards/{card_id}/codes/{code}/bonus/commit.
///
/// Every text is UTF-8, 1 to 32 characters of at most three bytes each (WeChat Pay takes no emoji), without control
/// characters and characters that cannot be seen, and neither begins nor ends with a blank. The merchant ids are ASCII
/// digits.
struct BonusCommitRequest {
  std::string card_id{};         ///< the membership card's template id (会员卡模板 id); goes into the path
  std::string code{};            ///< the member's card code (会员卡 code); goes into the path
  std::string out_trade_no{};    ///< the merchant's order number (商户订单号)
  std::string mchid{};           ///< the direct merchant's id (直连商户号)
  std::string sub_mchid{};       ///< the sub-merchant's id (子商户号)
  std::int64_t bonus_value = 0;  ///< the points; 1 or more
  MerchantMode merchant_mode = MerchantMode::both;  ///< which of the two ids the body carries
};

/// \ingroup stages
/// The faults of one text field, empty where there are none; at most one, the first that matters.
inline std::vector<Fault> check_text(std::string field, std::string_view value, std::string location) {
  constexpr std::size_t most = 32;
  std::size_t characters = 0;
  std::string issue = value.empty() ? "must not be empty" : "";
  for (std::string_view rest = value; !rest.empty() && issue.empty(); ++characters) {
    const CodePoint next = first_code_point(rest);
    if (!next.valid) {
      issue = "must be valid UTF-8";
    } else if (is_control(next.value)) {
      issue = "must not hold control characters";
    } else if (is_invisible(next.value)) {
      issue = "must not hold characters that cannot be seen: it holds " + code_point_name(next.value);
    } else if (next.bytes == 4) {
      issue = "must not hold characters of four bytes in UTF-8 (emoji): WeChat Pay refuses them";
    }
    rest.remove_prefix(next.bytes);
  }
  if (issue.empty() && characters > most) issue = "must be at most 32 characters long";
  if (issue.empty() && (value.front() == ' ' || value.back() == ' ')) issue = "must not begin or end with a blank";
  if (issue.empty() && location == "path" && (value == "." || value == "..")) {
    issue = "must not be a dot segment: it would change the path";
  }
  if (issue.empty()) return {};
  return {{std::move(field), printable(value, 2 * most), std::move(issue), std::move(location)}};
}

/// \ingroup stages
/// Why a text is no merchant id, which is 1 to 32 ASCII digits; empty where it is one. Begins with a verb and does not
/// quote the text.
inline std::string mchid_fault(std::string_view id) {
  std::size_t at = 0;
  while (at < id.size() && id[at] >= '0' && id[at] <= '9') ++at;
  if (at == id.size() && at >= 1 && at <= 32) return {};
  const std::string rule = "must be the merchant id, 1 to 32 digits";
  if (id.empty()) return rule + "; it is empty";
  if (at == id.size()) return rule + "; it has " + std::to_string(id.size());
  if (id.substr(0, 2) == "wx") return rule + "; it looks like an appid";
  if (id.substr(0, 11) == "PUB_KEY_ID_") return rule + "; it is a public key's id";
  if (id.size() >= 32 && id.find_first_not_of("0123456789ABCDEFabcdef") == std::string_view::npos) {
    return rule + "; it looks like a certificate's serial number";
  }
  const CodePoint other = first_code_point(id.substr(at));
  if (!other.valid) return rule + "; it is not UTF-8";
  if (other.value >= 0xFF10 && other.value <= 0xFF19) {
    return rule + "; it holds the full-width digit " + code_point_name(other.value) + ", not an ASCII digit";
  }
  if (other.value == ' ') return rule + "; it holds a blank";
  if (is_control(other.value) || is_invisible(other.value)) {
    return rule + "; it holds " + code_point_name(other.value) + ", which cannot be seen";
  }
  return rule + "; it holds other characters";
}

/// \ingroup stages
/// The faults of one merchant id of the body; at most one.
inline std::vector<Fault> check_mchid(std::string field, std::string_view value) {
  auto faults = check_text(field, value, "body");
  if (!faults.empty()) return faults;
  if (std::string issue = mchid_fault(value); !issue.empty()) {
    faults.push_back({std::move(field), printable(value, 64), std::move(issue), "body"});
  }
  return faults;
}

/// Everything that is wrong with `request`, in the order of its fields; empty where it can be sent. Refuses what
/// WeChat Pay's documents rule out and what would break the path or the JSON; rules that only the server knows are
/// left to the server. Needs no network. Thread-safe.
[[nodiscard]] inline std::vector<Fault> check(const BonusCommitRequest& request) {
  std::vector<Fault> faults;
  const auto add = [&faults](std::vector<Fault> found) {
    for (Fault& fault : found) faults.push_back(std::move(fault));
  };
  const auto check_id = [&](std::string field, const std::string& id, bool wanted, const char* fitting_without,
                            const char* fitting_with) {
    if (wanted && id.empty()) {
      add({{std::move(field), "", "is missing; " + std::string(fitting_without), "body"}});
    } else if (wanted) {
      add(check_mchid(std::move(field), id));
    } else if (!id.empty()) {
      const std::string mode(to_string(request.merchant_mode));
      add({{std::move(field), printable(id, 64), "must not be given with MerchantMode::" + mode + "; " + fitting_with,
            "body"}});
    }
  };
  const bool has_mchid = !request.mchid.empty();
  const bool has_sub_mchid = !request.sub_mchid.empty();
  const bool direct = request.merchant_mode == MerchantMode::direct;
  const bool partner = request.merchant_mode == MerchantMode::partner;

  add(check_text("card_id", request.card_id, "path"));
  add(check_text("code", request.code, "path"));
  add(check_text("/out_trade_no", request.out_trade_no, "body"));
  check_id("/mchid", request.mchid, !partner,
           has_sub_mchid ? "MerchantMode::partner fits a call with sub_mchid alone" : "give the direct merchant's id",
           has_sub_mchid ? "MerchantMode::both fits a call with both ids"
                         : "MerchantMode::direct fits a call with mchid alone");
  check_id("/sub_mchid", request.sub_mchid, !direct,
           has_mchid ? "MerchantMode::direct fits a call with mchid alone" : "give the sub-merchant's id",
           has_mchid ? "MerchantMode::both fits a call with both ids"
                     : "MerchantMode::partner fits a call with sub_mchid alone");
  if (request.bonus_value < 1) {
    add({{"/bonus_value", std::to_string(request.bonus_value), "must be 1 or more", "body"}});
  }
  return faults;
}

/// \ingroup stages
/// The faults of a check as the error that the call ends with.
inline Error invalid_request(std::vector<Fault> faults) {
  Error error;
  error.kind = ErrorKind::invalid_request;
  error.outcome = Outcome::not_sent;
  error.remedy = Remedy::correct_request;
  error.message = "the request was not sent:";
  for (const Fault& fault : faults) {
    error.message += (&fault == &faults.front() ? " " : "; ") + fault.field + " " + fault.issue;
    if (!fault.value.empty()) error.message += " (given: " + fault.value + ")";
  }
  error.faults = std::move(faults);
  return error;
}

}  // namespace wechatpay

#endif
