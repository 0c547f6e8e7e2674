/// cpp-httplib's server for the page, with limits for clients.
#ifndef WECHATPAY_SRC_TESTING_PAGE_HTTP_HPP
#define WECHATPAY_SRC_TESTING_PAGE_HTTP_HPP

#include <httplib.h>

#include <cstdint>
#include <map>
#include <mutex>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Serves one request per connection, with at most 32 connections at once: a new one replaces the oldest. A request may
/// have at most 64 KiB and take 10 seconds. Thread-safe.
class PageHttp : public httplib::Server {
 public:
  PageHttp();

  /// Closes all connections, and later ones too, so that the server need not wait for them when it ends.
  void close_all();

 private:
  struct Connection;

  bool process_and_close_socket(socket_t socket) override;
  void close_oldest();

  /// Calls cpp-httplib's process_request(), whose parameters differ between versions.
  template <typename Self>
  static auto process(Self& self, httplib::Stream& stream, bool& closed, int /*preferred*/)
      -> decltype(self.process_request(stream, true, closed, nullptr)) {
    return self.process_request(stream, true, closed, nullptr);
  }
  template <typename Self>
  static auto process(Self& self, httplib::Stream& stream, bool& closed, long /*otherwise*/)
      -> decltype(self.process_request(stream, "", 0, "", 0, true, closed, nullptr)) {
    return self.process_request(stream, "", 0, "", 0, true, closed, nullptr);
  }

  std::mutex mutex_;  ///< guards the rest
  bool closing_ = false;
  std::uint64_t turn_ = 0;
  std::map<std::uint64_t, socket_t> sockets_;  ///< oldest first
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
