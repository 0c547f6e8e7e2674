// The arguments for an order's fields: the order itself for `commit`, the defaults for missing fields for other
// commands.
#ifndef WECHATPAY_SRC_TOOL_ORDER_OPTIONS_HPP
#define WECHATPAY_SRC_TOOL_ORDER_OPTIONS_HPP

#include <wechatpay/bonus_commit/request.hpp>
#include <wechatpay/bonus_commit/stages/check.hpp>

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "arguments.hpp"

namespace wechatpay::bonus_commit::tool {

/// Makes the option refuse a text that is not valid in an order. The message does not quote it, because it may be a
/// secret in the wrong place. An empty text is not refused here. `location`: "path" or "body".
inline CLI::Option* takes_order_text(CLI::Option* option, const std::string& location) {
  return option->check([location](const std::string& text) {
    if (text.empty()) return std::string();
    const auto faults = stages::check_text("", text, location);
    return faults.empty() ? std::string() : faults.front().issue;
  });
}

/// Adds --card-id, --mchid, --sub-mchid and --merchant-mode, which set `request`.
inline void add_order_options(CLI::App& command, BonusCommitRequest& request) {
  const auto add = [&](const char* option, std::string& value, const char* environment, const char* help) {
    return command.add_option(option, value, help)->envname(environment)->type_name("TEXT")->group("The order");
  };
  const auto add_mchid = [&](const char* option, std::string& value, const char* environment, const char* help) {
    add(option, value, environment, help)->check([](const std::string& text) {
      return text.empty() ? std::string() : stages::mchid_fault(text);
    });
  };
  takes_order_text(add("--card-id", request.card_id, "WECHATPAY_CARD_ID", "membership card template id"), "path");
  add_mchid("--mchid", request.mchid, "WECHATPAY_MCHID", "merchant id of a direct merchant");
  add_mchid("--sub-mchid", request.sub_mchid, "WECHATPAY_SUB_MCHID", "merchant id of a sub-merchant");
  const std::map<std::string, MerchantMode> modes = {
      {"both", MerchantMode::both}, {"direct", MerchantMode::direct}, {"partner", MerchantMode::partner}};
  takes_one_of(
      command.add_option_function<std::string>(
          "--merchant-mode", [modes, &request](const std::string& mode) { request.merchant_mode = modes.at(mode); },
          "which merchant ids an order has: both, direct (only mchid) or partner (only sub_mchid)"),
      {"both", "direct", "partner"})
      ->envname("WECHATPAY_MERCHANT_MODE")
      ->default_str("both")
      ->type_name("MODE")
      ->group("The order");
}

}  // namespace wechatpay::bonus_commit::tool

#endif
