#ifndef WECHATPAY_BONUS_COMMIT_IMPL_STOP_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_STOP_IPP

#include "wechatpay/bonus_commit/stop.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "wechatpay/bonus_commit/impl/system.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {

/// The callbacks of one process. A child process has its own: a thread that does not exist there may hold the parent's
/// lock.
struct StopCallbacks {
  const unsigned process = this_process();
  std::mutex mutex;  ///< guards the rest
  StopRegistration* first = nullptr;
  StopRegistration* running = nullptr;
  std::thread::id runner;                      ///< the thread that runs `running`
  std::condition_variable* awaited = nullptr;  ///< waits for the end of `running`

  bool in_child() const noexcept { return process != this_process(); }
};

/// The state shared by a source and its tokens.
class StopState {
 public:
  StopState() = default;
  StopState(const StopState&) = delete;
  StopState& operator=(const StopState&) = delete;
  ~StopState() {
    StopCallbacks* const current = current_;
    if (current != &parents_ && !current->in_child()) delete current;
  }

  bool requested() const noexcept { return requested_; }

  bool request() noexcept;
  void enlist(StopRegistration& registration);
  static void withdraw(StopRegistration& registration) noexcept;

 private:
  StopCallbacks& callbacks();
  static void remove(StopRegistration& registration) noexcept;

  std::atomic<bool> requested_{false};
  StopCallbacks parents_;  ///< of the process that created this object
  std::atomic<StopCallbacks*> current_{&parents_};
};

/// The callbacks of this process.
WECHATPAY_BONUS_COMMIT_DECL StopCallbacks& StopState::callbacks() {
  StopCallbacks* found = current_;
  while (found->in_child()) {
    auto own = std::make_unique<StopCallbacks>();
    if (current_.compare_exchange_strong(found, own.get())) return *own.release();
  }
  return *found;
}

WECHATPAY_BONUS_COMMIT_DECL bool StopState::request() noexcept {
  if (requested_.exchange(true)) return false;
  StopCallbacks& callbacks = *current_;
  if (callbacks.in_child()) return true;  // this process has no callbacks
  const NoThreadCancellation whole;
  std::unique_lock<std::mutex> lock(callbacks.mutex);
  callbacks.runner = std::this_thread::get_id();
  while (StopRegistration* const next = callbacks.first) {
    remove(*next);
    callbacks.running = next;
    lock.unlock();
    next->call();
    if (callbacks.in_child()) return true;  // the callback has forked
    lock.lock();
    callbacks.running = nullptr;
    if (callbacks.awaited != nullptr) callbacks.awaited->notify_all();
    callbacks.awaited = nullptr;
  }
  return true;
}

WECHATPAY_BONUS_COMMIT_DECL void StopState::enlist(StopRegistration& registration) {
  StopCallbacks& own = callbacks();
  {
    const std::lock_guard<std::mutex> lock(own.mutex);
    // Checked under the lock: request() sets the flag first and then takes the lock.
    if (!requested_) {
      registration.callbacks_ = &own;
      registration.waits_ = true;
      registration.next_ = own.first;
      if (own.first != nullptr) own.first->previous_ = &registration;
      own.first = &registration;
      return;
    }
  }
  registration.call();
}

/// Call with the lock held.
WECHATPAY_BONUS_COMMIT_DECL void StopState::remove(StopRegistration& registration) noexcept {
  registration.waits_ = false;
  if (registration.next_ != nullptr) registration.next_->previous_ = registration.previous_;
  (registration.previous_ != nullptr ? registration.previous_->next_ : registration.callbacks_->first) =
      registration.next_;
}

WECHATPAY_BONUS_COMMIT_DECL void StopState::withdraw(StopRegistration& registration) noexcept {
  StopCallbacks& callbacks = *registration.callbacks_;
  if (callbacks.in_child()) return;
  const NoThreadCancellation whole;
  std::unique_lock<std::mutex> lock(callbacks.mutex);
  if (registration.waits_) return remove(registration);
  if (callbacks.running != &registration || callbacks.runner == std::this_thread::get_id()) return;
  std::condition_variable ended;
  callbacks.awaited = &ended;
  ended.wait(lock, [&] { return callbacks.running != &registration; });
}

WECHATPAY_BONUS_COMMIT_DECL void StopRegistration::enlist(const StopToken& token) {
  state_ = token.state_;
  if (state_ != nullptr) state_->enlist(*this);
}

WECHATPAY_BONUS_COMMIT_DECL void StopRegistration::withdraw() noexcept {
  if (callbacks_ != nullptr) StopState::withdraw(*this);
}

WECHATPAY_BONUS_COMMIT_DECL void StopRegistration::call() noexcept {
  try {
    run_(*this);
  } catch (...) {
    // Documented at StopCallback: if one callback throws, the others must still be called.
  }
}

}  // namespace stages

WECHATPAY_BONUS_COMMIT_DECL bool StopToken::stop_requested() const noexcept {
  return state_ != nullptr && state_->requested();
}

WECHATPAY_BONUS_COMMIT_DECL StopSource::StopSource() : state_(std::make_shared<stages::StopState>()) {}

WECHATPAY_BONUS_COMMIT_DECL bool StopSource::request_stop() const noexcept {
  const auto state = state_;  // NOLINT(performance-unnecessary-copy-initialization): a callback may destroy *this
  return state != nullptr && state->request();
}

WECHATPAY_BONUS_COMMIT_END

#endif
