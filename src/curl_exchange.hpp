/// One request on libcurl's easy interface, from its acceptance to its completion.
#ifndef WECHATPAY_SRC_CURL_EXCHANGE_HPP
#define WECHATPAY_SRC_CURL_EXCHANGE_HPP

#include "src/third_parties.hpp"
//
#include <curl/curl.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay::curl {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

inline constexpr std::size_t most_header_bytes = 64U << 10U;
inline constexpr std::size_t most_body_bytes = 1U << 20U;
inline constexpr std::chrono::hours longest_timeout{24};

using EasyHandle = std::unique_ptr<CURL, Freeing<curl_easy_cleanup>>;
using MultiHandle = std::unique_ptr<CURLM, Freeing<curl_multi_cleanup>>;
using ShareHandle = std::unique_ptr<CURLSH, Freeing<curl_share_cleanup>>;
using UrlHandle = std::unique_ptr<CURLU, Freeing<curl_url_cleanup>>;
using ListHandle = std::unique_ptr<curl_slist, Freeing<curl_slist_free_all>>;

/// True if this libcurl does TLS with the OpenSSL that this library is built against, so that its SSL_CTX may be
/// touched.
inline bool tls_is_our_openssl() {
  const char* const tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
  const std::string ours = "OpenSSL/" + std::to_string(OPENSSL_VERSION_MAJOR) + ".";
  return tls != nullptr && std::string_view(tls).substr(0, ours.size()) == ours;
}

/// libcurl logs the secrets of each connection to the file that SSLKEYLOGFILE names; this stops it.
inline CURLcode forget_key_log(CURL* /*easy*/, void* context, void* /*user*/) {
  SSL_CTX_set_keylog_callback(static_cast<SSL_CTX*>(context), nullptr);
  return CURLE_OK;
}

/// libcurl counts whole seconds and still reuses a connection in the one that has begun.
inline long longest_idle_seconds(milliseconds idle_timeout) {
  return std::max(static_cast<long>(std::chrono::floor<std::chrono::seconds>(idle_timeout).count()) - 1, 0L);
}

/// A request from its acceptance to its completion.
struct Transfer {
  HttpRequest request;
  Transport::Completion done;
  Clock::time_point start;  ///< not before
  Clock::time_point deadline;
  Clock::time_point turn;  ///< when it got a connection

  bool cancelled() const noexcept { return request.cancellation != nullptr && request.cancellation->requested(); }

  void complete(Result<HttpResponse> result) noexcept {
    try {
      done(std::move(result));
    } catch (...) {
      // Completions do not throw; one that does must not end the calls of the others.
    }
  }

  /// Where there is no memory for the message, without it.
  void complete(TransportFault fault, Outcome outcome, const char* message) noexcept {
    Error error;
    try {
      error.message = request.origin;
      error.message.append(": ").append(message);
    } catch (...) {
      error.message = "out of memory";
    }
    error.kind = ErrorKind::transport_failed;
    error.transport_fault = fault;
    error.outcome = outcome;
    complete(std::move(error));
  }
};

using Queue = std::list<std::unique_ptr<Transfer>>;

/// The requests to one origin.
struct Lane {
  Queue waiting;  ///< in the order of their turns
  std::size_t running = 0;
  bool http2 = false;                    ///< the latest answer came so
  Clock::time_point distrusted_until{};  ///< until then, no connection is used again
};

/// An easy handle with one transfer at a time. Its fixed options are set once, since it is used again and again.
class Exchange {
 public:
  /// Null if libcurl cannot do what is needed.
  static std::unique_ptr<Exchange> make(const CurlOptions& options, CURLSH* share) {
    std::unique_ptr<Exchange> exchange(new Exchange);
    if (exchange->easy_ == nullptr || !exchange->set_fixed_options(options, share)) return nullptr;
    return exchange;
  }

  static Exchange& of(CURL* easy) {
    void* exchange = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange);
    return *static_cast<Exchange*>(exchange);
  }

  CURL* easy() const { return easy_.get(); }

  /// Sets everything for `next`, which stays where it is. False if libcurl refuses an option or memory is short.
  bool prepare(const Transfer& next, milliseconds timeout, bool new_connection) noexcept {
    try {
      return set_request_options(next.request, timeout) && set(CURLOPT_FRESH_CONNECT, new_connection ? 1L : 0L);
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  bool set_request_options(const HttpRequest& request, milliseconds timeout) {
    forget_response();
    header_bytes_ = 0;
    headers_whole_ = false;
    fault_ = TransportFault::none;
    begun_ = false;
    stale_connection_ = false;
    error_text_[0] = '\0';

    ListHandle headers;
    std::string line;
    const auto add_line = [&headers](const std::string& text) {
      curl_slist* const longer = curl_slist_append(headers.get(), text.c_str());
      if (longer == nullptr) return false;
      static_cast<void>(headers.release());
      headers.reset(longer);
      return true;
    };
    for (const HttpHeader& header : request.headers) {
      if (has_control_character(header.name) || has_control_character(header.value)) return false;
      line = header.name;
      line += header.value.empty() ? ";" : ": ";
      line += header.value;
      if (!add_line(line)) return false;
    }
    if (!add_line("Expect:")) return false;
    headers_ = std::move(headers);
    return set(CURLOPT_URL, (request.origin + request.path).c_str()) && set(CURLOPT_HTTPHEADER, headers_.get()) &&
           set(CURLOPT_CUSTOMREQUEST, request.method.c_str()) &&
           set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size())) &&
           set(CURLOPT_POSTFIELDS, request.body.data()) && set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  }

  /// Hands over what has come of the transfer. Where there is no memory for that, an error that says so.
  void complete(CURLcode code) noexcept {
    const auto ended = std::move(transfer);
    const TransferInfo transferred = transfer_info(*ended);
    // To libcurl, an answer without a body is whole although its headers break off.
    if (code == CURLE_OK && !headers_whole_) code = CURLE_PARTIAL_FILE;
    if (code == CURLE_OK) {
      response_.status = static_cast<int>(info<long>(CURLINFO_RESPONSE_CODE));
      response_.transfer = transferred;
      return ended->complete(std::move(response_));
    }
    Error error;
    try {
      error = failure(code, ended->request.origin);
    } catch (const std::bad_alloc&) {
      forget_response();
      return ended->complete(TransportFault::other, outcome(), "out of memory");
    }
    forget_response();
    error.transfer = transferred;
    ended->complete(std::move(error));
  }

  bool spoke_http2() const { return info<long>(CURLINFO_HTTP_VERSION) == CURL_HTTP_VERSION_2_0; }

  /// Ends the transfer before its time.
  void abandon(TransportFault fault, const char* message) noexcept {
    const auto ended = std::move(transfer);
    forget_response();
    ended->complete(fault, outcome(), message);
  }

  std::unique_ptr<Transfer> transfer;
  Lane* lane = nullptr;
  std::list<std::unique_ptr<Exchange>>::iterator place;  ///< among those under way

 private:
  Exchange() : easy_(curl_easy_init()) {}

  template <typename Value>
  bool set(CURLoption option, Value value) {
    return curl_easy_setopt(easy_.get(), option, value) == CURLE_OK;
  }

  bool set_fixed_options(const CurlOptions& options, CURLSH* share) {
    const bool tls_1_3 = options.min_tls_version == TlsVersion::tls_1_3;
    const bool http2 = (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2) != 0;
    bool done =
        set(CURLOPT_PRIVATE, static_cast<void*>(this)) && set(CURLOPT_SHARE, share) &&
        set(CURLOPT_ERRORBUFFER, error_text_.data()) && set(CURLOPT_NOSIGNAL, 1L) &&
        set(CURLOPT_HEADERFUNCTION, &Exchange::take_header) && set(CURLOPT_HEADERDATA, static_cast<void*>(this)) &&
        set(CURLOPT_WRITEFUNCTION, &Exchange::take_body) && set(CURLOPT_WRITEDATA, static_cast<void*>(this)) &&
        set(CURLOPT_PREREQFUNCTION, &Exchange::begin_request) && set(CURLOPT_PREREQDATA, static_cast<void*>(this)) &&
        set(CURLOPT_POST, 1L) && set(CURLOPT_PATH_AS_IS, 1L) && set(CURLOPT_FOLLOWLOCATION, 0L) &&
        set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) && set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) &&
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
        set(CURLOPT_HTTP_VERSION, static_cast<long>(http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1)) &&
        set(CURLOPT_MAXAGE_CONN, longest_idle_seconds(options.idle_timeout)) &&
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count())) &&
        set(CURLOPT_SSL_VERIFYPEER, 1L) && set(CURLOPT_SSL_VERIFYHOST, 2L) &&
        set(CURLOPT_SSLVERSION, static_cast<long>(tls_1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2)) &&
        // Even if empty: without these two, the environment would decide.
        set(CURLOPT_PROXY, options.proxy.c_str()) && set(CURLOPT_NOPROXY, "");
#if LIBCURL_VERSION_NUM >= 0x075500
    done = done && set(CURLOPT_PROTOCOLS_STR, "https");
#else
    done = done && set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    // Else libcurl would wait for the thread of a name lookup that is given up, and all other calls with it.
    done = done && set(CURLOPT_QUICK_EXIT, 1L);
#endif
    if (!options.ca_bundle_file.empty()) {
      // Without the second, libcurl would trust the system's folder of authorities besides.
      done = done && set(CURLOPT_CAINFO, options.ca_bundle_file.c_str()) &&
             set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    if (tls_is_our_openssl()) done = done && set(CURLOPT_SSL_CTX_FUNCTION, &forget_key_log);
    return done;
  }

  /// Called when a connection is ready, before the first byte of the request: until then, none can have left. Called
  /// again where a kept connection was closed without an answer and libcurl would send the same bytes over a new one:
  /// the first may have arrived, so that is for the client to decide, and to sign anew.
  static int begin_request(void* user, char*, char*, int, int) noexcept {
    Exchange& self = *static_cast<Exchange*>(user);
    self.stale_connection_ = std::exchange(self.begun_, true);
    return self.stale_connection_ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
  }

  static std::size_t take_header(char* data, std::size_t /*one*/, std::size_t size, void* user) noexcept {
    Exchange& self = *static_cast<Exchange*>(user);
    self.header_bytes_ += size;
    if (self.header_bytes_ > most_header_bytes) return self.refuse();
    try {
      self.add_header(std::string_view(data, size));
    } catch (...) {
      return 0;
    }
    return size;
  }

  void add_header(std::string_view line) {
    constexpr std::string_view white_space = " \t\r\n";
    const auto trimmed = [white_space](std::string_view text) {
      const std::size_t first = text.find_first_not_of(white_space);
      if (first == std::string_view::npos) return std::string_view();
      return text.substr(first, text.find_last_not_of(white_space) - first + 1);
    };
    HttpHeaders& headers = response_.headers;
    if (trimmed(line).empty()) headers_whole_ = true;
    if (line.substr(0, 5) == "HTTP/") {
      headers_whole_ = false;
      headers.clear();  // an interim answer's (1xx) are not the answer's
      return;
    }
    if (!headers.empty() && (line.front() == ' ' || line.front() == '\t')) {
      headers.back().value.append(" ").append(trimmed(line));  // RFC 9112, 5.2: a folded line
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    if (headers.capacity() == 0) headers.reserve(16);
    headers.push_back({std::string(trimmed(line.substr(0, colon))), std::string(trimmed(line.substr(colon + 1)))});
  }

  static std::size_t take_body(char* data, std::size_t /*one*/, std::size_t size, void* user) noexcept {
    Exchange& self = *static_cast<Exchange*>(user);
    if (self.response_.body.size() + size > most_body_bytes) return self.refuse();
    try {
      self.response_.body.append(data, size);
    } catch (...) {
      return 0;
    }
    return size;
  }

  /// With its memory, up to 1 MiB and more, which an assignment would leave to a string. An exchange that waits for its
  /// next transfer would keep it.
  void forget_response() noexcept {
    HttpResponse empty;
    std::swap(response_, empty);
  }

  std::size_t refuse() noexcept {
    fault_ = TransportFault::answer_too_large;
    return 0;
  }

  template <typename Value>
  Value info(CURLINFO which) const {
    Value value{};
    curl_easy_getinfo(easy_.get(), which, &value);
    return value;
  }

  std::chrono::microseconds time(CURLINFO which) const { return std::chrono::microseconds(info<curl_off_t>(which)); }

  TransferInfo transfer_info(const Transfer& ended) const noexcept {
    TransferInfo transferred;
    transferred.waited = std::chrono::duration_cast<std::chrono::microseconds>(ended.turn - ended.start);
    transferred.name_lookup = time(CURLINFO_NAMELOOKUP_TIME_T);
    transferred.connect = time(CURLINFO_CONNECT_TIME_T);
    transferred.tls = time(CURLINFO_APPCONNECT_TIME_T);
    transferred.first_byte = time(CURLINFO_STARTTRANSFER_TIME_T);
    transferred.total = time(CURLINFO_TOTAL_TIME_T);
    transferred.connection_reused = stale_connection_ || (begun_ && info<long>(CURLINFO_NUM_CONNECTS) == 0);
    transferred.bytes_sent = static_cast<std::uint64_t>(info<long>(CURLINFO_REQUEST_SIZE));
    // What a proxy answered to a second CONNECT would count, too.
    if (!stale_connection_) {
      transferred.bytes_received =
          static_cast<std::uint64_t>(info<long>(CURLINFO_HEADER_SIZE) + info<curl_off_t>(CURLINFO_SIZE_DOWNLOAD_T));
    }
    return transferred;
  }

  Outcome outcome() const { return begun_ ? Outcome::unknown : Outcome::not_sent; }

  static TransportFault fault_of(CURLcode code) {
    switch (code) {
      case CURLE_COULDNT_RESOLVE_HOST:
      case CURLE_COULDNT_RESOLVE_PROXY: return TransportFault::name_lookup;
      case CURLE_COULDNT_CONNECT:
      case CURLE_PROXY: return TransportFault::connect;
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_ISSUER_ERROR:
      case CURLE_SSL_INVALIDCERTSTATUS: return TransportFault::tls_verification;
      case CURLE_SSL_CONNECT_ERROR:
      case CURLE_SSL_CIPHER:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_USE_SSL_FAILED: return TransportFault::tls;
      case CURLE_OPERATION_TIMEDOUT: return TransportFault::timeout;
      case CURLE_SEND_ERROR:
      case CURLE_RECV_ERROR:
      case CURLE_GOT_NOTHING:
      case CURLE_PARTIAL_FILE:
      case CURLE_HTTP2_STREAM:
      case CURLE_HTTP2: return TransportFault::connection_closed;
      case CURLE_WEIRD_SERVER_REPLY:
      case CURLE_UNSUPPORTED_PROTOCOL:
      case CURLE_BAD_CONTENT_ENCODING: return TransportFault::answer_malformed;
      default: return TransportFault::other;
    }
  }

  static const char* advice(TransportFault fault) {
    switch (fault) {
      case TransportFault::name_lookup: return "the name did not resolve: check the host and this machine's DNS";
      case TransportFault::connect: return "no connection: check the network, the firewall and the proxy";
      case TransportFault::tls: return "the TLS handshake failed: check that the host speaks TLS 1.2 or newer";
      case TransportFault::tls_verification:
        return "the host's certificate was not accepted: check the host name, this machine's clock and "
               "CurlOptions::ca_bundle_file; a proxy that opens TLS shows itself so too";
      case TransportFault::timeout: return "no complete answer in time";
      case TransportFault::connection_closed: return "the connection broke before the answer was complete";
      case TransportFault::answer_too_large: return "the answer has more than 64 KiB of headers or 1 MiB of body";
      case TransportFault::answer_malformed: return "the answer is not HTTP";
      default: return "the request failed";
    }
  }

  Error failure(CURLcode code, const std::string& origin) const {
    TransportFault fault = fault_ == TransportFault::none ? fault_of(code) : fault_;
    if (stale_connection_) fault = TransportFault::connection_closed;
    // libcurl has bounds of its own for one line of the headers, and a peculiar name for them.
    if (code == CURLE_OUT_OF_MEMORY && begun_ && response_.body.empty()) fault = TransportFault::answer_too_large;
    // The same code means a scheme that is switched off and, once a request is out, an answer without a status line.
    if (code == CURLE_UNSUPPORTED_PROTOCOL && outcome() == Outcome::not_sent) fault = TransportFault::other;
    const long proxy_status = info<long>(CURLINFO_HTTP_CONNECTCODE);
    std::string message = origin + ": ";
    if (proxy_status != 0 && proxy_status / 100 != 2) {
      fault = TransportFault::connect;
      message += "the proxy answered " + std::to_string(proxy_status) + " to CONNECT: check CurlOptions::proxy";
    } else {
      message += advice(fault);
      if (fault == TransportFault::timeout && outcome() == Outcome::not_sent) message += ": not even a connection";
      if (stale_connection_) return transport_error(fault, outcome(), message + ": a kept one that the server closed");
    }
    const char* const words = error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code);
    if (fault != TransportFault::answer_too_large) message += " (libcurl: " + printable(words) + ")";
    return transport_error(fault, outcome(), std::move(message));
  }

  EasyHandle easy_;
  ListHandle headers_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  HttpResponse response_;
  std::size_t header_bytes_ = 0;
  bool headers_whole_ = false;                   ///< up to the empty line at their end
  TransportFault fault_ = TransportFault::none;  ///< a refusal of ours
  bool begun_ = false;                           ///< the request may have left, at least in part
  bool stale_connection_ = false;                ///< over a kept connection that the server closed meanwhile
};

}  // namespace wechatpay::curl

#endif
