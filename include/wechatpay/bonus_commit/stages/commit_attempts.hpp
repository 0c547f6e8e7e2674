/// A commit as a state machine: check and serialize once; then sign, send, verify, read and decide for each try.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_COMMIT_ATTEMPTS_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_COMMIT_ATTEMPTS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "wechatpay/bonus_commit/call_options.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/stages/answer.hpp"
#include "wechatpay/bonus_commit/stages/hosts.hpp"
#include "wechatpay/bonus_commit/stages/nonce_memory.hpp"
#include "wechatpay/bonus_commit/stages/rate_limiter.hpp"
#include "wechatpay/bonus_commit/stages/retry.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// What all calls of a client share. It outlives the client while calls are in progress. Thread-safe.
struct ClientSetup {
  /// Takes options that have been checked.
  ClientSetup(const PlatformKeys& platform_keys_, ClientOptions options_)
      : platform_keys(platform_keys_),
        options(std::move(options_)),
        hosts(options.origins, options.retry.cool_down),
        rate_limiter(options.rate_limit) {}

  const PlatformKeys platform_keys;  ///< they verify answers
  const ClientOptions options;       ///< the client's options
  Hosts hosts;                       ///< the hosts, and which of them failed
  RateLimiter rate_limiter;          ///< for all calls together
  NonceMemory nonces;                ///< the nonces of verified answers
};

/// The current time of both clocks.
struct Moment {
  std::chrono::steady_clock::time_point steady{};  ///< for deadlines
  std::chrono::system_clock::time_point wall{};    ///< for timestamps
};

/// One try, ready to be sent.
struct SignedTry {
  HttpRequest request{};  ///< signed with the timestamp of its sending
  SendOptions options{};  ///< its pause, its limits and its stop token
};

/// The next step: send this request, or end the call with this result.
using CommitStep = std::variant<SignedTry, CommitResult>;

/// The tries of one commit. It does not wait, does no I/O and reads no clock. It calls the user's Signer, nonce, random
/// and on_try. Not thread-safe: its owner calls one member at a time. If a member throws, only give_up() may be called.
class CommitAttempts {
 public:
  using milliseconds = std::chrono::milliseconds;  ///< the unit of pauses

  /// For a call that signs each try with `credentials`.
  CommitAttempts(std::shared_ptr<ClientSetup> setup, std::shared_ptr<const Credentials> credentials,
                 CallOptions options = {})
      : setup_(std::move(setup)), credentials_(std::move(credentials)), options_(std::move(options)) {}

  /// The first step. With `has_place`, the rate limit has already been applied.
  CommitStep begin(const BonusCommitRequest& request, Moment now, bool has_place = false);

  /// From now on, bytes of the latest step's request may be sent.
  void hand_over() noexcept { latest_ = Latest::handed_over; }

  /// The request was not handed over after all: no byte was sent.
  void take_back() noexcept { latest_ = Latest::prepared; }

  /// The step after the transport's answer or error for the latest request. Combines the next two functions.
  CommitStep on_response(const Result<HttpResponse>& response, Moment now);

  /// Evaluates that answer or error. Returns the result that ends the call, or nothing if another try follows. Then
  /// call next_try() or without_next_try(), or give_up() if neither is possible.
  std::optional<CommitResult> conclude(const Result<HttpResponse>& response, Moment now);

  /// The step after conclude(): the next try, with the remaining pause. It signs, which may be slow.
  CommitStep next_try(Moment now);

  /// Ends the call with the error of its latest try instead; `why` is appended to its message.
  CommitResult without_next_try(std::string_view why);

  /// Ends the call instead of sending the latest step's request, because the deadline has passed while it was signed.
  CommitResult too_late();

  /// Ends the call with `error` instead of the expected result, and adds what is known of the tries so far.
  CommitResult give_up(Error error);

  /// How many requests were handed over to the transport.
  int tries() const noexcept { return static_cast<int>(tries_.size()); }

 private:
  /// The state of the latest of tries_.
  enum class Latest {
    ended,        ///< it has its answer or error, or there was no try yet
    prepared,     ///< signed; no byte was sent
    handed_over,  ///< bytes may have been sent
  };

  static constexpr const char* method = "POST";

  SignedParts parts() const { return {method, path_, timestamp_, nonce_str_, body_}; }
  milliseconds left(Moment now) const;
  double random() const { return fraction(setup_->options.random()); }

  std::optional<milliseconds> place(milliseconds pause, Moment now);
  Result<std::string> nonce() const;
  CommitStep prepare(milliseconds pause, Moment now);
  HttpRequest request(std::string authorization, std::string announced) const;
  SendOptions send_options(milliseconds pause, Moment now) const;

  CommitResult read(const Result<HttpResponse>& response, Moment now);
  Result<Verification> verify(const HttpResponse& response, Moment now);
  void record(CommitResult& result, const TransferInfo& transfer, Moment now);
  void update_host_health(const CommitResult& result, Moment now);
  Decision decide(Error& error, Moment now);
  void notify(const Decision& next) const;
  static void cancel(Error& error) noexcept;
  void finish(Error& error, std::string_view why_no_more);
  std::string list_of_tries() const;

  const std::shared_ptr<ClientSetup> setup_;
  const std::shared_ptr<const Credentials> credentials_;
  const CallOptions options_;
  std::chrono::steady_clock::time_point deadline_;
  std::string out_trade_no_;
  std::string path_;
  std::string body_;
  std::chrono::steady_clock::time_point sent_;  ///< of the latest try; after conclude(): of the next one
  std::size_t host_ = static_cast<std::size_t>(-1);
  std::string nonce_str_;
  std::int64_t timestamp_ = 0;
  std::string signatures_;  ///< of all tries, separated by line breaks
  std::vector<Try> tries_;
  std::unique_ptr<Error> error_;  ///< of the latest try, if another try follows
  Latest latest_ = Latest::ended;
  Outcome outcome_ = Outcome::not_sent;  ///< of all tries so far
  bool stale_connection_ = false;        ///< a try met a stale connection; it is not counted
  bool not_counted_ = false;             ///< the latest try is the uncounted one
  bool fresh_connection_ = false;        ///< no connection is reused any more
};

/// The caller's error for an error that the transport reported: its message, and those of its members that are
/// reliable. `not_sent` is reliable for a failed transfer; in all other cases bytes may have been sent.
Error failure_of_transport(const Error& reported);

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/commit_attempts.ipp"
#endif

#endif
