// The sandbox's faults as text, for the command line and for scripts.
#ifndef WECHATPAY_SRC_TOOL_SANDBOX_FAULTS_HPP
#define WECHATPAY_SRC_TOOL_SANDBOX_FAULTS_HPP

#include <wechatpay/bonus_commit/testing/sandbox_fault.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace wechatpay::bonus_commit::tool {

/// Parses "drop-after", "delay:500", "503", "429:1"; nothing if the text is not a fault.
std::optional<testing::SandboxFault> parse_fault(std::string_view text);

/// The forms that parse_fault() accepts, with their meanings, one per line, for a help text.
std::string list_of_faults();

}  // namespace wechatpay::bonus_commit::tool

#endif
