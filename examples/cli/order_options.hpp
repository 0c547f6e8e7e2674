// The arguments that are an order's fields: one order for `commit`, what a file's rows leave out for the others.
#ifndef WECHATPAY_BONUS_COMMIT_CLI_ORDER_OPTIONS_HPP
#define WECHATPAY_BONUS_COMMIT_CLI_ORDER_OPTIONS_HPP

#include <wechatpay/bonus_commit/request.hpp>

#include <CLI/CLI.hpp>
#include <map>
#include <string>

/// --card-id, --mchid, --sub-mchid and --merchant-mode, into `request`.
inline void add_order_options(CLI::App& command, wechatpay::BonusCommitRequest& request) {
  using wechatpay::MerchantMode;
  const auto add = [&](const char* option, std::string& value, const char* environment, const char* help) {
    command.add_option(option, value, help)->envname(environment)->type_name("TEXT")->group("The order");
  };
  add("--card-id", request.card_id, "WECHATPAY_CARD_ID", "the membership card's template id");
  add("--mchid", request.mchid, "WECHATPAY_MCHID", "the direct merchant's id");
  add("--sub-mchid", request.sub_mchid, "WECHATPAY_SUB_MCHID", "the sub-merchant's id");
  const std::map<std::string, MerchantMode> modes = {
      {"both", MerchantMode::both}, {"direct", MerchantMode::direct}, {"partner", MerchantMode::partner}};
  command
      .add_option_function<std::string>(
          "--merchant-mode", [modes, &request](const std::string& mode) { request.merchant_mode = modes.at(mode); },
          "which merchant ids an order has: both, direct (mchid alone) or partner (sub_mchid alone)")
      ->check(CLI::IsMember({"both", "direct", "partner"}))
      ->envname("WECHATPAY_MERCHANT_MODE")
      ->default_str("both")
      ->type_name("MODE")
      ->group("The order");
}

#endif
