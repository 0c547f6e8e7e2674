#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "arguments.hpp"
#include "commands.hpp"
#include "journal.hpp"
#include "json_output.hpp"
#include "order_file.hpp"
#include "order_options.hpp"
#include "progress.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

struct CheckArguments {
  BonusCommitRequest defaults;
  std::string file;
  bool json = false;
};

/// Prints what was found: as text, or as one JSON document; each row as soon as it is found.
class Report {
 public:
  explicit Report(bool json) : json_(json) {
    if (json_) std::cout << "{\n  \"rows\": [";
  }

  void order() { ++orders_; }
  void repeated() { ++repeated_; }
  void doubtful(const OrderRow& row) {
    ++doubtful_rows_;
    tell(row.line, "warning", row.warning);
  }
  void bad(const OrderRow& row) {
    ++bad_rows_;
    tell(row.line, "fault", row.fault);
  }

  /// `error`: why the file was not read to its end; empty if it was.
  void end(const std::string& error) {
    if (json_) {
      std::cout << (listed_ ? "\n  ]" : "]") << ",\n  \"orders\": " << orders_ << ",\n  \"repeated\": " << repeated_
                << ",\n  \"bad_rows\": " << bad_rows_ << ",\n  \"doubtful_rows\": " << doubtful_rows_;
      if (!error.empty()) std::cout << ",\n  \"error\": " << json_text(error);
      std::cout << "\n}\n";
    } else if (error.empty()) {
      std::cout << counted(orders_, "order", "orders") << ", " << with_commas(repeated_) << " repeated, "
                << counted(bad_rows_, "invalid row", "invalid rows");
      if (doubtful_rows_ > 0) {
        std::cout << ", " << counted(doubtful_rows_, "possibly rounded order", "possibly rounded orders");
      }
      std::cout << "\n";
    }
    if (!error.empty()) std::cerr << error << "\n";
  }

  bool all_good() const { return bad_rows_ == 0 && doubtful_rows_ == 0; }

 private:
  void tell(std::uint64_t line, const char* kind, const std::string& text) {
    if (json_) {
      std::cout << (listed_ ? ",\n    " : "\n    ") << json_text({{"line", line}, {kind, text}});
    } else {
      std::cout << "line " << line << ": " << (kind == std::string_view("warning") ? "warning: " : "") << text << "\n";
    }
    listed_ = true;
  }

  const bool json_;
  bool listed_ = false;
  std::uint64_t orders_ = 0;
  std::uint64_t repeated_ = 0;
  std::uint64_t bad_rows_ = 0;
  std::uint64_t doubtful_rows_ = 0;
};

int run(const CheckArguments& options) {
  auto file = OrderFile::open(options.file, options.defaults);
  if (!file) {
    report_error(file.error(), options.json);
    return ExitStatus::usage;
  }
  Report report(options.json);
  std::string error;
  try {
    Journal journal("", "a check");
    while (auto row = file->next()) {
      switch (journal.look_up(*row)) {
        case Journal::Lookup::repeated: report.repeated(); break;
        case Journal::Lookup::fault: report.bad(*row); break;
        default:
          report.order();
          if (!row->warning.empty()) report.doubtful(*row);
      }
    }
    error = file->error();
  } catch (const JournalError& failure) {
    error = failure.what();
  }
  report.end(error);
  if (!output_is_written() || !error.empty()) return ExitStatus::usage;
  return report.all_good() ? ExitStatus::success : ExitStatus::refused;
}

}  // namespace

void add_check(CLI::App& app, int& status) {
  auto options = std::make_shared<CheckArguments>();
  CLI::App& command = *app.add_subcommand("check", "Checks a file of orders without sending anything.");
  command.footer(
      "It reads the file as `backfill` does, and reports invalid rows, duplicate orders with different points, and "
      "numbers that a spreadsheet may have rounded.");
  takes_file_name(command.add_option("FILE", options->file, "file of orders; - is standard input"))->required();
  command.add_flag("--json", options->json, "print the findings as JSON on standard output");
  add_order_options(command, options->defaults);
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
