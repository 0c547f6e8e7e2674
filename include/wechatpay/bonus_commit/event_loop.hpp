/// The program's own event loop, for those who have one.
#ifndef WECHATPAY_BONUS_COMMIT_EVENT_LOOP_HPP
#define WECHATPAY_BONUS_COMMIT_EVENT_LOOP_HPP

#include <chrono>
#include <cstdint>
#include <functional>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// A port to the loop of Asio, libuv, libevent or the like, in which a CurlTransport then runs instead of on a thread
/// of its own (CurlOptions::event_loop): sockets, timers and completions are all served by the loop's thread.
///
/// One EventLoop serves one transport. All members but post() are called on the loop's thread, or, once the loop has
/// ended, by the transport's destructor. `ready`, `expired` and `task` must run on the loop's thread, one at a time,
/// and never before the member that took them has returned. Each may let go of the transport, and with it of this
/// object, so touch nothing of it after a call of theirs. They do nothing where the transport has gone.
class WECHATPAY_BONUS_COMMIT_TYPE EventLoop {
 public:
  using Socket = std::intptr_t;  ///< a file descriptor; a SOCKET on Windows

  /// Told whether the socket can be read, and whether it can be written. An error on it is both.
  using Ready = std::function<void(bool readable, bool writable)>;

  EventLoop() = default;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  virtual ~EventLoop() = default;

  /// Runs `task` soon, or throws; the call in question then ends with an error. One that is dropped silently leaves
  /// calls unended until the transport's end. Thread-safe, and must not wait for the loop, nor for a lock that is held
  /// while tasks run.
  virtual void post(std::function<void()> task) = 0;

  /// Calls `ready` each time that `socket` is ready for reading or writing, whichever is wanted, as long as it is, and
  /// until the socket's next watch(). With neither wanted, `ready` is null and the socket is to be forgotten before
  /// watch() returns: it will be closed.
  virtual void watch(Socket socket, bool reading, bool writing, Ready ready) = 0;

  /// Calls `expired` once, `delay` from now, instead of what was set before. Null: only forgets that.
  virtual void set_timer(std::chrono::milliseconds delay, std::function<void()> expired) = 0;
};

WECHATPAY_BONUS_COMMIT_END

#endif
