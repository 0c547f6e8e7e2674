#include "src/curl/transfer_loop.hpp"

#include <algorithm>
#include <new>
#include <utility>

WECHATPAY_BONUS_COMMIT_BEGIN

namespace curl {

TransferLoop::TransferLoop(const CurlOptions& options, SocketWatcher* watcher,
                           std::function<void(Multi*)> multi_changed)
    : options_(options),
      watcher_(watcher),
      multi_changed_(std::move(multi_changed)),
      queue_(options.max_connections, options.connect_timeout / 2) {}

bool TransferLoop::initialize() {
  share_.reset(curl_share_init());
  if (share_ == nullptr || curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK ||
      curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK) {
    return false;
  }
  Connections none;
  return Transfer::make({options_, share_.get(), none, queue_}) != nullptr;
}

bool TransferLoop::round(Mail mail, curl_socket_t socket, int events) noexcept {
  queue_.add(mail.requests);
  if (mail.stops) end_stopped();
  start_and_expire();
  if (multi_ == nullptr) return false;
  multi_->perform(socket, events);
  const bool any = multi_->complete_finished();
  close_idle_connections();
  return any;
}

void TransferLoop::start_and_expire() noexcept {
  const TimePoint now = Clock::now();
  while (true) {
    RequestQueue::Action action = queue_.poll(now);
    switch (action.kind) {
      case RequestQueue::Action::Kind::none: return;
      case RequestQueue::Action::Kind::start: start(action, now); break;
      case RequestQueue::Action::Kind::complete:
        action.request.front().complete(action.fault, Outcome::not_sent, action.message);
        break;
    }
  }
}

void TransferLoop::start(RequestQueue::Action& action, TimePoint now) noexcept {
  TransportFault fault = TransportFault::other;
  const char* refusal = nullptr;
  try {
    if (multi_ == nullptr) {
      multi_ = Multi::make(options_, share_.get(), queue_, watcher_);
      if (multi_ != nullptr) multi_changed_(multi_.get());
    }
    if (multi_ == nullptr) {
      // Without free file descriptors, libcurl also fails to connect; soon there may be some.
      fault = TransportFault::connect;
      refusal = "libcurl lacks memory or file descriptors: raise the limit (ulimit -n)";
    } else {
      refusal = multi_->start(action.request, action.fresh_connection, now);
    }
  } catch (const std::bad_alloc&) {
    refusal = "out of memory";
  }
  if (refusal == nullptr) return;
  QueuedRequest& request = action.request.front();
  queue_.finished(request, Protocol::unknown, false);
  request.complete(fault, Outcome::not_sent, refusal);
}

void TransferLoop::end_stopped() noexcept {
  Requests stopped = queue_.take_stopped();
  for (QueuedRequest& request : stopped) {
    request.complete(TransportFault::cancelled, Outcome::not_sent, "taken back before it was sent");
  }
  if (multi_ != nullptr) multi_->abandon_stopped();
}

TimePoint TransferLoop::closes_connections() const noexcept {
  return multi_ != nullptr && multi_->idle() ? multi_->idle_since() + options_.idle_timeout : never;
}

/// libcurl closes a connection that was idle for too long only when the next transfer needs one. So all are closed with
/// the multi handle.
void TransferLoop::close_idle_connections() noexcept {
  if (Clock::now() < closes_connections()) return;
  multi_changed_(nullptr);
  multi_.reset();
}

TimePoint TransferLoop::next_moment() const noexcept { return std::min(queue_.next_moment(), closes_connections()); }

void TransferLoop::complete_all(TransportFault fault, const char* under_way, const char* unsent) noexcept {
  if (multi_ != nullptr) multi_->abandon_all(fault, under_way);
  Requests waiting = queue_.take_all();
  for (QueuedRequest& request : waiting) request.complete(fault, Outcome::not_sent, unsent);
}

void TransferLoop::end(Mail mail) noexcept {
  queue_.add(mail.requests);
  complete_all(TransportFault::shut_down, "the transport was shut down while the call was under way",
               "the transport was shut down before the request was sent");
  multi_changed_(nullptr);
  multi_.reset();
  share_.reset();
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END
