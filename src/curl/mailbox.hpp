/// Messages from any thread to the thread that drives the transfers.
#ifndef WECHATPAY_SRC_CURL_MAILBOX_HPP
#define WECHATPAY_SRC_CURL_MAILBOX_HPP

#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

#include "src/curl/queued_request.hpp"

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// What has arrived since the driver last checked.
struct Mail {
  Requests requests;
  bool stops = false;   ///< the stop of at least one request was requested
  bool closed = false;  ///< no more mail will come
};

/// Wakes the driver only if it sleeps, and at most once, however much mail comes in meanwhile.
class Mailbox {
 public:
  /// Returns whether the driver will check the mailbox. Called by one thread at a time.
  using Wake = std::function<bool()>;

  enum class Posted { taken, closed, driver_unreachable };

  // Called by any thread.

  /// Takes over `request`, or returns why not.
  Posted post(Requests& request) noexcept {
    const std::lock_guard<std::mutex> one_at_a_time(posting_.mutex);
    bool wake = false;
    {
      const std::lock_guard<std::mutex> lock(shared_.mutex);
      if (shared_.mail.closed) return Posted::closed;
      // If the request was stopped just now, the driver may have checked for stops before the request was here.
      shared_.mail.stops = shared_.mail.stops || request.front().stopped();
      shared_.mail.requests.splice(shared_.mail.requests.end(), request);
      wake = must_wake();
    }
    shared_.came_in.notify_one();
    if (!wake || posting_.wake()) return Posted::taken;
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    if (shared_.mail.requests.empty()) return Posted::taken;  // the driver has checked the mailbox after all
    shared_.driver_sleeps = true;
    request.swap(shared_.mail.requests);  // a sleeping driver had no requests before
    return Posted::driver_unreachable;
  }

  void post_stop() noexcept { mark(&Mail::stops); }

  void close() noexcept { mark(&Mail::closed); }

  // Called by the driver.

  /// All that has come in. From now until the next sleeps(), the driver is awake.
  Mail take() noexcept {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.driver_sleeps = false;
    Mail mail;
    mail.requests.swap(shared_.mail.requests);
    mail.stops = std::exchange(shared_.mail.stops, false);
    mail.closed = shared_.mail.closed;
    return mail;
  }

  /// From now until the next take(), `wake` is called for new mail. False if there is new mail already.
  bool sleeps() noexcept {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    if (has_mail()) return false;
    shared_.driver_sleeps = true;
    return true;
  }

  /// For a driver that waits for nothing else: sleeps until mail comes in, or until `moment`. Needs no `wake`.
  void sleep_until(TimePoint moment) noexcept {
    std::unique_lock<std::mutex> lock(shared_.mutex);
    const auto called = [this] { return has_mail(); };
    if (moment == never) {
      shared_.came_in.wait(lock, called);
    } else {
      shared_.came_in.wait_until(lock, moment, called);
    }
  }

  /// Sets how the driver is woken from now on; null: only sleep_until() notices new mail.
  void wake_by(Wake wake) noexcept {
    const std::lock_guard<std::mutex> lock(posting_.mutex);
    posting_.wake.swap(wake);
  }

 private:
  bool has_mail() const { return shared_.mail.closed || shared_.mail.stops || !shared_.mail.requests.empty(); }

  void mark(bool Mail::*what) noexcept {
    const std::lock_guard<std::mutex> one_at_a_time(posting_.mutex);
    bool wake = false;
    {
      const std::lock_guard<std::mutex> lock(shared_.mutex);
      shared_.mail.*what = true;
      wake = must_wake();
    }
    shared_.came_in.notify_one();
    if (!wake || posting_.wake()) return;
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.driver_sleeps = true;
  }

  /// Call with both locks held. If it returns true, the driver counts as awake.
  bool must_wake() noexcept { return posting_.wake && std::exchange(shared_.driver_sleeps, false); }

  /// Used by the posting threads, with the mutex held. The driver locks it only to set `wake`, so a driver that is
  /// woken does not wait for the thread that wakes it.
  struct Posting {
    std::mutex mutex;
    Wake wake;
  };
  Posting posting_;

  /// Used by any thread, with the mutex held; came_in is notified without it. This mutex is locked after that of
  /// posting_.
  struct Shared {
    std::mutex mutex;
    std::condition_variable came_in;
    Mail mail;
    bool driver_sleeps = false;
  };
  Shared shared_;
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif
