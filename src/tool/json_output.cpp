#include "json_output.hpp"

#include <algorithm>
#include <iostream>

#include "wording.hpp"

namespace wechatpay::bonus_commit::tool {

std::string word(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(), [](char c) {
    if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
    return c == ' ' ? '_' : c;
  });
  return made;
}

namespace {

/// The library's name for it: "retry_later".
std::string_view remedy_word(Remedy remedy) {
  switch (remedy) {
    case Remedy::retry_later: return "retry_later";
    case Remedy::correct_request: return "correct_request";
    case Remedy::correct_setup: return "correct_setup";
    case Remedy::ask_wechat_pay: return "ask_wechat_pay";
    case Remedy::correct_the_program: return "correct_the_program";
  }
  return "retry_later";
}

}  // namespace

nlohmann::ordered_json as_json(const Error& error) {
  nlohmann::ordered_json json = {{"outcome", word(to_string(error.outcome))},
                                 {"kind", word(to_string(error.kind))},
                                 {"remedy", remedy_word(error.remedy)},
                                 {"message", in_words_of_the_tool(error.message)}};
  const auto add = [&json](const char* name, const std::string& text) {
    if (!text.empty()) json[name] = text;
  };
  for (const Fault& fault : error.faults) {
    json["faults"].push_back({{"field", fault.field},
                              {"value", fault.value},
                              {"issue", in_words_of_the_tool(fault.issue)},
                              {"location", fault.location}});
  }
  if (const Answer* const answer = error.answer()) {
    json["http_status"] = answer->http_status;
    json["verified"] = answer->verified();
    if (!answer->verified()) json["verification_fault"] = word(to_string(answer->verification_fault));
    add("code", answer->code);
    add("wechatpay_message", answer->message);
    add("detail", answer->detail);
    add("request_id", answer->request_id);
    if (answer->clock_offset) json["clock_offset_seconds"] = answer->clock_offset->count();
  }
  if (error.transport_fault != TransportFault::none) json["transport_fault"] = word(to_string(error.transport_fault));
  if (error.retry_after) json["retry_after_seconds"] = error.retry_after->count();
  for (const Try& made : error.tries) {
    json["tries"].push_back({{"origin", made.origin},
                             {"http_status", made.http_status()},
                             {"outcome", word(to_string(made.outcome))},
                             {"milliseconds", made.duration.count()}});
  }
  return json;
}

nlohmann::ordered_json as_json(const CommitReceipt& receipt) {
  nlohmann::ordered_json json = {{"outcome", "credited"}};
  if (!receipt.request_id.empty()) json["request_id"] = receipt.request_id;
  json["serial"] = receipt.serial;
  json["timestamp"] = receipt.timestamp;
  json["clock_offset_seconds"] = receipt.clock_offset.count();
  json["tries"] = receipt.tries;
  if (!receipt.warning.empty()) json["warning"] = receipt.warning;
  return json;
}

std::string json_text(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void print(const nlohmann::ordered_json& json) { std::cout << json_text(json, 2) << "\n"; }

bool output_is_written() {
  if (std::cout.flush()) return true;
  std::cerr << "standard output cannot be written: the output is lost\n";
  return false;
}

void report_error(const Error& error, bool json) {
  std::cerr << in_words_of_the_tool(error.message) << "\n";
  if (json) print(as_json(error));
}

}  // namespace wechatpay::bonus_commit::tool
