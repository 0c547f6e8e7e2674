// An EventLoop of wechatpay::bonus_commit for Asio. Copy it, or write the same for libuv (uv_async_t, uv_poll_t,
// uv_timer_t) or libevent.
#ifndef ASIO_EVENT_LOOP_HPP
#define ASIO_EVENT_LOOP_HPP

#include <wechatpay/bonus_commit/event_loop.hpp>

#include <asio.hpp>
#include <functional>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

/// The io_context must be run by one thread and must outlive this object.
class AsioEventLoop final : public wechatpay::bonus_commit::EventLoop {
 public:
  explicit AsioEventLoop(asio::io_context& io) : io_(io), timer_(io) {}

  void post(std::function<void()> task) override { asio::post(io_, std::move(task)); }

  void watch(Socket socket, bool reading, bool writing, Ready ready) override {
    if (!reading && !writing) {
      const auto at = watched_.find(socket);
      if (at == watched_.end()) return;
      at->second->reading.wanted = at->second->writing.wanted = false;
      at->second->descriptor.release();  // libcurl closes it
      watched_.erase(at);
      return;
    }
    auto at = watched_.find(socket);
    if (at == watched_.end()) {
      auto made = std::make_shared<Watched>(io_, static_cast<int>(socket));
      try {
        at = watched_.emplace(socket, made).first;
      } catch (...) {
        made->descriptor.release();
        throw;
      }
    }
    const std::shared_ptr<Watched> watched = at->second;
    watched->ready = std::move(ready);
    watched->reading.wanted = reading;
    watched->writing.wanted = writing;
    wait(watched, &Watched::reading);
    wait(watched, &Watched::writing);
  }

  void set_timer(std::chrono::milliseconds delay, std::function<void()> expired) override {
    timer_.cancel();
    expired_.reset();
    if (expired == nullptr) return;
    expired_ = std::make_shared<std::function<void()>>(std::move(expired));
    timer_.expires_after(delay);
    // A timer that has already expired cannot be cancelled: Asio still calls this function, which then does nothing.
    timer_.async_wait([set = std::weak_ptr<std::function<void()>>(expired_)](std::error_code) {
      if (const auto due = set.lock()) (*due)();
    });
  }

 private:
  struct Direction {
    asio::posix::descriptor_base::wait_type type;
    bool wanted = false;
    bool waited_for = false;
  };

  struct Watched {
    Watched(asio::io_context& io, int socket) : descriptor(io, socket) {}

    asio::posix::stream_descriptor descriptor;
    Direction reading{asio::posix::descriptor_base::wait_read};
    Direction writing{asio::posix::descriptor_base::wait_write};
    Ready ready;
  };

  /// Asio reports readiness once, but libcurl needs reports as long as the socket is ready.
  static void wait(const std::shared_ptr<Watched>& watched, Direction Watched::*which) {
    Direction& direction = (*watched).*which;
    if (!direction.wanted || direction.waited_for) return;
    direction.waited_for = true;
    watched->descriptor.async_wait(direction.type, [watched, which](std::error_code /*libcurl reports it*/) {
      Direction& due = (*watched).*which;
      due.waited_for = false;
      if (!due.wanted) return;
      const Ready ready = watched->ready;  // a copy, since the call may replace it
      ready(which == &Watched::reading, which == &Watched::writing);
      wait(watched, which);
    });
  }

  asio::io_context& io_;
  asio::steady_timer timer_;
  std::shared_ptr<std::function<void()>> expired_;
  std::map<Socket, std::shared_ptr<Watched>> watched_;
};

#endif
