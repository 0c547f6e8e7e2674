/// The client: one commit on its way through all the stages. Read BonusCommitClient::start() first.
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

#include "wechatpay/bonus_commit/answer.hpp"
#include "wechatpay/bonus_commit/body.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/transport.hpp"
#include "wechatpay/bonus_commit/verification.hpp"
#include "wechatpay/bonus_commit/version.hpp"

namespace wechatpay {

struct ClientOptions {
  /// Where requests go. The sandbox's base URL stands here in tests.
  std::string origin = "https://api.mch.weixin.qq.com";

  /// For one call, from its sending to the answer's last byte.
  std::chrono::milliseconds deadline = std::chrono::seconds(30);

  /// The language of WeChat Pay's error messages: zh-CN, en, zh-HK or zh-TW; empty leaves it to WeChat Pay.
  std::string accept_language;

  /// The time that is signed and with which answers are compared. Called from several threads.
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;

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
  /// What a call needs until it ends, even if the client has gone by then.
  struct Setup {
    Credentials credentials;
    std::shared_ptr<const PlatformKeys> platform_keys;
    ClientOptions options;
  };
  class Call;

  BonusCommitClient(std::shared_ptr<const Setup> setup, std::shared_ptr<Transport> transport)
      : setup_(std::move(setup)), transport_(std::move(transport)) {}

  void start(const BonusCommitRequest& request, const std::shared_ptr<Call>& call) const;
  static bool& in_callback() noexcept;

  std::shared_ptr<const Setup> setup_;
  std::shared_ptr<Transport> transport_;
};

/// One commit under way. It ends exactly once: if everyone lets go of it before, it ends with an error.
class BonusCommitClient::Call {
 public:
  Call(std::shared_ptr<const Setup> setup, Callback done) : setup_(std::move(setup)), done_(std::move(done)) {}
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

  /// The signed request for one try: a fresh timestamp and nonce, the same path and body.
  Result<HttpRequest> sign() {
    auto nonce = setup_->options.nonce();
    if (!nonce) return std::move(nonce).error();
    nonce_str_ = *std::move(nonce);
    timestamp_ = std::chrono::duration_cast<std::chrono::seconds>(setup_->options.clock().time_since_epoch()).count();
    const std::string announced = setup_->platform_keys->announced();
    if (announced.empty()) {
      return configuration_error("there are no platform keys left, so no answer could be verified: add one");
    }
    auto authorized = authorization(setup_->credentials, parts());
    if (!authorized) return std::move(authorized).error();

    HttpRequest request;
    request.method = method;
    request.origin = setup_->options.origin;
    request.path = path;
    request.body = body;
    request.timeout = setup_->options.deadline;
    request.headers = {{"Authorization", *std::move(authorized)},
                       {"Accept", "application/json"},
                       {"Content-Type", "application/json"},
                       {"User-Agent", user_agent()},
                       {"Wechatpay-Serial", announced}};
    if (!setup_->options.accept_language.empty()) {
      request.headers.push_back({"Accept-Language", setup_->options.accept_language});
    }
    return request;
  }

  /// Whether the answer to the latest try is WeChat Pay's own.
  Result<Verification> verify(const HttpResponse& response) const {
    return wechatpay::verify(response, *setup_->platform_keys, setup_->options.clock());
  }

  /// What the answer to the latest try means.
  CommitResult read(const HttpResponse& response, const Result<Verification>& verification) const {
    return read_answer(response, verification, parts());
  }

  /// From here on, bytes may leave.
  void handed_over() noexcept { handed_over_ = true; }

  std::string path;
  std::string body;

 private:
  static constexpr const char* method = "POST";

  SignedParts parts() const { return {method, path, timestamp_, nonce_str_, body}; }

  std::shared_ptr<const Setup> setup_;
  Callback done_;
  std::string nonce_str_;
  std::int64_t timestamp_ = 0;
  std::atomic<bool> handed_over_{false};
  std::atomic<bool> ended_{false};
};

/// One request's way: check, serialize, sign, send; then verify and read.
inline void BonusCommitClient::start(const BonusCommitRequest& request, const std::shared_ptr<Call>& call) const {
  if (auto faults = check(request); !faults.empty()) return call->end(invalid_request(std::move(faults)));

  auto body = serialize(request);
  if (!body) return call->end(std::move(body).error());
  call->path = request_path(request);
  call->body = *std::move(body);

  auto signed_request = call->sign();
  if (!signed_request) return call->end(std::move(signed_request).error());

  call->handed_over();
  transport_->send(*std::move(signed_request), [call](Result<HttpResponse> response) {
    call->run([&] {
      if (!response) return call->end(std::move(response).error());
      const auto verification = call->verify(*response);
      call->end(call->read(*response, verification));
    });
  });
}

inline void BonusCommitClient::commit_async(const BonusCommitRequest& request, Callback done) const {
  const auto call = std::make_shared<Call>(setup_, std::move(done));
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
  const std::string_view origin = options.origin;
  if (origin.substr(0, 8) != "https://" || origin.size() == 8 ||
      origin.find_first_of("/?#@ \\", 8) != std::string_view::npos || has_control_character(origin)) {
    return configuration_error("ClientOptions::origin must be https://host or https://host:port, not " +
                               printable(origin));
  }
  if (options.deadline <= std::chrono::milliseconds(0)) {
    return configuration_error("ClientOptions::deadline must be more than 0 ms");
  }
  bool known_language = options.accept_language.empty();
  for (const char* language : {"zh-CN", "en", "zh-HK", "zh-TW"}) {
    known_language = known_language || options.accept_language == language;
  }
  if (!known_language) {
    return configuration_error("ClientOptions::accept_language must be zh-CN, en, zh-HK or zh-TW, not " +
                               printable(options.accept_language));
  }
  if (!options.clock || !options.nonce) return configuration_error("ClientOptions::clock and nonce must be callable");
  return BonusCommitClient(
      std::make_shared<const Setup>(Setup{std::move(credentials), std::move(platform_keys), std::move(options)}),
      std::move(transport));
}

}  // namespace wechatpay

#endif
