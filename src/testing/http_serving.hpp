/// What each server of cpp-httplib here needs: its port, and a thread that serves.
#ifndef WECHATPAY_SRC_TESTING_HTTP_SERVING_HPP
#define WECHATPAY_SRC_TESTING_HTTP_SERVING_HPP

#include <httplib.h>

#include <atomic>
#include <string>
#include <thread>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Binds the port, or a free one if it is 0. Returns the port; -1 if it cannot be bound.
inline int bind_port(httplib::Server& http, const std::string& host, int port) {
  if (port == 0) return http.bind_to_any_port(host);
  return http.bind_to_port(host, port) ? port : -1;
}

/// The origin of a server at `host`, a name or an IP address without brackets.
inline std::string origin_at(const std::string& scheme, const std::string& host, int port) {
  const bool is_v6 = host.find(':') != std::string::npos;
  std::string origin = scheme + (is_v6 ? "://[" : "://");
  return origin.append(host).append(is_v6 ? "]:" : ":").append(std::to_string(port));
}

/// The thread of a server whose port is bound.
class ServingThread {
 public:
  /// Returns when the server accepts connections. False if cpp-httplib cannot serve.
  bool start(httplib::Server& http) {
    thread_ = std::thread([this, &http] {
      http.listen_after_bind();
      ended_ = true;
    });
    while (!http.is_running()) {  // before that, stop() has no effect
      if (ended_) return false;
      std::this_thread::yield();
    }
    return true;
  }

  /// Waits for the end of the thread, if there is one. Stop the server first.
  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
  std::atomic<bool> ended_{false};
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
