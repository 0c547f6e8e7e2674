#include "wechatpay/bonus_commit/batch.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "src/commit_call.hpp"
#include "wechatpay/bonus_commit/rate_limit.hpp"

namespace wechatpay {
namespace {

/// What the threads of a batch share.
class Batch {
 public:
  Batch(const BonusCommitClient& client, NextRequest next, TakeResult take, const BatchOptions& options)
      : client_(client), next_(std::move(next)), take_(std::move(take)), options_(options) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  BatchSummary run() {
    std::vector<std::thread> helpers;
    try {
      for (unsigned i = 1; i < options_.threads; ++i) helpers.emplace_back([this] { work(); });
    } catch (const std::exception&) {
      // Those that could be started do all the work.
    }
    work();
    for (std::thread& helper : helpers) helper.join();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return in_flight_ == 0; });
    }
    for (const Request& request : put_back_) take_result(*request, rate_limited());
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    return summary_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Request = std::shared_ptr<const BonusCommitRequest>;

  void work() {
    while (take_place()) {
      const Request request = take_request();
      if (request == nullptr) {
        give_place();
        continue;
      }
      BonusCommitClient::Callback done;
      try {
        done = [this, request](const CommitResult& result) { end(request, result); };
      } catch (const std::bad_alloc&) {
        Error error;
        error.message = "out of memory";
        end(request, std::move(error));
        continue;
      }
      client_.commit_async(*request, std::move(done));
    }
  }

  void end(const Request& request, const CommitResult& result) noexcept {
    if (!put_back(request, result)) take_result(*request, result);
    give_place();  // the last thing: the batch may be gone after it
  }

  /// Waits until one more commit may be under way and there may be one; false when the batch is to end.
  bool take_place() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      if (!ending_ && options_.stop != nullptr && options_.stop->requested()) {
        ending_ = true;
        summary_.stopped = true;
      }
      const bool nothing_left = exhausted_ && put_back_.empty();
      if (ending_ || (nothing_left && in_flight_ == 0)) return false;
      const bool paused = Clock::now() < paused_until_;
      if (!paused && !nothing_left && in_flight_ < options_.max_in_flight) break;
      if (paused) {
        changed_.wait_until(lock, paused_until_);
      } else {
        changed_.wait(lock);
      }
    }
    ++in_flight_;
    return true;
  }

  void give_place() {
    const std::lock_guard<std::mutex> lock(mutex_);
    --in_flight_;
    changed_.notify_all();
  }

  /// Null at the end of the backlog, or where its source throws.
  Request take_request() {
    const std::lock_guard<std::mutex> one_at_a_time(source_);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!put_back_.empty()) {
        Request request = std::move(put_back_.front());
        put_back_.pop_front();
        return request;
      }
      if (exhausted_) return nullptr;
    }
    std::exception_ptr failure;
    try {
      if (auto request = next_()) return std::make_shared<const BonusCommitRequest>(*std::move(request));
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    exhausted_ = true;
    if (failure != nullptr) {
      ending_ = true;
      failure_ = failure;
    }
    changed_.notify_all();
    return nullptr;
  }

  /// A request that got no place in the rate limit, or was halted by a 429, stays in the backlog, and the batch pauses.
  /// False for any other result.
  bool put_back(const Request& request, const CommitResult& result) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (result || result.error().kind != ErrorKind::rate_limited) {
      pause_ = first_pause;
      return false;
    }
    try {
      put_back_.push_back(request);
    } catch (const std::bad_alloc&) {
      return false;
    }
    if (Clock::now() >= paused_until_) {
      paused_until_ = Clock::now() + pause_;
      pause_ = pause_ < longest_pause ? 2 * pause_ : pause_;
    }
    return true;
  }

  void take_result(const BonusCommitRequest& request, const CommitResult& result) {
    const std::lock_guard<std::mutex> one_at_a_time(sink_);
    bool go_on = false;
    try {
      go_on = take_(request, result);
    } catch (...) {
      // Documented at TakeResult.
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    ++(result ? summary_.credited : summary_.failed);
    if (go_on || ending_) return;
    ending_ = true;
    summary_.stopped = true;
  }

  static constexpr std::chrono::milliseconds first_pause{100};
  static constexpr std::chrono::milliseconds longest_pause{1600};

  const BonusCommitClient client_;  ///< a copy, so that nobody destroys it meanwhile
  const NextRequest next_;
  const TakeResult take_;
  const BatchOptions options_;
  std::mutex source_;  ///< one thread in next_
  std::mutex sink_;    ///< one thread in take_
  std::mutex mutex_;   ///< guards the rest
  std::condition_variable changed_;
  std::size_t in_flight_ = 0;
  std::deque<Request> put_back_;
  Clock::time_point paused_until_{};
  std::chrono::milliseconds pause_ = first_pause;
  bool exhausted_ = false;  ///< the source is
  bool ending_ = false;     ///< nothing more is to start
  BatchSummary summary_;
  std::exception_ptr failure_;
};

}  // namespace

Result<BatchSummary> commit_all(const BonusCommitClient& client, NextRequest next, TakeResult take,
                                const BatchOptions& options) {
  if (options.max_in_flight == 0) return configuration_error("BatchOptions::max_in_flight must be 1 or more");
  if (options.threads == 0) return configuration_error("BatchOptions::threads must be 1 or more");
  if (in_callback()) {
    Error error;
    error.kind = ErrorKind::misuse;
    error.message = "commit_all() was called from a callback, where it would wait for itself";
    return error;
  }
  return Batch(client, std::move(next), std::move(take), options).run();
}

}  // namespace wechatpay
