#include "wechatpay/bonus_commit/curl_transport.hpp"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <list>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <unistd.h>

#include <csignal>
#endif

#include "src/key_files.hpp"
#include "src/openssl.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t most_header_bytes = 64U << 10U;
constexpr std::size_t most_body_bytes = 1U << 20U;
constexpr std::chrono::hours longest_timeout{24};

using EasyHandle = std::unique_ptr<CURL, Freeing<curl_easy_cleanup>>;
using MultiHandle = std::unique_ptr<CURLM, Freeing<curl_multi_cleanup>>;
using ShareHandle = std::unique_ptr<CURLSH, Freeing<curl_share_cleanup>>;
using UrlHandle = std::unique_ptr<CURLU, Freeing<curl_url_cleanup>>;
using ListHandle = std::unique_ptr<curl_slist, Freeing<curl_slist_free_all>>;

/// Once for the process; where it fails, the next call tries again.
bool initialize_libcurl() {
  static std::mutex mutex;
  static bool done = false;
  const std::lock_guard<std::mutex> lock(mutex);
  if (!done) done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return done;
}

/// True if this libcurl does TLS with the OpenSSL that this library is built against, so that its SSL_CTX may be
/// touched.
bool tls_is_our_openssl() {
  const char* const tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
  const std::string ours = "OpenSSL/" + std::to_string(OPENSSL_VERSION_MAJOR) + ".";
  return tls != nullptr && std::string_view(tls).substr(0, ours.size()) == ours;
}

/// libcurl logs the secrets of each connection to the file that SSLKEYLOGFILE names; this stops it.
CURLcode forget_key_log(CURL* /*easy*/, void* context, void* /*user*/) {
  SSL_CTX_set_keylog_callback(static_cast<SSL_CTX*>(context), nullptr);
  return CURLE_OK;
}

/// Whether libcurl can go through `proxy`. It must be known beforehand, since libcurl's own message would quote the
/// URL, password and all.
bool is_proxy_url(const std::string& proxy) {
  const UrlHandle url(curl_url());
  char* scheme = nullptr;
  if (url == nullptr ||
      curl_url_set(url.get(), CURLUPART_URL, proxy.c_str(), CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) !=
          CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
    return false;
  }
  const std::string name(scheme);
  curl_free(scheme);
  if (name == "https") return (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTPS_PROXY) != 0;
  return name == "http" || name == "socks4" || name == "socks4a" || name == "socks5" || name == "socks5h";
}

/// libcurl counts whole seconds and still reuses a connection in the one that has begun.
long longest_idle_seconds(milliseconds idle_timeout) {
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
      line += header.value.empty() ? ";" : ": " + header.value;
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

}  // namespace

/// All of libcurl on one thread. Requests come in through submit(); run() takes them, lets them wait where they must,
/// hands them to libcurl and completes them. Where memory is short, a request ends with an error and the loop goes on.
class CurlTransport::EventLoop : public std::enable_shared_from_this<EventLoop> {
 public:
  explicit EventLoop(CurlOptions options) : options_(std::move(options)) {}

  bool initialize() {
    share_.reset(curl_share_init());
    multi_ = make_multi();
    return share_ != nullptr && multi_ != nullptr &&
           curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK &&
           curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK &&
           Exchange::make(options_, share_.get()) != nullptr;
  }

  void submit(HttpRequest request, Completion done) {
    if (in_child()) {
      Error error;
      error.kind = ErrorKind::misuse;
      error.message = "the transport was made before fork() and this is the child: make one of its own here";
      return done(std::move(error));
    }
    if (request.timeout.count() <= 0) request.timeout = options_.total_timeout;
    if (request.deadline.count() <= 0) request.deadline = request.timeout;
    for (milliseconds* span : {&request.timeout, &request.deadline, &request.send_after}) {
      *span = std::min(*span, milliseconds(longest_timeout));  // beyond it, adding to a point in time could overflow
    }
    const std::shared_ptr<Cancellation> cancellation = request.cancellation;
    std::function<void()> listener;
    Queue incoming;
    try {
      incoming.push_back(std::make_unique<Transfer>());
      if (cancellation != nullptr) {
        listener = [weak = weak_from_this()] {
          if (const auto loop = weak.lock()) loop->look_for_cancelled();
        };
      }
    } catch (const std::bad_alloc&) {
      return done(transport_error(TransportFault::other, Outcome::not_sent, "out of memory"));
    }
    Transfer& transfer = *incoming.front();
    transfer.start = Clock::now() + request.send_after;
    transfer.deadline = transfer.start + request.deadline;
    transfer.request = std::move(request);
    transfer.done = std::move(done);
    const Refusal refusal = enqueue(incoming);
    if (refusal.why != nullptr) return transfer.complete(refusal.fault, Outcome::not_sent, refusal.why);
    if (cancellation != nullptr) cancellation->listen(std::move(listener));
  }

  /// Completes everything and ends the thread; waits for it unless called on it. In a child after fork() there is no
  /// thread, and what is open is the parent's: it is left as it is.
  void stop() {
    if (in_child()) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      wake();
    }
    if (!thread_.joinable()) return;
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

 private:
  using Exchanges = std::list<std::unique_ptr<Exchange>>;

  /// Why a request is not taken; null where it is.
  struct Refusal {
    TransportFault fault = TransportFault::other;
    const char* why = nullptr;
  };

  /// Where a transfer waits, in the order of deadlines.
  struct Expiry {
    Clock::time_point deadline;
    Lane* lane;
    Queue::iterator place;
    bool operator<(const Expiry& other) const {
      return deadline != other.deadline ? deadline < other.deadline : place->get() < other.place->get();
    }
  };

  bool in_child() const noexcept {
#if defined(_WIN32)
    return false;
#else
    return process_ != getpid();
#endif
  }

  MultiHandle make_multi() const {
    MultiHandle multi(curl_multi_init());
    // Room for the connections to two hosts; by default libcurl would close them as soon as fewer calls are under way.
    const auto kept = static_cast<long>(std::min<std::size_t>(2 * options_.max_connections, 1U << 16U));
    if (multi == nullptr || curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, kept) != CURLM_OK) return nullptr;
    return multi;
  }

  /// Takes over what is in `incoming`, unless it says why not.
  Refusal enqueue(Queue& incoming) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return {TransportFault::shut_down, "the transport is being destroyed"};
    if (!thread_.joinable() && !start_thread()) return {TransportFault::other, "no thread could be started"};
    if (incoming_.empty() && !wake()) return {TransportFault::other, "libcurl could not be woken"};
    incoming_.splice(incoming_.end(), incoming);
    return {};
  }

  /// Under the lock.
  bool start_thread() {
#if !defined(_WIN32)
    // The thread inherits the mask: the user's signal handlers do not run on it, and SIGPIPE never reaches the process.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    try {
      thread_ = std::thread([self = shared_from_this()] { self->run(); });
    } catch (const std::exception&) {
    }
#if !defined(_WIN32)
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
    return thread_.joinable();
  }

  /// Under the lock. Who is woken before it waits does not wait.
  bool wake() noexcept {
    for (int attempt = 0; attempt < 3; ++attempt) {
      if (curl_multi_wakeup(multi_.get()) == CURLM_OK) return true;
    }
    return false;
  }

  void look_for_cancelled() noexcept {
    if (in_child()) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    cancelled_ = true;
    wake();
  }

  void run() noexcept {
    while (take_incoming()) {
      const auto now = Clock::now();
      admit_delayed(now);
      expire_waiting(now);
      for (auto& lane : lanes_) start_waiting(lane.second, now);
      perform();
      ERR_clear_error();     // what libcurl may leave on this thread's queue is none of a completion's business
      if (reap()) continue;  // a completion may have sent more, and a place is free
      close_idle_connections();
      wait();
    }
    complete_all();
  }

  /// False when it is time to end.
  bool take_incoming() {
    Queue incoming;
    bool stopping = false;
    bool cancelled = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      incoming.swap(incoming_);
      stopping = stopping_;
      cancelled = std::exchange(cancelled_, false);
    }
    for (auto& transfer : incoming) {
      try {
        const auto start = transfer->start;
        delayed_.emplace(start, std::move(transfer));
      } catch (const std::bad_alloc&) {
        transfer->complete(TransportFault::other, Outcome::not_sent, "out of memory");
      }
    }
    if (cancelled) end_cancelled();
    return !stopping;
  }

  void end_cancelled() {
    const char* const unsent = "taken back before it was sent";
    for (auto at = delayed_.begin(); at != delayed_.end();) {
      if (at->second->cancelled()) {
        at->second->complete(TransportFault::cancelled, Outcome::not_sent, unsent);
        at = delayed_.erase(at);
      } else {
        ++at;
      }
    }
    for (auto at = expiries_.begin(); at != expiries_.end();) {
      const Expiry& expiry = *at++;
      if (!(*expiry.place)->cancelled()) continue;
      take_waiting(expiry)->complete(TransportFault::cancelled, Outcome::not_sent, unsent);
    }
    for (auto at = under_way_.begin(); at != under_way_.end();) {
      Exchange& exchange = **at++;
      if (exchange.transfer->cancelled()) abandon(exchange, TransportFault::cancelled, "given up while under way");
    }
  }

  void admit_delayed(Clock::time_point now) {
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      auto transfer = std::move(delayed_.begin()->second);
      delayed_.erase(delayed_.begin());
      Queue admitted;
      try {
        Lane& lane = lanes_[transfer->request.origin];
        admitted.push_back(std::move(transfer));
        expiries_.insert({admitted.front()->deadline, &lane, admitted.begin()});
        lane.waiting.splice(lane.waiting.end(), admitted);
      } catch (const std::bad_alloc&) {
        Transfer& lost = transfer != nullptr ? *transfer : *admitted.front();
        lost.complete(TransportFault::other, Outcome::not_sent, "out of memory");
      }
    }
  }

  void expire_waiting(Clock::time_point now) {
    while (!expiries_.empty() && expiries_.begin()->deadline <= now) {
      take_waiting(*expiries_.begin())
          ->complete(TransportFault::no_free_connection, Outcome::not_sent,
                     "no connection became free in time: too many calls for CurlOptions::max_connections");
    }
  }

  std::unique_ptr<Transfer> take_waiting(const Expiry& expiry) {
    const Expiry taken = expiry;
    expiries_.erase(taken);
    auto transfer = std::move(*taken.place);
    taken.lane->waiting.erase(taken.place);
    return transfer;
  }

  void start_waiting(Lane& lane, Clock::time_point now) {
    while (!lane.waiting.empty() && lane.running < options_.max_connections) {
      const auto first = lane.waiting.begin();
      auto transfer = take_waiting({(*first)->deadline, &lane, first});
      if (const char* const refusal = start(transfer, lane, now)) {
        transfer->complete(TransportFault::other, Outcome::not_sent, refusal);
      }
    }
  }

  /// Hands `transfer` to libcurl, unless it says why not.
  const char* start(std::unique_ptr<Transfer>& transfer, Lane& lane, Clock::time_point now) {
    try {
      if (idle_.empty()) idle_.push_back(Exchange::make(options_, share_.get()));
    } catch (const std::bad_alloc&) {
    }
    if (idle_.empty()) return "out of memory";
    const auto place = std::prev(idle_.end());
    if (*place == nullptr) {
      idle_.erase(place);
      return "libcurl could not make a handle";
    }
    Exchange& exchange = **place;
    const auto left = std::chrono::ceil<milliseconds>(transfer->deadline - now);
    transfer->turn = now;
    const milliseconds timeout = std::max(std::min(left, transfer->request.timeout), milliseconds(1));
    if (!exchange.prepare(*transfer, timeout, now < lane.distrusted_until) ||
        curl_multi_add_handle(multi_.get(), exchange.easy()) != CURLM_OK) {
      return "libcurl refused the request: check its origin, path and headers";
    }
    exchange.transfer = std::move(transfer);
    exchange.lane = &lane;
    exchange.place = place;
    under_way_.splice(under_way_.end(), idle_, place);
    ++lane.running;
    return nullptr;
  }

  /// Takes an exchange out of libcurl and of the counts; its transfer is still to be completed.
  void release(Exchange& exchange) {
    curl_multi_remove_handle(multi_.get(), exchange.easy());
    ERR_clear_error();
    --exchange.lane->running;
    idle_.splice(idle_.end(), under_way_, exchange.place);
    if (under_way_.empty()) idle_since_ = Clock::now();
  }

  void abandon(Exchange& exchange, TransportFault fault, const char* message) {
    release(exchange);
    exchange.abandon(fault, message);
  }

  void perform() {
    int running = 0;
    if (curl_multi_perform(multi_.get(), &running) == CURLM_OK) return;
    while (!under_way_.empty()) abandon(*under_way_.front(), TransportFault::other, "libcurl gave up on all transfers");
  }

  /// Completes what libcurl has finished; true if there was any.
  bool reap() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      Exchange& exchange = Exchange::of(message->easy_handle);
      release(exchange);
      judge(exchange, code);
      exchange.complete(code);
      any = true;
    }
    return any;
  }

  /// Over HTTP/2, libcurl ends a stream that timed out and goes on using its connection, dead or not. So, for a while,
  /// no connection to that host is used again, until the one in question was idle for long enough to be closed.
  void judge(const Exchange& exchange, CURLcode code) const {
    Lane& lane = *exchange.lane;
    if (code == CURLE_OK) lane.http2 = exchange.spoke_http2();
    if (code == CURLE_OPERATION_TIMEDOUT && lane.http2) {
      lane.distrusted_until = Clock::now() + options_.idle_timeout + std::chrono::seconds(1);
    }
  }

  bool holds_idle_connections() const { return under_way_.empty() && idle_since_ != Clock::time_point(); }

  /// libcurl closes a connection that was idle for too long only when the next transfer looks for one, so all are
  /// closed with the multi handle. Names and TLS sessions stay in the share.
  void close_idle_connections() {
    if (!holds_idle_connections() || Clock::now() - idle_since_ < options_.idle_timeout) return;
    idle_since_ = {};
    MultiHandle fresh = make_multi();
    if (fresh == nullptr) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      multi_.swap(fresh);
      // Who came in since take_incoming() has woken the old one.
      if (stopping_ || cancelled_ || !incoming_.empty()) wake();
    }
    idle_.clear();
  }

  void wait() {
    const auto now = Clock::now();
    auto until = now + std::chrono::hours(24);
    if (!delayed_.empty()) until = std::min(until, delayed_.begin()->first);
    if (!expiries_.empty()) until = std::min(until, expiries_.begin()->deadline);
    if (holds_idle_connections()) until = std::min(until, idle_since_ + options_.idle_timeout);
    const auto longest = std::max<std::int64_t>(std::chrono::ceil<milliseconds>(until - now).count(), 0);
    if (curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(longest), nullptr) == CURLM_OK) return;
    // It may fail again and again: neither end for that, nor take the whole processor.
    std::this_thread::sleep_for(milliseconds(10));
  }

  void complete_all() {
    while (!under_way_.empty()) {
      abandon(*under_way_.front(), TransportFault::shut_down,
              "the transport was destroyed while the call was under way");
    }
    const char* const unsent = "the transport was destroyed before the request was sent";
    while (!expiries_.empty()) {
      take_waiting(*expiries_.begin())->complete(TransportFault::shut_down, Outcome::not_sent, unsent);
    }
    for (auto& delayed : delayed_) delayed.second->complete(TransportFault::shut_down, Outcome::not_sent, unsent);
    delayed_.clear();
    idle_.clear();
    const std::lock_guard<std::mutex> lock(mutex_);
    multi_.reset();
  }

  const CurlOptions options_;
#if !defined(_WIN32)
  const pid_t process_ = getpid();
#endif

  std::mutex mutex_;  ///< guards these five; the rest belongs to the thread
  Queue incoming_;
  bool stopping_ = false;
  bool cancelled_ = false;  ///< some transfer is
  std::thread thread_;
  MultiHandle multi_;

  ShareHandle share_;
  std::multimap<Clock::time_point, std::unique_ptr<Transfer>> delayed_;  ///< by their start
  std::map<std::string, Lane> lanes_;                                    ///< by origin
  std::set<Expiry> expiries_;                                            ///< of all that wait in lanes
  Exchanges under_way_;
  Exchanges idle_;
  Clock::time_point idle_since_{};
};

CurlTransport::CurlTransport(std::shared_ptr<EventLoop> loop) : loop_(std::move(loop)) {}

CurlTransport::~CurlTransport() { loop_->stop(); }

void CurlTransport::send(HttpRequest request, Completion done) { loop_->submit(std::move(request), std::move(done)); }

Result<std::shared_ptr<CurlTransport>> CurlTransport::create(CurlOptions options) {
  const ErrorQueueGuard guard;
  if (!initialize_libcurl()) return configuration_error("libcurl could not be initialized");
  if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_SSL) == 0) {
    return configuration_error("this libcurl is built without TLS");
  }
  if (!tls_is_our_openssl() && std::getenv("SSLKEYLOGFILE") != nullptr) {
    return configuration_error(
        "SSLKEYLOGFILE is set, and this libcurl's TLS library would write the secrets of connections there: unset it");
  }
  if (!options.ca_bundle_file.empty()) {
    const std::string name = "CurlOptions::ca_bundle_file " + options.ca_bundle_file;
    const auto file = KeyFile::read(options.ca_bundle_file);
    if (!file) return configuration_error("CurlOptions::ca_bundle_file " + file.error().message);
    if (const auto first = read_certificate(file->bytes(), name); !first) return first.error();
  }
  if (!options.proxy.empty() && !is_proxy_url(options.proxy)) {
    // Not quoted: it may hold a password.
    return configuration_error(
        "CurlOptions::proxy is not a proxy's URL that this libcurl can use, such as http://host:port");
  }
  for (const milliseconds timeout : {options.connect_timeout, options.total_timeout, options.idle_timeout}) {
    if (timeout > milliseconds(0) && timeout <= longest_timeout) continue;
    return configuration_error(
        "CurlOptions::connect_timeout, total_timeout and idle_timeout must be more than 0 ms and at most 24 h");
  }
  if (options.max_connections == 0) return configuration_error("CurlOptions::max_connections must be 1 or more");

  auto loop = std::make_shared<EventLoop>(std::move(options));
  if (!loop->initialize()) {
    return configuration_error(std::string("this libcurl (") + curl_version() +
                               ") lacks something that is needed: 7.80 with TLS is the oldest that will do");
  }
  return std::shared_ptr<CurlTransport>(new CurlTransport(std::move(loop)));
}

}  // namespace wechatpay
