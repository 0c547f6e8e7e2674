// The library's errors in the tool's words.
#ifndef WECHATPAY_BONUS_COMMIT_CLI_WORDING_HPP
#define WECHATPAY_BONUS_COMMIT_CLI_WORDING_HPP

#include <wechatpay/bonus_commit/error.hpp>

#include <string>
#include <string_view>

/// `message` with options named as on the command line.
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

/// What went wrong in one or two words, to count by: "400 PARAM_ERROR", "timeout", "signature mismatch".
inline std::string label(const wechatpay::Error& error) {
  if (error.transport_fault != wechatpay::TransportFault::none) return std::string(to_string(error.transport_fault));
  if (error.verification_fault != wechatpay::VerificationFault::none)
    return std::string(to_string(error.verification_fault));
  if (error.http_status != 0) return std::to_string(error.http_status) + (error.code.empty() ? "" : " " + error.code);
  return std::string(to_string(error.kind));
}

#endif
