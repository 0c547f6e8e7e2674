#include "src/curl/event_loop_driver.hpp"

#include <algorithm>
#include <utility>

#include "src/curl/live_drivers.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace curl {

EventLoopDriver::EventLoopDriver(CurlOptions options)
    : options_(std::move(options)),
      process_(stages::this_process()),
      loop_(options_.event_loop.get()),
      transfers_(options_, this, [this](Multi* multi) {
        if (multi == nullptr) libcurl_timer_ = never;
      }) {}

bool EventLoopDriver::initialize() {
  mailbox_.wake_by([this] { return post_turn(); });
  return mailbox_.sleeps() && transfers_.initialize();
}

bool EventLoopDriver::post_turn() noexcept {
  try {
    options_.event_loop->post([weak = weak_from_this()] {
      if (const auto driver = weak.lock()) driver->turn(CURL_SOCKET_TIMEOUT, 0);
    });
    return true;
  } catch (...) {
    return false;
  }
}

/// Runs on the user's loop. It was called because `socket` is ready for `events`, the timer has fired, or there is
/// mail.
void EventLoopDriver::turn(curl_socket_t socket, int events) noexcept {
  if (process_ != stages::this_process() || turning_.load() == std::this_thread::get_id()) return;
  const auto self = shared_from_this();
  const std::lock_guard<std::mutex> lock(turn_);
  if (ended_) return;
  turning_ = std::this_thread::get_id();
  bool may_be_more = true;
  while (may_be_more && !ended_) {
    Mail mail = mailbox_.take();
    if (mail.closed) {
      end(std::move(mail));
    } else {
      may_be_more =
          transfers_.round(std::move(mail), std::exchange(socket, CURL_SOCKET_TIMEOUT), std::exchange(events, 0)) ||
          !mailbox_.sleeps();
    }
  }
  set_timer();
  turning_ = std::thread::id();
}

void EventLoopDriver::shut_down() noexcept {
  mailbox_.close();
  if (turning_.load() == std::this_thread::get_id()) return;  // the current turn does that
  const auto self = shared_from_this();
  const std::lock_guard<std::mutex> lock(turn_);
  if (ended_) return;
  turning_ = std::this_thread::get_id();
  end(mailbox_.take());
  set_timer();
  turning_ = std::thread::id();
}

void EventLoopDriver::shut_down_at_exit() noexcept {
  mailbox_.close();
  std::unique_lock<std::mutex> lock(turn_, std::defer_lock);
  if (turning_.load() != std::this_thread::get_id()) lock.lock();
  loop_ = nullptr;
  if (!ended_) end(mailbox_.take());
}

void EventLoopDriver::end(Mail mail) noexcept {
  ended_ = true;
  transfers_.end(std::move(mail));
  libcurl_timer_ = never;
}

/// Sets the user's timer to the next moment, unless it is set to that already.
void EventLoopDriver::set_timer() noexcept {
  const TimePoint next = ended_ ? never : std::min(transfers_.next_moment(), libcurl_timer_);
  if (next == timer_ || loop_ == nullptr) return;
  timer_ = next;
  try {
    if (next == never) return loop_->set_timer(milliseconds(0), nullptr);
    loop_->set_timer(until(next), [weak = weak_from_this()] {
      const auto driver = weak.lock();
      if (driver == nullptr) return;
      driver->timer_ = never;
      driver->turn(CURL_SOCKET_TIMEOUT, 0);
    });
  } catch (...) {
    // Without a timer, waiting requests would never end.
    timer_ = never;
    const char* const why = "EventLoop::set_timer() failed";
    transfers_.complete_all(TransportFault::other, why, why);
  }
}

bool EventLoopDriver::watch(curl_socket_t socket, int what) noexcept {
  if (loop_ == nullptr) return true;
  try {
    EventLoop::Ready ready;
    if (what != CURL_POLL_REMOVE) {
      ready = [weak = weak_from_this(), socket](bool readable, bool writable) {
        const auto driver = weak.lock();
        const int events = (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0);
        if (driver != nullptr) driver->turn(socket, events);
      };
    }
    const bool reading = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
    const bool writing = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
    loop_->watch(static_cast<EventLoop::Socket>(socket), reading, writing, std::move(ready));
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END
