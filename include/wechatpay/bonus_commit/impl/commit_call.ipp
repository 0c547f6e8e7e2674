#ifndef WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_CALL_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_CALL_IPP

#include "wechatpay/bonus_commit/impl/commit_call.hpp"

#include <algorithm>
#include <new>

#include "wechatpay/bonus_commit/impl/system.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

using std::chrono::milliseconds;

inline constexpr const char* destroyed = "the client was destroyed while the call was under way";

/// Subtracts the time spent since a step began (mostly for signing) from the transport's time limits. Returns whether
/// any time is left.
WECHATPAY_BONUS_COMMIT_DECL bool hurry(SendOptions& options, milliseconds spent) {
  const milliseconds of_the_pause = std::clamp(spent, milliseconds(0), options.delay);
  options.delay -= of_the_pause;
  options.deadline -= (std::max)(spent - of_the_pause, milliseconds(0));
  options.timeout = (std::min)(options.timeout, options.deadline);
  return options.deadline > milliseconds(0);
}

WECHATPAY_BONUS_COMMIT_DECL Moment CommitCall::now() const {
  const ClientOptions& options = core_->setup()->options;
  return {options.steady_clock(), options.clock()};
}

/// The time since the start; 0 if the user's clock throws.
WECHATPAY_BONUS_COMMIT_DECL milliseconds CommitCall::duration() const noexcept {
  milliseconds duration{0};
  run_users_code([&] {
    if (!started_) return;
    duration = std::chrono::duration_cast<milliseconds>(core_->setup()->options.steady_clock() - *started_);
  });
  return duration;
}

WECHATPAY_BONUS_COMMIT_DECL void CommitCall::start(const BonusCommitRequest& request, const StopToken& users_stop,
                                                   bool has_place) noexcept {
  const ClientCore::Visit visit(*core_);
  run_users_code([&] { out_trade_no_ = request.out_trade_no; });  // if memory runs out, hooks get an empty one
  run([&](Moment present) -> std::optional<CommitStep> {
    listed_as_ = core_->add(shared_from_this());
    started_ = present.steady;
    if (users_stop.stop_possible()) forward_ = std::make_unique<StopCallback<Forward>>(users_stop, Forward{stop_});
    return attempts_.begin(request, present, has_place);
  });
}

/// Runs steps of the call on the thread that has the turn, until another thread has the turn or the call has ended. An
/// exception (out of memory, or from the user's clock or transport) ends the call with an error.
template <typename FirstStep>
WECHATPAY_BONUS_COMMIT_DECL void CommitCall::run(const FirstStep& first_step) noexcept {
  const UsersCode guard;
  try {
    Moment present = now();
    std::optional<CommitStep> step = first_step(present);
    while (step) {
      SignedTry* const next = std::get_if<SignedTry>(&*step);
      if (next == nullptr) return end(std::get<CommitResult>(*std::move(step)));
      if (!hurry(next->options, std::chrono::duration_cast<milliseconds>(now().steady - present.steady))) {
        return end(attempts_.too_late());
      }
      auto response = send(std::move(*next));
      if (!response) return;
      present = now();
      step = attempts_.on_response(*response, present);
    }
  } catch (...) {
    const std::string what = words_of_exception("a function of ClientOptions, or the transport,");
    give_up(ErrorKind::internal_error, TransportFault::none, what.c_str());
  }
}

/// Hands `next` to the transport. Returns the response if it came before send() returned; then this thread has the
/// turn. Otherwise the thread that delivers the response continues.
WECHATPAY_BONUS_COMMIT_DECL std::optional<Result<HttpResponse>> CommitCall::send(SignedTry next) {
  std::optional<Result<HttpResponse>> response;
  const auto reply = std::make_shared<Reply>(shared_from_this(), number_ + 1, response);
  Transport::Completion completion = [reply](Result<HttpResponse> arrived) {
    const auto kept = reply;  // NOLINT(performance-unnecessary-copy-initialization): the transport, and this function
                              // with it, may be destroyed before arrive() returns
    kept->call->arrive(*kept, std::move(arrived));
  };
  ++number_;
  attempts_.hand_over();
  awaited_ = reply->number;  // from now on, another thread may have the turn
  const auto transport = core_->transport();
  if (transport == nullptr) {
    if (!take_turn(reply->number)) return std::nullopt;
    attempts_.take_back();
    give_up(ErrorKind::transport_failed, TransportFault::shut_down,
            "the client was destroyed before the commit could be sent, or tried again");
    return std::nullopt;
  }
  try {
    transport->send(std::move(next.request), std::move(next.options), std::move(completion));
  } catch (...) {
    reply->sender = std::thread::id();
    if (take_turn(reply->number)) throw;
  }
  reply->sender = std::thread::id();
  return response;
}

/// On any thread: receives the transport's answer. Only the first answer to a request counts.
WECHATPAY_BONUS_COMMIT_DECL void CommitCall::arrive(Reply& reply, Result<HttpResponse> response) noexcept {
  if (core_->in_child()) return;  // the call belongs to the parent
  const ClientCore::Visit visit(*core_);
  if (!take_turn(reply.number)) return;
  if (reply.sender == std::this_thread::get_id()) {
    reply.response.emplace(std::move(response));
    return;
  }
  run([&](Moment present) -> std::optional<CommitStep> {
    if (!signs_elsewhere()) return attempts_.on_response(response, present);
    if (auto result = attempts_.conclude(response, present)) return *std::move(result);
    return post_next_try();
  });
}

/// Hands the signing of the next try to the waiting commit() or to the executor, so that it delays no other call.
/// Returns nothing then; another thread may have the turn. If the executor throws before the task runs, returns the
/// step that ends the call.
WECHATPAY_BONUS_COMMIT_DECL std::optional<CommitStep> CommitCall::post_next_try() {
  const auto posted = std::make_shared<Task>(weak_from_this(), number_ + 1);
  std::function<void()> task = [posted] {
    if (const auto call = posted->call.lock()) call->next_try(posted->number);
  };
  ++number_;
  awaited_ = posted->number;  // nothing may throw from now on, until the turn is taken again
  try {
    waiting_ != nullptr ? waiting_->lend(std::move(task)) : core_->setup()->options.executor(std::move(task));
  } catch (...) {
    if (take_turn(posted->number)) return attempts_.without_next_try(words_of_exception("ClientOptions::executor"));
  }
  return std::nullopt;
}

WECHATPAY_BONUS_COMMIT_DECL CommitCall::Task::~Task() {
  const auto kept = call.lock();
  if (kept == nullptr || kept->awaited_ != number || kept->core_->in_child()) return;
  const ClientCore::Visit visit(*kept->core_);
  if (!kept->take_turn(number)) return;
  kept->run([&kept](Moment) -> std::optional<CommitStep> {
    return kept->attempts_.without_next_try("ClientOptions::executor dropped the next try");
  });
}

/// On any thread: runs the task.
WECHATPAY_BONUS_COMMIT_DECL void CommitCall::next_try(int number) noexcept {
  if (core_->in_child()) return;
  const ClientCore::Visit visit(*core_);
  if (!take_turn(number)) return;
  run([this](Moment present) -> std::optional<CommitStep> { return attempts_.next_try(present); });
}

/// On any thread: the transport has destroyed its completion.
WECHATPAY_BONUS_COMMIT_DECL void CommitCall::drop(int number) noexcept {
  if (awaited_ != number || core_->in_child()) return;
  const ClientCore::Visit visit(*core_);
  if (!take_turn(number)) return;
  give_up(ErrorKind::transport_failed, TransportFault::shut_down, "the transport dropped the call without a result");
}

WECHATPAY_BONUS_COMMIT_DECL void CommitCall::ask_to_stop() noexcept {
  stopped_ = true;
  stop_.request_stop();
}

WECHATPAY_BONUS_COMMIT_DECL void CommitCall::stop() noexcept {
  const int number = awaited_;
  if (number == 0 || !take_turn(number)) return;
  give_up(ErrorKind::transport_failed, TransportFault::shut_down, destroyed);
}

/// Ends the call with an error at an unexpected point. Memory may be short; then the message is only "out of memory".
WECHATPAY_BONUS_COMMIT_DECL void CommitCall::give_up(ErrorKind kind, TransportFault fault, const char* what) noexcept {
  Error error;
  error.kind = kind;
  error.transport_fault = fault;
  const UsersCode guard;
  try {
    error.message = what;
    return end(attempts_.give_up(error));
  } catch (...) {
    error.message = "out of memory";
  }
  end(std::move(error));
}

WECHATPAY_BONUS_COMMIT_DECL void CommitCall::end(CommitResult result) noexcept {
  const auto self = shared_from_this();
  forward_.reset();
  if (stopped_ && !result && result.error().kind == ErrorKind::cancelled) {
    result.error().kind = ErrorKind::transport_failed;
    result.error().transport_fault = TransportFault::shut_down;
    run_users_code([&] { result.error().message.insert(0, std::string(destroyed) + ": "); });
  }
  const Hooks& hooks = core_->setup()->options.hooks;
  if (hooks.on_call) {
    run_users_code([&] {
      const std::size_t tries = result ? static_cast<std::size_t>(result->tries) : result.error().tries.size();
      hooks.on_call({out_trade_no_, result, static_cast<int>(tries), duration()});
    });
  }
  run_users_code([&] {
    Callback done = std::move(done_);  // what it holds ends here, also where it throws
    if (done) done(std::move(result));
  });
  core_->forget(listed_as_);
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif
