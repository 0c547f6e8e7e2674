#include "pipe_run.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <new>
#include <random>
#include <thread>
#include <utility>

#include "exit_status.hpp"
#include "interruption.hpp"
#include "json_output.hpp"
#include "order_values.hpp"
#include "pipe_message.hpp"
#include "src/outbox/meaning.hpp"
#include "wording.hpp"

namespace wechatpay::bonus_commit::tool {

using outbox::Meaning;

namespace {

Error error_of_line(const PipeMessage& message) {
  Error error = configuration_error(message.fault);
  error.kind = message.is_whole ? ErrorKind::invalid_request : ErrorKind::cancelled;
  error.remedy = message.is_whole ? Remedy::correct_request : Remedy::retry_later;
  return error;
}

double random_share() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

}  // namespace

WakeDescriptor::WakeDescriptor() {
  if (::pipe2(ends_, O_CLOEXEC) != 0) ends_[0] = ends_[1] = -1;
}

WakeDescriptor::~WakeDescriptor() {
  for (const int end : ends_) {
    if (end >= 0) ::close(end);
  }
}

void WakeDescriptor::wake() const { static_cast<void>(!::write(ends_[1], "", 1)); }

PipeRun::PipeRun(const PipeOptions& options, LineReader lines, const WakeDescriptor& ending, int interruption,
                 std::ostream& output)
    : options_(options), lines_(std::move(lines)), ending_(ending), interruption_(interruption), output_(output) {}

int PipeRun::run(const BonusCommitClient& client) {
  std::thread writer([this] { write(); });
  std::thread watcher([this] { watch_interruption(); });
  read(client);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ == 0; });
    over_ = true;
  }
  changed_.notify_all();
  writer.join();
  watcher.join();
  return report();
}

void PipeRun::read(const BonusCommitClient& client) {
  while (wait_for_place()) {
    auto line = lines_.next();
    while (line && is_blank(line->text)) line = lines_.next();
    if (!line) {
      const std::lock_guard<std::mutex> lock(mutex_);
      --in_flight_;
      break;
    }
    PipeMessage message = read_pipe_message(*line, options_.defaults);
    Answers answer;
    answer.push_back({std::move(message.id), Error()});
    if (!message.fault.empty()) {
      answer.front().result = error_of_line(message);
      take(answer);
      continue;
    }
    client.commit_async(message.order, [this, answer = std::move(answer)](CommitResult result) mutable {
      answer.front().result = std::move(result);
      try {
        note(answer.front().result);
      } catch (const std::bad_alloc&) {  // the order's answer matters more
      }
      take(answer);
    });
  }
  if (!lines_.error().empty()) end(lines_.error());
}

/// Waits until one more order may be in progress and calls may be made, and reserves its place. False at the end.
bool PipeRun::wait_for_place() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ending_early_) {
    const Clock::time_point now = Clock::now();
    if (in_flight_ < options_.max_in_flight && now >= halted_until_ && breaker_.admits(now, in_flight_)) {
      ++in_flight_;
      return true;
    }
    const auto moment = breaker_.closed() ? halted_until_ : std::max(halted_until_, breaker_.next_probe());
    if (moment > now) {
      changed_.wait_until(lock, moment);
    } else {
      changed_.wait(lock);
    }
  }
  return false;
}

/// Updates the pause and the breaker for the following orders, or ends the run if no order can succeed.
void PipeRun::note(const CommitResult& result) {
  const Meaning meaning = outbox::meaning_of(result);
  if (meaning == Meaning::setup_wrong) end(in_words_of_the_tool(result.error().to_string()));
  const std::lock_guard<std::mutex> lock(mutex_);
  if (const auto halt = outbox::halt_after(result)) halted_until_ = std::max(halted_until_, Clock::now() + *halt);
  switch (meaning) {
    case Meaning::credited:
    case Meaning::refused:
    case Meaning::permission_missing: breaker_.answered(Clock::now()); break;
    case Meaning::failed:
      if (breaker_.failed(Clock::now())) {
        std::cerr << "20 failures in a row: from now on only one order at a time until one succeeds. The last failure: "
                  << label_with_outcome(result.error()) << "\n";
      }
      break;
    case Meaning::setup_doubtful:
    case Meaning::invalid:
    case Meaning::not_called:
    case Meaning::setup_wrong: break;
  }
}

void PipeRun::take(Answers& answer) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    answers_.splice(answers_.end(), answer);
  }
  changed_.notify_all();
}

/// Writes the answers in its own thread, so that a slow reader does not block calls in progress.
void PipeRun::write() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return over_ || !answers_.empty(); });
    if (answers_.empty()) return;
    const Answers answers = std::exchange(answers_, {});
    lock.unlock();
    for (const Answer& answer : answers) {
      const Json line = pipe_answer(answer.id, answer.result, random_share());
      ++counts_[line["result"]];
      output_ << json_text(line) << "\n";
    }
    const bool written = static_cast<bool>(output_.flush());
    if (!written) end("standard output cannot be written: the last results are lost");
    lock.lock();
    in_flight_ -= answers.size();
    changed_.notify_all();
  }
}

/// Passes a signal on, in its own thread.
void PipeRun::watch_interruption() {
  for (bool over = false; !over;) {
    if (interrupted_within(interruption_, 100)) {
      end("");
      return;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    over = over_;
  }
}

/// Accepts no further order. `why`: what is wrong, or empty.
void PipeRun::end(const std::string& why) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_early_ = true;
    if (why_.empty()) why_ = why;
  }
  ending_.wake();
  changed_.notify_all();
}

int PipeRun::report() {
  std::cerr << counts_["credited"] << " credited, " << counts_["dead"] << " dead, " << counts_["later"] << " later\n";
  if (why_.empty()) return ExitStatus::success;
  std::cerr << "Ended: " << why_ << "\n";
  return output_ ? ExitStatus::usage : ExitStatus::unknown;
}

}  // namespace wechatpay::bonus_commit::tool
