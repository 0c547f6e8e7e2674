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
#include <set>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#if !defined(_WIN32)
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

  void complete(Result<HttpResponse> result) noexcept {
    try {
      done(std::move(result));
    } catch (...) {
      // Completions do not throw; one that does must not end the calls of the others.
    }
  }

  void complete_unsent(TransportFault fault, const std::string& message) noexcept {
    complete(transport_error(fault, Outcome::not_sent, request.origin + ": " + message));
  }
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

  /// False if libcurl refuses an option; the transfer is then still in `transfer`.
  bool prepare(milliseconds timeout) {
    response_ = {};
    header_bytes_ = 0;
    fault_ = TransportFault::none;
    begun_ = false;
    error_text_[0] = '\0';

    const HttpRequest& request = transfer->request;
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

  Result<HttpResponse> result(CURLcode code) {
    if (code != CURLE_OK) return failure(code);
    response_.status = static_cast<int>(info<long>(CURLINFO_RESPONSE_CODE));
    return std::move(response_);
  }

  Error shut_down() const {
    return transport_error(TransportFault::shut_down, outcome(),
                           transfer->request.origin + ": the transport was destroyed while the call was under way");
  }

  std::unique_ptr<Transfer> transfer;
  std::size_t* running = nullptr;  ///< the count of its origin

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

  /// Called when a connection is ready, before the first byte of the request: until then, none can have left.
  static int begin_request(void* user, char*, char*, int, int) noexcept {
    static_cast<Exchange*>(user)->begun_ = true;
    return CURL_PREREQFUNC_OK;
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
    if (line.substr(0, 5) == "HTTP/") {
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

  Error failure(CURLcode code) const {
    TransportFault fault = fault_ == TransportFault::none ? fault_of(code) : fault_;
    // libcurl has bounds of its own for one line of the headers, and a peculiar name for them.
    if (code == CURLE_OUT_OF_MEMORY && begun_ && response_.body.empty()) fault = TransportFault::answer_too_large;
    // The same code means a scheme that is switched off and, once a request is out, an answer without a status line.
    if (code == CURLE_UNSUPPORTED_PROTOCOL && outcome() == Outcome::not_sent) fault = TransportFault::other;
    const long proxy_status = info<long>(CURLINFO_HTTP_CONNECTCODE);
    std::string message = transfer->request.origin + ": ";
    if (proxy_status != 0 && proxy_status / 100 != 2) {
      fault = TransportFault::connect;
      message += "the proxy answered " + std::to_string(proxy_status) + " to CONNECT: check CurlOptions::proxy";
    } else {
      message += advice(fault);
      if (fault == TransportFault::timeout && outcome() == Outcome::not_sent) message += ": not even a connection";
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
  TransportFault fault_ = TransportFault::none;  ///< a refusal of ours
  bool begun_ = false;                           ///< the request may have left, at least in part
};

}  // namespace

/// All of libcurl on one thread. Requests come in through submit(); run() takes them, lets them wait where they must,
/// hands them to libcurl and completes them.
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
    auto transfer = std::make_unique<Transfer>();
    if (request.timeout.count() <= 0) request.timeout = options_.total_timeout;
    if (request.deadline.count() <= 0) request.deadline = request.timeout;
    for (milliseconds* span : {&request.timeout, &request.deadline, &request.send_after}) {
      *span = std::min(*span, milliseconds(longest_timeout));  // beyond it, adding to a point in time could overflow
    }
    transfer->start = Clock::now() + request.send_after;
    transfer->deadline = transfer->start + request.deadline;
    transfer->request = std::move(request);
    transfer->done = std::move(done);

    TransportFault fault = TransportFault::shut_down;
    std::string refusal;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_) {
        refusal = "the transport is being destroyed";
      } else if (!thread_.joinable()) {
        refusal = start_thread();
        fault = TransportFault::other;
      }
      if (refusal.empty()) {
        incoming_.push_back(std::move(transfer));
        if (incoming_.size() == 1) curl_multi_wakeup(multi_.get());
        return;
      }
    }
    transfer->complete_unsent(fault, refusal);
  }

  /// Completes everything and ends the thread; waits for it unless called on it.
  void stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      curl_multi_wakeup(multi_.get());
    }
    if (!thread_.joinable()) return;
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

 private:
  using Queue = std::list<std::unique_ptr<Transfer>>;

  /// The requests to one origin.
  struct Lane {
    Queue waiting;  ///< in the order of their turns
    std::size_t running = 0;
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

  MultiHandle make_multi() const {
    MultiHandle multi(curl_multi_init());
    // Room for the connections to two hosts; by default libcurl would close them as soon as fewer calls are under way.
    const auto kept = static_cast<long>(std::min<std::size_t>(2 * options_.max_connections, 1U << 16U));
    if (multi == nullptr || curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, kept) != CURLM_OK) return nullptr;
    return multi;
  }

  /// Under the lock. Empty, or why it failed.
  std::string start_thread() {
#if !defined(_WIN32)
    // The thread inherits the mask: the user's signal handlers do not run on it, and SIGPIPE never reaches the process.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    std::string failure;
    try {
      thread_ = std::thread([self = shared_from_this()] { self->run(); });
    } catch (const std::exception& exception) {
      failure = std::string("no thread could be started: ") + exception.what();
    }
#if !defined(_WIN32)
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
    return failure;
  }

  void run() {
    while (take_incoming()) {
      const auto now = Clock::now();
      admit_delayed(now);
      expire_waiting(now);
      for (auto& lane : lanes_) start_waiting(lane.second, now);
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      ERR_clear_error();     // what libcurl may leave on this thread's queue is none of a completion's business
      if (reap()) continue;  // a completion may have sent more, and a place is free
      close_idle_connections();
      curl_multi_poll(multi_.get(), nullptr, 0, longest_wait(), nullptr);
    }
    complete_all();
  }

  /// False when it is time to end.
  bool take_incoming() {
    std::vector<std::unique_ptr<Transfer>> incoming;
    bool stopping = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      incoming.swap(incoming_);
      stopping = stopping_;
    }
    for (auto& transfer : incoming) {
      const auto start = transfer->start;
      delayed_.emplace(start, std::move(transfer));
    }
    return !stopping;
  }

  void admit_delayed(Clock::time_point now) {
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      auto transfer = std::move(delayed_.begin()->second);
      delayed_.erase(delayed_.begin());
      Lane& lane = lanes_[transfer->request.origin];
      const auto deadline = transfer->deadline;
      lane.waiting.push_back(std::move(transfer));
      expiries_.insert({deadline, &lane, std::prev(lane.waiting.end())});
    }
  }

  void expire_waiting(Clock::time_point now) {
    while (!expiries_.empty() && expiries_.begin()->deadline <= now) {
      const auto transfer = take_waiting(*expiries_.begin());
      transfer->complete_unsent(TransportFault::no_free_connection,
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
      const auto left = std::chrono::ceil<milliseconds>((*first)->deadline - now);
      auto transfer = take_waiting({(*first)->deadline, &lane, first});
      auto exchange = take_exchange();
      if (exchange == nullptr) {
        transfer->complete_unsent(TransportFault::other, "libcurl could not make a handle");
        continue;
      }
      const milliseconds timeout = std::max(std::min(left, transfer->request.timeout), milliseconds(1));
      exchange->transfer = std::move(transfer);
      if (!exchange->prepare(timeout) || curl_multi_add_handle(multi_.get(), exchange->easy()) != CURLM_OK) {
        exchange->transfer->complete_unsent(TransportFault::other,
                                            "libcurl refused the request: check its origin, path and headers");
        continue;
      }
      exchange->running = &lane.running;
      ++lane.running;
      ++running_;
      under_way_.emplace(exchange->easy(), std::move(exchange));
    }
  }

  std::unique_ptr<Exchange> take_exchange() {
    if (idle_exchanges_.empty()) return Exchange::make(options_, share_.get());
    auto exchange = std::move(idle_exchanges_.back());
    idle_exchanges_.pop_back();
    return exchange;
  }

  /// Takes a running exchange out of libcurl and of the counts; its transfer is still to be completed.
  std::unique_ptr<Exchange> release(CURL* easy) {
    curl_multi_remove_handle(multi_.get(), easy);
    ERR_clear_error();
    const auto found = under_way_.find(easy);
    auto exchange = std::move(found->second);
    under_way_.erase(found);
    --*exchange->running;
    if (--running_ == 0) idle_since_ = Clock::now();
    return exchange;
  }

  /// Completes what libcurl has finished; true if there was any.
  bool reap() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      auto exchange = release(message->easy_handle);
      auto result = exchange->result(code);
      const auto transfer = std::move(exchange->transfer);
      idle_exchanges_.push_back(std::move(exchange));
      transfer->complete(std::move(result));
      any = true;
    }
    return any;
  }

  bool holds_idle_connections() const { return running_ == 0 && idle_since_ != Clock::time_point(); }

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
      if (stopping_ || !incoming_.empty()) curl_multi_wakeup(multi_.get());
    }
    idle_exchanges_.clear();
  }

  /// In milliseconds, as curl_multi_poll() wants it.
  int longest_wait() const {
    const auto now = Clock::now();
    auto wake = now + std::chrono::hours(24);
    if (!delayed_.empty()) wake = std::min(wake, delayed_.begin()->first);
    if (!expiries_.empty()) wake = std::min(wake, expiries_.begin()->deadline);
    if (holds_idle_connections()) wake = std::min(wake, idle_since_ + options_.idle_timeout);
    return static_cast<int>(std::max<std::int64_t>(std::chrono::ceil<milliseconds>(wake - now).count(), 0));
  }

  void complete_all() {
    while (!under_way_.empty()) {
      const auto exchange = release(under_way_.begin()->first);
      exchange->transfer->complete(exchange->shut_down());
    }
    const char* const why = "the transport was destroyed before the request was sent";
    while (!expiries_.empty()) take_waiting(*expiries_.begin())->complete_unsent(TransportFault::shut_down, why);
    for (auto& delayed : delayed_) delayed.second->complete_unsent(TransportFault::shut_down, why);
    delayed_.clear();
    idle_exchanges_.clear();
    const std::lock_guard<std::mutex> lock(mutex_);
    multi_.reset();
  }

  const CurlOptions options_;

  std::mutex mutex_;  ///< guards these four; the rest belongs to the thread
  std::vector<std::unique_ptr<Transfer>> incoming_;
  bool stopping_ = false;
  std::thread thread_;
  MultiHandle multi_;

  ShareHandle share_;
  std::multimap<Clock::time_point, std::unique_ptr<Transfer>> delayed_;  ///< by their start
  std::map<std::string, Lane> lanes_;                                    ///< by origin
  std::set<Expiry> expiries_;                                            ///< of all that wait in lanes
  std::map<CURL*, std::unique_ptr<Exchange>> under_way_;
  std::vector<std::unique_ptr<Exchange>> idle_exchanges_;
  std::size_t running_ = 0;
  Clock::time_point idle_since_{};
};

CurlTransport::CurlTransport(std::shared_ptr<EventLoop> loop) : loop_(std::move(loop)) {}

CurlTransport::~CurlTransport() { loop_->stop(); }

void CurlTransport::send(HttpRequest request, Completion done) { loop_->submit(std::move(request), std::move(done)); }

Result<std::shared_ptr<CurlTransport>> CurlTransport::create(CurlOptions options) {
  const ErrorQueueGuard guard;
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialized != CURLE_OK) return configuration_error("libcurl could not be initialized");
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
