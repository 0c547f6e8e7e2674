#include <wechatpay/bonus_commit/stages/file_name.hpp>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "arguments.hpp"
#include "backfill_run.hpp"
#include "commands.hpp"
#include "connection.hpp"
#include "interruption.hpp"
#include "json_output.hpp"
#include "order_options.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

namespace fs = std::filesystem;

struct BackfillArguments {
  Connection connection;
  BonusCommitRequest defaults;
  BackfillOptions run;
  std::string file;
  bool json = false;
};

/// Whether both names refer to the same file, by any path.
bool same_file(const std::string& a, const std::string& b) {
  if (a == b) return true;
  std::error_code not_there;
  return fs::equivalent(a, b, not_there);
}

/// What is wrong with the combination of files; empty if nothing is.
std::string fault_of_files(const BackfillArguments& options) {
  const BackfillOptions& run = options.run;
  if (same_file(run.failed, options.file) || same_file(run.journal, options.file) ||
      same_file(run.failed, run.journal)) {
    return "--journal, --failed and the file of orders must be different files";
  }
  return "";
}

int run_with_journal(const BackfillArguments& options, OrderFile file, const BonusCommitClient& client,
                     int interruption) {
  std::string about;
  for (const std::string& origin : options.connection.origins) about += (about.empty() ? "" : ", ") + origin;
  Journal journal(options.run.journal, about);
  const std::string& failed = options.run.failed;
  if (fs::exists(fs::symlink_status(failed)) && !journal.owns(failed)) {
    report_error(configuration_error(file_in_message(failed, "--failed") +
                                     " exists and was not written by a backfill with this journal: move it away, or "
                                     "choose another file with --failed"),
                 options.json);
    return ExitStatus::usage;
  }
  BackfillRun run(options.run, std::move(file), journal, interruption);
  const int status = run.run(client);
  if (options.json) {
    auto summary = run.summary();
    summary["exit_status"] = status;
    print(summary);
    if (!output_is_written() && status == ExitStatus::success) return ExitStatus::not_sent;
  }
  return status;
}

int run(const BackfillArguments& given) {
  BackfillArguments options = given;
  const bool standard_input = options.file == "-";
  BackfillOptions& run = options.run;
  if (run.journal.empty() && !standard_input) run.journal = options.file + ".journal";
  if (run.failed.empty()) run.failed.append(standard_input ? "standard-input" : options.file).append(".failed");
  const auto refuse = [&options](const Error& error) {
    report_error(error, options.json);
    return static_cast<int>(ExitStatus::usage);
  };
  if (const std::string fault = fault_of_files(options); !fault.empty()) return refuse(configuration_error(fault));

  ClientOptions client_options;
  client_options.rate_limit.per_second = run.rate;
  auto client = options.connection.client(std::move(client_options), run.max_in_flight);
  if (!client) return refuse(client.error());
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));  // the reader of the output may exit; the journal stays complete
  const int interruption = catch_interruptions();
  auto file = OrderFile::open(options.file, options.defaults, interruption);
  if (!file && interrupted_within(interruption, 0)) {
    report_error(configuration_error("Interrupted before the first order: nothing was sent."), options.json);
    return ExitStatus::interrupted;
  }
  if (!file) return refuse(file.error());
  if (run.journal.empty()) {
    std::cerr << "Standard input without --journal: after an interruption, start again with all orders.\n";
  }
  try {
    return run_with_journal(options, *std::move(file), *client, interruption);
  } catch (const JournalError& error) {
    return refuse(configuration_error(error.what()));
  }
}

}  // namespace

void add_backfill(CLI::App& app, int& status) {
  auto options = std::make_shared<BackfillArguments>();
  CLI::App& command =
      *app.add_subcommand("backfill", "Commits a file of orders in parallel, and resumes after an interruption.");
  command.footer(
      "FILE is CSV with a header (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, in any order; other "
      "columns are ignored) or JSON Lines with these members. The result of each order is saved in FILE.journal. After "
      "Ctrl-C, kill -9 or a power failure, run the same command again: it skips orders that were credited or "
      "permanently refused, and commits the others. Rows that failed are written to FILE.failed, with the cause in a "
      "column `error`; `backfill` reads that file, too.");
  takes_file_name(command.add_option("FILE", options->file, "file of orders; - is standard input"))->required();
  takes_whole_number(
      command.add_option("--max-in-flight", options->run.max_in_flight, "maximum number of commits in progress"), 1,
      1000)
      ->capture_default_str();
  takes_number(
      command.add_option("--rate", options->run.rate, "maximum requests per second; WeChat Pay limits each merchant"),
      0.001, 1000000)
      ->type_name("NUMBER");
  takes_whole_number(
      command.add_option("--stop-after", options->run.stop_after, "stop after this many failures in a row; 0: never"),
      0, std::numeric_limits<decltype(options->run.stop_after)>::max())
      ->capture_default_str();
  command.add_flag("--again", options->run.again,
                   "also commit orders that were permanently refused in earlier runs; fix the cause first");
  command.add_flag("--allow-rounded", options->run.allow_rounded,
                   "also commit rows with numbers that a spreadsheet may have rounded to 15 digits");
  takes_file_name(
      command.add_option("--journal", options->run.journal,
                         "file for the result of each order (default: FILE.journal; none for standard input)"))
      ->type_name("FILE");
  takes_file_name(
      command.add_option("--failed", options->run.failed, "file for the rows that failed (default: FILE.failed)"))
      ->type_name("FILE");
  command.add_flag("--json", options->json, "print the summary as JSON on standard output");
  add_order_options(command, options->defaults);
  options->connection.add_to(command);
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
