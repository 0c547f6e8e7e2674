/// Ending calls early, in the words of C++20's std::stop_token.
#ifndef WECHATPAY_BONUS_COMMIT_STOP_HPP
#define WECHATPAY_BONUS_COMMIT_STOP_HPP

#include <memory>
#include <type_traits>
#include <utility>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

class StopState;
struct StopCallbacks;

/// Says whether a stop has been requested of the StopSource that it comes from. Give copies to any number of calls
/// (CallOptions::stop) and batches (BatchOptions::stop). Thread-safe.
class StopToken {
 public:
  /// One that never stops.
  StopToken() noexcept = default;

  /// Whether it has been requested. Without a lock.
  WECHATPAY_BONUS_COMMIT_EXPORT bool stop_requested() const noexcept;

  /// Whether it comes from a source.
  bool stop_possible() const noexcept { return state_ != nullptr; }

 private:
  friend class StopSource;
  friend class StopRegistration;

  explicit StopToken(std::shared_ptr<StopState> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<StopState> state_;
};

/// Requests a stop of all that have its tokens. Copies share one state. Thread-safe.
class StopSource {
 public:
  /// Throws std::bad_alloc.
  WECHATPAY_BONUS_COMMIT_EXPORT StopSource();

  /// The first time, calls all StopCallbacks on this thread, in any order, and returns true. Not for a signal handler.
  /// In a child process after fork() it calls those that were made there.
  WECHATPAY_BONUS_COMMIT_EXPORT bool request_stop() const noexcept;

  /// Whether it has been requested. Without a lock.
  bool stop_requested() const noexcept { return get_token().stop_requested(); }

  /// A token of this source.
  StopToken get_token() const noexcept { return StopToken(state_); }

 private:
  std::shared_ptr<StopState> state_;
};

/// \ingroup stages
/// A StopCallback's place among those of its source.
class StopRegistration {
 public:
  StopRegistration(const StopRegistration&) = delete;
  StopRegistration& operator=(const StopRegistration&) = delete;

 protected:
  using Run = void (*)(StopRegistration&);  ///< calls the callback

  /// In no list yet.
  explicit StopRegistration(Run run) noexcept : run_(run) {}
  ~StopRegistration() = default;

  /// From here on, the callback may run.
  WECHATPAY_BONUS_COMMIT_EXPORT void enlist(const StopToken& token);

  /// From here on, it does not run on another thread.
  WECHATPAY_BONUS_COMMIT_EXPORT void withdraw() noexcept;

 private:
  friend class StopState;

  void call() noexcept;

  const Run run_;
  std::shared_ptr<StopState> state_;
  StopCallbacks* callbacks_ = nullptr;  ///< of the process that it is in; null: it is in none
  // Under the lock of callbacks_.
  StopRegistration* next_ = nullptr;
  StopRegistration* previous_ = nullptr;
  bool waits_ = false;  ///< it has not run
};

/// Calls `callback` once, when a stop is requested: on the thread that requests it, or in the constructor where it has
/// been requested by then. An exception that it throws is swallowed.
///
/// Making and destroying one takes the same short time however many a token has. The destructor waits for a callback
/// that runs at that moment on another thread, so do not hold a lock that the callback needs; on the thread that runs
/// it, in the callback itself even, it does not wait. The constructor throws std::bad_alloc at most in a child process
/// after fork(), where callbacks of the parent's are not called.
template <typename Callback>
class [[nodiscard]] StopCallback : private StopRegistration {
 public:
  /// From here on, `callback` may run.
  template <typename Given>
  explicit StopCallback(const StopToken& token, Given&& callback)
      : StopRegistration([](StopRegistration& self) { static_cast<StopCallback&>(self).callback_(); }),
        callback_(std::forward<Given>(callback)) {
    enlist(token);
  }
  ~StopCallback() { withdraw(); }

 private:
  Callback callback_;
};

/// Holds the callback that it is given.
template <typename Callback>
StopCallback(const StopToken&, Callback) -> StopCallback<Callback>;

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/stop.ipp"
#endif

#endif
