#ifndef WECHATPAY_BONUS_COMMIT_IMPL_CLIENT_CORE_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_CLIENT_CORE_IPP

#include "wechatpay/bonus_commit/impl/client_core.hpp"

#include <new>

#include "wechatpay/bonus_commit/impl/commit_call.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

WECHATPAY_BONUS_COMMIT_DECL ClientCore::ClientCore(std::unique_ptr<ClientSetup> setup,
                                                   std::shared_ptr<const Credentials> credentials,
                                                   std::shared_ptr<Transport> transport)
    // The options hold the user's functions, whose destructors are the user's code, too.
    : setup_(setup.release(), [](ClientSetup* ended) { run_users_code([ended] { delete ended; }); }),
      credentials_(std::move(credentials)),
      transport_(std::move(transport)) {}

WECHATPAY_BONUS_COMMIT_DECL ClientCore::Visit::Visit(ClientCore& core) : core_(core) {
  const std::lock_guard<std::mutex> lock(core_.mutex_);
  next_ = core_.visits_;
  if (next_ != nullptr) next_->previous_ = this;
  core_.visits_ = this;
}

WECHATPAY_BONUS_COMMIT_DECL ClientCore::Visit::~Visit() {
  const std::lock_guard<std::mutex> lock(core_.mutex_);
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : core_.visits_) = next_;
  if (core_.closed_) core_.left_.notify_all();
}

WECHATPAY_BONUS_COMMIT_DECL std::shared_ptr<const Credentials> ClientCore::credentials() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return credentials_;
}

WECHATPAY_BONUS_COMMIT_DECL void ClientCore::renew(std::shared_ptr<const Credentials> credentials) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  credentials_.swap(credentials);  // the old credentials are destroyed after the lock is released
}

WECHATPAY_BONUS_COMMIT_DECL std::uint64_t ClientCore::add(const std::shared_ptr<CommitCall>& call) {
  const std::lock_guard<std::mutex> lock(mutex_);
  calls_.emplace_hint(calls_.end(), added_ + 1, call);
  return ++added_;
}

WECHATPAY_BONUS_COMMIT_DECL void ClientCore::forget(std::uint64_t number) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  calls_.erase(number);
}

WECHATPAY_BONUS_COMMIT_DECL std::shared_ptr<Transport> ClientCore::transport() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return transport_;
}

WECHATPAY_BONUS_COMMIT_DECL void ClientCore::close() noexcept {
  std::shared_ptr<Transport> transport;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    transport.swap(transport_);
  }
  for_each_call([](CommitCall& call) { call.ask_to_stop(); });
  wait_for_visits();  // some threads may be in Transport::send()
  transport.reset();  // most transports end their requests now, and know best which bytes were sent
  for_each_call([](CommitCall& call) { call.stop(); });
  wait_for_visits();
}

template <typename Use>
WECHATPAY_BONUS_COMMIT_DECL void ClientCore::for_each_call(const Use& use) noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  std::uint64_t number = 0;
  for (auto at = calls_.begin(); at != calls_.end(); at = calls_.upper_bound(number)) {
    number = at->first;
    auto call = at->second;
    lock.unlock();
    use(*call);
    call.reset();  // its destructor may be the user's code, so it never runs under the lock
    lock.lock();
  }
}

WECHATPAY_BONUS_COMMIT_DECL void ClientCore::wait_for_visits() noexcept {
  const auto self = std::this_thread::get_id();
  std::unique_lock<std::mutex> lock(mutex_);
  left_.wait(lock, [this, self] {
    for (const Visit* visit = visits_; visit != nullptr; visit = visit->next_) {
      if (visit->thread_ != self) return false;
    }
    return true;
  });
}

WECHATPAY_BONUS_COMMIT_DECL OpenClient::~OpenClient() {
  const NoThreadCancellation whole;
  if (!core->in_child()) {
    core->close();
    return;
  }
  // Calls in progress belong to the parent and are not changed: ending one could wait for threads that do not exist
  // here.
  static_cast<void>(new (std::nothrow) std::shared_ptr<ClientCore>(core));
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif
