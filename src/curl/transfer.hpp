/// One request on libcurl's easy interface.
#ifndef WECHATPAY_SRC_CURL_TRANSFER_HPP
#define WECHATPAY_SRC_CURL_TRANSFER_HPP

#include <array>
#include <list>
#include <memory>

#include "src/curl/connections.hpp"
#include "src/curl/handles.hpp"
#include "src/curl/request_queue.hpp"
#include "src/curl/response_reader.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

inline constexpr std::chrono::hours longest_timeout{24};

/// What all transfers of a transport share.
struct TransferSetup {
  const CurlOptions& options;
  CURLSH* share;
  Connections& connections;
  RequestQueue& queue;
};

/// An easy handle with one transfer at a time. Its fixed options are set once, since the handle is reused. Owned by the
/// driver's thread.
class Transfer {
 public:
  /// Null if libcurl lacks a required feature. Throws std::bad_alloc.
  static std::unique_ptr<Transfer> make(const TransferSetup& setup);

  static Transfer& of(CURL* easy) noexcept;

  CURL* easy() const noexcept { return easy_.get(); }

  /// Takes over the one request in `request`, and sets all its options. Returns false, without taking the request, if
  /// libcurl refuses an option. Throws std::bad_alloc, without taking it either.
  bool prepare(Requests& request, bool fresh_connection, TimePoint now);

  /// Prepares the same request to be sent on a new connection. Call it if met_dead_connection() is true.
  bool prepare_again(TimePoint now) noexcept;

  /// True if the reused connection that libcurl chose was closed or had unexpected bytes before the first byte of the
  /// request was sent.
  bool met_dead_connection() const noexcept { return dead_connection_; }

  // Call these after libcurl has released the handle. Each returns the request and uses it no more.

  /// Completes the request with its result. If memory is short, with an error that says so.
  void complete(CURLcode code) noexcept;

  /// Completes the request before it has ended.
  void abandon(TransportFault fault, const char* message) noexcept;

  bool stopped() const noexcept { return request_.front().stopped(); }

  std::list<std::unique_ptr<Transfer>>::iterator place;  ///< in the list of the multi

 private:
  explicit Transfer(const TransferSetup& setup) : setup_(setup), easy_(curl_easy_init()) {}

  template <typename Value>
  bool set(CURLoption option, Value value) {
    return curl_easy_setopt(easy_.get(), option, value) == CURLE_OK;
  }
  template <typename Value>
  Value info(CURLINFO which) const {
    Value value{};
    curl_easy_getinfo(easy_.get(), which, &value);
    return value;
  }

  bool set_callbacks();
  bool set_fixed_options();
  bool set_tls_options();
  bool set_headers(const HttpRequest& request);
  bool set_message(const HttpRequest& request);
  bool begin_try(const QueuedRequest& request, bool fresh_connection, TimePoint now) noexcept;

  static int note_socket(void* user, curl_socket_t socket, curlsocktype purpose) noexcept;
  static int begin_request(void* user, char* remote_ip, char* local_ip, int remote_port, int local_port) noexcept;
  static std::size_t take_header(char* data, std::size_t one, std::size_t size, void* user) noexcept;
  static std::size_t take_body(char* data, std::size_t one, std::size_t size, void* user) noexcept;

  bool keeps_connection() const noexcept { return opened_.empty(); }
  bool find_connection(const curl_tlssessioninfo& tls, int local_port);
  bool usable(const curl_tlssessioninfo& tls, Protocol protocol) const noexcept;
  Arrived arrived_meanwhile(const curl_tlssessioninfo& tls) const noexcept;
  curl_socket_t opened_socket(int local_port) const noexcept;
  Requests end(CURLcode code) noexcept;
  TransferInfo transfer_info(const QueuedRequest& request) const noexcept;
  Error failure(CURLcode code, const std::string& origin) const;
  Outcome outcome() const noexcept { return begun_ ? Outcome::unknown : Outcome::not_sent; }

  const TransferSetup setup_;
  Requests request_;  ///< one request, while there is a transfer
  ListHandle headers_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  ResponseReader reader_;
  std::list<curl_socket_t> opened_;         ///< sockets opened for a new connection
  std::shared_ptr<Connection> connection_;  ///< null until the connection is established
  bool answer_too_large_ = false;
  bool begun_ = false;             ///< the request may have been sent, at least in part
  bool dead_connection_ = false;   ///< see met_dead_connection()
  bool stale_connection_ = false;  ///< sent over a reused connection that the server closed meanwhile
  EasyHandle easy_;                ///< last: its destructor calls back
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif
