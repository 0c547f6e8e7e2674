/// One call in progress, on any threads.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_CALL_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_CALL_HPP

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/impl/client_core.hpp"
#include "wechatpay/bonus_commit/impl/commit_promise.hpp"
#include "wechatpay/bonus_commit/stages/commit_attempts.hpp"
#include "wechatpay/bonus_commit/stop.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

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
  std::uint64_t listed_as_ = 0;                                   ///< in the list of calls in progress
  std::atomic<bool> stopped_{false};
  int number_ = 0;               ///< the number of the latest request or task
  std::atomic<int> awaited_{0};  ///< the number of the request or task that waits; 0: a thread has the turn
};

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/client_core.ipp"
#include "wechatpay/bonus_commit/impl/commit_call.ipp"
#endif

#endif
