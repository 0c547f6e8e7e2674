#include <wechatpay/bonus_commit.hpp>

#include <iostream>
#include <memory>
#include <string>

#include "commands.hpp"
#include "connection.hpp"
#include "json_output.hpp"
#include "order_options.hpp"
#include "order_values.hpp"
#include "wording.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

struct CommitArguments {
  Connection connection;
  BonusCommitRequest request;
  bool json = false;
};

int exit_status(const Error& error) {
  if (error.kind == ErrorKind::invalid_configuration || error.kind == ErrorKind::invalid_request) {
    return ExitStatus::usage;
  }
  switch (error.outcome) {
    case Outcome::refused: return ExitStatus::refused;
    case Outcome::unknown: return ExitStatus::unknown;
    case Outcome::not_sent: return ExitStatus::not_sent;
  }
  return ExitStatus::unknown;
}

int run(const CommitArguments& options) {
  const CommitResult result = options.connection.client({}).and_then(
      [&options](const BonusCommitClient& client) { return client.commit(options.request); });
  if (options.json) {
    print(result ? as_json(*result) : as_json(result.error()));
  } else if (result) {
    std::cout << "credited: " << options.request.bonus_value
              << (options.request.bonus_value == 1 ? " point" : " points") << " for out_trade_no "
              << options.request.out_trade_no;
    if (!result->request_id.empty()) std::cout << ", Request-ID " << result->request_id;
    std::cout << "\n";
    if (!result->warning.empty()) std::cerr << "warning: " << result->warning << "\n";
  } else {
    std::cerr << in_words_of_the_tool(result.error().to_string()) << "\n";
  }
  const bool lost = !output_is_written() && options.json;
  if (result && lost) return ExitStatus::unknown;
  return result ? static_cast<int>(ExitStatus::success) : exit_status(result.error());
}

}  // namespace

void add_commit(CLI::App& app, int& status) {
  auto options = std::make_shared<CommitArguments>();
  CLI::App& command = *app.add_subcommand("commit", "Commits one order and waits for the result.");
  command.footer(
      "It makes up to 3 tries within 30 s. Repeating the command with the same values is safe. Do so if the outcome is "
      "`unknown`.");
  add_order_options(command, options->request);
  const auto add = [&](const char* option, std::string& value, const char* environment, const char* help) {
    return command.add_option(option, value, help)->envname(environment)->required()->group("The order");
  };
  takes_order_text(add("--code", options->request.code, "WECHATPAY_CODE", "member's card code"), "path");
  takes_order_text(
      add("--out-trade-no", options->request.out_trade_no, "WECHATPAY_OUT_TRADE_NO", "merchant's order number"),
      "body");
  command
      .add_option_function<std::string>(
          "--bonus-value",
          [options](const std::string& text) {
            const auto points = parse_points(text);
            if (!points) throw CLI::ValidationError("--bonus-value", "must be a whole number");
            options->request.bonus_value = *points;
          },
          "number of points, 1 or more")
      ->envname("WECHATPAY_BONUS_VALUE")
      ->required()
      ->type_name("POINTS")
      ->group("The order");
  command.add_flag("--json", options->json, "print the receipt or the error as JSON on standard output");
  options->connection.add_to(command);
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
