// The output of --json: one document, and nothing else on standard output. The guide lists the members.
#ifndef WECHATPAY_SRC_TOOL_JSON_OUTPUT_HPP
#define WECHATPAY_SRC_TOOL_JSON_OUTPUT_HPP

#include <wechatpay/bonus_commit/error.hpp>
#include <wechatpay/bonus_commit/receipt.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace wechatpay::bonus_commit::tool {

/// An enumerator's text as an identifier: "API error" becomes api_error.
std::string word(std::string_view text);

/// Members without a value are left out.
nlohmann::ordered_json as_json(const Error& error);
nlohmann::ordered_json as_json(const CommitReceipt& receipt);

/// One value as text; bytes that are not UTF-8 are replaced.
std::string json_text(const nlohmann::ordered_json& json, int indent = -1);

/// Prints the complete document on standard output.
void print(const nlohmann::ordered_json& json);

/// Whether all of standard output has been written. If not, it says so on standard error.
bool output_is_written();

/// Reports an error that ends a command before it has begun: on standard error and, with `json`, also as the document.
void report_error(const Error& error, bool json);

}  // namespace wechatpay::bonus_commit::tool

#endif
