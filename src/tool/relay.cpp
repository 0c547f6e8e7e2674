#include "src/outbox/relay.hpp"

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "commands.hpp"
#include "interruption.hpp"
#include "json_output.hpp"
#include "metrics_server.hpp"
#include "progress.hpp"
#include "relay_options.hpp"
#include "screen.hpp"
#include "src/outbox/observer.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

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
      const bool is_time = std::chrono::steady_clock::now() >= cut_at;
      if (is_time && !relay.cut_statement() && !told) {
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
  client_options.timeout = outbox::Lease::deadline(std::chrono::seconds(options.lease));
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
  options->add_to(command);
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
