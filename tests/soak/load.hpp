/// The soak's calls, from several threads, and the result of each.
#ifndef WECHATPAY_TESTS_SOAK_LOAD_HPP
#define WECHATPAY_TESTS_SOAK_LOAD_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/soak/orders.hpp"
#include "tests/soak/process.hpp"
#include "wechatpay/bonus_commit.hpp"

namespace wechatpay::bonus_commit {

enum class Verdict : std::uint8_t { none, credited, refused, unknown, not_sent };

/// Two clients on one transport. A fifth of the calls has only one try, so that the effect of a fault on a call is
/// visible. With three tries, nearly every call succeeds.
struct Clients {
  BonusCommitClient trying_again;
  BonusCommitClient trying_once;

  static bool tries_once(std::uint32_t number) { return number % 5 == 0; }
  const BonusCommitClient& of(std::uint32_t number) const { return tries_once(number) ? trying_once : trying_again; }
};

/// The result of one call.
struct Call {
  std::atomic<std::uint32_t> results{0};
  std::atomic<std::uint32_t> events{0};  ///< Hooks::on_call
  std::atomic<Verdict> verdict{Verdict::none};
  std::atomic<std::uint8_t> tries{0};
  std::atomic<bool> cancel_asked{false};
  std::atomic<bool> cancelled{false};
};

/// One call for each order. All memory for the results is allocated at the beginning.
class Load {
 public:
  Load(const Orders& orders, std::uint32_t commits, std::uint64_t seed, unsigned threads)
      : orders_(orders), seed_(seed), threads_(threads), calls_(commits) {}

  /// For the clients' options.
  Hooks hooks() {
    Hooks hooks;
    hooks.on_try = [this](const TryEvent&) { ++tries_; };
    hooks.on_call = [this](const CallEvent& event) {
      if (const auto number = Orders::number_of_order(event.out_trade_no)) ++calls_.at(*number).events;
      auto longest = longest_.load();
      while (longest < event.duration.count() && !longest_.compare_exchange_weak(longest, event.duration.count())) {
      }
    };
    return hooks;
  }

  /// Commits the orders up to number `end` that have not been committed yet, and returns when all calls have a result.
  void run(const Clients& clients, std::uint32_t end) {
    const auto begin = std::chrono::steady_clock::now();
    const auto processor_before = processor_time();
    end_ = end;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < threads_; ++i) {
      threads.emplace_back([this, &clients, i] {
        Random random(seed_ + next_ + i);
        if (i % 3 == 0) commit_and_wait(clients);
        if (i % 3 == 1) commit_with_futures(clients, random);
        if (i % 3 == 2) commit_with_callbacks(clients, random);
      });
    }
    for (std::thread& thread : threads) thread.join();
    next_ = end;  // each thread took one number too many
    time_ += std::chrono::steady_clock::now() - begin;
    processor_ += processor_time() - processor_before;
  }

  const std::vector<Call>& calls() const { return calls_; }
  std::uint64_t tries() const { return tries_; }

  /// The time and the CPU time that run() took, in all threads of this process.
  std::chrono::nanoseconds time() const { return time_; }
  std::chrono::microseconds processor() const { return processor_; }

  /// The longest of all calls.
  std::chrono::milliseconds longest() const { return std::chrono::milliseconds(longest_); }

  /// The number of results, without repeated ones. May be called in a signal handler.
  std::uint32_t ended() const { return ended_; }

  /// Errors that neither a sandbox fault nor a kill explains.
  std::uint32_t unexplained() const { return unexplained_; }

 private:
  using Random = std::mt19937_64;

  // At most this many calls of one thread are in progress. With six threads that is more than the number of
  // connections, so some calls wait for a connection.
  static constexpr std::size_t most_futures = 16;
  static constexpr std::size_t most_callbacks = 32;

  /// One in this many calls with a future or a callback is cancelled.
  static constexpr std::uint64_t one_cancelled_of = 40;

  std::optional<std::uint32_t> next() {
    const std::uint32_t number = next_++;
    if (number >= end_) return std::nullopt;
    return number;
  }

  void commit_and_wait(const Clients& clients) {
    while (const auto number = next()) note(*number, clients.of(*number).commit(orders_.request(*number)));
  }

  void commit_with_futures(const Clients& clients, Random& random) {
    std::deque<std::pair<std::uint32_t, CommitFuture>> under_way;
    const auto fetch_oldest = [&] {
      auto [number, future] = std::move(under_way.front());
      under_way.pop_front();
      note(number, future.get());
    };
    while (const auto number = next()) {
      under_way.emplace_back(*number, clients.of(*number).commit_async(orders_.request(*number)));
      cancel_one(under_way, random);
      if (under_way.size() == most_futures) fetch_oldest();
    }
    while (!under_way.empty()) fetch_oldest();
  }

  void commit_with_callbacks(const Clients& clients, Random& random) {
    std::mutex mutex;
    std::condition_variable one_ended;
    std::size_t under_way = 0;
    const auto wait_until_fewer_than = [&](std::size_t most) {
      std::unique_lock<std::mutex> lock(mutex);
      one_ended.wait(lock, [&] { return under_way < most; });
    };
    std::deque<std::pair<std::uint32_t, StopSource>> latest;
    while (const auto number = next()) {
      wait_until_fewer_than(most_callbacks);
      {
        const std::lock_guard<std::mutex> lock(mutex);
        ++under_way;
      }
      const auto take = [&, number](const CommitResult& result) {
        note(*number, result);
        const std::lock_guard<std::mutex> lock(mutex);
        --under_way;
        one_ended.notify_one();
      };
      CallOptions options;
      options.stop = latest.emplace_back(*number, StopSource()).second.get_token();
      clients.of(*number).commit_async(orders_.request(*number), take, options);
      cancel_one(latest, random);
      if (latest.size() == most_callbacks) latest.pop_front();
    }
    wait_until_fewer_than(1);
  }

  /// Sometimes cancels a random one of `calls`, at any stage.
  template <typename Stoppable>
  void cancel_one(std::deque<std::pair<std::uint32_t, Stoppable>>& calls, Random& random) {
    if (random() % one_cancelled_of != 0) return;
    auto& [number, call] = calls[random() % calls.size()];
    calls_[number].cancel_asked = true;
    call.request_stop();
  }

  void note(std::uint32_t number, const CommitResult& result) {
    Call& call = calls_[number];
    if (call.results++ != 0) return;
    call.verdict = verdict(result);
    call.tries =
        static_cast<std::uint8_t>(result ? static_cast<std::size_t>(result->tries) : result.error().tries.size());
    call.cancelled = !result && result.error().kind == ErrorKind::cancelled;
    if (!result && !is_explained(result.error(), call.cancel_asked) && unexplained_++ < 5) {
      std::fprintf(stderr, "soak: order %lu: %s\n", static_cast<unsigned long>(number),
                   result.error().to_string().c_str());
    }
    ++ended_;
  }

  static Verdict verdict(const CommitResult& result) {
    if (result) return Verdict::credited;
    switch (result.error().outcome) {
      case Outcome::refused: return Verdict::refused;
      case Outcome::not_sent: return Verdict::not_sent;
      case Outcome::unknown: break;
    }
    return Verdict::unknown;
  }

  /// Whether a sandbox fault, a kill or our cancelling can cause this end of a call.
  static bool is_explained(const Error& error, bool cancel_asked) {
    switch (error.kind) {
      case ErrorKind::cancelled: return cancel_asked;
      case ErrorKind::unverified_answer: return true;
      case ErrorKind::api_error:
      case ErrorKind::unexpected_answer: {
        constexpr int statuses[] = {200, 202, 302, 400, 403, 429, 500, 502, 503, 504};
        return std::find(std::begin(statuses), std::end(statuses), error.http_status()) != std::end(statuses);
      }
      case ErrorKind::transport_failed:
        switch (error.transport_fault) {
          case TransportFault::connect:
          case TransportFault::tls:
          case TransportFault::timeout:
          case TransportFault::no_free_connection:
          case TransportFault::connection_closed:
          case TransportFault::answer_too_large:
          case TransportFault::answer_malformed: return true;
          default: return false;
        }
      default: return false;
    }
  }

  const Orders orders_;
  const std::uint64_t seed_;
  const unsigned threads_;
  std::vector<Call> calls_;
  std::chrono::nanoseconds time_{0};
  std::chrono::microseconds processor_{0};
  std::atomic<std::uint32_t> next_{0};
  std::atomic<std::uint32_t> end_{0};
  std::atomic<std::uint64_t> tries_{0};
  std::atomic<std::chrono::milliseconds::rep> longest_{0};
  std::atomic<std::uint32_t> ended_{0};
  std::atomic<std::uint32_t> unexplained_{0};
};

}  // namespace wechatpay::bonus_commit

#endif
