/// One commit under way: what its stages share, and what follows on each try.
#ifndef WECHATPAY_SRC_COMMIT_CALL_HPP
#define WECHATPAY_SRC_COMMIT_CALL_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/answer.hpp"
#include "wechatpay/bonus_commit/cancellation.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/rate_limit.hpp"
#include "wechatpay/bonus_commit/retry.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/transport.hpp"
#include "wechatpay/bonus_commit/verification.hpp"
#include "wechatpay/bonus_commit/version.hpp"
#include "wechatpay/bonus_commit/watching.hpp"

namespace wechatpay {

/// What all calls of a client share; it outlives the client while there are calls under way.
struct ClientSetup {
  ClientSetup(Credentials credentials_, std::shared_ptr<const PlatformKeys> platform_keys_, ClientOptions options_)
      : credentials(std::move(credentials_)),
        platform_keys(std::move(platform_keys_)),
        options(std::move(options_)),
        hosts(options.origins, options.retry.cool_down),
        pace(options.rate_limit) {}

  const Credentials credentials;
  const std::shared_ptr<const PlatformKeys> platform_keys;
  const ClientOptions options;
  Hosts hosts;
  Pace pace;
};

/// The calls' way to the transport, which their clients own. A client that lets go of it waits for who is on that way,
/// so that a thread of the transport's is never the last to hold it, and the transport ends where the client does.
class TransportAccess {
 public:
  explicit TransportAccess(const std::shared_ptr<Transport>& transport) : transport_(transport) {}

  /// Runs `use` with the transport; false, without running it, where that has gone.
  template <typename Use>
  bool pass(const Use& use) {
    const auto self = std::this_thread::get_id();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return !letting_go_; });
      inside_.push_back(self);
    }
    struct Leave {
      TransportAccess& access;
      std::thread::id self;
      ~Leave() {
        const std::lock_guard<std::mutex> lock(access.mutex_);
        access.inside_.erase(std::find(access.inside_.begin(), access.inside_.end(), self));
        access.changed_.notify_all();
      }
    } leave{*this, self};
    const std::shared_ptr<Transport> transport = closed_ ? nullptr : transport_.lock();
    if (transport != nullptr) use(*transport);
    return transport != nullptr;
  }

  bool gone() const noexcept { return closed_ || transport_.expired(); }

  /// Lets go of `transport` for its owner, the last client.
  void let_go(std::shared_ptr<Transport> transport) noexcept {
    const auto self = std::this_thread::get_id();
    std::unique_lock<std::mutex> lock(mutex_);
    letting_go_ = true;
    changed_.wait(lock, [&] {
      return std::all_of(inside_.begin(), inside_.end(), [&](std::thread::id one) { return one == self; });
    });
    if (transport.use_count() == 1 + static_cast<long>(inside_.size())) closed_ = true;
    letting_go_ = false;
    changed_.notify_all();
    lock.unlock();
    transport.reset();
  }

 private:
  const std::weak_ptr<Transport> transport_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread::id> inside_;  ///< once for each that is on the way
  bool letting_go_ = false;
  std::atomic<bool> closed_{false};  ///< the transport had no other owner
};

/// Whether this thread runs the user's code, where a blocking call would wait for itself.
inline bool& in_callback() noexcept {
  thread_local bool inside = false;
  return inside;
}

/// Runs a callback or hook of the user's. An exception that it throws is swallowed, as is documented there: nobody here
/// could handle it.
template <typename Code>
void run_users_code(const Code& code) noexcept {
  const bool outer = std::exchange(in_callback(), true);
  try {
    code();
  } catch (...) {
  }
  in_callback() = outer;
}

/// One commit under way. It ends exactly once: if everyone lets go of it before, it ends with an error. Its tries come
/// one after the other, so but for that it needs no locks.
class CommitCall {
 public:
  using milliseconds = std::chrono::milliseconds;
  using Callback = std::function<void(CommitResult)>;

  /// Where it throws, `done` is still whole.
  CommitCall(const std::shared_ptr<ClientSetup>& setup, std::shared_ptr<TransportAccess> transport, Callback&& done)
      : setup_(setup),
        transport_(std::move(transport)),
        started_(now()),
        cancellation_(std::make_shared<Cancellation>()),
        done_(std::move(done)) {}
  CommitCall(const CommitCall&) = delete;
  CommitCall& operator=(const CommitCall&) = delete;
  ~CommitCall() {
    if (!ended_) end(plain_error(ErrorKind::transport_failed, "the transport dropped the call without a result"));
  }

  /// The first result counts.
  void end(CommitResult result) noexcept {
    if (ended_.exchange(true)) return;
    if (setup_->options.hooks.on_call) {
      run_users_code([&] {
        const std::size_t tries = result ? static_cast<std::size_t>(result->tries) : result.error().tries.size();
        setup_->options.hooks.on_call({out_trade_no, result, static_cast<int>(tries),
                                       std::chrono::duration_cast<milliseconds>(now() - started_)});
      });
    }
    if (done_) run_users_code([&] { done_(std::move(result)); });
    done_ = nullptr;
  }

  /// Runs stages of the call; an exception (out of memory, a clock or transport of the user's) ends it with an error.
  template <typename Stages>
  void run(const Stages& stages) noexcept {
    try {
      stages();
    } catch (const std::bad_alloc&) {
      end(plain_error(ErrorKind::internal_error, "out of memory"));
    } catch (const std::exception& exception) {
      end(plain_error(ErrorKind::internal_error, exception.what()));
    } catch (...) {
      end(plain_error(ErrorKind::internal_error, "an exception"));
    }
  }

  /// The pause until the rate limit lets a request go that would be ready after `pause`; nothing where that is beyond
  /// the deadline.
  std::optional<milliseconds> pace(milliseconds pause) {
    const auto present = now();
    const auto latest = started_ + setup_->options.deadline - milliseconds(1);
    const double random = setup_->pace.halted(present) ? setup_->options.random() : 0;
    const auto moment = setup_->pace.reserve(present, present + pause, latest, random);
    if (!moment) return std::nullopt;
    return std::chrono::ceil<milliseconds>(*moment - present);
  }

  /// The signed request for one try: a fresh timestamp, that of the moment of sending, and a fresh nonce; the same path
  /// and body.
  Result<HttpRequest> sign(milliseconds pause) {
    const ClientOptions& options = setup_->options;
    auto nonce = options.nonce();
    if (nonce && !is_nonce(*nonce)) {
      nonce = configuration_error("ClientOptions::nonce must give 32 letters and digits");
    }
    if (!nonce) {
      nonce.error().kind = ErrorKind::signing_failed;
      nonce.error().outcome = Outcome::not_sent;
      return std::move(nonce).error();
    }
    nonce_str_ = *std::move(nonce);
    timestamp_ = std::chrono::duration_cast<std::chrono::seconds>((options.clock() + pause).time_since_epoch()).count();
    const std::string announced = setup_->platform_keys->announced();
    if (announced.empty()) {
      return configuration_error("there are no platform keys left, so no answer could be verified: add one");
    }
    auto authorized = authorization(setup_->credentials, parts());
    if (!authorized) return std::move(authorized).error();

    host_ = setup_->hosts.choose(now(), host_);
    Try next;
    next.origin = setup_->hosts.origin(host_);
    next.pause = pause;
    tries_.push_back(std::move(next));
    sent_ = now() + pause;

    HttpRequest request;
    request.method = method;
    request.origin = tries_.back().origin;
    request.path = path;
    request.body = body;
    request.send_after = pause;
    request.deadline = left() - pause;
    if (request.deadline.count() < 1) request.deadline = milliseconds(1);
    request.timeout = options.retry.try_timeout < request.deadline ? options.retry.try_timeout : request.deadline;
    request.cancellation = cancellation_;
    request.waiting_caller = waiting_caller;
    request.headers.reserve(6);
    request.headers.push_back({"Authorization", *std::move(authorized)});
    request.headers.push_back({"Accept", "application/json"});
    request.headers.push_back({"Content-Type", "application/json"});
    request.headers.push_back({"User-Agent", user_agent()});
    request.headers.push_back({"Wechatpay-Serial", announced});
    if (!options.accept_language.empty()) request.headers.push_back({"Accept-Language", options.accept_language});
    return request;
  }

  TransportAccess& transport() const noexcept { return *transport_; }

  /// From here on, bytes may leave. Returns the try's number, for which the transport's completion stands.
  int hand_over() noexcept {
    handed_over_ = true;
    awaited_ = static_cast<int>(tries_.size());
    return awaited_;
  }

  /// True once for each try: a transport that completes twice is heard once.
  bool arrived(int number) noexcept { return awaited_.compare_exchange_strong(number, 0); }

  /// Whether the answer to the latest try is WeChat Pay's own.
  Result<Verification> verify(const HttpResponse& response) const {
    return wechatpay::verify(response, *setup_->platform_keys, setup_->options.clock());
  }

  /// What the answer to the latest try means.
  CommitResult read(const HttpResponse& response, const Result<Verification>& verification) const {
    return read_answer(response, verification, parts(), setup_->options.clock());
  }

  /// What follows on the latest try, which ended with `result` after `transfer`. Where that is nothing, `result`
  /// becomes the result of the whole call.
  Decision decide(CommitResult& result, const TransferInfo& transfer) {
    Try& latest = tries_.back();
    latest.duration = std::chrono::duration_cast<milliseconds>(now() - sent_);
    if (latest.duration < milliseconds(0)) latest.duration = milliseconds(0);  // it ended in its pause
    latest.transfer = transfer;
    Decision next;
    if (result) {
      setup_->hosts.succeeded(host_);
      latest.credited = true;
      latest.http_status = 204;
      latest.verified = true;
      latest.request_id = result->request_id;
      result->tries = static_cast<int>(tries_.size());
    } else {
      next = decide_after(result.error(), latest);
    }
    if (setup_->options.hooks.on_try) {
      run_users_code([&] {
        setup_->options.hooks.on_try({out_trade_no, static_cast<int>(tries_.size()), latest, next});
      });
    }
    if (!result && !next.again) conclude(result.error(), next.why_not);
    return next;
  }

  /// Ends the call with an error of ours after the tries so far.
  void fail(Error error) {
    outcome_ = worse(outcome_, error.outcome);
    conclude(error, "");
    end(std::move(error));
  }

  /// What cancels this call.
  const std::shared_ptr<Cancellation>& cancellation() const noexcept { return cancellation_; }

  std::string out_trade_no;
  std::string path;
  std::string body;
  std::shared_ptr<WaitingCaller> waiting_caller;  ///< in commit(); null: nobody waits

 private:
  static constexpr const char* method = "POST";

  SignedParts parts() const { return {method, path, timestamp_, nonce_str_, body}; }

  /// An error at an unexpected place, where memory may be short: without words, then.
  Error plain_error(ErrorKind kind, const char* what) noexcept {
    Error error;
    error.kind = kind;
    if (awaited_ == 0) error.tries = std::move(tries_);
    error.outcome = handed_over_ ? Outcome::unknown : Outcome::not_sent;
    if (kind == ErrorKind::transport_failed) error.transport_fault = TransportFault::shut_down;
    try {
      error.message = printable(what);
      if (kind == ErrorKind::internal_error) error.message += " ended the call";
    } catch (...) {
      error.message = "out of memory";
    }
    return error;
  }

  Decision decide_after(Error& error, Try& latest) {
    error.transfer = latest.transfer;
    latest.outcome = error.outcome;
    latest.http_status = error.http_status;
    latest.code = error.code;
    latest.request_id = error.request_id;
    latest.transport_fault = error.transport_fault;
    latest.verification_fault = error.verification_fault;
    latest.verified = error.verified;
    outcome_ = worse(outcome_, error.outcome);
    const RetryOptions& retry = setup_->options.retry;
    const bool forgiven = !stale_connection_ && met_stale_connection(error);
    if (forgiven) {
      stale_connection_ = true;
    } else if (speaks_against_host(error)) {
      setup_->hosts.failed(host_, now());
    } else if (error.http_status != 0) {
      setup_->hosts.succeeded(host_);
    }
    if (error.http_status == 429) setup_->pace.halt(now() + halt_after_429(error, setup_->options.rate_limit));

    Decision next = wechatpay::decide(error, static_cast<int>(tries_.size()) - (stale_connection_ ? 1 : 0), left(),
                                      setup_->options.random(), retry);
    if (forgiven && left() > milliseconds(0)) next = {true, milliseconds(0), ""};
    if (error.transport_fault == TransportFault::cancelled || (next.again && cancellation_->requested())) {
      error.kind = ErrorKind::cancelled;
      return {false, milliseconds(0), "cancelled"};
    }
    if (!next.again) return next;
    const auto pause = pace(next.pause);
    if (!pause) return {false, milliseconds(0), "the rate limit leaves no room for another try before the deadline"};
    next.pause = *pause;
    return next;
  }

  /// Makes the latest error that of the whole call.
  void conclude(Error& error, std::string_view why_no_more) {
    if (tries_.size() > 1) {
      error.message += "; tried " + std::to_string(tries_.size()) + " times:";
      for (const Try& one : tries_) {
        error.message += (&one == &tries_.front() ? " " : ", ") + one.origin + " ";
        error.message +=
            one.http_status != 0 ? std::to_string(one.http_status) : std::string(to_string(one.transport_fault));
      }
    }
    if (error.outcome != outcome_ && outcome_ == Outcome::unknown)
      error.message += "; an earlier try may have been done, so commit again with the same values";
    if (!why_no_more.empty()) error.message.append("; ").append(why_no_more);
    error.outcome = outcome_;
    error.tries = std::move(tries_);
  }

  std::chrono::steady_clock::time_point now() const { return setup_->options.steady_clock(); }

  /// Until the deadline.
  milliseconds left() const {
    return std::chrono::duration_cast<milliseconds>(started_ + setup_->options.deadline - now());
  }

  const std::shared_ptr<ClientSetup> setup_;
  const std::shared_ptr<TransportAccess> transport_;
  const std::chrono::steady_clock::time_point started_;
  const std::shared_ptr<Cancellation> cancellation_;
  Callback done_;
  std::chrono::steady_clock::time_point sent_;  ///< the latest try
  std::size_t host_ = static_cast<std::size_t>(-1);
  std::string nonce_str_;
  std::int64_t timestamp_ = 0;
  std::vector<Try> tries_;
  Outcome outcome_ = Outcome::not_sent;  ///< of all tries so far
  bool stale_connection_ = false;        ///< a try met one, and does not count
  std::atomic<bool> handed_over_{false};
  std::atomic<int> awaited_{0};  ///< the number of the try that is under way
  std::atomic<bool> ended_{false};
};

}  // namespace wechatpay

#endif
