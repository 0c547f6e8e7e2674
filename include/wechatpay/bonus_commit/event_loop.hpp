/// An adapter for the program's own event loop.
#ifndef WECHATPAY_BONUS_COMMIT_EVENT_LOOP_HPP
#define WECHATPAY_BONUS_COMMIT_EVENT_LOOP_HPP

#include <chrono>
#include <cstdint>
#include <functional>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Derive from this class to run a CurlTransport in the event loop of Asio, libuv, libevent or the like instead of on
/// its own thread (CurlOptions::event_loop). The loop's thread then serves all sockets, timers and completions.
///
/// One EventLoop serves one transport. All members except post() are called on the loop's thread or, after the loop has
/// ended, by the transport's destructor. `ready`, `expired` and `task` must run on the loop's thread, one at a time,
/// and never before the member function that received them has returned. Each of them may release the transport, and
/// with it this object, so do not use this object after calling one. They do nothing after the transport is destroyed.
class WECHATPAY_BONUS_COMMIT_TYPE EventLoop {
 public:
  using Socket = std::intptr_t;  ///< a file descriptor; a SOCKET on Windows

  /// Receives whether the socket is readable, and whether it is writable. Report an error on the socket as both.
  using Ready = std::function<void(bool readable, bool writable)>;

  EventLoop() = default;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  virtual ~EventLoop() = default;

  /// Runs `task` soon. If post() throws, the call that needs the task ends with an error. If post() drops a task
  /// silently, calls do not end until the transport is destroyed. Must be thread-safe, and must not wait for the loop,
  /// nor for a lock that is held while tasks run.
  virtual void post(std::function<void()> task) = 0;

  /// Calls `ready` whenever `socket` is ready for reading or writing, whichever is requested, as long as it is ready,
  /// and until the next watch() of that socket. If neither is requested, `ready` is null: forget the socket before
  /// watch() returns, because it is closed then.
  virtual void watch(Socket socket, bool reading, bool writing, Ready ready) = 0;

  /// Calls `expired` once after `delay`, and replaces the timer that was set before. Null only cancels that timer.
  virtual void set_timer(std::chrono::milliseconds delay, std::function<void()> expired) = 0;
};

WECHATPAY_BONUS_COMMIT_END

#endif
