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

struct Options {
  Connection connection;
  PipeOptions run;
};

int run(const Options& options) {
  const auto refuse = [](const Error& error) {
    report_error(error, false);
    return static_cast<int>(ExitStatus::usage);
  };
  const WakeDescriptor ending;
  auto lines = LineReader::open("-", ending.descriptor());
  if (!lines) return refuse(lines.error());
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  PipeRun run(options.run, *std::move(lines), ending, catch_interruptions(), std::cout);
  ClientOptions client_options;
  client_options.rate_limit.per_second = options.run.rate;
  const auto client = options.connection.client(std::move(client_options), options.run.max_in_flight);
  return client ? run.run(*client) : refuse(client.error());
}

}  // namespace

void add_pipe(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand(
      "pipe", "Commits orders from standard input, for a message broker's consumer, and tells what became of each.");
  command.footer(
      "Each line of standard input is an object of JSON: an order's members, and `id`, a string or a whole number that "
      "the answer repeats. Each line of standard output is an answer, in the order in which the calls end: "
      "{\"id\":...,\"result\":\"credited\"}, `dead` (a repetition would end likewise: put the message aside), or "
      "`later` (deliver the message again after `pause_seconds`). Acknowledge a message when its answer is there. At "
      "the "
      "end of the input, or after SIGTERM, it waits for the calls under way and answers them; a second signal ends it "
      "at "
      "once. What was not answered is to be delivered again, which is safe.");
  takes_whole_number(command.add_option("--max-in-flight", options->run.max_in_flight,
                                        "so many orders at a time; no further line is read before one is answered"),
                     1, 1000)
      ->capture_default_str();
  takes_number(command.add_option("--rate", options->run.rate,
                                  "at most so many requests a second; WeChat Pay limits each merchant"),
               0.001, 1000000)
      ->type_name("NUMBER");
  add_order_options(command, options->run.defaults);
  options->connection.add_to(command);
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
