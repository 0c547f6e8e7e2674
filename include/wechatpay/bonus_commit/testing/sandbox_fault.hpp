/// What the sandbox can do wrong on purpose.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_FAULT_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_FAULT_HPP

#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/result.hpp"

namespace wechatpay {

/// One fault, for one request. `name` is one of forms(), `argument` what it needs. A text has both: "drop-after",
/// "delay:500".
///
/// A request that an answer calls refused is not committed. Where an answer, or its absence, leaves that open, it is
/// committed all the same (but for drop-before), so that whoever takes it for lost is found out.
struct SandboxFault {
  std::string name;      ///< what goes wrong
  std::string argument;  ///< empty where the name says it all

  /// Fails with `invalid_configuration` on a text that is no fault's.
  static Result<SandboxFault> parse(std::string_view text);

  /// Every form that parse() takes.
  struct Form {
    std::string_view text;     ///< such as "delay:MILLISECONDS"; NNN stands for an HTTP status
    std::string_view meaning;  ///< in words
  };

  /// All of them, in the order in which a help text lists them.
  static const std::vector<Form>& forms();
};

}  // namespace wechatpay

#endif
