#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"

#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 6 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

const std::vector<SandboxFault::Form>& SandboxFault::forms() {
  static const std::vector<Form> all = {
      {"ok", "none: the answer that WeChat Pay would give"},
      {"delay:MILLISECONDS", "that answer, after a pause"},
      {"slow:MILLISECONDS", "that answer, with a pause before each of its bytes"},
      {"drop-before", "closes the connection, with the request unread as far as WeChat Pay is concerned"},
      {"drop-after", "commits, and closes the connection without an answer"},
      {"drop-half", "commits, and closes the connection half way through the answer"},
      {"reset", "commits, and resets the connection"},
      {"early-close", "commits and answers, then closes the connection without having said so"},
      {"polite-close",
       "commits and answers, then closes the connection with TLS's close_notify, without having said so"},
      {"extra-answer", "commits and answers, then sends the answer once more, in a TLS record of its own"},
      {"NNN", "an error of that HTTP status, signed; 202, 500 and 504 after the commit, the others instead of it"},
      {"NNN:RETRY-AFTER", "the same with Retry-After, in seconds or as a date"},
      {"html", "commits, and answers 502 with a gateway's HTML page"},
      {"redirect", "commits, and answers 302 to another host"},
      {"wrong-signature", "commits, and answers 204 under a signature that does not match"},
      {"unsigned", "commits, and answers 204 without the Wechatpay-* headers, as a proxy may leave it"},
      {"stale-timestamp", "commits, and answers 204 signed as of ten minutes ago"},
      {"unknown-serial", "commits, and answers 204 with the Wechatpay-Serial of a key that nobody has"},
      {"probe", "commits, and answers 204 with WeChat Pay's signature probe"},
      {"duplicate-header", "commits, and answers 204 with Wechatpay-Timestamp twice"},
      {"garbage", "commits, and answers with what is not HTTP"},
      {"large-headers", "commits, and answers 204 with 80 KiB of headers"},
      {"large-body", "commits, and answers 200 with 2 MiB of body"},
  };
  return all;
}

Result<SandboxFault> SandboxFault::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  const bool has_argument = colon != std::string_view::npos;
  SandboxFault fault{std::string(text.substr(0, colon)), std::string(has_argument ? text.substr(colon + 1) : "")};

  if (is_number(fault.name)) {
    const bool possible = fault.name.size() == 3 && fault.name >= "200" && fault.name < "600" && fault.name != "204";
    if (possible && (!has_argument || !has_control_character(fault.argument))) return fault;
  } else if (fault.name == "delay" || fault.name == "slow") {
    if (is_number(fault.argument)) return fault;
  } else if (!has_argument) {
    for (const Form& form : forms()) {
      if (form.text == text && form.text != "NNN") return fault;
    }
  }
  std::string message = "not a fault of the sandbox's: \"";
  message.append(printable(text, 60)).append("\"; these are:");
  for (const Form& form : forms()) message.append(&form == &forms().front() ? " " : ", ").append(form.text);
  return configuration_error(message);
}

}  // namespace wechatpay
