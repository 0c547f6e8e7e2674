#include <algorithm>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/stages/answer.hpp"

// This does not build a tree: it is faster, and a hostile answer uses little memory. Also, the destructor of nlohmann's
// tree allocates memory, and must not end the process if there is none.

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {
namespace {

using nlohmann::json;

void append_escape(std::string& out, char32_t unit) {
  out += "\\u";
  append_hex(out, unit, 4);
}

/// A JSON string that is safe to show: what printable() would replace is escaped. Cut if it exceeds `most` bytes.
std::string printable_json_string(std::string_view text, std::size_t most) {
  std::string out(1, '"');
  while (!text.empty()) {
    const CodePoint next = first_code_point(text);
    const std::string_view bytes = text.substr(0, next.bytes);
    std::string written(bytes);
    const std::size_t control = std::string_view("\n\r\t\b\f").find(bytes);
    if (!next.valid) {
      written = "\\ufffd";
    } else if (bytes == "\"" || bytes == "\\") {
      written.insert(0, 1, '\\');
    } else if (control != std::string_view::npos) {
      written = {'\\', "nrtbf"[control]};
    } else if (printable(bytes) != bytes) {
      written.clear();
      if (next.value > 0xFFFF) append_escape(written, 0xD7C0 + (next.value >> 10U));
      append_escape(written, next.value > 0xFFFF ? 0xDC00 + (next.value & 0x3FFU) : next.value);
    }
    if (out.size() + written.size() + 4 > most) {
      out += "\xE2\x80\xA6";  // an ellipsis
      break;
    }
    out += written;
    text.remove_prefix(next.bytes);
  }
  return out + '"';
}

/// Collects WeChat Pay's error from the parser's events, and writes `detail` again in compact form.
class ErrorBodyReader final : public nlohmann::json_sax<json> {
 public:
  std::optional<ErrorBody> result() && {
    const std::string& code = body_.code;
    const bool visible = std::all_of(code.begin(), code.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (code.empty() || !visible || codes_ != 1 || messages_ > 1 || details_ > 1) return std::nullopt;
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
    if (at({"code"})) body_.code = text;
    if (at({"message"})) body_.message = text;
    const std::size_t start = write(printable_json_string(without_signatures(text), longest_string));
    take(text, std::string_view(text_).substr(start));
    return true;
  }
  bool binary(json::binary_t& /*bytes*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override { return open(true); }
  bool start_array(std::size_t /*elements*/) override { return open(false); }
  bool end_object() override { return close('}'); }
  bool end_array() override { return close(']'); }
  bool key(std::string& name) override {
    if (beyond_ > 0) return true;
    levels_.back().key = name;
    if (levels_.size() > 1) return true;
    codes_ += name == "code" ? 1 : 0;
    messages_ += name == "message" ? 1 : 0;
    details_ += name == "detail" ? 1 : 0;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  struct Level {
    bool is_object = false;
    bool is_empty = true;
    std::size_t start = 0;  ///< offset in text_
    std::string key;        ///< the latest key
  };

  static constexpr std::size_t deepest = 32;  ///< deeper levels are left out
  static constexpr std::size_t most_bytes = 4096;
  static constexpr std::size_t longest_string = 2048;
  static constexpr std::size_t longest_key = 256;

  /// Whether the parser is at the value of these keys.
  bool at(std::initializer_list<std::string_view> keys) const {
    if (keys.size() != levels_.size()) return false;
    auto level = levels_.begin();
    for (const std::string_view one : keys) {
      if (!level->is_object || level->key != one) return false;
      ++level;
    }
    return true;
  }

  bool in_detail() const { return !levels_.empty() && levels_.front().is_object && levels_.front().key == "detail"; }

  /// Writes a value of `detail`, with its key, if there is room. Returns the offset in text_ where the value begins;
  /// the end of text_ if nothing was written.
  std::size_t write(std::string_view value_text) {
    if (!in_detail()) return text_.size();
    Level& level = levels_.back();
    const bool inside = levels_.size() > 1;
    std::string before(inside && !level.is_empty ? "," : "");
    if (inside && level.is_object) before += printable_json_string(without_signatures(level.key), longest_key) + ':';
    if (text_.size() + before.size() + value_text.size() + levels_.size() > most_bytes) return text_.size();
    level.is_empty = false;
    text_ += before;
    text_ += value_text;
    return text_.size() - value_text.size();
  }

  bool value(std::string_view value_text) {
    if (beyond_ > 0) return true;
    const std::size_t start = write(value_text);
    take(value_text, std::string_view(text_).substr(start));
    return true;
  }

  bool open(bool is_object) {
    if (levels_.empty() && !is_object) return false;
    Level level;
    level.is_object = is_object;
    if (!levels_.empty()) {
      const bool wanted = beyond_ == 0 && levels_.size() < deepest && in_detail();
      level.start = wanted ? write(is_object ? "{" : "[") : text_.size();
      if (level.start == text_.size()) {
        ++beyond_;
        return true;
      }
    }
    levels_.push_back(std::move(level));
    return true;
  }

  bool close(char end) {
    if (beyond_ > 0) {
      --beyond_;
      return true;
    }
    const std::size_t start = levels_.back().start;
    if (levels_.size() > 1 && in_detail()) text_ += end;
    levels_.pop_back();
    const std::string_view written = std::string_view(text_).substr(start);
    take(written, written);
    return true;
  }

  /// Keeps the value at the parser's position, if it is one of the wanted values of `detail`: a string unchanged, any
  /// other value as JSON.
  void take(std::string_view found, std::string_view written) {
    if (!in_detail()) return;
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

  std::string text_;  ///< `detail`
  std::vector<Level> levels_;
  std::size_t beyond_ = 0;  ///< how many levels deep the parser is in the part that is left out
  ErrorBody body_;
  Fault fault_;
  std::string inner_issue_;
  SignInformation sign_;
  int codes_ = 0;
  int messages_ = 0;
  int details_ = 0;
  bool has_field_ = false;
};

/// Makes valid JSON of a text that would be JSON except for bytes that are not UTF-8, raw control characters and
/// unpaired surrogates in its strings, and numbers out of the range of a double. With `gbk`, an invalid byte is
/// replaced together with the next byte: the second byte of a GBK character may be a backslash.
class JsonRepair {
 public:
  JsonRepair(std::string_view text, bool gbk) : text_(text), gbk_(gbk) {}

  std::string result() && {
    while (!text_.empty()) {
      if (text_.front() == '"') in_string_ = !in_string_;
      in_string_&& text_.front() != '"' ? character() : outside();
    }
    return std::move(out_);
  }

 private:
  void keep(std::size_t size) {
    out_ += text_.substr(0, size);
    text_.remove_prefix(size);
  }

  void replace(std::size_t size, std::string_view by) {
    out_ += by;
    text_.remove_prefix(size);
  }

  void character() {
    const CodePoint next = first_code_point(text_);
    if (!next.valid) {
      const bool takes_next = gbk_ && text_.size() > 1 && static_cast<unsigned char>(text_[1]) >= 0x40;
      return replace(takes_next ? 2 : 1, "\\ufffd");
    }
    if (next.value < 0x20) return replace(1, " ");
    if (next.value != '\\' || text_.size() < 2) return keep(next.bytes);
    if (text_[1] != 'u') return keep(2);
    const int unit = unit_at(0);
    const int second = unit_at(6);
    if (unit < 0xD800 || unit > 0xDFFF) return keep(2);
    if (unit < 0xDC00 && second >= 0xDC00 && second <= 0xDFFF) return keep(12);
    replace(6, "\\ufffd");
  }

  void outside() {
    const std::size_t size = (std::min)(text_.find_first_not_of("+-.0123456789eE"), text_.size());
    if (size == 0) return keep(1);
    const std::string_view number = text_.substr(0, size);
    const std::size_t exponent = number.find_first_of("eE");
    const bool huge = size > 300 || (exponent != std::string_view::npos && size - exponent > 3);
    if (!huge) return keep(size);
    replace(size, '"' + std::string(number) + '"');
  }

  /// The value of the \uNNNN at `offset` bytes ahead; -1 if there is none.
  int unit_at(std::size_t offset) const {
    if (text_.size() < offset + 6 || text_.substr(offset, 2) != "\\u") return -1;
    int unit = 0;
    const char* const digits = text_.data() + offset + 2;
    const auto [end, failure] = std::from_chars(digits, digits + 4, unit, 16);
    return failure == std::errc() && end == digits + 4 ? unit : -1;
  }

  std::string_view text_;
  const bool gbk_;
  bool in_string_ = false;
  std::string out_;
};

}  // namespace

std::optional<ErrorBody> parse_error_body(std::string_view body) {
  const auto read = [](std::string_view text, std::optional<ErrorBody>& error) {
    ErrorBodyReader reader;
    if (!json::sax_parse(text, &reader)) return false;
    error = std::move(reader).result();
    return true;
  };
  std::optional<ErrorBody> error;
  if (!read(body, error) && !read(JsonRepair(body, false).result(), error))
    read(JsonRepair(body, true).result(), error);
  return error;
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END
