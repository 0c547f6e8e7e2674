/// Ending calls early, as with C++20's std::stop_token.
#ifndef WECHATPAY_BONUS_COMMIT_STOP_HPP
#define WECHATPAY_BONUS_COMMIT_STOP_HPP

#include <memory>
#include <utility>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {
class StopRegistration;
class StopState;
struct StopCallbacks;
}  // namespace stages

/// Tells whether its StopSource has been asked to stop. Pass copies to any number of calls (CallOptions::stop) and
/// batches (BatchOptions::stop). Thread-safe.
class StopToken {
 public:
  /// A token that never stops.
  StopToken() noexcept = default;

  /// Whether it has been requested. Without a lock.
  WECHATPAY_BONUS_COMMIT_EXPORT bool stop_requested() const noexcept;

  /// Whether it belongs to a source.
  bool stop_possible() const noexcept { return state_ != nullptr; }

 private:
  friend class StopSource;
  friend class stages::StopRegistration;

  explicit StopToken(std::shared_ptr<stages::StopState> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<stages::StopState> state_;
};

/// Requests a stop of all calls and batches that have its tokens. Copies share one state. Thread-safe.
class StopSource {
 public:
  /// Throws std::bad_alloc.
  WECHATPAY_BONUS_COMMIT_EXPORT StopSource();

  /// The first call runs all StopCallbacks on this thread, in any order, and returns true. Do not call it in a signal
  /// handler. In a child process after fork() it runs the callbacks that were created there.
  WECHATPAY_BONUS_COMMIT_EXPORT bool request_stop() const noexcept;

  /// Whether it has been requested. Without a lock.
  bool stop_requested() const noexcept { return get_token().stop_requested(); }

  /// Returns a token of this source.
  StopToken get_token() const noexcept { return StopToken(state_); }

 private:
  std::shared_ptr<stages::StopState> state_;
};

namespace stages {

/// \ingroup stages
/// A StopCallback's entry in the list of its source.
class StopRegistration {
 public:
  StopRegistration(const StopRegistration&) = delete;
  StopRegistration& operator=(const StopRegistration&) = delete;

 protected:
  using Run = void (*)(StopRegistration&);  ///< calls the callback

  /// Not in a list yet.
  explicit StopRegistration(Run run) noexcept : run_(run) {}
  ~StopRegistration() = default;

  /// From here on, the callback may run.
  WECHATPAY_BONUS_COMMIT_EXPORT void enlist(const StopToken& token);

  /// From here on, the callback does not run on another thread.
  WECHATPAY_BONUS_COMMIT_EXPORT void withdraw() noexcept;

 private:
  friend class StopState;

  void call() noexcept;

  const Run run_;
  std::shared_ptr<StopState> state_;
  StopCallbacks* callbacks_ = nullptr;  ///< the list of its process; null: it is in none
  // Under the lock of callbacks_.
  StopRegistration* next_ = nullptr;
  StopRegistration* previous_ = nullptr;
  bool waits_ = false;  ///< the callback has not run yet
};

}  // namespace stages

/// Calls `callback` once when a stop is requested: on the thread that requests it, or in the constructor if it was
/// requested before. An exception that the callback throws is ignored.
///
/// Creating and destroying one takes constant time, however many a token has. If the callback is running on another
/// thread, the destructor waits for it, so do not hold a lock that the callback needs. On the thread that runs the
/// callback, even inside the callback itself, the destructor does not wait. The constructor throws std::bad_alloc only
/// in a child process after fork(), where the parent's callbacks are not called.
template <typename Callback>
class [[nodiscard]] StopCallback : private stages::StopRegistration {
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

/// Deduces the type of the callback.
template <typename Callback>
StopCallback(const StopToken&, Callback) -> StopCallback<Callback>;

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/stop.ipp"
#endif

#endif
