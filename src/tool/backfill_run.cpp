#include "backfill_run.hpp"

#include <wechatpay/bonus_commit/stages/file_name.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>
#include <utility>

#include "exit_status.hpp"
#include "failed_file.hpp"
#include "interruption.hpp"
#include "json_output.hpp"
#include "progress.hpp"
#include "src/outbox/meaning.hpp"
#include "wording.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

constexpr int most_rows_of_a_cause = 3;
constexpr std::size_t most_causes = 20;

/// The common part of faults of one kind: the text before the first value.
std::string cause_of(const std::string& fault) {
  const std::size_t value = std::min(fault.find_first_of(":(\"0123456789"), fault.find(", not "));
  return fault.substr(0, value);
}

}  // namespace

BackfillRun::BackfillRun(const BackfillOptions& options, OrderFile file, Journal& journal, int interruption)
    : options_(options),
      file_(std::move(file)),
      journal_(journal),
      interruption_(interruption),
      failures_in_a_row_(options.stop_after) {}

int BackfillRun::run(const BonusCommitClient& client) {
  BatchOptions batch;
  batch.max_in_flight = options_.max_in_flight;
  if (options_.rate > 0) {  // orders that wait for the rate limit are awaited at the end
    const auto two_seconds = static_cast<std::size_t>(std::ceil(2 * options_.rate));
    batch.max_in_flight = std::min(batch.max_in_flight, two_seconds);
  }
  batch.stop = stop_.get_token();
  std::thread watcher([this] { watch(); });
  try {
    const auto take_result = [this](const BonusCommitRequest& request, const CommitResult& result) {
      return take(request, result);
    };
    static_cast<void>(commit_all(
                          client, [this] { return next(); }, take_result, batch)
                          .value());
  } catch (const std::exception& error) {  // mostly of the journal, in next()
    if (!broken_) screen_.say(error.what());
    broken_ = true;
  }
  ended_ = true;
  watcher.join();
  return report();
}

std::optional<BonusCommitRequest> BackfillRun::next() {
  while (!stop_.stop_requested()) {
    auto row = file_.next();
    bytes_ = file_.bytes_read();
    if (!row) {
      read_to_the_end_ = file_.error().empty() && !stop_.stop_requested();
      break;
    }
    last_line_ = row->line;
    row->in_doubt = row->fault.empty() && !row->warning.empty() && !options_.allow_rounded;
    if (row->in_doubt) row->fault = row->warning + "; --allow-rounded commits it anyway";
    switch (journal_.look_up(*row, options_.again)) {
      case Journal::Lookup::commit: return std::move(row->request);
      case Journal::Lookup::settled: ++settled_before_; break;
      case Journal::Lookup::refused: ++refused_before_; break;
      case Journal::Lookup::repeated: ++repeated_; break;
      case Journal::Lookup::fault: ++(row->in_doubt ? held_back_ : bad_rows_); tell_of_row(*row);
    }
  }
  return std::nullopt;
}

bool BackfillRun::take(const BonusCommitRequest& request, const CommitResult& result) {
  if (broken_ || (!result && result.error().kind == ErrorKind::rate_limited && stop_.stop_requested())) return false;
  const outbox::Meaning meaning = outbox::meaning_of(result);
  try {
    journal_.record(request, result, outbox::settled(meaning));
  } catch (const JournalError& error) {
    screen_.say(error.what());
    broken_ = true;
    stop_.request_stop();
    return false;
  }
  if (result) {
    ++credited_;
    failures_in_a_row_.credited();
    return true;
  }
  ++failed_;
  const Error& error = result.error();
  tell_of_order(request.out_trade_no, error);
  switch (error.outcome) {
    case Outcome::unknown: worst_ = ExitStatus::unknown; break;
    case Outcome::not_sent: worst_ = worst_ == ExitStatus::unknown ? worst_ : ExitStatus::not_sent; break;
    case Outcome::refused: worst_ = worst_ == ExitStatus::success ? ExitStatus::refused : worst_; break;
  }
  if (!stopped_because_.empty()) return false;
  const bool too_many = failures_in_a_row_.too_many_with(meaning);
  if (meaning == outbox::Meaning::setup_wrong) {
    stopped_because_ = "every further order would fail in the same way: " + label_with_outcome(error);
  } else if (too_many) {
    stopped_because_ = counted(failures_in_a_row_.count(), "failure", "failures") +
                       " in a row (--stop-after), the last one: " + label_with_outcome(error);
  }
  return stopped_because_.empty();
}

/// Shows the progress and passes Ctrl-C on. Runs in its own thread.
void BackfillRun::watch() {
  using Clock = std::chrono::steady_clock;
  Progress progress;
  auto next_line = Clock::now() + std::chrono::seconds(10);
  for (bool last = false; !last;) {
    last = ended_;
    if (interrupted_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    } else if (interrupted_within(interruption_, last ? 0 : 100)) {
      interrupted_ = true;
      stop_.request_stop();
      screen_.say(std::string("Ending: waiting for commits in progress. Press Ctrl-C again to end at once")
                      .append(options_.journal.empty() ? "." : "; nothing is lost either way."));
    }
    const Totals totals{Clock::now(),
                        credited_ + failed_,
                        failed_ + bad_rows_ + held_back_,
                        settled_before_ + refused_before_ + repeated_,
                        bytes_,
                        file_.bytes_in_all()};
    const int width = Screen::width();
    const std::string line = progress.line(totals, width);
    if (width > 0) {
      screen_.show_bar(line, last);
    } else if (totals.time >= next_line) {
      screen_.say(line);
      next_line += std::chrono::seconds(10);
    }
  }
}

/// Prints the first rows of each cause, as long as there are few causes.
void BackfillRun::tell_of_row(const OrderRow& row) {
  const std::string cause = cause_of(row.fault);
  if (rows_told_.count(cause) == 0 && rows_told_.size() >= most_causes) return;
  const int told = ++rows_told_[cause];
  if (told > most_rows_of_a_cause) return;
  screen_.say("line " + std::to_string(row.line) + ": " + row.fault +
              (told == most_rows_of_a_cause ? " (further rows like this are only counted)" : ""));
}

/// Prints the first order of each cause, as long as there are few causes. WeChat Pay uses one code for many causes; its
/// message tells them apart.
void BackfillRun::tell_of_order(const std::string& out_trade_no, const Error& error) {
  if (orders_told_.size() >= most_causes) return;
  const std::string label = label_with_outcome(error);
  std::string cause = label;
  if (const Answer* const answer = error.answer()) cause += answer->message;
  if (!orders_told_.emplace(cause, label).second) return;
  screen_.say("out_trade_no " + out_trade_no + ": " + in_words_of_the_tool(error.to_string()));
}

bool BackfillRun::complete() const { return read_to_the_end_ && stopped_because_.empty() && !interrupted_ && !broken_; }

int BackfillRun::report() {
  if (!file_.error().empty()) screen_.say(file_.error());
  if (!stopped_because_.empty()) screen_.say("Stopped: " + stopped_because_);
  report_counts();
  if (broken_) return ExitStatus::unknown;
  bool written = false;
  try {
    report_kinds();
    written = write_failed();
  } catch (const JournalError& error) {
    screen_.say(error.what());
  }
  report_end(written);
  return exit_status(written);
}

void BackfillRun::report_counts() {
  std::string counts = with_commas(credited_) + " credited, " + with_commas(failed_) + " failed";
  const auto add = [&counts](std::uint64_t number, const std::string& what) {
    if (number > 0) counts += ", " + with_commas(number) + " " + what;
  };
  add(bad_rows_, bad_rows_ == 1 ? "invalid row" : "invalid rows");
  add(held_back_, "held back as possibly rounded (--allow-rounded commits them)");
  add(settled_before_, "credited by earlier runs");
  add(refused_before_, "refused by earlier runs (--again commits them again)");
  add(repeated_, "repeated in the file");
  screen_.say(counts);
}

/// Prints what was not printed in full before.
void BackfillRun::report_kinds() {
  journal_.for_each_kind_of_failure([this](const Journal::Failures& kind) {
    const bool told = std::any_of(orders_told_.begin(), orders_told_.end(),
                                  [&kind](const auto& each) { return each.second == kind.label; });
    std::string line = "  " + with_commas(kind.count) + " x " + kind.label + ", first on line ";
    line += std::to_string(kind.first_line);
    if (!told) line += ": " + kind.message;
    screen_.say(line);
  });
}

void BackfillRun::report_end(bool written) {
  const std::string failed = file_in_message(options_.failed, "--failed");
  if (!written) {
    const char* const advice =
        options_.journal.empty() ? "" : ": the failed rows are in the journal; free some space and run it again";
    screen_.say(failed + " cannot be written" + advice);
  } else if (failed_rows_ > 0) {
    screen_.say(failed + " has the rows that failed" + (complete() ? "" : " so far") +
                ": fix the causes, then run backfill on it.");
  }
  if (complete()) return;
  const std::string what = interrupted_ ? "Interrupted." : "Part of the file was not processed.";
  screen_.say(what + (options_.journal.empty()
                          ? " There is no journal: the next run commits all orders again, which is safe."
                          : " Run the same command again to resume."));
}

bool BackfillRun::write_failed() {
  journal_.own(options_.failed);
  FailedFile failed(options_.failed);
  const std::string header = file_.header_with_error();
  const auto behind = complete() ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(last_line_);
  journal_.for_each_failed_row(behind, [&](const std::string& text, const std::string& error) {
    if (failed.lines() == 0 && !header.empty()) failed.add(header);
    failed.add(file_.with_error(text, error));
    ++failed_rows_;
  });
  return failed.finish();
}

int BackfillRun::exit_status(bool written) const {
  if (interrupted_) return ExitStatus::interrupted;
  if (worst_ == ExitStatus::unknown) return worst_;
  if (!complete() || !written) return ExitStatus::not_sent;
  return worst_ == ExitStatus::success && failed_rows_ > 0 ? ExitStatus::refused : worst_;
}

nlohmann::ordered_json BackfillRun::summary() {
  nlohmann::ordered_json json = {{"complete", complete()},
                                 {"interrupted", interrupted_},
                                 {"credited", credited_.load()},
                                 {"failed", failed_.load()},
                                 {"bad_rows", bad_rows_.load()},
                                 {"doubtful_rows", held_back_.load()},
                                 {"credited_before", settled_before_.load()},
                                 {"refused_before", refused_before_.load()},
                                 {"repeated", repeated_.load()},
                                 {"failures", nlohmann::ordered_json::array()}};
  if (!broken_) {
    journal_.for_each_kind_of_failure([&json](const Journal::Failures& kind) {
      nlohmann::ordered_json& failures = json["failures"].emplace_back();
      failures["label"] = kind.label;
      failures["count"] = kind.count;
      failures["first_line"] = kind.first_line;
      failures["message"] = kind.message;
    });
  }
  if (!stopped_because_.empty()) json["stopped_because"] = stopped_because_;
  if (failed_rows_ > 0) json["failed_file"] = file_in_message(options_.failed, "--failed");
  if (!options_.journal.empty()) json["journal"] = options_.journal;
  return json;
}

}  // namespace wechatpay::bonus_commit::tool
