/// The state of commit_all() while it runs.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_BATCH_RUN_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_BATCH_RUN_HPP

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/batch.hpp"
#include "wechatpay/bonus_commit/impl/commit_call.hpp"
#include "wechatpay/bonus_commit/impl/places.hpp"
#include "wechatpay/bonus_commit/impl/system.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"
#include "wechatpay/bonus_commit/stages/rate_limiter.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {

/// A thread that waits for a place waits this much longer for more places, before it continues with only a few.
inline constexpr std::chrono::milliseconds wait_for_good_part{1};

/// The clock of a batch's threads, and how they wait. The simulation has others.
struct BatchTime {
  using Clock = std::chrono::steady_clock;  ///< the type of all times here

  static constexpr Clock::time_point never = (Clock::time_point::max)();

  std::function<Clock::time_point()> now;

  /// Waits until `changed` is notified, but no longer than until the given time. Releases the lock meanwhile.
  std::function<void(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, Clock::time_point)> wait;
};

/// The state shared by the threads of a batch.
class Batch {
 public:
  Batch(const BonusCommitClient& client, NextRequest next, TakeResult take, const BatchOptions& options, BatchTime time)
      : client_(client),
        next_(std::move(next)),
        take_(std::move(take)),
        options_(options),
        time_(std::move(time)),
        places_(options.max_in_flight),
        wake_(options.stop, [this] {
          const std::lock_guard<std::mutex> lock(mutex_);
          wake_all();
        }) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  Result<BatchSummary> run() {
    const NoThreadCancellation whole;
    if (client_.open_ == nullptr) return misuse("the client was moved from: give the one that it was moved to");
    if (client_.open_->core->in_child()) {
      return misuse("the client was made before fork() and this is the child: make one of its own here");
    }
    std::vector<std::thread> helpers;
    try {
      for (unsigned i = 1; i < options_.threads; ++i) helpers.emplace_back([this] { work(); });
    } catch (const std::exception&) {
      // The threads that were started do all the work.
    }
    work();
    for (std::thread& helper : helpers) helper.join();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wait(changed_, lock, BatchTime::never, [this] { return places_.all_free(); });
    }
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    return summary_;
  }

 private:
  using Clock = BatchTime::Clock;
  using Request = std::shared_ptr<const BonusCommitRequest>;

  void work() {
    while (take_place()) {
      const Request request = take_request();
      if (request == nullptr) {
        const std::lock_guard<std::mutex> lock(mutex_);
        give_place();
        continue;
      }
      BonusCommitClient::Callback done;
      try {
        if (!wait_for_rate_limit()) {
          end_before_it_began(request, stopped_while_waiting());
          continue;
        }
        done = [this, request](const CommitResult& result) { end(request, result); };
      } catch (const std::bad_alloc&) {
        end_before_it_began(request, out_of_memory(Outcome::not_sent));
        continue;
      }
      client_.begin(*request, std::move(done), {}, true, nullptr);
    }
  }

  void end(const Request& request, const CommitResult& result) noexcept {
    const bool go_on = take_result(*request, result);
    const std::lock_guard<std::mutex> lock(mutex_);
    ++(result ? summary_.credited : summary_.failed);
    if (!go_on && !ending_) {
      ending_ = true;
      summary_.stopped = true;
      wake_all();
    }
    give_place();
  }

  /// Waits until `so` returns true, but no longer than until `until`. Call with the lock held; `so` runs with it, too.
  template <typename Condition>
  void wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, Clock::time_point until,
            const Condition& so) {
    while (!so() && time_.now() < until) time_.wait(changed, lock, until);
  }

  /// Waits until one more commit may start and the backlog may have one; false if the batch is ending.
  bool take_place() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!stopped() && !exhausted_) {
      if (places_.take()) return true;
      wait(free_, lock, BatchTime::never, [this] { return stopped() || exhausted_ || places_.any_free(); });
      wait(free_, lock, time_.now() + wait_for_good_part,
           [this] { return stopped() || exhausted_ || places_.good_part_free(); });
    }
    return false;
  }

  /// Waits for a place in the rate limit, before the commit's deadline starts; false if the batch is stopped meanwhile.
  bool wait_for_rate_limit() {
    const auto until = time_.now() + pause_of_rate_limit();
    std::unique_lock<std::mutex> lock(mutex_);
    wait(changed_, lock, until, [this] { return stopped(); });
    return time_.now() >= until;
  }

  /// The time until the rate limit, or the pause after a 429, allows one more commit.
  Clock::duration pause_of_rate_limit() noexcept {
    ClientSetup& setup = *client_.open_->core->setup();
    const UsersCode guard;
    try {
      const auto now = setup.options.steady_clock();
      const double spread = setup.rate_limiter.paused(now) ? setup.options.random() : 0;
      return *setup.rate_limiter.reserve(now, now, (Clock::time_point::max)(), spread) - now;
    } catch (...) {
      return Clock::duration::zero();  // the commit gets the same exception and ends with it
    }
  }

  static Error stopped_while_waiting() {
    Error error = rate_limited();
    error.message =
        "not sent: the batch was stopped while this waited for ClientOptions::rate_limit, or for the "
        "end of the pause after a 429";
    return error;
  }

  void end_before_it_began(const Request& request, const CommitResult& result) noexcept {
    const Hooks& hooks = client_.open_->core->setup()->options.hooks;
    if (hooks.on_call) run_users_code([&] { hooks.on_call({request->out_trade_no, result, 0, {}}); });
    end(request, result);
  }

  /// Call with the lock held. Whether no more commits may start.
  bool stopped() {
    if (!ending_ && options_.stop.stop_requested()) {
      ending_ = true;
      summary_.stopped = true;
    }
    return ending_;
  }

  /// Call with the lock held. The batch may be destroyed as soon as the lock is released.
  void give_place() {
    if (places_.give()) free_.notify_all();
    if (places_.all_free()) changed_.notify_all();
  }

  /// Call with the lock held.
  void wake_all() {
    free_.notify_all();
    changed_.notify_all();
  }

  /// Null at the end of the backlog, or if its source throws.
  Request take_request() {
    const std::lock_guard<std::mutex> one_at_a_time(source_);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
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
    wake_all();
    return nullptr;
  }

  /// Whether the batch continues.
  bool take_result(const BonusCommitRequest& request, const CommitResult& result) {
    const std::lock_guard<std::mutex> one_at_a_time(sink_);
    try {
      return take_(request, result);
    } catch (...) {
      return false;  // documented at TakeResult
    }
  }

  const BonusCommitClient client_;  ///< a copy, so that it is not destroyed while the batch runs
  NextRequest next_;
  TakeResult take_;
  const BatchOptions options_;
  const BatchTime time_;
  std::mutex source_;                ///< one thread at a time calls next_
  std::mutex sink_;                  ///< one thread at a time calls take_
  std::mutex mutex_;                 ///< guards the rest
  std::condition_variable free_;     ///< notified when places are free, or when the batch ends
  std::condition_variable changed_;  ///< notified when the batch ends, or when the last commit in progress has ended
  Places places_;
  bool exhausted_ = false;  ///< the source has no more requests
  bool ending_ = false;     ///< no more commits may start
  BatchSummary summary_;
  std::exception_ptr failure_;
  const StopCallback<std::function<void()>> wake_;  ///< last: it uses the other members
};

}  // namespace stages

WECHATPAY_BONUS_COMMIT_END

#endif
