#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
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

/// `text` as a JSON string that is safe to show: what printable() would replace is escaped. Cut if it exceeds `most`
/// bytes. `text` is UTF-8.
std::string printable_json_string(std::string_view text, std::size_t most) {
  constexpr std::string_view short_escapes = "\"\\\n\r\t\b\f";
  std::string out(1, '"');
  while (!text.empty()) {
    const CodePoint next = first_code_point(text);
    std::string written(text.substr(0, next.bytes));
    const std::size_t escape = short_escapes.find(written);
    if (escape != std::string_view::npos) {
      written = {'\\', "\"\\nrtbf"[escape]};
    } else if (is_control(next.value) || is_invisible(next.value)) {
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

/// Writes a JSON value in compact form. Parts that are nested too deep or have no room are left out.
class DetailWriter {
 public:
  const std::string& text() const { return text_; }

  /// The key of the next value, if that is in an object.
  void key(std::string_view name) { key_ = printable_json_string(without_signatures(name), longest_key); }

  void string(std::string_view text) { value(printable_json_string(without_signatures(text), longest_string)); }

  /// Writes a number or a literal. False: it is left out, since there is no room.
  bool value(std::string_view json_text) {
    const std::size_t start = text_.size();
    if (!open_.empty() && text_.back() != '{' && text_.back() != '[') text_ += ',';
    if (!open_.empty() && text_[open_.back()] == '{') text_ += key_ + ':';
    text_ += json_text;
    const bool has_room = text_.size() + open_.size() < most_bytes;  // leaves room for the closing brackets
    if (!has_room) text_.resize(start);
    return has_room;
  }

  /// Begins an object or an array. False: it is left out; the caller must not write its content or close it.
  bool open(std::string_view bracket) {
    if (open_.size() == deepest || !value(bracket)) return false;
    open_.push_back(text_.size() - 1);
    return true;
  }

  /// Ends the innermost object or array, and returns it as it was written.
  std::string_view close(char bracket) {
    text_ += bracket;
    const std::size_t start = open_.back();
    open_.pop_back();
    return std::string_view(text_).substr(start);
  }

 private:
  static constexpr std::size_t deepest = 31;  ///< the body's own level is the 32nd
  static constexpr std::size_t most_bytes = 4096;
  static constexpr std::size_t longest_string = 2048;
  static constexpr std::size_t longest_key = 256;

  std::string text_;
  std::string key_;
  std::vector<std::size_t> open_;  ///< the offset in text_ of each object and array that is not closed yet
};

/// Collects WeChat Pay's error from the parser's events.
class ErrorBodyReader final : public nlohmann::json_sax<json> {
 public:
  std::optional<ErrorBody> result() && {
    const std::string& code = body_.code;
    const bool visible = std::all_of(code.begin(), code.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (code.empty() || !visible || repeated_) return std::nullopt;
    body_.detail = detail_.text();
    if (fault_.issue.empty()) fault_.issue = std::move(inner_issue_);
    if (has_field_) body_.fault = std::move(fault_);
    if (!sign_.message.empty()) body_.sign_information = std::move(sign_);
    return std::move(body_);
  }

  bool null() override { return value("null"); }
  bool boolean(bool is_true) override { return value(is_true ? "true" : "false"); }
  bool number_integer(std::int64_t number) override { return value(std::to_string(number)); }
  bool number_unsigned(std::uint64_t number) override {
    if (left_out_ == 0 && path_ == "/detail/sign_information/sign_message_length") {
      sign_.length = static_cast<std::size_t>(number);
    }
    return value(std::to_string(number));
  }
  bool number_float(double /*number*/, const std::string& token) override { return value(token); }
  bool string(std::string& text) override {
    if (left_out_ > 0) return true;
    if (in_detail()) detail_.string(text);
    take(text);
    return true;
  }
  bool binary(json::binary_t& /*bytes*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override { return open("{"); }
  bool start_array(std::size_t /*elements*/) override { return open("["); }
  bool end_object() override { return close('}'); }
  bool end_array() override { return close(']'); }
  bool key(std::string& name) override {
    if (left_out_ > 0) return true;
    detail_.key(name);
    path_.resize(path_.rfind('/') + 1);
    if (name.find('/') == std::string::npos) path_ += name;
    const bool once = path_ == "/code" || path_ == "/message" || path_ == "/detail";
    if (once && !seen_.insert(path_).second) repeated_ = true;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  /// Whether the parser is in `detail`, but in no part of it that is left out.
  bool in_detail() const { return left_out_ == 0 && (path_ == "/detail" || starts_with(path_, "/detail/")); }

  /// Keeps the value at the parser's position if it is wanted: a string unchanged, any other value as JSON.
  void take(std::string_view found) {
    const std::pair<std::string_view, std::string*> wanted[] = {
        {"/code", &body_.code},
        {"/message", &body_.message},
        {"/detail/field", &fault_.field},
        {"/detail/value", &fault_.value},
        {"/detail/issue", &fault_.issue},
        {"/detail/location", &fault_.location},
        {"/detail/detail/issue", &inner_issue_},
        {"/detail/sign_information/truncated_sign_message", &sign_.message},
    };
    for (const auto& [path, text] : wanted) {
      if (path == path_) *text = found;
    }
    if (path_ == "/detail/field") has_field_ = true;
  }

  /// A number or a literal. None is wanted outside of `detail`.
  bool value(std::string_view json_text) {
    if (!in_detail()) return true;
    detail_.value(json_text);
    take(json_text);
    return true;
  }

  bool open(std::string_view bracket) {
    if (path_.empty() || (in_detail() && detail_.open(bracket))) {
      path_ += '/';
    } else {
      ++left_out_;
    }
    return true;
  }

  bool close(char bracket) {
    if (left_out_ > 0) {
      --left_out_;
      return true;
    }
    path_.resize(path_.rfind('/'));
    if (!path_.empty()) take(detail_.close(bracket));
    return true;
  }

  /// The keys that lead to the parser's position, each after a slash, such as "/detail/field". Nothing follows the
  /// slash for an element of an array and for a key that contains a slash, so neither has the path of a wanted value.
  std::string path_;
  std::size_t left_out_ = 0;  ///< how many levels deep the parser is in a part that is neither written nor searched
  DetailWriter detail_;
  ErrorBody body_;
  Fault fault_;
  std::string inner_issue_;
  SignInformation sign_;
  std::set<std::string> seen_;  ///< paths that may occur once only
  bool repeated_ = false;
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
  if (!read(body, error) && !read(JsonRepair(body, false).result(), error)) {
    read(JsonRepair(body, true).result(), error);
  }
  return error;
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END
