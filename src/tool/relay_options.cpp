#include "relay_options.hpp"

#include <chrono>

#include "arguments.hpp"
#include "metrics_server.hpp"

namespace wechatpay::bonus_commit::tool {

void RelayArguments::add_to(CLI::App& command) {
  takes_whole_number(command.add_option("--max-in-flight", max_in_flight, "maximum number of commits in progress"), 1,
                     1000)
      ->capture_default_str();
  takes_number(command.add_option("--rate", rate, "maximum orders per second of all relays of the merchant together"),
               0.001, 1000000)
      ->type_name("NUMBER");
  takes_whole_number(
      command.add_option("--lease", lease,
                         "how long a claim lasts, in seconds; the deadline of a commit is a third of it"),
      3, 720)
      ->capture_default_str();
  command.add_flag(
      "--never-give-up", never_give_up,
      "retry orders forever; otherwise an order is dead after 3 days and 12 failures, while others succeed");
  command.add_flag("--fair", fair,
                   "merchants take turns: one with many rows does not delay the others; for service providers");
  takes_whole_number(
      command.add_option("--delay", delay,
                         "how long a row waits before its first commit, in seconds: longer than a replica lags behind"),
      0, 300)
      ->capture_default_str();
  takes_one_of(command.add_option("--merchant-mode", merchant_mode,
                                  "which merchant ids an order has: both, direct (only mchid) or partner (only "
                                  "sub_mchid); default: those that its row has"),
               {"both", "direct", "partner"})
      ->envname("WECHATPAY_MERCHANT_MODE")
      ->type_name("MODE");
  command
      .add_option("--metrics", metrics,
                  "serve Prometheus metrics and /healthz on this port of 127.0.0.1, or on this address")
      ->check(
          [](const std::string& text) {
            return listening_address(text) ? std::string() : "must be a port, or an IP address, a colon and a port";
          },
          "")
      ->type_name("[HOST:]PORT");
  database.add_to(command);
  connection.add_to(command);
}

outbox::RelayOptions relay_options(const RelayArguments& options, const std::string& merchant) {
  outbox::RelayOptions made;
  made.owner.merchant = merchant;
  made.owner.host = outbox::host_of(options.connection.origins);
  made.max_in_flight = options.max_in_flight;
  made.pace.per_second = options.rate;
  made.lease = std::chrono::seconds(options.lease);
  made.giving_up.ever = !options.never_give_up;
  made.fair = options.fair;
  made.delay = std::chrono::seconds(options.delay);
  for (const MerchantMode mode : {MerchantMode::both, MerchantMode::direct, MerchantMode::partner}) {
    if (options.merchant_mode == to_string(mode)) made.mode = mode;
  }
  return made;
}

}  // namespace wechatpay::bonus_commit::tool
