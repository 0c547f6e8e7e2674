#include <iostream>
#include <memory>
#include <string>

#include "commands.hpp"
#include "journal.hpp"
#include "order_file.hpp"
#include "order_options.hpp"
#include "progress.hpp"

using namespace wechatpay;

namespace {

struct Options {
  BonusCommitRequest defaults;
  std::string file;
};

int run(const Options& options) {
  auto file = OrderFile::open(options.file, options.defaults);
  if (!file) {
    std::cerr << file.error().message << "\n";
    return ExitStatus::usage;
  }
  std::uint64_t orders = 0;
  std::uint64_t repeated = 0;
  std::uint64_t bad_rows = 0;
  try {
    Journal journal("", "a check");
    while (auto row = file->next()) {
      switch (journal.see(*row)) {
        case Journal::Sight::repeated: ++repeated; break;
        case Journal::Sight::fault:
          ++bad_rows;
          std::cout << "line " << row->line << ": " << row->fault << "\n";
          break;
        default: ++orders;
      }
    }
  } catch (const JournalError& error) {
    std::cerr << error.what() << "\n";
    return ExitStatus::usage;
  }
  if (!file->error().empty()) {
    std::cerr << file->error() << "\n";
    return ExitStatus::usage;
  }
  std::cout << with_commas(orders) << " orders, " << with_commas(repeated) << " repeated, " << with_commas(bad_rows)
            << " rows that are no orders\n";
  return bad_rows == 0 ? ExitStatus::success : ExitStatus::refused;
}

}  // namespace

void add_check(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("check", "Reads a file of orders as `backfill` does, and sends nothing.");
  command.footer("Says which rows are no orders, and which orders stand there twice with different points.");
  command.add_option("FILE", options->file, "the orders; - is standard input")->required();
  add_order_options(command, options->defaults);
  command.callback([options, &status] { status = run(*options); });
}
