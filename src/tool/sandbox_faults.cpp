#include "sandbox_faults.hpp"

#include <wechatpay/bonus_commit/stages/text.hpp>

#include <charconv>
#include <chrono>

namespace wechatpay::bonus_commit::tool {

using namespace stages;
using namespace testing;

namespace {

using Kind = SandboxFault::Kind;

struct Form {
  std::string_view text;  ///< with the argument in capitals, if there is one
  Kind kind;
  std::string_view meaning;
};

constexpr Form forms[] = {
    {"ok", Kind::none, "no fault: the answer that WeChat Pay would give"},
    {"delay:MILLISECONDS", Kind::delay, "that answer, after a delay"},
    {"slow:MILLISECONDS", Kind::slow, "that answer, with a delay before each byte"},
    {"drop-before", Kind::drop_before, "closes the connection without processing the request"},
    {"drop-after", Kind::drop_after, "commits, and closes the connection without an answer"},
    {"drop-half", Kind::drop_half, "commits, and closes the connection in the middle of the answer"},
    {"reset", Kind::reset, "commits, and resets the connection"},
    {"early-close", Kind::early_close, "commits and answers, then closes the connection without announcing it"},
    {"polite-close", Kind::polite_close, "the same, with a TLS close_notify"},
    {"extra-answer", Kind::extra_answer, "commits and answers, then sends the answer again in a separate TLS record"},
    {"NNN", Kind::http_status,
     "signed error with that HTTP status; 202, 500 and 504 after the commit, others instead of it"},
    {"NNN:RETRY-AFTER", Kind::http_status, "the same with Retry-After, in seconds or as a date"},
    {"html", Kind::html, "commits, and answers 502 with a gateway's HTML page"},
    {"redirect", Kind::redirect, "commits, and answers 302 to another host"},
    {"wrong-signature", Kind::wrong_signature, "commits, and answers 204 with a wrong signature"},
    {"unsigned", Kind::unsigned_answer,
     "commits, and answers 204 without Wechatpay-* headers, as if a proxy had removed them"},
    {"stale-timestamp", Kind::stale_timestamp, "commits, and answers 204 with a signed timestamp of ten minutes ago"},
    {"unknown-serial", Kind::unknown_serial, "commits, and answers 204 with the Wechatpay-Serial of an unknown key"},
    {"probe", Kind::signature_probe, "commits, and answers 204 with WeChat Pay's signature probe"},
    {"duplicate-header", Kind::duplicate_header, "commits, and answers 204 with Wechatpay-Timestamp twice"},
    {"garbage", Kind::garbage, "commits, and answers with bytes that are not HTTP"},
    {"large-headers", Kind::large_headers, "commits, and answers 204 with 80 KiB of headers"},
    {"large-body", Kind::large_body, "commits, and answers 200 with 2 MiB of body"},
};

/// The number in a text of up to six digits; nothing for any other text.
std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || stop != text.data() + text.size() || text.size() > 6 || text[0] == '-') {
    return std::nullopt;
  }
  return number;
}

}  // namespace

std::optional<SandboxFault> parse_fault(std::string_view text) {
  const std::string name(text.substr(0, text.find(':')));
  const bool has_argument = name.size() != text.size();
  const std::string argument(has_argument ? text.substr(name.size() + 1) : "");
  if (const auto status = number_in(name)) {
    if (name.size() != 3 || *status < 200 || *status > 599 || *status == 204) return std::nullopt;
    if (has_argument && (argument.empty() || has_control_character(argument))) return std::nullopt;
    return SandboxFault(*status, argument);
  }
  for (const Form& form : forms) {
    if (form.text.substr(0, form.text.find(':')) != name || form.kind == Kind::http_status) continue;
    const bool wants_argument = form.text.size() != name.size();
    const auto milliseconds = wants_argument ? number_in(argument) : 0;
    if (wants_argument != has_argument || !milliseconds) return std::nullopt;
    return SandboxFault(form.kind, std::chrono::milliseconds(*milliseconds));
  }
  return std::nullopt;
}

std::string list_of_faults() {
  std::string text = "Faults, for --script and --fault:\n";
  for (const Form& form : forms) {
    text.append("  ").append(form.text).append(22 - form.text.size(), ' ').append(form.meaning).append("\n");
  }
  return text;
}

}  // namespace wechatpay::bonus_commit::tool
