#include <wechatpay/bonus_commit.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "connection.hpp"
#include "doctor_verdicts.hpp"
#include "json_output.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

struct DoctorArguments {
  Connection connection;
  bool offline = false;
  bool json = false;
};

ClientOptions client_options(std::vector<std::string> origins) {
  ClientOptions options;
  options.origins = std::move(origins);
  options.retry.max_tries = 1;
  return options;
}

void look_at_host(const DoctorArguments& options, const std::string& origin, const Credentials& credentials,
                  const PlatformKeys& keys, const std::shared_ptr<CurlTransport>& transport, Findings& findings) {
  findings.begin_host(origin);
  std::optional<Try> made;
  ClientOptions of_client = client_options({origin});
  of_client.hooks.on_try = [&made](const TryEvent& event) { made = event.result; };
  // It was made for all origins before.
  const auto client = BonusCommitClient::create(credentials, keys, transport, std::move(of_client)).value();
  // A card that does not exist. WeChat Pay checks the signature first, and then finds no such card.
  BonusCommitRequest request;
  request.card_id = "doctor";
  request.code = "doctor";
  request.out_trade_no = "doctor";
  request.mchid = credentials.mchid();
  request.bonus_value = 1;
  request.merchant_mode = MerchantMode::direct;
  const CommitResult result = client.commit(request);
  if (!made) {
    findings.bad("request", result.error().message);
    return;
  }
  judge_commit(*made, !options.connection.proxy.empty(), result, findings);
}

/// An origin may be a secret in the wrong place, so it is shown only after it is known to be an origin.
void look_at_hosts(const DoctorArguments& options, const Credentials& credentials, const PlatformKeys& keys,
                   Findings& findings) {
  const std::vector<std::string>& origins = options.connection.origins;
  const auto transport = options.connection.transport();
  if (!transport) {
    findings.bad("network options", transport.error().message);
    return;
  }
  if (const auto client = BonusCommitClient::create(credentials, keys, *transport, client_options(origins)); !client) {
    findings.bad("options", client.error().message);
    return;
  }
  for (const std::string& origin : origins) look_at_host(options, origin, credentials, keys, *transport, findings);
}

std::string conclusion(const Findings& findings) {
  if (findings.bad_steps() > 0) {
    return "Problems: " + std::to_string(findings.bad_steps()) + "; start with the first BAD.";
  }
  if (findings.undecided_steps() > 0) return "No problem found, but not every step could be checked.";
  return "No problem found.";
}

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): no other thread runs yet
  return value != nullptr && *value != '\0';
}

int run(const DoctorArguments& options) {
  Findings findings(options.json);
  const Connection& connection = options.connection;
  const auto credentials = connection.credentials();
  judge_credentials(credentials, std::chrono::system_clock::now(), findings);
  if (const std::string warning = connection.passphrase_file_warning(); !warning.empty()) {
    findings.doubtful("merchant's files", warning);
  }
  const auto keys = connection.platform_keys();
  judge_platform_keys(keys, findings);
  const bool own_key = credentials && keys && judge_own_key(*credentials, *keys, findings);
  judge_environment(is_set, !connection.proxy.empty(), !connection.ca_file.empty(), findings);
  if (!options.offline && credentials && keys && !own_key) {
    look_at_hosts(options, *credentials, *keys, findings);
  } else if (!options.offline && !options.json) {
    std::cout << "\nThe hosts are checked once the files are in order.\n";
  }
  if (options.json) {
    print(findings.as_json());
  } else {
    std::cout << "\n" << conclusion(findings) << "\n";
  }
  if (!output_is_written()) return ExitStatus::usage;
  return findings.bad_steps() + findings.undecided_steps() == 0 ? ExitStatus::success : ExitStatus::refused;
}

}  // namespace

void add_doctor(CLI::App& app, int& status) {
  auto options = std::make_shared<DoctorArguments>();
  CLI::App& command = *app.add_subcommand("doctor", "Checks keys, certificates and connectivity step by step.");
  command.footer(
      "It checks the files, whether key and certificate belong together, validity dates, serial numbers, DNS, "
      "connection, TLS, clock, and whether WeChat Pay accepts a signed request. For the last step it commits one point "
      "for an order, a card and a member called `doctor`, which do not exist. WeChat Pay refuses that commit; the "
      "refusal proves that signing, network and verification work.");
  command.add_flag("--offline", options->offline, "check only the files, and send nothing");
  command.add_flag("--json", options->json, "print the findings as JSON on standard output");
  options->connection.add_to(command);
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
