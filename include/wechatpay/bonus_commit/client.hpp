/// The client: one commit on its way through all the stages. Read BonusCommitClient::start() and attempt() first.
#ifndef WECHATPAY_BONUS_COMMIT_CLIENT_HPP
#define WECHATPAY_BONUS_COMMIT_CLIENT_HPP

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/answer.hpp"
#include "wechatpay/bonus_commit/body.hpp"
#include "wechatpay/bonus_commit/cancellation.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/rate_limit.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/retry.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/transport.hpp"
#include "wechatpay/bonus_commit/verification.hpp"
#include "wechatpay/bonus_commit/version.hpp"
#include "wechatpay/bonus_commit/watching.hpp"

namespace wechatpay {

/// Of a commit under way. Copies stand for the same commit; to let go of them cancels nothing. Thread-safe.
class CommitHandle {
 public:
  CommitHandle() = default;

  /// Ends the commit as soon as that can be done: with its result where there is one by then, else with an error of
  /// kind `cancelled`, whose outcome says whether it may have been done. The callback runs, or the future becomes
  /// ready, as ever. At any time and from any thread; for a commit that has ended it does nothing.
  void cancel() const noexcept {
    if (cancellation_ != nullptr) cancellation_->request();
  }

 private:
  friend class BonusCommitClient;

  explicit CommitHandle(std::shared_ptr<Cancellation> cancellation) : cancellation_(std::move(cancellation)) {}

  std::shared_ptr<Cancellation> cancellation_;
};

/// A std::future that can cancel its commit.
class CommitFuture : public std::future<CommitResult> {
 public:
  CommitFuture() = default;

  /// See CommitHandle::cancel().
  void cancel() const noexcept { handle_.cancel(); }

 private:
  friend class BonusCommitClient;

  CommitFuture(std::future<CommitResult> base, CommitHandle handle)
      : std::future<CommitResult>(std::move(base)), handle_(std::move(handle)) {}

  CommitHandle handle_;
};

/// Commits bonus points. Make one at start-up, after any fork(), and share it: it is immutable, every member is
/// thread-safe, and copies share their connections.
///
/// A call's result comes from the transport, so it is the transport that a call lives in. When the last owner of the
/// transport lets go of it (with CurlTransport usually the last copy of the client), each call under way ends with an
/// error (`transport_failed`, TransportFault::shut_down); none is dropped in silence.
class BonusCommitClient {
 public:
  /// Runs on the transport's thread (with CurlTransport its one event loop, so be short), or on the calling thread
  /// before commit_async() returns if the call ends before it is sent. An exception that it throws is swallowed. It may
  /// destroy the client.
  using Callback = std::function<void(CommitResult)>;

  /// A client of `credentials` that believes `platform_keys` and sends through `transport`. Fails with
  /// `invalid_configuration` on a key store that is empty or holds the merchant's own certificate, and on an option
  /// that cannot work.
  static Result<BonusCommitClient> create(Credentials credentials, std::shared_ptr<const PlatformKeys> platform_keys,
                                          std::shared_ptr<Transport> transport, ClientOptions options = {});

  /// Commits and waits. Called from a callback or a hook, it would wait for itself: it is refused with `misuse`.
  CommitResult commit(const BonusCommitRequest& request) const;

  /// Commits; the future becomes ready on the transport's thread. Do not wait for it in a callback. Throws
  /// std::bad_alloc, and sends nothing, where there is no memory for the future itself.
  CommitFuture commit_async(const BonusCommitRequest& request) const;

  /// Commits, and calls `done` exactly once.
  CommitHandle commit_async(const BonusCommitRequest& request, Callback done) const;

 private:
  class Call;

  /// What all calls of a client share; it outlives the client while there are calls under way.
  struct Setup {
    Setup(Credentials credentials_, std::shared_ptr<const PlatformKeys> platform_keys_, ClientOptions options_)
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

  BonusCommitClient(std::shared_ptr<Setup> setup, std::shared_ptr<Transport> transport)
      : setup_(std::move(setup)), transport_(std::move(transport)) {}

  static void start(const BonusCommitRequest& request, const std::shared_ptr<Call>& call);
  static void attempt(const std::shared_ptr<Call>& call, std::chrono::milliseconds pause);
  static void deliver(CommitResult result, const Callback& done) noexcept;
  static bool& in_callback() noexcept;

  std::shared_ptr<Setup> setup_;
  std::shared_ptr<Transport> transport_;
};

/// One commit under way. It ends exactly once: if everyone lets go of it before, it ends with an error. Its tries come
/// one after the other, so but for that it needs no locks.
class BonusCommitClient::Call {
 public:
  using milliseconds = std::chrono::milliseconds;

  /// Knows the transport, but does not keep it alive: the client does. Where it throws, `done` is still whole.
  Call(const std::shared_ptr<Setup>& setup, const std::shared_ptr<Transport>& transport, Callback&& done)
      : setup_(setup),
        transport_(transport),
        started_(now()),
        cancellation_(std::make_shared<Cancellation>()),
        done_(std::move(done)) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (!ended_) end(plain_error(ErrorKind::transport_failed, "the transport dropped the call without a result"));
  }

  /// The first result counts.
  void end(CommitResult result) noexcept {
    if (ended_.exchange(true)) return;
    if (setup_->options.hooks.on_call) {
      watch([&] {
        const std::size_t tries = result ? static_cast<std::size_t>(result->tries) : result.error().tries.size();
        setup_->options.hooks.on_call({out_trade_no, result, static_cast<int>(tries),
                                       std::chrono::duration_cast<milliseconds>(now() - started_)});
      });
    }
    deliver(std::move(result), done_);
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
    const auto moment = setup_->pace.reserve(present, present + pause, latest, setup_->options.random());
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
    request.headers = {{"Authorization", *std::move(authorized)},
                       {"Accept", "application/json"},
                       {"Content-Type", "application/json"},
                       {"User-Agent", user_agent()},
                       {"Wechatpay-Serial", announced}};
    if (!options.accept_language.empty()) request.headers.push_back({"Accept-Language", options.accept_language});
    return request;
  }

  /// Null when the client, and with it the transport, has gone.
  std::shared_ptr<Transport> transport() const { return transport_.lock(); }

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
      watch([&] { setup_->options.hooks.on_try({out_trade_no, static_cast<int>(tries_.size()), latest, next}); });
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

 private:
  static constexpr const char* method = "POST";

  SignedParts parts() const { return {method, path, timestamp_, nonce_str_, body}; }

  /// Runs a hook. An exception of its is swallowed, as documented at Hooks.
  template <typename Hook>
  static void watch(const Hook& hook) noexcept {
    const bool outer = std::exchange(in_callback(), true);
    try {
      hook();
    } catch (...) {
    }
    in_callback() = outer;
  }

  /// An error at an unexpected place, where memory may be short: without words, then.
  Error plain_error(ErrorKind kind, const char* what) const noexcept {
    Error error;
    error.kind = kind;
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
    if (error.http_status == 429) setup_->pace.halt(now() + halt_after_429(error, retry));

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

  const std::shared_ptr<Setup> setup_;
  const std::weak_ptr<Transport> transport_;
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

/// The way of a request: check, serialize; then, as often as it takes, the way of a try.
inline void BonusCommitClient::start(const BonusCommitRequest& request, const std::shared_ptr<Call>& call) {
  call->out_trade_no = request.out_trade_no;
  if (auto faults = check(request); !faults.empty()) return call->end(invalid_request(std::move(faults)));

  auto body = serialize(request);
  if (!body) return call->end(std::move(body).error());
  call->path = request_path(request);
  call->body = *std::move(body);
  const auto pause = call->pace(std::chrono::milliseconds(0));
  if (!pause) return call->end(rate_limited());
  attempt(call, *pause);
}

/// The way of a try: sign, send; then verify, read, decide.
inline void BonusCommitClient::attempt(const std::shared_ptr<Call>& call, std::chrono::milliseconds pause) {
  const auto transport = call->transport();
  if (transport == nullptr) {
    return call->fail(transport_error(TransportFault::shut_down, Outcome::not_sent,
                                      "the client was destroyed before the commit could be tried again"));
  }
  auto request = call->sign(pause);
  if (!request) return call->fail(std::move(request).error());

  const int number = call->hand_over();
  transport->send(*std::move(request), [call, number](Result<HttpResponse> response) {
    if (!call->arrived(number)) return;
    call->run([&] {
      const TransferInfo transfer = response ? response->transfer : response.error().transfer;
      CommitResult result =
          response ? call->read(*response, call->verify(*response)) : CommitResult(std::move(response).error());
      const Decision next = call->decide(result, transfer);
      if (!next.again) return call->end(std::move(result));
      attempt(call, next.pause);
    });
  });
}

inline CommitHandle BonusCommitClient::commit_async(const BonusCommitRequest& request, Callback done) const {
  std::shared_ptr<Call> call;
  try {
    call = std::make_shared<Call>(setup_, transport_, std::move(done));
  } catch (...) {
    Error error;
    error.message = "out of memory";
    deliver(std::move(error), done);
    return {};
  }
  call->run([&] { start(request, call); });
  return CommitHandle(call->cancellation());
}

inline CommitFuture BonusCommitClient::commit_async(const BonusCommitRequest& request) const {
  const auto promise = std::make_shared<std::promise<CommitResult>>();
  auto future = promise->get_future();
  auto handle = commit_async(request, [promise](CommitResult result) { promise->set_value(std::move(result)); });
  return {std::move(future), std::move(handle)};
}

inline CommitResult BonusCommitClient::commit(const BonusCommitRequest& request) const {
  Error error;
  if (in_callback()) {
    error.kind = ErrorKind::misuse;
    error.message = "commit() was called from a callback, where it would wait for itself: use commit_async() there";
    return error;
  }
  try {
    return commit_async(request).get();
  } catch (const std::bad_alloc&) {
    error.message = "out of memory";
    return error;
  }
}

/// Calls `done`. An exception of its is swallowed, as documented at Callback: nobody here could handle it.
inline void BonusCommitClient::deliver(CommitResult result, const Callback& done) noexcept {
  const bool outer = std::exchange(in_callback(), true);
  try {
    if (done) done(std::move(result));
  } catch (...) {
  }
  in_callback() = outer;
}

inline bool& BonusCommitClient::in_callback() noexcept {
  thread_local bool inside = false;
  return inside;
}

inline Result<BonusCommitClient> BonusCommitClient::create(Credentials credentials,
                                                           std::shared_ptr<const PlatformKeys> platform_keys,
                                                           std::shared_ptr<Transport> transport,
                                                           ClientOptions options) {
  if (transport == nullptr) return configuration_error("transport is null: CurlTransport::create() makes one");
  if (platform_keys == nullptr || platform_keys->announced().empty()) {
    return configuration_error(
        "there are no platform keys, so no answer could be verified: add pub_key.pem with its id "
        "(PlatformKeys::add_public_key_file) or a platform certificate (add_certificate_file)");
  }
  if (platform_keys->find(credentials.serial_no()) != nullptr) {
    return configuration_error("the platform keys hold the serial number " + credentials.serial_no() +
                               ", which is that of the merchant's own certificate (apiclient_cert.pem): WeChat Pay's "
                               "is wechatpay_<serial>.pem, or pub_key.pem");
  }
  if (auto error = check_options(options)) return *std::move(error);
  return BonusCommitClient(
      std::make_shared<Setup>(std::move(credentials), std::move(platform_keys), std::move(options)),
      std::move(transport));
}

}  // namespace wechatpay

#endif
