/// The calls of a client that are in progress, on any threads.
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
#include "wechatpay/bonus_commit/stages/commit_attempts.hpp"
#include "wechatpay/bonus_commit/stop.hpp"
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

  /// The call is in progress from now on, until forget(). Throws std::bad_alloc.
  void add(const std::shared_ptr<CommitCall>& call);
  void forget(const std::shared_ptr<CommitCall>& call) noexcept;

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
  std::set<std::shared_ptr<CommitCall>> calls_;
  Visit* visits_ = nullptr;
  bool closed_ = false;
};

/// One call in progress. It ends exactly once. One thread at a time has the turn and may use all members; other threads
/// use only the atomic members. The thread that starts the call has the turn first. After that, a thread takes the turn
/// by taking the number of the request that waits for the transport, or of the task that waits for its executor.
class CommitCall : public std::enable_shared_from_this<CommitCall> {
 public:
  using Callback = BonusCommitClient::Callback;

  /// `promise` is null or the one that `done` refers to. Its stop ends only this call. If this throws, `done` is
  /// unchanged.
  CommitCall(std::shared_ptr<ClientCore> core, Callback&& done, const CallOptions& options,
             const std::shared_ptr<CommitPromise>& promise)
      : core_(std::move(core)),
        waiting_(promise != nullptr && promise->works ? promise : nullptr),
        stop_(promise != nullptr ? promise->stop : StopSource()),
        attempts_(core_->setup(), core_->credentials(), {options.timeout, stop_.get_token()}),
        done_(std::move(done)) {}
  CommitCall(const CommitCall&) = delete;
  CommitCall& operator=(const CommitCall&) = delete;

  /// Starts the call, which `users_stop` ends. With `has_place`, the rate limit has already been applied.
  void start(const BonusCommitRequest& request, const StopToken& users_stop, bool has_place) noexcept;

  /// Asks the transport to end the call, since the client is being destroyed.
  void ask_to_stop() noexcept;

  /// Ends the call if it waits for the transport. Otherwise the thread that works on it ends it soon.
  void stop() noexcept;

 private:
  /// Forwards the user's stop request.
  struct Forward {
    StopSource to;
    void operator()() const noexcept { to.request_stop(); }
  };

  /// Represents the pending answer to one request. If it is destroyed without an answer, the call ends.
  struct Reply {
    Reply(std::shared_ptr<CommitCall> call_, int number_, std::optional<Result<HttpResponse>>& response_)
        : call(std::move(call_)), number(number_), response(response_) {}
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    ~Reply() { call->drop(number); }

    const std::shared_ptr<CommitCall> call;
    const int number;
    std::atomic<std::thread::id> sender{std::this_thread::get_id()};  ///< the thread that is in Transport::send()
    std::optional<Result<HttpResponse>>& response;                    ///< that thread's; set if it came during send()
  };

  /// Represents a task that signs and sends the next try.
  struct Task {
    Task(std::weak_ptr<CommitCall> call_, int number_) : call(std::move(call_)), number(number_) {}
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    ~Task();

    const std::weak_ptr<CommitCall> call;  ///< weak: the client may own what keeps the task
    const int number;
  };

  /// `FirstStep` returns a CommitStep, or nothing if another thread has the turn now.
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
  std::chrono::milliseconds duration() const noexcept;

  const std::shared_ptr<ClientCore> core_;
  const std::shared_ptr<CommitPromise> waiting_;    ///< set if a commit() waits and runs tasks
  const StopSource stop_;                           ///< the transport has its token
  std::unique_ptr<StopCallback<Forward>> forward_;  ///< from the user's stop, if there is one, to stop_
  CommitAttempts attempts_;
  Callback done_;
  std::string out_trade_no_;
  std::optional<std::chrono::steady_clock::time_point> started_;  ///< empty if the user's clock has thrown then
  std::atomic<bool> stopped_{false};
  int number_ = 0;               ///< the number of the latest request or task
  std::atomic<int> awaited_{0};  ///< the number of the request or task that waits; 0: a thread has the turn
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

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/commit_call.ipp"
#endif

#endif
