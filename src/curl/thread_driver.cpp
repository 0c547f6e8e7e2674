#include "src/curl/thread_driver.hpp"

#include <exception>
#include <utility>

#if !defined(_WIN32)
#include <csignal>
#endif

#include "src/curl/live_drivers.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace curl {
namespace {

/// While this object exists, new threads inherit its signal mask. So the user's signal handlers do not run on them, and
/// SIGPIPE never reaches the process. Signals that the thread's own faults raise are not blocked, for crash handlers
/// and for runtimes that need them.
class SignalsBlocked {
 public:
#if defined(_WIN32)
  SignalsBlocked() = default;
#else
  SignalsBlocked() noexcept {
    sigset_t most;
    sigfillset(&most);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&most, fault);
    pthread_sigmask(SIG_SETMASK, &most, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
#endif
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

#if !defined(_WIN32)
 private:
  sigset_t before_{};
#endif
};

}  // namespace

ThreadDriver::ThreadDriver(CurlOptions options)
    : options_(std::move(options)), loop_(options_, nullptr, [this](Multi* multi) { wake_by(multi); }) {}

Mailbox::Posted ThreadDriver::post(Requests& request) noexcept {
  const auto started = started_ ? Mailbox::Posted::taken : start_thread();
  return started == Mailbox::Posted::taken ? mailbox_.post(request) : started;
}

Mailbox::Posted ThreadDriver::start_thread() noexcept {
  const std::lock_guard<std::mutex> lock(shared_.mutex);
  if (shared_.closed) return Mailbox::Posted::closed;
  if (started_) return Mailbox::Posted::taken;
  try {
    const SignalsBlocked blocked;
    shared_.thread = std::thread([self = shared_from_this()] { self->run(); });
  } catch (const std::exception&) {
    return Mailbox::Posted::driver_unreachable;
  }
  started_ = true;
  return Mailbox::Posted::taken;
}

void ThreadDriver::run() noexcept {
  thread_id_ = std::this_thread::get_id();
  // Else each request and each answer would interrupt a thread that signs, for a round of work with little to do.
  stages::let_running_threads_finish();
  while (true) {
    Mail mail = mailbox_.take();
    if (mail.closed) {
      loop_.end(std::move(mail));
      break;
    }
    const bool may_be_more = loop_.round(std::move(mail));
    if (!may_be_more && loop_.next_moment() > Clock::now()) sleep();
  }
  const std::lock_guard<std::mutex> lock(shared_.mutex);
  shared_.ended = true;
  shared_.has_ended.notify_all();
}

void ThreadDriver::sleep() noexcept {
  Multi* const multi = loop_.multi();
  // Without transfers libcurl has nothing to wait for, and a condition variable costs less than its wake-up.
  if (multi == nullptr || multi->idle()) return mailbox_.sleep_until(loop_.next_moment());
  if (!mailbox_.sleeps()) return;
  if (multi->wait(loop_.next_moment())) return;
  // This may fail repeatedly: do not end because of it, and do not use all CPU time.
  std::this_thread::sleep_for(milliseconds(10));
}

void ThreadDriver::wake_by(Multi* multi) noexcept {
  Mailbox::Wake wake;
  if (multi != nullptr) wake = [multi] { return multi->wake(); };  // small enough to need no allocation
  mailbox_.wake_by(std::move(wake));
}

void ThreadDriver::shut_down() noexcept {
  mailbox_.close();
  std::thread thread;
  {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.closed = true;
    if (!started_) return;
    thread.swap(shared_.thread);
  }
  if (thread_id_.load() == std::this_thread::get_id()) {
    if (thread.joinable()) LiveDrivers::get().join_later(std::move(thread), weak_from_this());
  } else if (thread.joinable()) {
    thread.join();
  } else {
    std::unique_lock<std::mutex> lock(shared_.mutex);
    shared_.has_ended.wait(lock, [this] { return shared_.ended; });
  }
}

void ThreadDriver::shut_down_at_exit() noexcept {
  const bool on_own_thread = thread_id_.load() == std::this_thread::get_id();
  shut_down();
  if (on_own_thread) loop_.end(mailbox_.take());
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END
