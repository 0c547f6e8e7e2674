#include "src/curl/multi.hpp"

#include <algorithm>
#include <utility>

#include "src/curl/openssl_backend.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace curl {

namespace {

/// Over HTTP/2, libcurl 7.88 sometimes reads a transfer's frames for another one and does not wake that; no socket
/// tells of them any more, and it finds them only when it is called again.
constexpr milliseconds longest_wait{200};

}  // namespace

milliseconds until(TimePoint moment) {
  const auto now = Clock::now();
  if (moment <= now) return milliseconds(0);
  if (moment - now > longest_timeout) return longest_timeout;
  return std::chrono::ceil<milliseconds>(moment - now);
}

std::unique_ptr<Multi> Multi::make(const CurlOptions& options, CURLSH* share, RequestQueue& queue,
                                   SocketWatcher* watcher) {
  std::unique_ptr<Multi> multi(new Multi(options, share, queue, watcher));
  if (multi->multi_ == nullptr || !multi->set_options(options)) return nullptr;
  // Without free file descriptors, libcurl makes a handle that cannot be woken.
  if (watcher == nullptr && !multi->wake()) return nullptr;
  return multi;
}

Multi::Multi(const CurlOptions& options, CURLSH* share, RequestQueue& queue, SocketWatcher* watcher)
    : watcher_(watcher),
      setup_{options, share, connections_, queue},
      multi_(curl_multi_init()),
      idle_since_(Clock::now()) {}

Multi::~Multi() {
  idle_.clear();
  multi_.reset();
  clear_tls_errors();
}

bool Multi::set_options(const CurlOptions& options) {
  const auto set = [this](CURLMoption option, auto value) {
    return curl_multi_setopt(multi_.get(), option, value) == CURLM_OK;
  };
  // Room for the connections to two hosts. By default libcurl would close some as soon as fewer calls are in progress.
  const auto kept = static_cast<long>(std::min<std::size_t>(2 * options.max_connections, 1U << 16U));
  if (!set(CURLMOPT_MAXCONNECTS, kept)) return false;
  if (watcher_ == nullptr) return true;
  void* const self = this;
  return set(CURLMOPT_SOCKETFUNCTION, &Multi::watch) && set(CURLMOPT_SOCKETDATA, self) &&
         set(CURLMOPT_TIMERFUNCTION, &Multi::note_timer) && set(CURLMOPT_TIMERDATA, self);
}

bool Multi::add_idle_transfer() {
  auto transfer = Transfer::make(setup_);
  if (transfer == nullptr) return false;
  idle_.push_back(std::move(transfer));
  return true;
}

const char* Multi::start(Requests& request, bool fresh_connection, TimePoint now) {
  if (idle_.empty() && !add_idle_transfer()) return "libcurl could not make a handle";
  const auto place = std::prev(idle_.end());
  Transfer& transfer = **place;
  const char* const refused = "libcurl refused the request: check its origin, path and headers";
  if (!transfer.prepare(request, fresh_connection, now)) return refused;
  if (curl_multi_add_handle(multi_.get(), transfer.easy()) != CURLM_OK) {
    transfer.abandon(TransportFault::other, refused);
    return nullptr;
  }
  transfer.place = place;
  under_way_.splice(under_way_.end(), idle_, place);
  return nullptr;
}

/// Removes a transfer from libcurl. Its request is completed afterwards.
void Multi::release(Transfer& transfer) noexcept {
  curl_multi_remove_handle(multi_.get(), transfer.easy());
  clear_tls_errors();
  idle_.splice(idle_.end(), under_way_, transfer.place);
  if (under_way_.empty()) idle_since_ = Clock::now();
}

/// Starts the transfer on a new connection, after a reused one was found dead.
bool Multi::start_again(Transfer& transfer) noexcept {
  curl_multi_remove_handle(multi_.get(), transfer.easy());
  clear_tls_errors();
  return transfer.prepare_again(Clock::now()) && curl_multi_add_handle(multi_.get(), transfer.easy()) == CURLM_OK;
}

void Multi::perform(curl_socket_t socket, int events) noexcept {
  int running = 0;
  // This action tells the time that is left anew, if any is. Without one, not every libcurl takes the old time back.
  if (watcher_ != nullptr && socket == CURL_SOCKET_TIMEOUT) watcher_->note_timer(never);
  const CURLMcode code = watcher_ == nullptr ? curl_multi_perform(multi_.get(), &running)
                                             : curl_multi_socket_action(multi_.get(), socket, events, &running);
  clear_tls_errors();
  if (code != CURLM_OK) abandon_all(TransportFault::other, "libcurl gave up on all transfers");
}

bool Multi::complete_finished() noexcept {
  bool any = false;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Transfer& transfer = Transfer::of(message->easy_handle);
    any = true;
    if (transfer.met_dead_connection() && start_again(transfer)) continue;
    release(transfer);
    transfer.complete(code);
  }
  return any;
}

void Multi::abandon_stopped() noexcept {
  for (auto at = under_way_.begin(); at != under_way_.end();) {
    Transfer& transfer = **at++;
    if (!transfer.stopped()) continue;
    release(transfer);
    transfer.abandon(TransportFault::cancelled, "given up while under way");
  }
}

void Multi::abandon_all(TransportFault fault, const char* message) noexcept {
  while (!under_way_.empty()) {
    Transfer& transfer = *under_way_.front();
    release(transfer);
    transfer.abandon(fault, message);
  }
}

bool Multi::wait(TimePoint moment) noexcept {
  if (setup_.queue.may_share_connections()) moment = std::min(moment, Clock::now() + longest_wait);
  return curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(until(moment).count()), nullptr) == CURLM_OK;
}

int Multi::watch(CURL* /*easy*/, curl_socket_t socket, int what, void* user, void* /*of_socket*/) noexcept {
  return static_cast<Multi*>(user)->watcher_->watch(socket, what) ? 0 : -1;
}

int Multi::note_timer(CURLM* /*multi*/, long delay, void* user) noexcept {
  static_cast<Multi*>(user)->watcher_->note_timer(delay < 0 ? never : Clock::now() + milliseconds(delay));
  return 0;
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END
