#include "src/outbox/relay.hpp"

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "arguments.hpp"
#include "commands.hpp"
#include "connection.hpp"
#include "database_options.hpp"
#include "interruption.hpp"
#include "json_output.hpp"
#include "metrics_server.hpp"
#include "order_options.hpp"
#include "progress.hpp"
#include "screen.hpp"
#include "src/outbox/observer.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

struct RelayArguments {
  Connection connection;
  DatabaseOptions database;
  std::size_t max_in_flight = 64;
  double rate = 0;
  unsigned lease = 90;
  bool never_give_up = false;
  bool fair = false;
  unsigned delay = 0;
  std::string merchant_mode;
  std::string metrics;  ///< empty: none
};

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

int status_of(outbox::RelayEnd end) {
  switch (end) {
    case outbox::RelayEnd::stopped: return ExitStatus::success;
    case outbox::RelayEnd::setup_wrong:
    case outbox::RelayEnd::database_refused: return ExitStatus::usage;
    case outbox::RelayEnd::unsettled: break;
  }
  return ExitStatus::unknown;
}

/// How long a relay may go without progress. Each of its calls may take a third of the lease.
std::chrono::seconds health_limit(const RelayArguments& options) {
  return std::max(std::chrono::seconds(120), std::chrono::seconds(options.lease));
}

/// Shows the progress until the relay has ended, and stops the relay when an interruption arrives.
void watch(outbox::Relay& relay, Screen& screen, const std::atomic<bool>& ended, int interruption) {
  constexpr int pause = 200;  // milliseconds
  RelayProgress progress;
  bool stopping = false;
  bool told = false;
  std::chrono::steady_clock::time_point cut_at;
  const auto show = [&](bool last) {
    const int width = Screen::width();
    if (width == 0) return;
    screen.show_bar(progress.line(relay.metrics(), std::chrono::steady_clock::now(), width), last);
  };
  while (!ended) {
    show(false);
    if (stopping) {
      if (std::chrono::steady_clock::now() >= cut_at && !relay.cut_statement() && !told) {
        screen.say("ending: waiting for the attempt to connect to the database, at most 5 s for each address");
        told = true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    } else if (interrupted_within(interruption, pause)) {
      stopping = true;
      cut_at = std::chrono::steady_clock::now() + std::chrono::seconds(2);
      relay.request_stop();
    }
  }
  show(true);
}

/// Serves the relay's metrics over HTTP during its lifetime.
struct Monitoring {
  Monitoring(const outbox::Relay& relay, const std::string& url)
      : observer([url] { return outbox::open_administration(url); }), metrics([this, &relay] {
          outbox::Metrics all = relay.metrics();
          all.observed = observer.latest();
          return all;
        }) {}

  outbox::Observer observer;
  const MetricsServer::Snapshot metrics;
  std::unique_ptr<MetricsServer> server;  ///< null: it cannot listen
};

int run(const RelayArguments& options) {
  const auto refuse = [](const Error& error) {
    report_error(error, false);
    return static_cast<int>(ExitStatus::usage);
  };
  const auto url = options.database.url();
  if (!url) return refuse(url.error());
  const auto credentials = options.connection.credentials();
  if (!credentials) return refuse(credentials.error());
  ClientOptions client_options;
  client_options.rate_limit.per_second = options.rate;
  client_options.rate_limit.longest_pause = std::chrono::seconds(1);  // the outbox halts all relays; `resume` ends it
  client_options.deadline = outbox::Lease::deadline(std::chrono::seconds(options.lease));
  // The deadlines of calls go on while the machine sleeps, as their leases do.
  client_options.steady_clock = [] {
    return std::chrono::steady_clock::time_point(outbox::BootClock::now().time_since_epoch());
  };
  const auto client = options.connection.client(*credentials, std::move(client_options), options.max_in_flight);
  if (!client) return refuse(client.error());

  const int interruption = catch_interruptions();
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  Screen screen;
  outbox::Relay relay(
      relay_options(options, credentials->mchid()), [&url] { return outbox::open_store(*url); }, *client,
      [&screen](const std::string& line) { screen.say(line); });
  std::optional<Monitoring> monitoring;
  if (!options.metrics.empty()) {
    monitoring.emplace(relay, *url);
    monitoring->server =
        MetricsServer::start(*listening_address(options.metrics), monitoring->metrics, health_limit(options));
    if (monitoring->server == nullptr) {
      screen.say("--metrics: cannot listen there: the port is in use, or the address is not this machine's");
      return ExitStatus::usage;
    }
    screen.say("metrics: " + monitoring->server->origin() + "/metrics, health: /healthz");
  }
  screen.say("committing due orders of merchant " + credentials->mchid());
  std::atomic<bool> ended{false};
  std::thread watcher([&] { watch(relay, screen, ended, interruption); });
  const outbox::RelayEnd end = relay.run();
  ended = true;
  watcher.join();
  return status_of(end);
}

}  // namespace

void add_relay(CLI::App& app, int& status) {
  auto options = std::make_shared<RelayArguments>();
  CLI::App& command = *app.add_subcommand(
      "relay", "Commits the orders in the outbox table of your database, on any number of machines.");
  command.footer(
      "Your program inserts a row into wechatpay_bonus_outbox in the transaction that credits the points; `outbox "
      "install` creates that table. Relays claim due rows and commit them. They move credited rows to "
      "wechatpay_bonus_outbox_done, and rows that WeChat Pay refuses to wechatpay_bonus_outbox_dead. If a relay is "
      "killed, nothing is lost: its rows are committed again when their lease has expired. After SIGTERM a relay waits "
      "for its commits in progress, then ends; a second SIGTERM ends it at once.");
  takes_whole_number(
      command.add_option("--max-in-flight", options->max_in_flight, "maximum number of commits in progress"), 1, 1000)
      ->capture_default_str();
  takes_number(
      command.add_option("--rate", options->rate, "maximum orders per second of all relays of the merchant together"),
      0.001, 1000000)
      ->type_name("NUMBER");
  takes_whole_number(
      command.add_option("--lease", options->lease,
                         "how long a claim lasts, in seconds; the deadline of a commit is a third of it"),
      3, 720)
      ->capture_default_str();
  command.add_flag(
      "--never-give-up", options->never_give_up,
      "retry orders forever; otherwise an order is dead after 3 days and 12 failures, while others succeed");
  command.add_flag("--fair", options->fair,
                   "merchants take turns: one with many rows does not delay the others; for service providers");
  takes_whole_number(
      command.add_option("--delay", options->delay,
                         "how long a row waits before its first commit, in seconds: longer than a replica lags behind"),
      0, 300)
      ->capture_default_str();
  takes_one_of(command.add_option("--merchant-mode", options->merchant_mode,
                                  "which merchant ids an order has: both, direct (only mchid) or partner (only "
                                  "sub_mchid); default: those that its row has"),
               {"both", "direct", "partner"})
      ->envname("WECHATPAY_MERCHANT_MODE")
      ->type_name("MODE");
  command
      .add_option("--metrics", options->metrics,
                  "serve Prometheus metrics and /healthz on this port of 127.0.0.1, or on this address")
      ->check(
          [](const std::string& text) {
            return listening_address(text) ? std::string() : "must be a port, or an IP address, a colon and a port";
          },
          "")
      ->type_name("[HOST:]PORT");
  options->database.add_to(command);
  options->connection.add_to(command);
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
