/// From any thread to the one that drives the transfers.
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

/// What has come in since the driver looked.
struct Mail {
  Requests requests;
  bool stops = false;   ///< some request's stop is asked for
  bool closed = false;  ///< there will be no more
};

/// Wakes the driver only where it sleeps: at most once, however much comes in meanwhile.
class Mailbox {
 public:
  /// Returns whether the driver will look. Called by one thread at a time.
  using Wake = std::function<bool()>;

  enum class Posted { taken, closed, driver_unreachable };

  // Any thread's.

  /// Takes over `request`, or says why not.
  Posted post(Requests& request) noexcept {
    const std::lock_guard<std::mutex> one_at_a_time(posting_.mutex);
    {
      const std::lock_guard<std::mutex> lock(shared_.mutex);
      if (shared_.mail.closed) return Posted::closed;
      // Where it was stopped just now, the driver may have looked for it before it was here.
      shared_.mail.stops = shared_.mail.stops || request.front().stopped();
      shared_.mail.requests.splice(shared_.mail.requests.end(), request);
      if (!must_wake()) return Posted::taken;
    }
    if (posting_.wake()) return Posted::taken;
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    if (shared_.mail.requests.empty()) return Posted::taken;  // the driver has looked all the same
    shared_.driver_sleeps = true;
    request.swap(shared_.mail.requests);  // a driver that sleeps had none before
    return Posted::driver_unreachable;
  }

  void post_stop() noexcept { mark(&Mail::stops); }

  void close() noexcept { mark(&Mail::closed); }

  // The driver's.

  /// All that has come in. From here to the next sleeps() the driver is awake.
  Mail take() noexcept {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.driver_sleeps = false;
    Mail mail;
    mail.requests.swap(shared_.mail.requests);
    mail.stops = std::exchange(shared_.mail.stops, false);
    mail.closed = shared_.mail.closed;
    return mail;
  }

  /// From here to the next take(), `wake` is called for what comes in. False where something has come in by now.
  bool sleeps() noexcept {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    if (has_mail()) return false;
    shared_.driver_sleeps = true;
    return true;
  }

  /// Sleeps where there is no other way to be woken: until something has come in, or `moment`.
  void sleep_until(TimePoint moment) noexcept {
    std::unique_lock<std::mutex> lock(shared_.mutex);
    const auto called = [this] { return has_mail(); };
    if (moment == never) {
      shared_.came_in.wait(lock, called);
    } else {
      shared_.came_in.wait_until(lock, moment, called);
    }
  }

  /// How the driver is woken from now on; null: only from sleep_until().
  void wake_by(Wake wake) noexcept {
    const std::lock_guard<std::mutex> lock(posting_.mutex);
    posting_.wake.swap(wake);
  }

 private:
  bool has_mail() const { return shared_.mail.closed || shared_.mail.stops || !shared_.mail.requests.empty(); }

  void mark(bool Mail::*what) noexcept {
    const std::lock_guard<std::mutex> one_at_a_time(posting_.mutex);
    {
      const std::lock_guard<std::mutex> lock(shared_.mutex);
      shared_.mail.*what = true;
      if (!must_wake()) return;
    }
    if (posting_.wake()) return;
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.driver_sleeps = true;
  }

  /// Under both locks. Where it is true, the driver counts as awake.
  bool must_wake() noexcept {
    shared_.came_in.notify_one();
    return posting_.wake && std::exchange(shared_.driver_sleeps, false);
  }

  /// Who posts, under the mutex. The driver does not need it, so that one that is woken never waits for who wakes it.
  struct Posting {
    std::mutex mutex;
    Wake wake;
  };
  Posting posting_;

  /// Any thread's, under the mutex, which is locked after that of posting_.
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
