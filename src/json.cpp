#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/answer.hpp"
#include "wechatpay/bonus_commit/body.hpp"

// No tree is built of either body: that is faster, a hostile answer stays small, and nlohmann's destructor of a tree
// needs memory, which must not end the process where there is none.

namespace wechatpay {
namespace {

using nlohmann::json;

/// A JSON string. What is not UTF-8 throws, or is replaced.
std::string json_string(std::string_view text, json::error_handler_t invalid = json::error_handler_t::strict) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (!plain) return json(std::string(text)).dump(-1, ' ', false, invalid);
  std::string quoted;
  quoted.reserve(text.size() + 2);
  quoted.append(1, '"').append(text).append(1, '"');
  return quoted;
}

/// Takes WeChat Pay's error out of what the parser reports, and writes it down again in compact form.
class ErrorBodyReader final : public nlohmann::json_sax<json> {
 public:
  std::optional<ErrorBody> result() && {
    if (!has_code_) return std::nullopt;
    if (has_field_) body_.fault = std::move(fault_);
    if (body_.fault && body_.fault->issue.empty()) body_.fault->issue = std::move(inner_issue_);
    if (!sign_.message.empty()) body_.sign_information = std::move(sign_);
    return std::move(body_);
  }

  bool null() override { return value("null"); }
  bool boolean(bool is_true) override { return value(is_true ? "true" : "false"); }
  bool number_integer(std::int64_t number) override { return value(std::to_string(number)); }
  bool number_unsigned(std::uint64_t number) override {
    if (at({"detail", "sign_information", "sign_message_length"})) sign_.length = static_cast<std::size_t>(number);
    return value(std::to_string(number));
  }
  bool number_float(double /*number*/, const std::string& token) override { return value(token); }
  bool string(std::string& text) override {
    if (beyond_ > 0) return true;
    if (at({"code"})) has_code_ = true;
    const std::string written = json_string(without_signatures(text), json::error_handler_t::replace);
    write(written);
    take(text, written);
    return true;
  }
  bool binary(json::binary_t& /*bytes*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override { return open(true); }
  bool start_array(std::size_t /*elements*/) override { return open(false); }
  bool end_object() override { return close('}'); }
  bool end_array() override { return close(']'); }
  bool key(std::string& name) override {
    if (beyond_ == 0) levels_.back().key = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  struct Level {
    bool is_object = false;
    bool is_empty = true;
    std::size_t start = 0;  ///< in text_
    std::string key;        ///< the latest
  };

  static constexpr std::size_t deepest = 32;  ///< what is nested deeper is left out

  /// Whether the parser stands at the value of these keys.
  bool at(std::initializer_list<std::string_view> keys) const {
    if (keys.size() != levels_.size()) return false;
    auto level = levels_.begin();
    for (const std::string_view one : keys) {
      if (!level->is_object || level->key != one) return false;
      ++level;
    }
    return true;
  }

  void write(std::string_view value_text) {
    if (!levels_.empty()) {
      Level& level = levels_.back();
      if (!std::exchange(level.is_empty, false)) text_ += ',';
      if (level.is_object) {
        text_ += json_string(without_signatures(level.key), json::error_handler_t::replace);
        text_ += ':';
      }
    }
    text_ += value_text;
  }

  bool value(std::string_view value_text) {
    if (beyond_ > 0) return true;
    write(value_text);
    take(value_text, value_text);
    return true;
  }

  bool open(bool is_object) {
    if (levels_.empty() && !is_object) return false;
    if (beyond_ > 0 || levels_.size() == deepest) {
      ++beyond_;
      return true;
    }
    write(is_object ? "{" : "[");
    Level level;
    level.is_object = is_object;
    level.start = text_.size() - 1;
    levels_.push_back(std::move(level));
    return true;
  }

  bool close(char end) {
    if (beyond_ > 0) {
      --beyond_;
      return true;
    }
    text_ += end;
    const std::string_view written = std::string_view(text_).substr(levels_.back().start);
    levels_.pop_back();
    take(written, written);
    return true;
  }

  /// Keeps the value where the parser stands, if it is one that is looked for: a string as it came, any other as JSON.
  void take(std::string_view found, std::string_view written) {
    if (levels_.empty()) return;
    if (at({"code"})) body_.code = found;
    if (at({"message"})) body_.message = found;
    if (at({"detail"})) body_.detail = written;
    if (at({"detail", "field"})) {
      has_field_ = true;
      fault_.field = found;
    }
    if (at({"detail", "value"})) fault_.value = found;
    if (at({"detail", "issue"})) fault_.issue = found;
    if (at({"detail", "location"})) fault_.location = found;
    if (at({"detail", "detail", "issue"})) inner_issue_ = found;
    if (at({"detail", "sign_information", "truncated_sign_message"})) sign_.message = found;
  }

  std::string text_;
  std::vector<Level> levels_;
  std::size_t beyond_ = 0;  ///< how many levels too deep the parser stands
  ErrorBody body_;
  Fault fault_;
  std::string inner_issue_;
  SignInformation sign_;
  bool has_code_ = false;
  bool has_field_ = false;
};

}  // namespace

Result<std::string> serialize(const BonusCommitRequest& request) {
  try {
    std::string body;
    body.reserve(256);  // enough for all that is allowed but for scripts of three bytes a character
    body.append("{\"out_trade_no\":").append(json_string(request.out_trade_no));
    if (request.merchant_mode != MerchantMode::partner) body.append(",\"mchid\":").append(json_string(request.mchid));
    if (request.merchant_mode != MerchantMode::direct) {
      body.append(",\"sub_mchid\":").append(json_string(request.sub_mchid));
    }
    body.append(",\"bonus_value\":").append(std::to_string(request.bonus_value)).append(1, '}');
    return body;
  } catch (const json::type_error&) {
    return invalid_request(check(request));
  }
}

std::optional<ErrorBody> parse_error_body(std::string_view body) {
  ErrorBodyReader reader;
  if (!json::sax_parse(body, &reader)) return std::nullopt;
  return std::move(reader).result();
}

}  // namespace wechatpay
