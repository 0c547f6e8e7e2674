#include <csignal>
#include <iostream>
#include <memory>
#include <utility>

#include "arguments.hpp"
#include "commands.hpp"
#include "connection.hpp"
#include "interruption.hpp"
#include "json_output.hpp"
#include "order_options.hpp"
#include "pipe_run.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

struct PipeArguments {
  Connection connection;
  PipeOptions run;
};

int run(const PipeArguments& options) {
  const WakeDescriptor ending;
  auto lines = LineReader::open("-", ending.descriptor()).value();
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  PipeRun run(options.run, std::move(lines), ending, catch_interruptions(), std::cout);
  ClientOptions client_options;
  client_options.rate_limit.per_second = options.run.rate;
  const auto client = options.connection.client(std::move(client_options), options.run.max_in_flight);
  if (client) return run.run(*client);
  report_error(client.error(), false);
  return ExitStatus::usage;
}

}  // namespace

void add_pipe(CLI::App& app, int& status) {
  auto options = std::make_shared<PipeArguments>();
  CLI::App& command = *app.add_subcommand(
      "pipe", "Commits orders from a message broker: reads them from standard input, and writes a result for each.");
  command.footer(
      "Each line of standard input is a JSON object: the members of an order, and `id`, a string or a whole number. "
      "Each line of standard output is the result for one `id`, in the order in which the calls end: "
      "{\"id\":...,\"result\":\"credited\"}, `dead` (a retry would fail again: move the message to a dead-letter "
      "queue), or `later` (deliver the message again after `pause_seconds`). Acknowledge a message only after its "
      "result. At the end of the input, or after SIGTERM, it waits for the calls in progress and writes their results; "
      "a second signal ends it at once. A message without a result can safely be delivered again.");
  takes_whole_number(command.add_option("--max-in-flight", options->run.max_in_flight,
                                        "maximum number of orders in progress; at this limit no further line is read"),
                     1, 1000)
      ->capture_default_str();
  takes_number(
      command.add_option("--rate", options->run.rate, "maximum requests per second; WeChat Pay limits each merchant"),
      0.001, 1000000)
      ->type_name("NUMBER");
  add_order_options(command, options->run.defaults);
  options->connection.add_to(command);
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
