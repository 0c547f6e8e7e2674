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
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/answer.hpp"
#include "wechatpay/bonus_commit/body.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/retry.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/transport.hpp"
#include "wechatpay/bonus_commit/verification.hpp"
#include "wechatpay/bonus_commit/version.hpp"

namespace wechatpay {

struct ClientOptions {
  /// Where requests go: WeChat Pay's main host, and its backup in another city, which serves while the main one fails.
  /// The sandbox's base URL alone stands here in tests.
  std::vector<std::string> origins = {"https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"};

  /// For one call, all tries and pauses included; at most 4 minutes, since WeChat Pay refuses a request that was signed
  /// 5 minutes ago.
  std::chrono::milliseconds deadline = std::chrono::seconds(30);

  RetryOptions retry;

  /// The language of WeChat Pay's error messages: zh-CN, en, zh-HK or zh-TW; empty leaves it to WeChat Pay.
  std::string accept_language;

  /// The time that is signed and with which answers are compared. Called from several threads.
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;

  /// The time by which deadlines and cool-downs are kept. Called from several threads.
  std::function<std::chrono::steady_clock::time_point()> steady_clock = std::chrono::steady_clock::now;

  /// From 0 to 1, for the length of pauses. Called from several threads.
  std::function<double()> random = random_fraction;

  /// A new `nonce_str` of 32 letters and digits for every try. Called from several threads.
  std::function<Result<std::string>()> nonce = random_nonce;
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
  /// before commit_async() returns if the call ends before it is sent. An exception that it throws is swallowed.
  using Callback = std::function<void(CommitResult)>;

  /// A client of `credentials` that believes `platform_keys` and sends through `transport`. Fails with
  /// `invalid_configuration` on a key store that is empty or holds the merchant's own certificate, and on an option
  /// that cannot work.
  static Result<BonusCommitClient> create(Credentials credentials, std::shared_ptr<const PlatformKeys> platform_keys,
                                          std::shared_ptr<Transport> transport, ClientOptions options = {});

  /// Commits and waits. Called from a callback, it would wait for itself: it is refused with `misuse`.
  CommitResult commit(const BonusCommitRequest& request) const;

  /// Commits; the future becomes ready on the transport's thread. Do not wait for it in a callback.
  std::future<CommitResult> commit_async(const BonusCommitRequest& request) const;

  /// Commits, and calls `done` exactly once.
  void commit_async(const BonusCommitRequest& request, Callback done) const;

 private:
  /// What all calls of a client share; it outlives the client while there are calls under way.
  struct Setup {
    Credentials credentials;
    std::shared_ptr<const PlatformKeys> platform_keys;
    ClientOptions options;
    mutable Hosts hosts;
  };
  class Call;

  BonusCommitClient(std::shared_ptr<const Setup> setup, std::shared_ptr<Transport> transport)
      : setup_(std::move(setup)), transport_(std::move(transport)) {}

  static void start(const BonusCommitRequest& request, const std::shared_ptr<Call>& call);
  static void attempt(const std::shared_ptr<Call>& call, std::chrono::milliseconds pause);
  static bool& in_callback() noexcept;

  std::shared_ptr<const Setup> setup_;
  std::shared_ptr<Transport> transport_;
};

/// One commit under way. It ends exactly once: if everyone lets go of it before, it ends with an error. Its tries come
/// one after the other, so but for that it needs no locks.
class BonusCommitClient::Call {
 public:
  /// Knows the transport, but does not keep it alive: the client does.
  Call(std::shared_ptr<const Setup> setup, const std::shared_ptr<Transport>& transport, Callback done)
      : setup_(std::move(setup)), transport_(transport), done_(std::move(done)), started_(now()) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    end(transport_error(TransportFault::shut_down, Outcome::unknown,
                        "the transport dropped the call without a result"));
  }

  /// The first result counts.
  void end(CommitResult result) noexcept {
    if (ended_.exchange(true)) return;
    const Callback done = std::move(done_);
    const bool outer = std::exchange(in_callback(), true);
    try {
      if (done) done(std::move(result));
    } catch (...) {
      // Documented at Callback: there is nobody here who could handle it.
    }
    in_callback() = outer;
  }

  /// Runs stages of the call; an exception (out of memory, a clock or transport of the user's) ends it with an error.
  template <typename Stages>
  void run(const Stages& stages) noexcept {
    Error error;
    try {
      return stages();
    } catch (const std::exception& exception) {
      error.message = printable(exception.what());
    } catch (...) {
      error.message = "an exception";
    }
    error.message += " ended the call";
    error.outcome = handed_over_ ? Outcome::unknown : Outcome::not_sent;
    end(std::move(error));
  }

  /// The signed request for one try: a fresh timestamp, that of the moment of sending, and a fresh nonce; the same path
  /// and body.
  Result<HttpRequest> sign(std::chrono::milliseconds pause) {
    const ClientOptions& options = setup_->options;
    auto nonce = options.nonce();
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
    if (request.deadline.count() < 1) request.deadline = std::chrono::milliseconds(1);
    request.timeout = options.retry.try_timeout < request.deadline ? options.retry.try_timeout : request.deadline;
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

  /// What follows on the latest try. Where that is nothing, `result` becomes the result of the whole call.
  Decision decide(CommitResult& result) {
    Try& latest = tries_.back();
    latest.duration = std::chrono::duration_cast<std::chrono::milliseconds>(now() - sent_);
    if (result) {
      setup_->hosts.succeeded(host_);
      result->tries = static_cast<int>(tries_.size());
      return {};
    }
    Error& error = result.error();
    latest.http_status = error.http_status;
    latest.transport_fault = error.transport_fault;
    latest.verification_fault = error.verification_fault;
    latest.verified = error.verified;
    outcome_ = worse(outcome_, error.outcome);
    if (speaks_against_host(error)) {
      setup_->hosts.failed(host_, now());
    } else if (error.http_status != 0) {
      setup_->hosts.succeeded(host_);
    }
    const RetryOptions& retry = setup_->options.retry;
    const Decision next =
        wechatpay::decide(error, static_cast<int>(tries_.size()), left(), setup_->options.random(), retry);
    if (!next.again) conclude(error, next.why_not);
    return next;
  }

  /// Ends the call with an error of ours after the tries so far.
  void fail(Error error) {
    outcome_ = worse(outcome_, error.outcome);
    conclude(error, "");
    end(std::move(error));
  }

  std::string path;
  std::string body;

 private:
  static constexpr const char* method = "POST";

  SignedParts parts() const { return {method, path, timestamp_, nonce_str_, body}; }

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
  std::chrono::milliseconds left() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(started_ + setup_->options.deadline - now());
  }

  std::shared_ptr<const Setup> setup_;
  std::weak_ptr<Transport> transport_;
  Callback done_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point sent_;  ///< the latest try
  std::size_t host_ = static_cast<std::size_t>(-1);
  std::string nonce_str_;
  std::int64_t timestamp_ = 0;
  std::vector<Try> tries_;
  Outcome outcome_ = Outcome::not_sent;  ///< of all tries so far
  std::atomic<bool> handed_over_{false};
  std::atomic<int> awaited_{0};  ///< the number of the try that is under way
  std::atomic<bool> ended_{false};
};

/// The way of a request: check, serialize; then, as often as it takes, the way of a try.
inline void BonusCommitClient::start(const BonusCommitRequest& request, const std::shared_ptr<Call>& call) {
  if (auto faults = check(request); !faults.empty()) return call->end(invalid_request(std::move(faults)));

  auto body = serialize(request);
  if (!body) return call->end(std::move(body).error());
  call->path = request_path(request);
  call->body = *std::move(body);
  attempt(call, std::chrono::milliseconds(0));
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
      CommitResult result =
          response ? call->read(*response, call->verify(*response)) : CommitResult(std::move(response).error());
      const Decision next = call->decide(result);
      if (!next.again) return call->end(std::move(result));
      attempt(call, next.pause);
    });
  });
}

inline void BonusCommitClient::commit_async(const BonusCommitRequest& request, Callback done) const {
  const auto call = std::make_shared<Call>(setup_, transport_, std::move(done));
  call->run([&] { start(request, call); });
}

inline std::future<CommitResult> BonusCommitClient::commit_async(const BonusCommitRequest& request) const {
  const auto promise = std::make_shared<std::promise<CommitResult>>();
  auto future = promise->get_future();
  commit_async(request, [promise](CommitResult result) { promise->set_value(std::move(result)); });
  return future;
}

inline CommitResult BonusCommitClient::commit(const BonusCommitRequest& request) const {
  if (in_callback()) {
    Error error;
    error.kind = ErrorKind::misuse;
    error.message = "commit() was called from a callback, where it would wait for itself: use commit_async() there";
    return error;
  }
  return commit_async(request).get();
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
  if (options.origins.empty()) return configuration_error("ClientOptions::origins is empty: give one host at least");
  for (const std::string_view origin : options.origins) {
    if (origin.substr(0, 8) != "https://" || origin.size() == 8 ||
        origin.find_first_of("/?#@ \\", 8) != std::string_view::npos || has_control_character(origin)) {
      return configuration_error(
          "ClientOptions::origins must be https://host or https://host:port each" +
          (origin.find('@') == std::string_view::npos ? ", not " + printable(origin) : ", without a user"));
    }
  }
  if (options.deadline <= std::chrono::milliseconds(0) || options.deadline > std::chrono::minutes(4)) {
    return configuration_error("ClientOptions::deadline must be more than 0 ms and at most 4 minutes");
  }
  const RetryOptions& retry = options.retry;
  if (retry.max_tries < 1 || retry.try_timeout <= std::chrono::milliseconds(0) ||
      retry.first_backoff < std::chrono::milliseconds(0) || retry.longest_backoff < retry.first_backoff ||
      retry.cool_down < std::chrono::milliseconds(0)) {
    return configuration_error(
        "ClientOptions::retry wants 1 try or more, a try_timeout of more than 0 ms, pauses of 0 ms or more, and a "
        "longest_backoff that is not less than first_backoff");
  }
  bool known_language = options.accept_language.empty();
  for (const char* language : {"zh-CN", "en", "zh-HK", "zh-TW"}) {
    known_language = known_language || options.accept_language == language;
  }
  if (!known_language) {
    return configuration_error("ClientOptions::accept_language must be zh-CN, en, zh-HK or zh-TW, not " +
                               printable(options.accept_language));
  }
  if (!options.clock || !options.steady_clock || !options.random || !options.nonce) {
    return configuration_error("ClientOptions::clock, steady_clock, random and nonce must be callable");
  }
  Hosts hosts(options.origins, retry.cool_down);
  return BonusCommitClient(std::shared_ptr<const Setup>(new Setup{std::move(credentials), std::move(platform_keys),
                                                                  std::move(options), std::move(hosts)}),
                           std::move(transport));
}

}  // namespace wechatpay

#endif
