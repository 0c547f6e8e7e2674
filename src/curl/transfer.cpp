#include "src/curl/transfer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

#if !defined(_WIN32)
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#include "src/curl/curl_error.hpp"
#include "src/curl/openssl_backend.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace curl {
namespace {

/// libcurl counts whole seconds and still reuses a connection during the second that has begun.
long longest_idle_seconds(milliseconds idle_timeout) {
  return std::max(static_cast<long>(std::chrono::floor<std::chrono::seconds>(idle_timeout).count()) - 1, 0L);
}

int local_port_of(curl_socket_t socket) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

bool is_openssl(const curl_tlssessioninfo& tls) noexcept {
  static const bool ours = tls_is_our_openssl();
  return ours && tls.backend == CURLSSLBACKEND_OPENSSL && tls.internals != nullptr;
}

Protocol protocol_of(const curl_tlssessioninfo& tls) noexcept {
  return is_openssl(tls) ? negotiated_protocol(tls.internals) : Protocol::unknown;
}

/// Whether `socket` has unread (encrypted) bytes; `end` if it is closed.
Arrived peek(curl_socket_t socket) noexcept {
  char byte = 0;
  const auto got = ::recv(socket, &byte, 1, MSG_PEEK);
  if (got != -1) return got == 0 ? Arrived::end : Arrived::data;
#if defined(_WIN32)
  return WSAGetLastError() == WSAEWOULDBLOCK ? Arrived::nothing : Arrived::end;
#else
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Arrived::nothing : Arrived::end;
#endif
}

}  // namespace

std::unique_ptr<Transfer> Transfer::make(const TransferSetup& setup) {
  std::unique_ptr<Transfer> transfer(new Transfer(setup));
  if (transfer->easy_ == nullptr) return nullptr;
  return transfer->set_callbacks() && transfer->set_fixed_options() && transfer->set_tls_options() ? std::move(transfer)
                                                                                                   : nullptr;
}

Transfer& Transfer::of(CURL* easy) noexcept {
  void* transfer = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
  return *static_cast<Transfer*>(transfer);
}

bool Transfer::set_callbacks() {
  void* const self = this;
  return set(CURLOPT_PRIVATE, self) && set(CURLOPT_ERRORBUFFER, error_text_.data()) &&
         set(CURLOPT_HEADERFUNCTION, &Transfer::take_header) && set(CURLOPT_HEADERDATA, self) &&
         set(CURLOPT_WRITEFUNCTION, &Transfer::take_body) && set(CURLOPT_WRITEDATA, self) &&
         set(CURLOPT_PREREQFUNCTION, &Transfer::begin_request) && set(CURLOPT_PREREQDATA, self) &&
         set(CURLOPT_SOCKOPTFUNCTION, &Transfer::note_socket) && set(CURLOPT_SOCKOPTDATA, self) &&
         set(CURLOPT_CLOSESOCKETFUNCTION, &Connections::close) &&
         set(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(&setup_.connections));
}

bool Transfer::set_fixed_options() {
  const CurlOptions& options = setup_.options;
  const bool http2 = (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2) != 0;
  bool done = set(CURLOPT_SHARE, setup_.share) && set(CURLOPT_NOSIGNAL, 1L) && set(CURLOPT_POST, 1L) &&
              set(CURLOPT_PATH_AS_IS, 1L) && set(CURLOPT_FOLLOWLOCATION, 0L) &&
              set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) && set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) &&
              set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
              set(CURLOPT_HTTP_VERSION, static_cast<long>(http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1)) &&
              set(CURLOPT_MAXAGE_CONN, longest_idle_seconds(options.idle_timeout)) &&
              set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count())) &&
              // Set even if empty: without these two options, the environment would decide.
              set(CURLOPT_PROXY, options.proxy.c_str()) && set(CURLOPT_NOPROXY, "");
#if LIBCURL_VERSION_NUM >= 0x075500
  done = done && set(CURLOPT_PROTOCOLS_STR, "https");
#else
  done = done && set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
  // Otherwise libcurl would wait for the thread of an abandoned DNS lookup, and all other calls with it.
  done = done && set(CURLOPT_QUICK_EXIT, 1L);
#endif
  return done;
}

bool Transfer::set_tls_options() {
  bool done = set(CURLOPT_SSL_VERIFYPEER, 1L) && set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!setup_.options.ca_bundle_file.empty()) {
    // Without the second option, libcurl would also trust the system's CA folder.
    done = done && set(CURLOPT_CAINFO, setup_.options.ca_bundle_file.c_str()) &&
           set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (tls_is_our_openssl()) done = done && set(CURLOPT_SSL_CTX_FUNCTION, &forget_key_log);
  return done;
}

bool Transfer::prepare(Requests& request, bool fresh_connection, TimePoint now) {
  const QueuedRequest& next = request.front();
  if (!set_headers(next.http) || !set_message(next.http) || !begin_try(next, fresh_connection, now)) return false;
  request_.swap(request);
  return true;
}

bool Transfer::prepare_again(TimePoint now) noexcept { return begin_try(request_.front(), true, now); }

bool Transfer::set_headers(const HttpRequest& request) {
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
  if (!add_line("Expect:") || !set(CURLOPT_HTTPHEADER, headers.get())) return false;
  headers_ = std::move(headers);
  return true;
}

bool Transfer::set_message(const HttpRequest& request) {
  return set(CURLOPT_URL, (request.origin + request.path).c_str()) &&
         set(CURLOPT_CUSTOMREQUEST, request.method.c_str()) &&
         set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size())) &&
         set(CURLOPT_POSTFIELDS, request.body.data());
}

/// Forgets what the previous try left, and sets what each try has of its own.
bool Transfer::begin_try(const QueuedRequest& request, bool fresh_connection, TimePoint now) noexcept {
  static_cast<void>(reader_.take());
  answer_too_large_ = false;
  begun_ = false;
  dead_connection_ = false;
  stale_connection_ = false;
  error_text_[0] = '\0';
  opened_.clear();

  const auto left = std::chrono::ceil<milliseconds>(request.deadline - now);
  const milliseconds timeout = std::max(std::min(left, request.options.timeout), milliseconds(1));
  // libcurl reuses a connection only for transfers with the same TLS options. These two maximum versions have the same
  // effect, so the connections of one generation are not used for requests of the next.
  const long highest_tls = request.generation % 2 == 0 ? CURL_SSLVERSION_MAX_DEFAULT : CURL_SSLVERSION_MAX_TLSv1_3;
  const bool tls_1_3 = setup_.options.min_tls_version == TlsVersion::tls_1_3;
  const long lowest_tls = tls_1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2;
  return set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count())) &&
         set(CURLOPT_SSLVERSION, lowest_tls | highest_tls) && set(CURLOPT_FRESH_CONNECT, fresh_connection ? 1L : 0L);
}

int Transfer::note_socket(void* user, curl_socket_t socket, curlsocktype /*purpose*/) noexcept {
  try {
    static_cast<Transfer*>(user)->opened_.push_back(socket);
    return CURL_SOCKOPT_OK;
  } catch (const std::bad_alloc&) {
    return CURL_SOCKOPT_ERROR;
  }
}

/// Called when a connection is ready, before the first byte of the request: no byte was sent before. Called again if a
/// reused connection was closed without an answer and libcurl would send the same bytes over a new one. The first
/// request may have arrived, so the client decides whether to send it again, with a new signature.
int Transfer::begin_request(void* user, char* /*remote_ip*/, char* /*local_ip*/, int /*remote_port*/,
                            int local_port) noexcept {
  Transfer& self = *static_cast<Transfer*>(user);
  self.stale_connection_ = self.begun_;
  if (self.stale_connection_) return CURL_PREREQFUNC_ABORT;
  const auto* const session = self.info<curl_tlssessioninfo*>(CURLINFO_TLS_SSL_PTR);
  const curl_tlssessioninfo tls = session == nullptr ? curl_tlssessioninfo{} : *session;
  Protocol protocol = protocol_of(tls);
  if (protocol == Protocol::unknown) protocol = self.request_.front().host->protocol;
  try {
    if (!self.find_connection(tls, local_port) || !self.usable(tls, protocol)) {
      self.dead_connection_ = true;
      if (self.connection_ != nullptr) Connections::distrust(*self.connection_);
      self.connection_ = nullptr;
      return CURL_PREREQFUNC_ABORT;
    }
  } catch (const std::bad_alloc&) {
    return CURL_PREREQFUNC_ABORT;
  }
  ++self.connection_->transfers;
  self.begun_ = true;
  self.setup_.queue.connected(self.request_.front(), protocol);
  return CURL_PREREQFUNC_OK;
}

bool Transfer::find_connection(const curl_tlssessioninfo& tls, int local_port) {
  connection_ = keeps_connection() ? setup_.connections.find(tls.internals)
                                   : setup_.connections.opened(tls.internals, opened_socket(local_port));
  return connection_ != nullptr;
}

bool Transfer::usable(const curl_tlssessioninfo& tls, Protocol protocol) const noexcept {
  if (!keeps_connection()) return connection_->trusted;
  const Arrived arrived = connection_->is_shared(protocol) ? Arrived::nothing : arrived_meanwhile(tls);
  return connection_->may_carry(protocol, arrived);
}

Arrived Transfer::arrived_meanwhile(const curl_tlssessioninfo& tls) const noexcept {
  Arrived arrived = peek(connection_->socket);
  const bool openssl = is_openssl(tls);
  // libcurl reads only the Content-Length bytes of a body, so bytes that came with the body may be waiting already.
  if (arrived == Arrived::nothing && openssl && holds_bytes(tls.internals)) arrived = Arrived::data;
  const bool tls_is_the_sockets = !same_token(setup_.options.proxy.substr(0, 6), "https:");
  if (arrived == Arrived::data && openssl && tls_is_the_sockets) {
    arrived = look_into(tls.internals, connection_->socket);
  }
  return arrived;
}

curl_socket_t Transfer::opened_socket(int local_port) const noexcept {
  for (auto socket = opened_.rbegin(); socket != opened_.rend(); ++socket) {
    if (local_port_of(*socket) == local_port) return *socket;
  }
  return CURL_SOCKET_BAD;
}

std::size_t Transfer::take_header(char* data, std::size_t /*one*/, std::size_t size, void* user) noexcept {
  Transfer& self = *static_cast<Transfer*>(user);
  try {
    if (self.reader_.add_header_line({data, size})) return size;
    self.answer_too_large_ = true;
  } catch (const std::bad_alloc&) {
  }
  return 0;
}

std::size_t Transfer::take_body(char* data, std::size_t /*one*/, std::size_t size, void* user) noexcept {
  Transfer& self = *static_cast<Transfer*>(user);
  try {
    if (self.reader_.add_body({data, size})) return size;
    self.answer_too_large_ = true;
  } catch (const std::bad_alloc&) {
  }
  return 0;
}

/// Releases the connection and the request.
Requests Transfer::end(CURLcode code) noexcept {
  if (connection_ != nullptr) {
    if (code == CURLE_OPERATION_TIMEDOUT) Connections::distrust(*connection_);
    Connections::leave(*connection_);
    connection_ = nullptr;
  }
  const long version = info<long>(CURLINFO_HTTP_VERSION);
  const Protocol protocol = version == 0                       ? Protocol::unknown
                            : version == CURL_HTTP_VERSION_2_0 ? Protocol::http2
                                                               : Protocol::http1;
  const bool connection_failed = code == CURLE_OPERATION_TIMEDOUT || code == CURLE_SEND_ERROR ||
                                 code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING || code == CURLE_HTTP2 ||
                                 stale_connection_;
  Requests request;
  request.swap(request_);
  setup_.queue.finished(request.front(), protocol, connection_failed);
  return request;
}

void Transfer::complete(CURLcode code) noexcept {
  Requests ended = end(code);
  QueuedRequest& request = ended.front();
  const TransferInfo transferred = transfer_info(request);
  // libcurl treats an answer without a body as complete even if its headers are cut off.
  if (code == CURLE_OK && !reader_.headers_whole()) code = CURLE_PARTIAL_FILE;
  if (code == CURLE_OK) {
    HttpResponse response = reader_.take();
    response.status = static_cast<int>(info<long>(CURLINFO_RESPONSE_CODE));
    response.transfer = transferred;
    return request.complete(std::move(response));
  }
  Error error;
  try {
    error = failure(code, request.http.origin);
    error.tries.emplace_back().transfer = transferred;
  } catch (const std::bad_alloc&) {
    return request.complete(TransportFault::other, outcome(), "out of memory");
  }
  static_cast<void>(reader_.take());
  request.complete(std::move(error));
}

void Transfer::abandon(TransportFault fault, const char* message) noexcept {
  Requests ended = end(CURLE_OK);
  static_cast<void>(reader_.take());
  ended.front().complete(fault, outcome(), message);
}

TransferInfo Transfer::transfer_info(const QueuedRequest& request) const noexcept {
  const auto time = [this](CURLINFO which) { return std::chrono::microseconds(info<curl_off_t>(which)); };
  TransferInfo transferred;
  transferred.waited = std::chrono::duration_cast<std::chrono::microseconds>(request.turn - request.start);
  transferred.name_lookup = time(CURLINFO_NAMELOOKUP_TIME_T);
  transferred.connect = time(CURLINFO_CONNECT_TIME_T);
  transferred.tls = time(CURLINFO_APPCONNECT_TIME_T);
  transferred.first_byte = time(CURLINFO_STARTTRANSFER_TIME_T);
  transferred.total = time(CURLINFO_TOTAL_TIME_T);
  transferred.connection_reused = stale_connection_ || (begun_ && info<long>(CURLINFO_NUM_CONNECTS) == 0);
  transferred.bytes_sent = static_cast<std::uint64_t>(info<long>(CURLINFO_REQUEST_SIZE));
  // The proxy's answer to a second CONNECT would be counted, too.
  if (!stale_connection_) {
    transferred.bytes_received =
        static_cast<std::uint64_t>(info<long>(CURLINFO_HEADER_SIZE) + info<curl_off_t>(CURLINFO_SIZE_DOWNLOAD_T));
  }
  return transferred;
}

Error Transfer::failure(CURLcode code, const std::string& origin) const {
  Failure failed;
  failed.code = code;
  failed.origin = origin;
  failed.libcurls_words = error_text_.data();
  failed.proxy_status = info<long>(CURLINFO_HTTP_CONNECTCODE);
  failed.begun = begun_;
  // libcurl has its own limits for one header line, and reports them with an unusual code.
  failed.answer_too_large = answer_too_large_ || (code == CURLE_OUT_OF_MEMORY && begun_ && !reader_.has_body());
  failed.stale_connection = stale_connection_;
  return to_error(failed);
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END
