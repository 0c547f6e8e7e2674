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
  /// Returns whether the driver will look. Called under the lock.
  using Wake = std::function<bool()>;

  enum class Posted { taken, closed, driver_unreachable };

  // Any thread's.

  /// Takes over `request`, or says why not.
  Posted post(Requests& request) noexcept {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    if (shared_.mail.closed) return Posted::closed;
    if (!wake()) return Posted::driver_unreachable;
    // Where it was stopped just now, the driver may have looked for it before it was here.
    shared_.mail.stops = shared_.mail.stops || request.front().stopped();
    shared_.mail.requests.splice(shared_.mail.requests.end(), request);
    return Posted::taken;
  }

  void post_stop() noexcept {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.mail.stops = true;
    wake();
  }

  void close() noexcept {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.mail.closed = true;
    wake();
  }

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

  /// How the driver is woken from now on; null: from sleep_until() alone.
  void wake_by(Wake wake) noexcept {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.wake.swap(wake);
  }

 private:
  bool has_mail() const { return shared_.mail.closed || shared_.mail.stops || !shared_.mail.requests.empty(); }

  bool wake() noexcept {
    shared_.came_in.notify_one();
    if (!shared_.driver_sleeps || !shared_.wake) return true;
    shared_.driver_sleeps = !shared_.wake();
    return !shared_.driver_sleeps;
  }

  /// Any thread's, under the mutex.
  struct Shared {
    std::mutex mutex;
    std::condition_variable came_in;
    Mail mail;
    bool driver_sleeps = false;
    Wake wake;
  };
  Shared shared_;
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif
