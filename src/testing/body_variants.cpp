#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "src/testing/signed_message.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

using nlohmann::ordered_json;

/// The style in which a serializer writes JSON.
struct Style {
  std::size_t spacing = 0;
  std::size_t escapes = 0;
  bool sorted = false;
  bool floats = false;
};

struct Spacing {
  std::string_view comma;
  std::string_view colon;
  std::size_t indent;
  char filling;
  const char* words;
};

constexpr std::array<Spacing, 6> spacings = {{{",", ":", 0, ' ', "without blanks and line breaks"},
                                              {", ", ": ", 0, ' ', "with blanks after commas and colons"},
                                              {",", ": ", 2, ' ', "with an indent of 2 blanks"},
                                              {",", ": ", 4, ' ', "with an indent of 4 blanks"},
                                              {",", ":", 2, ' ', "with an indent of 2 blanks"},
                                              {",", ": ", 1, '\t', "with an indent of tabs"}}};

constexpr std::array<const char*, 7> escape_words = {"without escapes",
                                                     "with non-ASCII characters escaped",
                                                     "with non-ASCII characters escaped in upper-case hex",
                                                     "with slashes escaped",
                                                     "with slashes and non-ASCII characters escaped",
                                                     "with <, > and & escaped",
                                                     "with <, >, &, = and ' escaped"};

std::string escaped(unsigned int unit, bool upper) {
  std::array<char, 8> text{};
  static_cast<void>(std::snprintf(text.data(), text.size(), upper ? "\\u%04X" : "\\u%04x", unit));
  return text.data();
}

std::string ascii_in_upper_case(std::string text) {
  for (std::size_t at = text.find("\\u"); at != std::string::npos && at + 6 <= text.size();
       at = text.find("\\u", at + 6)) {
    for (std::size_t i = at + 2; i < at + 6; ++i) {
      if (text[i] >= 'a' && text[i] <= 'f') text[i] = static_cast<char>(text[i] - 'a' + 'A');
    }
  }
  return text;
}

std::string written_text(const ordered_json& value, std::size_t escapes) {
  std::string text =
      value.dump(-1, ' ', escapes == 1 || escapes == 2 || escapes == 4, ordered_json::error_handler_t::replace);
  if (escapes == 2) return ascii_in_upper_case(std::move(text));
  const std::string_view special = escapes == 3 || escapes == 4 ? "/"
                                   : escapes == 5               ? "<>&"
                                   : escapes == 6               ? "<>&='"
                                                                : "";
  std::string result;
  for (const char c : text) {
    if (special.find(c) == std::string_view::npos) {
      result += c;
    } else if (c == '/') {
      result += "\\/";
    } else {
      result += escaped(static_cast<unsigned char>(c), false);
    }
  }
  return result;
}

std::string written(const ordered_json& value, const Style& style, std::size_t depth = 0) {
  if (value.is_string()) return written_text(value, style.escapes);
  if (value.is_number_integer()) return value.dump() + (style.floats ? ".0" : "");
  if (!value.is_structured() || value.empty()) return value.dump();
  const Spacing& spacing = spacings.at(style.spacing);
  const auto line = [&](std::size_t level) {
    std::string beginning;
    if (spacing.indent > 0) beginning.append(1, '\n').append(level * spacing.indent, spacing.filling);
    return beginning;
  };
  std::vector<std::pair<std::string, const ordered_json*>> members;
  for (const auto& [key, member] : value.items()) {
    std::string name;
    if (value.is_object()) name = written_text(key, style.escapes).append(spacing.colon);
    members.emplace_back(std::move(name), &member);
  }
  if (style.sorted && value.is_object()) std::sort(members.begin(), members.end());
  std::string text(1, value.is_object() ? '{' : '[');
  for (const auto& [key, member] : members) {
    if (text.size() > 1) text += spacing.comma;
    text += line(depth + 1);
    text += key;
    text += written(*member, style, depth + 1);
  }
  return text.append(line(depth)).append(1, value.is_object() ? '}' : ']');
}

constexpr const char* serialize_once = " Serialize the body once, sign that text, and send the same bytes.";

std::vector<Style> styles() {
  std::vector<Style> all;
  for (const bool floats : {false, true}) {
    for (const bool sorted : {false, true}) {
      for (std::size_t escapes = 0; escapes < escape_words.size(); ++escapes) {
        for (std::size_t spacing = 0; spacing < spacings.size(); ++spacing) {
          all.push_back({spacing, escapes, sorted, floats});
        }
      }
    }
  }
  return all;
}

/// How `style` differs from `own`, the style of the body that was sent.
std::string advice_on(const Style& style, const Style& own) {
  std::vector<std::string> differences;
  if (style.spacing != own.spacing) differences.emplace_back(spacings.at(style.spacing).words);
  if (style.sorted != own.sorted) {
    differences.emplace_back(style.sorted ? "with its keys sorted" : "with its keys in another order");
  }
  if (style.escapes != own.escapes) differences.emplace_back(escape_words.at(style.escapes));
  if (style.floats) differences.emplace_back("with whole numbers as 30.0");
  std::string text = "The client signed the JSON of the body in another form than it sent: ";
  for (std::size_t i = 0; i < differences.size(); ++i) text.append(i == 0 ? "" : ", ").append(differences[i]);
  return text + "." + serialize_once;
}

void add_styles(const ordered_json& json, const std::string& body, std::vector<Variant>& variants) {
  const std::vector<Style> all = styles();
  const auto own =
      std::find_if(all.begin(), all.end(), [&](const Style& style) { return written(json, style) == body; });
  for (const Style& style : all) {
    variants.push_back({written(json, style), advice_on(style, own == all.end() ? Style{99, 99, false, false} : *own)});
  }
}

/// All orders of the keys, if there are few keys.
void add_orders(const ordered_json& json, std::vector<Variant>& variants) {
  if (!json.is_object() || json.size() > 5) return;
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  do {
    ordered_json ordered;
    for (const std::string& key : keys) ordered[key] = json[key];
    for (std::size_t spacing = 0; spacing < 2; ++spacing) {
      variants.push_back(
          {written(ordered, {spacing, 0, false, false}),
           std::string("The client signed the body's keys in another order than it sent them.") + serialize_once});
    }
  } while (std::next_permutation(keys.begin(), keys.end()));
}

/// Python's str() of a dict, and the body as an HTML form sends it.
void add_other_notations(const ordered_json& json, const std::string& body, std::vector<Variant>& variants) {
  std::string python = written(json, {1, 0, false, false});
  std::replace(python.begin(), python.end(), '"', '\'');
  variants.push_back(
      {python, std::string("The client signed a Python dict as text, not JSON: use json.dumps().") + serialize_once});
  variants.push_back({written_text(body, 0),
                      "The client signed the body's JSON as a JSON string: it was serialized "
                      "twice. Serialize it once."});
  if (!json.is_object()) return;
  std::string form;
  for (const auto& [key, value] : json.items()) {
    form.append(form.empty() ? "" : "&").append(key).append("=");
    form += value.is_string() ? value.get<std::string>() : value.dump();
  }
  variants.push_back({form, "The client signed the body as key=value pairs: sign the JSON text that is sent."});
}

/// Variants of a body that need not be JSON.
void add_plain(const std::string& body, std::vector<Variant>& variants) {
  const std::string sent_text = ": sign the body byte for byte as it is sent.";
  variants.push_back({"", "The client signed an empty body" + sent_text});
  variants.push_back({body + "\r\n", "The client signed CR LF at the body's end that it did not send" + sent_text});
  const std::size_t end = body.find_last_not_of(" \t\r\n") + 1;
  variants.push_back({body.substr(0, end),
                      "The client sent blanks or a line break at the body's end that it did not sign" + sent_text});
  const std::string mark = "\xEF\xBB\xBF";
  if (body.compare(0, 3, mark) == 0) {
    variants.push_back(
        {body.substr(3), "The client sent a byte order mark that it did not sign: write the body without it."});
  }
  variants.push_back(
      {mark + body, "The client signed a byte order mark that it did not send: write the body without it."});
  variants.push_back({"b'" + body + "'", "The client signed Python's str() of bytes, b'...': decode the bytes first."});
  for (const char* word : {"{}", "[]", "null", "undefined", "None", "[object Object]", "Array"}) {
    variants.push_back({word, std::string("The client signed ") + word + " in the place of the body" + sent_text});
  }
  std::string one_byte;
  for (const char c : body) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      one_byte += c;
    } else if (byte >= 0xC0) {
      one_byte += '?';
    }
  }
  variants.push_back({one_byte,
                      "The client signed question marks in the place of non-ASCII characters: turn the message "
                      "into bytes as UTF-8."});
}

/// Whether brackets are nested deeper than in any body of this endpoint: writing each level takes stack space.
bool is_deep(const std::string& body) {
  constexpr int most_depth = 16;
  int depth = 0;
  return std::any_of(body.begin(), body.end(), [&depth](char c) {
    depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    return depth > most_depth;
  });
}

}  // namespace

std::vector<Variant> variants_of_body(const std::string& body) {
  constexpr std::size_t most_bytes = 16384;
  std::vector<Variant> variants;
  add_plain(body, variants);
  if (body.size() <= most_bytes && !is_deep(body)) {
    if (const ordered_json json = ordered_json::parse(body, nullptr, false); !json.is_discarded()) {
      add_styles(json, body, variants);
      add_orders(json, variants);
      add_other_notations(json, body, variants);
    }
  }
  std::set<std::string> known = {body};
  variants.erase(std::remove_if(variants.begin(), variants.end(),
                                [&known](const Variant& variant) { return !known.insert(variant.text).second; }),
                 variants.end());
  return variants;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
