/// What the copies of a client and its calls share.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_CLIENT_CORE_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_CLIENT_CORE_HPP

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/impl/system.hpp"
#include "wechatpay/bonus_commit/stages/commit_attempts.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

class CommitCall;

/// What a client and its calls share: the set-up, the transport, and the list of threads that work on calls. It
/// outlives the client if a transport keeps completions. Thread-safe.
class ClientCore {
 public:
  ClientCore(std::unique_ptr<ClientSetup> setup, std::shared_ptr<const Credentials> credentials,
             std::shared_ptr<Transport> transport);
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  /// While a Visit exists, its thread works on a call. The client's destructor waits for it, unless it runs on that
  /// thread.
  class Visit {
   public:
    explicit Visit(ClientCore& core);
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit();

   private:
    friend class ClientCore;

    ClientCore& core_;
    const std::thread::id thread_ = std::this_thread::get_id();
    Visit* next_;
    Visit* previous_ = nullptr;
  };

  const std::shared_ptr<ClientSetup>& setup() const noexcept { return setup_; }

  /// The credentials with which a new call signs all its tries.
  std::shared_ptr<const Credentials> credentials() const;
  void renew(std::shared_ptr<const Credentials> credentials) noexcept;

  /// Whether this process was forked from the client's process. Then a mutex may be held by a thread that does not
  /// exist here.
  bool in_child() const noexcept { return process_ != this_process(); }

  /// The call is in progress from now on, until forget() with the number that is returned. Throws std::bad_alloc.
  std::uint64_t add(const std::shared_ptr<CommitCall>& call);
  void forget(std::uint64_t number) noexcept;

  /// Null once the client is being destroyed.
  std::shared_ptr<Transport> transport() const;

  /// Releases the transport, and ends each call that the transport does not end. Waits for the threads that work on
  /// calls, except this one. Called by the client's last copy.
  void close() noexcept;

 private:
  template <typename Use>
  void for_each_call(const Use& use) noexcept;
  void wait_for_visits() noexcept;

  const std::shared_ptr<ClientSetup> setup_;
  const unsigned process_ = this_process();
  mutable std::mutex mutex_;  ///< guards the rest
  std::condition_variable left_;
  std::shared_ptr<const Credentials> credentials_;
  std::shared_ptr<Transport> transport_;
  std::map<std::uint64_t, std::shared_ptr<CommitCall>> calls_;  ///< in the order in which they began
  std::uint64_t added_ = 0;
  Visit* visits_ = nullptr;
  bool closed_ = false;
};

/// Shared by the copies of a client. The last copy ends its calls.
struct OpenClient {
  explicit OpenClient(std::shared_ptr<ClientCore> core_) : core(std::move(core_)) {}
  OpenClient(const OpenClient&) = delete;
  OpenClient& operator=(const OpenClient&) = delete;
  ~OpenClient();

  const std::shared_ptr<ClientCore> core;
};

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif
