#include "pipe_message.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "json_order.hpp"
#include "json_output.hpp"
#include "order_fields.hpp"
#include "src/outbox/decisions.hpp"
#include "src/outbox/meaning.hpp"

namespace wechatpay::bonus_commit::tool {

using nlohmann::ordered_json;
using outbox::Meaning;

namespace {

ordered_json parse(const std::string& text) {
  const auto is_kept = [](int depth, ordered_json::parse_event_t, const ordered_json&) { return is_shallow(depth); };
  return ordered_json::parse(text, is_kept, false);
}

bool comes_back_as_it_is(const ordered_json& id) {
  return id.is_number_integer() || (id.is_string() && !id.get_ref<const std::string&>().empty());
}

/// The `id` of a line that begins with it but is too long or not valid JSON as a whole; null if there is none.
ordered_json id_at_the_beginning(const std::string& text) {
  constexpr int most_commas = 10;  // commas that may be part of the id, plus the one after it
  std::size_t comma = text.find(',');
  for (int i = 0; i < most_commas && comma != std::string::npos; ++i, comma = text.find(',', comma + 1)) {
    const ordered_json beginning = parse(text.substr(0, comma) + '}');
    if (beginning.is_object()) return beginning.value("id", ordered_json());
  }
  return nullptr;
}

/// How long to wait before the order is sent again: at least as long as WeChat Pay asks for.
std::chrono::milliseconds pause_after(const Error& error, Meaning meaning, double random) {
  const std::chrono::milliseconds asked = error.retry_after.value_or(std::chrono::seconds(0));
  switch (meaning) {
    case Meaning::permission_missing:
    case Meaning::setup_doubtful:
    case Meaning::setup_wrong: return std::max<std::chrono::milliseconds>(asked, outbox::permission_pause);
    case Meaning::not_called: return std::max<std::chrono::milliseconds>(asked, std::chrono::seconds(1));
    default: return std::max(asked, outbox::backoff(0, random));
  }
}

}  // namespace

PipeMessage read_pipe_message(const LineReader::Line& line, const BonusCommitRequest& defaults) {
  PipeMessage message;
  message.order = defaults;
  const auto no_order = [&message, &line](const std::string& fault) {
    message.fault = "line " + std::to_string(line.number) + ": " + fault;
    return message;
  };
  const ordered_json object = parse(line.text);
  ordered_json id = object.is_object() ? object.value("id", ordered_json()) : id_at_the_beginning(line.text);
  if (comes_back_as_it_is(id)) message.id = std::move(id);
  if (line.too_long) return no_order("is longer than 64 KiB");
  message.is_whole = line.ended || !object.is_discarded();
  if (!message.is_whole) return no_order("the input ended within this line: send the order again");
  const JsonOrder order = read_json_order(line.text);
  if (std::count(order.others.begin(), order.others.end(), "id") > 1) {
    message.id = nullptr;
    return no_order("has the member id twice: which one is right?");
  }
  if (object.is_object() && message.id.is_null()) {
    return no_order("its id must be a string or a whole number of 64 bits");
  }
  if (!order.fault.empty()) return no_order(order.fault);
  std::string fault;
  for (const auto& [name, value] : order.values) {
    const std::string found = set_field(message.order, name, value);
    if (!found.empty()) fault += (fault.empty() ? "" : "; ") + found;
  }
  if (fault.empty()) fault = faults_of_order(message.order, order);
  return fault.empty() ? message : no_order(fault);
}

ordered_json pipe_answer(const ordered_json& id, const CommitResult& result, double random) {
  ordered_json answer = {{"id", id}};
  const Meaning meaning = outbox::meaning_of(result);
  if (meaning == Meaning::credited) {
    answer["result"] = "credited";
    answer["receipt"] = as_json(*result);
    return answer;
  }
  const bool dead = meaning == Meaning::invalid || meaning == Meaning::refused;
  answer["result"] = dead ? "dead" : "later";
  if (!dead) {
    const auto pause = std::chrono::ceil<std::chrono::seconds>(pause_after(result.error(), meaning, random));
    answer["pause_seconds"] = pause.count();
  }
  answer["error"] = as_json(result.error());
  return answer;
}

}  // namespace wechatpay::bonus_commit::tool
