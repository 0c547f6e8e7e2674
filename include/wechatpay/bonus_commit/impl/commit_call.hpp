/// The calls of a client that are under way, on whatever threads.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_CALL_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_CALL_HPP

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/impl/commit_promise.hpp"
#include "wechatpay/bonus_commit/impl/system.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"
#include "wechatpay/bonus_commit/stages/commit_attempts.hpp"
#include "wechatpay/bonus_commit/stop.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

class CommitCall;

/// What a client and its calls share: the set-up, the transport, and who is at work. It outlives the client where a
/// transport keeps completions. Thread-safe.
class ClientCore {
 public:
  ClientCore(std::unique_ptr<ClientSetup> setup, std::shared_ptr<const Credentials> credentials,
             std::shared_ptr<Transport> transport);
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  /// While one lives, its thread works on a call: the client's end waits for it, unless it is on the same thread.
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

  /// Those with which a call that begins now signs all its tries.
  std::shared_ptr<const Credentials> credentials() const;
  void renew(std::shared_ptr<const Credentials> credentials) noexcept;

  /// Whether this process was forked from the client's own, so that a mutex may be held by a thread that is not here.
  bool in_child() const noexcept { return process_ != this_process(); }

  /// A call is under way from here on, until it is forgotten. Throws std::bad_alloc.
  void add(const std::shared_ptr<CommitCall>& call);
  void forget(const std::shared_ptr<CommitCall>& call) noexcept;

  /// Null once the client ends.
  std::shared_ptr<Transport> transport() const;

  /// Lets go of the transport, and ends each call that it does not end. Waits for who is at work on other threads. For
  /// the client's last copy.
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
  std::set<std::shared_ptr<CommitCall>> calls_;
  Visit* visits_ = nullptr;
  bool closed_ = false;
};

/// One call under way. It ends exactly once. One thread at a time has its turn, and with it all but the atomic members:
/// who starts it, then who takes the number of the request that waits for the transport, or of the task that waits for
/// its executor.
class CommitCall : public std::enable_shared_from_this<CommitCall> {
 public:
  using Callback = BonusCommitClient::Callback;

  /// `promise` is null or what `done` keeps: its stop ends only this call. Where it throws, `done` is still whole.
  CommitCall(std::shared_ptr<ClientCore> core, Callback&& done, const CallOptions& options,
             const std::shared_ptr<CommitPromise>& promise)
      : core_(std::move(core)),
        waiting_(promise != nullptr && promise->works ? promise : nullptr),
        stop_(promise != nullptr ? promise->stop : StopSource()),
        users_stop_(options.stop),
        attempts_(core_->setup(), core_->credentials(), {options.timeout, stop_.get_token()}),
        done_(std::move(done)) {}
  CommitCall(const CommitCall&) = delete;
  CommitCall& operator=(const CommitCall&) = delete;

  /// The way of a request. With `has_place`, the rate limit has been asked already.
  void start(const BonusCommitRequest& request, bool has_place) noexcept;

  /// Asks the transport to give the call up, since the client ends.
  void ask_to_stop() noexcept;

  /// Ends the call if it waits for the transport; else who works on it ends it soon.
  void stop() noexcept;

 private:
  /// Hands a stop of the user's on.
  struct Forward {
    StopSource to;
    void operator()() const noexcept { to.request_stop(); }
  };

  /// Stands for the answer to one request.
  struct Reply {
    Reply(std::shared_ptr<CommitCall> call_, int number_) : call(std::move(call_)), number(number_) {}
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    ~Reply() { call->drop(number); }

    const std::shared_ptr<CommitCall> call;
    const int number;
    std::atomic<std::thread::id> sender{std::this_thread::get_id()};  ///< is in Transport::send()
    std::optional<Result<HttpResponse>> response;                     ///< that came there
  };

  /// Stands for a task that signs and sends the next try.
  struct Task {
    Task(std::weak_ptr<CommitCall> call_, int number_) : call(std::move(call_)), number(number_) {}
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    ~Task();

    const std::weak_ptr<CommitCall> call;  ///< since who keeps the task may be kept by the client's options
    const int number;
  };

  /// `FirstStep` gives a CommitStep, or nothing where somebody else has the turn now.
  template <typename FirstStep>
  void run(const FirstStep& first_step) noexcept;
  std::optional<Result<HttpResponse>> send(SignedTry next);
  void arrive(Reply& reply, Result<HttpResponse> response) noexcept;
  void drop(int number) noexcept;
  bool signs_elsewhere() const noexcept { return waiting_ != nullptr || core_->setup()->options.executor; }
  std::optional<CommitStep> post_next_try();
  void next_try(int number) noexcept;
  bool take_turn(int number) noexcept { return awaited_.compare_exchange_strong(number, 0); }
  void give_up(ErrorKind kind, TransportFault fault, const char* what) noexcept;
  void end(CommitResult result) noexcept;
  Moment now() const;

  const std::shared_ptr<ClientCore> core_;
  const std::shared_ptr<CommitPromise> waiting_;  ///< a commit() does, and runs tasks
  const StopSource stop_;                         ///< the transport has its token
  StopToken users_stop_;
  std::optional<StopCallback<Forward>> forward_;  ///< from the user's to ours
  CommitAttempts attempts_;
  Callback done_;
  std::string out_trade_no_;
  std::chrono::steady_clock::time_point started_;
  std::atomic<bool> stopped_{false};
  int number_ = 0;               ///< of the latest request or task
  std::atomic<int> awaited_{0};  ///< the number of the request or task that waits; 0: somebody has the turn
};

/// What the copies of a client share; the last one ends its calls.
struct OpenClient {
  explicit OpenClient(std::shared_ptr<ClientCore> core_) : core(std::move(core_)) {}
  OpenClient(const OpenClient&) = delete;
  OpenClient& operator=(const OpenClient&) = delete;
  ~OpenClient();

  const std::shared_ptr<ClientCore> core;
};

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/commit_call.ipp"
#endif

#endif
