#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wechatpay/bonus_commit.hpp>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "commands.hpp"
#include "connection.hpp"
#include "interruption.hpp"
#include "journal.hpp"
#include "order_file.hpp"
#include "order_options.hpp"
#include "progress.hpp"
#include "wording.hpp"

using namespace wechatpay;

namespace {

namespace fs = std::filesystem;

struct Options {
  Connection connection;
  BonusCommitRequest defaults;
  std::string file;
  std::string journal;
  std::string failed;
  std::size_t max_in_flight = 64;
  double rate = 0;
  std::uint64_t stop_after = 100;
  bool again = false;
};

/// Whether every further order would meet the same: nothing that is learned of an order.
bool concerns_all_orders(const Error& error) {
  return error.kind == ErrorKind::invalid_configuration || error.kind == ErrorKind::signing_failed ||
         error.kind == ErrorKind::misuse || error.transport_fault == TransportFault::tls_verification ||
         error.http_status == 401;
}

/// Whether another run would have no other result: credited, or refused by WeChat Pay itself for what the order is.
/// What it refuses to the merchant (401, 403) may be granted.
bool settled(const CommitResult& result) {
  if (result) return true;
  const Error& error = result.error();
  return error.outcome == Outcome::refused && error.verified && error.http_status != 401 && error.http_status != 403 &&
         !worth_another_try(error);
}

/// The terminal's columns; 0: standard error is none.
int terminal_width() {
  if (::isatty(STDERR_FILENO) != 1) return 0;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// A file that takes its name's place only when it is complete.
class FailedFile {
 public:
  explicit FailedFile(std::string name) : name_(std::move(name)), unfinished_(name_ + ".unfinished") {}

  void add(const std::string& line) {
    if (!out_.is_open()) out_.open(unfinished_, std::ios::binary | std::ios::trunc);
    out_ << line << "\n";
    ++lines_;
  }

  /// Without a line there is no file, nor one of an earlier run. False where it cannot be written.
  bool finish() {
    std::error_code failure;
    if (lines_ == 0) {
      fs::remove(name_, failure);
      return !failure;
    }
    out_.close();
    if (out_.fail()) return false;
    if (const int written = ::open(unfinished_.c_str(), O_RDONLY | O_CLOEXEC); written >= 0) {
      ::fsync(written);
      ::close(written);
    }
    fs::rename(unfinished_, name_, failure);
    return !failure;
  }

  std::uint64_t lines() const { return lines_; }

 private:
  const std::string name_;
  const std::string unfinished_;
  std::ofstream out_;
  std::uint64_t lines_ = 0;
};

class Backfill {
 public:
  Backfill(const Options& options, OrderFile file, Journal& journal, int interruption)
      : options_(options), file_(std::move(file)), journal_(journal), interruption_(interruption) {}

  int run(const BonusCommitClient& client) {
    BatchOptions batch;
    batch.max_in_flight = options_.max_in_flight;
    if (options_.rate > 0) {  // what waits for its moment is waited for at the end
      const auto two_seconds = static_cast<std::size_t>(std::ceil(2 * options_.rate));
      batch.max_in_flight = std::min(batch.max_in_flight, two_seconds);
    }
    batch.stop = stop_;
    std::thread watcher([this] { watch(); });
    std::optional<Result<BatchSummary>> summary;
    try {
      summary = commit_all(
          client, [this] { return next(); },
          [this](const BonusCommitRequest& request, const CommitResult& result) { return take(request, result); },
          batch);
    } catch (const JournalError& error) {
      if (!broken_) say(error.what());
      broken_ = true;
    }
    ended_ = true;
    watcher.join();
    if (summary && !*summary) {
      say(in_words_of_the_tool(summary->error().message));
      return ExitStatus::usage;
    }
    return report();
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::optional<BonusCommitRequest> next() {
    while (!stop_->requested()) {
      auto row = file_.next();
      bytes_ = file_.bytes_read();
      if (!row) {
        read_to_the_end_ = file_.error().empty() && !stop_->requested();
        break;
      }
      switch (journal_.see(*row, options_.again)) {
        case Journal::Sight::commit: return std::move(row->request);
        case Journal::Sight::settled: ++settled_before_; break;
        case Journal::Sight::refused: ++refused_before_; break;
        case Journal::Sight::repeated: ++repeated_; break;
        case Journal::Sight::fault: ++bad_rows_; say_of_a_row("line " + std::to_string(row->line) + ": " + row->fault);
      }
    }
    return std::nullopt;
  }

  bool take(const BonusCommitRequest& request, const CommitResult& result) {
    if (broken_ || (!result && result.error().kind == ErrorKind::rate_limited && stop_->requested())) return false;
    try {
      journal_.record(request, result, settled(result));
    } catch (const JournalError& error) {
      say(error.what());
      broken_ = true;
      stop_->request();
      return false;
    }
    if (result) {
      ++credited_;
      failures_in_a_row_ = 0;
      return true;
    }
    ++failed_;
    const std::string message = in_words_of_the_tool(result.error().to_string());
    say_of_a_row("out_trade_no " + request.out_trade_no + ": " + message);
    switch (result.error().outcome) {
      case Outcome::unknown: worst_ = ExitStatus::unknown; break;
      case Outcome::not_sent: worst_ = worst_ == ExitStatus::unknown ? worst_ : ExitStatus::not_sent; break;
      case Outcome::refused: worst_ = worst_ == ExitStatus::success ? ExitStatus::refused : worst_; break;
    }
    if (stopped_because_.empty() && concerns_all_orders(result.error())) {
      stopped_because_ = "every further order would fail likewise: " + message;
    }
    if (stopped_because_.empty() && ++failures_in_a_row_ == options_.stop_after) {
      stopped_because_ =
          std::to_string(options_.stop_after) + " failures in a row (--stop-after), the last one: " + message;
    }
    return stopped_because_.empty();
  }

  /// Shows how far it is, and hands Ctrl-C on; in a thread of its own.
  void watch() {
    Progress progress;
    auto next_line = Clock::now() + std::chrono::seconds(10);
    bool told = false;
    for (bool last = false; !last;) {
      last = ended_;
      if (told) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      } else if (interrupted_within(interruption_, last ? 0 : 100)) {
        stop_->request();
        say("Ending: what is under way is waited for. Once more ends at once, and loses nothing either.");
        told = true;
      }
      const Standing standing{
          Clock::now(), credited_ + failed_, failed_ + bad_rows_, settled_before_ + refused_before_ + repeated_,
          bytes_,       file_.bytes_in_all()};
      const int width = terminal_width();
      const std::string line = progress.line(standing, width);
      const std::lock_guard<std::mutex> lock(output_);
      if (width > 0) {
        std::cerr << "\r\33[K" << line << (last ? "\n" : "") << std::flush;
        bar_shown_ = !last;
      } else if (standing.time >= next_line) {
        std::cerr << line << std::endl;
        next_line += std::chrono::seconds(10);
      }
    }
    interrupted_ = told;
  }

  /// A line on standard error, above the bar.
  void say(const std::string& line) {
    const std::lock_guard<std::mutex> lock(output_);
    std::cerr << (bar_shown_ ? "\r\33[K" : "") << line << "\n" << std::flush;
    bar_shown_ = false;
  }

  /// The same of one row or order, as long as there are few.
  void say_of_a_row(const std::string& line) {
    const int told = ++rows_told_;
    if (told <= most_rows_told) say(line);
    if (told == most_rows_told)
      say("More like this is counted, and told in the journal and in " + options_.failed + ".");
  }

  int report() {
    if (!file_.error().empty()) say(file_.error());
    if (!stopped_because_.empty()) say("Stopped: " + stopped_because_);
    std::string counts = with_commas(credited_) + " credited, " + with_commas(failed_) + " failed";
    const auto add = [&counts](std::uint64_t number, const char* what) {
      if (number > 0) counts += ", " + with_commas(number) + what;
    };
    add(bad_rows_, " rows that are no orders");
    add(settled_before_, " credited by earlier runs");
    add(refused_before_, " refused by earlier runs (--again commits them again)");
    add(repeated_, " repeated in the file");
    say(counts);
    if (broken_) return ExitStatus::unknown;
    bool complete = read_to_the_end_ && stopped_because_.empty() && !interrupted_;
    bool written = false;
    try {
      journal_.for_each_kind_of_failure([this](const Journal::Failures& kind) {
        say("  " + with_commas(kind.count) + " x " + kind.label + ", first on line " + std::to_string(kind.first_line) +
            ": " + kind.message);
      });
      written = !complete || write_failed();
    } catch (const JournalError& error) {
      say(error.what());
    }
    if (!written)
      say(options_.failed + " cannot be written: what failed is in the journal; make room, and start again");
    if (!complete) {
      say(std::string(interrupted_ ? "Interrupted." : "Not all of the file was done.") +
          " Start it again in the same way, and it goes on where it was; " + options_.failed +
          " is written when the file has been read to its end.");
    }
    if (interrupted_) return ExitStatus::interrupted;
    if (worst_ == ExitStatus::unknown) return worst_;
    if (!complete || !written) return ExitStatus::not_sent;
    return worst_ == ExitStatus::success && anything_failed_ ? ExitStatus::refused : worst_;
  }

  bool write_failed() {
    journal_.own(options_.failed);
    FailedFile failed(options_.failed);
    const std::string header = file_.header_with_error();
    journal_.for_each_failed_row([&](const std::string& text, const std::string& error) {
      if (failed.lines() == 0 && !header.empty()) failed.add(header);
      failed.add(file_.with_error(text, error));
    });
    if (!failed.finish()) return false;
    if (failed.lines() > 0) {
      say(options_.failed + " has what failed, ready to be fed in again when the causes are seen to.");
      anything_failed_ = true;
    }
    return true;
  }

  static constexpr int most_rows_told = 20;

  const Options& options_;
  OrderFile file_;
  Journal& journal_;
  const int interruption_;
  const std::shared_ptr<Cancellation> stop_ = std::make_shared<Cancellation>();
  std::atomic<bool> ended_{false};
  std::atomic<std::uint64_t> credited_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> bad_rows_{0};
  std::atomic<std::uint64_t> settled_before_{0};
  std::atomic<std::uint64_t> refused_before_{0};
  std::atomic<std::uint64_t> repeated_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<int> rows_told_{0};
  std::atomic<bool> read_to_the_end_{false};
  std::mutex output_;  ///< guards bar_shown_, and keeps lines apart
  bool bar_shown_ = false;
  // The rest is the thread's that takes results, and after it the one's that reports.
  std::uint64_t failures_in_a_row_ = 0;
  std::string stopped_because_;
  int worst_ = ExitStatus::success;
  bool broken_ = false;
  bool interrupted_ = false;
  bool anything_failed_ = false;  ///< in this run or before it
};

/// Whether both names are of one file, by whatever path.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code not_there;
  return a == b || fs::equivalent(a, b, not_there);
}

int run(const Options& given) {
  Options options = given;
  const bool standard_input = options.file == "-";
  if (options.journal.empty() && !standard_input) options.journal = options.file + ".journal";
  if (options.failed.empty()) options.failed = standard_input ? "standard-input.failed" : options.file + ".failed";
  if (same_file(options.failed, options.file) || same_file(options.journal, options.file) ||
      same_file(options.failed, options.journal)) {
    std::cerr << "--journal, --failed and the file of orders must be different files\n";
    return ExitStatus::usage;
  }

  ClientOptions client_options;
  client_options.rate_limit.per_second = options.rate;
  auto client = options.connection.client(std::move(client_options), options.max_in_flight);
  if (!client) {
    std::cerr << in_words_of_the_tool(client.error().message) << "\n";
    return ExitStatus::usage;
  }
  const int interruption = catch_interruptions();
  auto file = OrderFile::open(options.file, options.defaults, interruption);
  if (!file && interrupted_within(interruption, 0)) return ExitStatus::interrupted;
  if (!file) {
    std::cerr << file.error().message << "\n";
    return ExitStatus::usage;
  }
  if (options.journal.empty()) {
    std::cerr << "Standard input without --journal: after an interruption all of it is to be done again.\n";
  }
  std::string about;
  for (const std::string& origin : options.connection.origins) about += (about.empty() ? "" : ", ") + origin;
  try {
    Journal journal(options.journal, about);
    if (fs::exists(fs::symlink_status(options.failed)) && !journal.owns(options.failed)) {
      std::cerr << options.failed
                << " is there already, and not from this journal: move it away, or choose another with "
                << "--failed\n";
      return ExitStatus::usage;
    }
    return Backfill(options, *std::move(file), journal, interruption).run(*client);
  } catch (const JournalError& error) {
    std::cerr << error.what() << "\n";
    return ExitStatus::usage;
  }
}

}  // namespace

void add_backfill(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand(
      "backfill", "Commits a file of orders, many at a time, and goes on where it was after an interruption.");
  command.footer(
      "FILE is CSV with a header (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, in any order; other "
      "columns are passed over) or JSON Lines with these members. What became of each order is kept in a journal "
      "beside it. Interrupted, by Ctrl-C, kill -9 or a power cut, and started again in the same way, it goes on where "
      "it was and repeats only what is not known to be settled. When the file has been read to its end, what failed is "
      "written to FILE.failed, with the cause in a column `error`, ready to be fed in again.");
  command.add_option("FILE", options->file, "the orders; - is standard input")->required();
  command.add_option("--max-in-flight", options->max_in_flight, "so many commits at a time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--rate", options->rate, "at most so many requests a second; WeChat Pay limits each merchant")
      ->check(CLI::Range(0.001, 1000000.0))
      ->type_name("NUMBER");
  command
      .add_option("--stop-after", options->stop_after,
                  "stop after so many failures in a row, since there may be one cause; 0: never")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_flag("--again", options->again, "commit again what earlier runs were refused for good, too");
  command
      .add_option("--journal", options->journal,
                  "where to keep what became of each order (default: FILE.journal; none for standard input)")
      ->type_name("FILE");
  command.add_option("--failed", options->failed, "where to write what failed (default: FILE.failed)")
      ->type_name("FILE");
  add_order_options(command, options->defaults);
  options->connection.add_to(command);
  command.callback([options, &status] { status = run(*options); });
}
