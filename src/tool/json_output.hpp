// What --json prints: one document, and nothing else on standard output. The guide lists the members.
#ifndef WECHATPAY_SRC_TOOL_JSON_OUTPUT_HPP
#define WECHATPAY_SRC_TOOL_JSON_OUTPUT_HPP

#include <wechatpay/bonus_commit/error.hpp>
#include <wechatpay/bonus_commit/receipt.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace wechatpay::bonus_commit::tool {

/// An enumerator's text as a word for machines: "API error" is api_error.
std::string word(std::string_view text);

/// What could not be as a member is left out.
nlohmann::ordered_json as_json(const Error& error);
nlohmann::ordered_json as_json(const CommitReceipt& receipt);

/// One value as text; bytes that are not UTF-8 are replaced.
std::string json_text(const nlohmann::ordered_json& json, int indent = -1);

/// The whole document, on standard output.
void print(const nlohmann::ordered_json& json);

/// Whether all of standard output has been written by now; says so on standard error where it has not.
bool output_is_written();

/// An error that ends a command before it has begun: on standard error, and with `json` as the document, too.
void report_error(const Error& error, bool json);

}  // namespace wechatpay::bonus_commit::tool

#endif
