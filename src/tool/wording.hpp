// Translates the library's errors into the tool's words.
#ifndef WECHATPAY_SRC_TOOL_WORDING_HPP
#define WECHATPAY_SRC_TOOL_WORDING_HPP

#include <wechatpay/bonus_commit/error.hpp>

#include <string>
#include <string_view>

namespace wechatpay::bonus_commit::tool {

/// `message` with the options' names of the command line.
inline std::string in_words_of_the_tool(std::string message) {
  constexpr std::string_view words[][2] = {{"MerchantMode::", "--merchant-mode "},
                                           {"ClientOptions::origins", "--origin"},
                                           {"ClientOptions::rate_limit", "--rate"},
                                           {"CurlOptions::ca_bundle_file", "--ca-file"},
                                           {"CurlOptions::proxy", "--proxy"}};
  for (const auto& [library, tool] : words) {
    for (std::size_t at = 0; (at = message.find(library, at)) != std::string::npos; at += tool.size()) {
      message.replace(at, library.size(), tool);
    }
  }
  return message;
}

/// What went wrong in a few words, for counting: "400 PARAM_ERROR", "timeout", "204, signature mismatch". The status
/// and WeChat Pay's code come first, because WeChat Pay does not sign its answer when authentication fails.
inline std::string label(const Error& error) {
  if (error.transport_fault != TransportFault::none) return std::string(to_string(error.transport_fault));
  const Answer* const answer = error.answer();
  if (answer == nullptr) return std::string(to_string(error.kind));
  std::string text = std::to_string(answer->http_status);
  if (!answer->code.empty()) return text + " " + answer->code;
  if (answer->http_status < 300 && !answer->verified()) {
    text.append(", ").append(to_string(answer->verification_fault));
  }
  return text;
}

/// The same with the outcome of the commit: "401 SIGN_ERROR (refused)".
inline std::string label_with_outcome(const Error& error) {
  return label(error) + " (" + std::string(to_string(error.outcome)) + ")";
}

}  // namespace wechatpay::bonus_commit::tool

#endif
