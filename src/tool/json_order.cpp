#include "json_order.hpp"

#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "order_fields.hpp"
#include "order_values.hpp"

namespace wechatpay::bonus_commit::tool {

using nlohmann::json;

namespace {

constexpr const char* one_a_line = "write one object per line: jq -c . FILE converts the file";

/// The object in `line`, without values that are nested too deeply; with the names of its members unchanged.
json parse(const std::string& line, std::vector<std::string>& names) {
  const auto note_name = [&names](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1) names.push_back(parsed.get<std::string>());
    return is_shallow(depth);
  };
  return json::parse(line, note_name, false);
}

std::string fault_of_member(std::string_view name, const json& member) {
  if (name == "bonus_value") {
    if (member.is_number_integer()) return "";
    return "bonus_value must be a whole number, not " + shown_value(member.dump(-1, ' ', true));
  }
  if (member.is_string()) return "";
  return std::string(name) + " must be a string" + (member.is_number() ? ", since numbers lose digits" : "");
}

/// `line` without the text in double quotes.
std::string without_strings(std::string_view line) {
  std::string bare;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quoted && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      quoted = !quoted;
      bare += '"';
    } else if (!quoted) {
      bare += line[i];
    }
  }
  return bare;
}

/// The first word of `bare` that is a value in other languages but not in JSON; empty if there is none.
std::string foreign_word(const std::string& bare) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  for (std::size_t at = bare.find_first_of(letters); at != std::string::npos;) {
    const std::size_t end = std::min(bare.find_first_not_of(letters, at), bare.size());
    std::string word = bare.substr(at, end - at);
    for (const char* foreign : {"NaN", "nan", "Infinity", "inf", "None", "True", "False", "undefined", "NULL", "nil"}) {
      if (word == foreign) return word;
    }
    at = bare.find_first_of(letters, end);
  }
  return "";
}

/// What in a line, which is not blank, is not valid JSON; empty if it is not known.
std::string foreign_to_json(std::string_view line) {
  const std::string bare = without_strings(without_blanks(line));
  const std::size_t comment = std::min({bare.find("//"), bare.find("/*"), bare.find('#')});
  const std::size_t quote = bare.find('\'');
  const bool object = bare.front() == '{';
  if (comment < quote && (object || comment == 0)) return "a comment: remove it";
  if (!object) return "";
  if (quote != std::string::npos) return "single quotes, as Python prints a dict: json.dumps() writes JSON";
  if (const std::string word = foreign_word(bare); !word.empty()) {
    return std::string(word).append(": give the value, or null");
  }
  const bool closed = std::count(bare.begin(), bare.end(), '{') == std::count(bare.begin(), bare.end(), '}');
  if (closed && bare.back() == ',') return "a comma after its object: remove it";
  if (closed && bare.back() == ';') return "\";\" after its object: remove it";
  const std::size_t last = bare.find_last_not_of("}] \t");
  if (closed && bare[last] == ',') return "a comma before its last bracket: remove it";
  return "";
}

/// The object in `line`, which is valid JSON, without the member that json_with_error() added.
std::string without_last_error(const std::string& line) {
  const std::size_t at = line.rfind(",\"error\":\"");
  if (at == std::string::npos) return line;
  // Not operator+ with a literal: GCC 12 gives a false warning for it.
  std::string rest(line, 0, at);
  rest += '}';
  std::string member(1, '{');
  member.append(line, at + 1);
  return json::accept(member) ? rest : line;
}

}  // namespace

JsonOrder read_json_order(const std::string& line) {
  JsonOrder order;
  std::vector<std::string> names;
  const json object = parse(line, names);
  if (!is_utf8(line)) {
    order.fault = std::string("is not UTF-8: ") + utf8_advice;
  } else if (!object.is_object()) {
    std::string foreign;
    if (object.is_discarded()) foreign = foreign_to_json(line);
    order.fault.append(foreign.empty() ? "is not a JSON object: " : "is not JSON: it has ");
    order.fault.append(foreign.empty() ? one_a_line : foreign.c_str());
  }
  if (!order.fault.empty()) return order;
  for (const std::string& name : names) {
    if (name == "error") continue;
    if (!is_order_field(name)) {
      order.others.push_back(name);
    } else if (std::count(names.begin(), names.end(), name) > 1) {
      order.fault = "has the member " + name + " twice: which one is right?";
      return order;
    }
  }
  for (const std::string_view name : order_fields) {
    const auto member = object.find(std::string(name));
    if (member == object.end() || member->is_null()) continue;
    order.fault = fault_of_member(name, *member);
    if (!order.fault.empty()) return order;
    order.values.emplace_back(name, member->is_string() ? member->get<std::string>() : member->dump());
  }
  const auto error = object.find("error");
  if (error != object.end() && error->is_string()) order.error = error->get<std::string>();
  return order;
}

std::string fault_of_json_lines(const std::string& first_line) {
  const std::string_view text = without_blanks(first_line);
  if (text.front() == '[') return "is a JSON array; write one object per line: jq -c '.[]' FILE converts the file";
  const bool goes_on = std::string_view("{[,:").find(text.back()) != std::string_view::npos;
  if (goes_on && foreign_to_json(text).empty()) {
    return std::string("has a JSON object on several lines; ") + one_a_line;
  }
  return "";
}

std::string json_with_error(const std::string& line, const std::string& error) {
  if (!json::parse(line, nullptr, false).is_object()) return line;
  const std::string text = without_last_error(line);
  const std::size_t end = text.rfind('}');
  const char* const comma =
      is_blank(std::string_view(text).substr(text.find('{') + 1, end - text.find('{') - 1)) ? "" : ",";
  const std::string quoted = json(error).dump(-1, ' ', false, json::error_handler_t::replace);
  return text.substr(0, end) + comma + "\"error\":" + quoted + text.substr(end);
}

}  // namespace wechatpay::bonus_commit::tool
