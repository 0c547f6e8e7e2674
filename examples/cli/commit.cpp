#include <wechatpay/bonus_commit.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
#include "connection.hpp"
#include "order_file.hpp"
#include "order_options.hpp"
#include "wording.hpp"

using namespace wechatpay;

namespace {

struct Options {
  Connection connection;
  BonusCommitRequest request;
  bool json = false;
};

/// An enumerator's text as a word for machines: "API error" is api_error.
std::string word(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(), [](char c) {
    if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
    return c == ' ' ? '_' : c;
  });
  return made;
}

/// What could not be as a member is left out.
nlohmann::ordered_json as_json(const Error& error) {
  nlohmann::ordered_json json = {{"outcome", word(to_string(error.outcome))},
                                 {"kind", word(to_string(error.kind))},
                                 {"message", in_words_of_the_tool(error.message)}};
  const auto add = [&json](const char* name, const std::string& text) {
    if (!text.empty()) json[name] = text;
  };
  for (const Fault& fault : error.faults) {
    json["faults"].push_back({{"field", fault.field},
                              {"value", fault.value},
                              {"issue", in_words_of_the_tool(fault.issue)},
                              {"location", fault.location}});
  }
  if (error.http_status != 0) {
    json["http_status"] = error.http_status;
    json["verified"] = error.verified;
  }
  add("code", error.code);
  add("wechatpay_message", error.wechatpay_message);
  add("detail", error.detail);
  add("request_id", error.request_id);
  if (error.transport_fault != TransportFault::none) json["transport_fault"] = word(to_string(error.transport_fault));
  if (error.verification_fault != VerificationFault::none) {
    json["verification_fault"] = word(to_string(error.verification_fault));
  }
  if (error.retry_after) json["retry_after_seconds"] = error.retry_after->count();
  if (error.clock_offset) json["clock_offset_seconds"] = error.clock_offset->count();
  for (const Try& made : error.tries) {
    json["tries"].push_back({{"origin", made.origin},
                             {"http_status", made.http_status},
                             {"outcome", word(to_string(made.outcome))},
                             {"milliseconds", made.duration.count()}});
  }
  return json;
}

nlohmann::ordered_json as_json(const CommitReceipt& receipt) {
  nlohmann::ordered_json json = {{"outcome", "credited"},
                                 {"request_id", receipt.request_id},
                                 {"serial", receipt.serial},
                                 {"timestamp", receipt.timestamp},
                                 {"clock_offset_seconds", receipt.clock_offset.count()},
                                 {"tries", receipt.tries}};
  if (!receipt.warning.empty()) json["warning"] = receipt.warning;
  return json;
}

void print(const nlohmann::ordered_json& json) {
  std::cout << json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

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

int run(const Options& options) {
  const auto client = options.connection.client({});
  const CommitResult result = client ? client->commit(options.request) : CommitResult(client.error());
  if (options.json) {
    print(result ? as_json(*result) : as_json(result.error()));
  } else if (result) {
    std::cout << "credited: " << options.request.bonus_value << " points for out_trade_no "
              << options.request.out_trade_no << ", Request-ID " << result->request_id << "\n";
    if (!result->warning.empty()) std::cerr << "warning: " << result->warning << "\n";
  } else {
    std::cerr << in_words_of_the_tool(result.error().to_string()) << "\n";
  }
  if (!std::cout.flush()) std::cerr << "standard output cannot be written; the exit status is still right\n";
  return result ? static_cast<int>(ExitStatus::success) : exit_status(result.error());
}

}  // namespace

void add_commit(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("commit", "Commits one order and waits for the answer.");
  command.footer(
      "Up to 3 tries within 30 s. It is safe to repeat it with the same values, and the thing to do where the outcome "
      "is `unknown`.");
  add_order_options(command, options->request);
  const auto add = [&](const char* option, std::string& value, const char* environment, const char* help) {
    command.add_option(option, value, help)->envname(environment)->required()->group("The order");
  };
  add("--code", options->request.code, "WECHATPAY_CODE", "the member's card code");
  add("--out-trade-no", options->request.out_trade_no, "WECHATPAY_OUT_TRADE_NO", "the merchant's order number");
  command
      .add_option_function<std::string>(
          "--bonus-value",
          [options](const std::string& text) {
            const auto points = parse_points(text);
            if (!points) throw CLI::ValidationError("--bonus-value", "must be a whole number, not " + text);
            options->request.bonus_value = *points;
          },
          "the points, 1 or more")
      ->envname("WECHATPAY_BONUS_VALUE")
      ->required()
      ->type_name("POINTS")
      ->group("The order");
  command.add_flag("--json", options->json, "print the receipt or the error as JSON, on standard output");
  options->connection.add_to(command);
  command.callback([options, &status] { status = run(*options); });
}
