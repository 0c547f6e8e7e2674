/// cpp-httplib's server for the page, with bounds to what a client may hold up.
#ifndef WECHATPAY_SRC_TESTING_PAGE_HTTP_HPP
#define WECHATPAY_SRC_TESTING_PAGE_HTTP_HPP

#include <httplib.h>

#include <cstdint>
#include <map>
#include <mutex>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Serves one request per connection, up to 32 connections at once: one more takes the place of the oldest. A request
/// may have 64 KiB, and 10 seconds. Thread-safe.
class PageHttp : public httplib::Server {
 public:
  PageHttp();

  /// Closes every connection, also those that come later, so that a server which ends need not wait for them.
  void close_all();

 private:
  struct Connection;

  bool process_and_close_socket(socket_t socket) override;
  void close_oldest();

  /// cpp-httplib's process_request() as it is in one range of versions, or in the other.
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
