/// A commit as a state machine: check, serialize; then sign, send, verify, read and decide, as often as it takes.
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

/// What all calls of a client share; it outlives the client while calls are in progress. Thread-safe.
struct ClientSetup {
  /// Takes the options as checked.
  ClientSetup(const PlatformKeys& platform_keys_, ClientOptions options_)
      : platform_keys(platform_keys_),
        options(std::move(options_)),
        hosts(options.origins, options.retry.cool_down),
        rate_limiter(options.rate_limit) {}

  const PlatformKeys platform_keys;  ///< that verify answers
  const ClientOptions options;       ///< as the client was made with
  Hosts hosts;                       ///< which of them failed
  RateLimiter rate_limiter;          ///< of all calls together
  NonceMemory nonces;                ///< of answers that have settled a commit
};

/// The time, by both clocks.
struct Moment {
  std::chrono::steady_clock::time_point steady{};  ///< for deadlines
  std::chrono::system_clock::time_point wall{};    ///< for timestamps
};

/// One try, ready for the transport.
struct SignedTry {
  HttpRequest request{};  ///< signed as of the moment of its sending
  SendOptions options{};  ///< its pause, its limits and its stop
};

/// What is to be done next: send this, or take this result, which ends the call.
using CommitStep = std::variant<SignedTry, CommitResult>;

/// The tries of one commit. It waits for nothing, sends nothing and asks no clock; it calls the user's Signer, nonce,
/// random and on_try. Not thread-safe: its owner calls one member at a time. Where one throws, give_up() is what is
/// left to call.
class CommitAttempts {
 public:
  using milliseconds = std::chrono::milliseconds;  ///< in which pauses are counted

  /// Of a call that signs each try with `credentials`.
  CommitAttempts(std::shared_ptr<ClientSetup> setup, std::shared_ptr<const Credentials> credentials,
                 CallOptions options = {})
      : setup_(std::move(setup)), credentials_(std::move(credentials)), options_(std::move(options)) {}

  /// The first step. With `has_place`, the rate limit has been asked already.
  CommitStep begin(const BonusCommitRequest& request, Moment now, bool has_place = false);

  /// From here on, bytes of the request of the latest step may leave.
  void hand_over() noexcept { latest_ = Latest::handed_over; }

  /// It was not handed over after all: nothing has left.
  void take_back() noexcept { latest_ = Latest::prepared; }

  /// The step after the transport's answer, or its error, to the latest request: both of the following.
  CommitStep on_response(const Result<HttpResponse>& response, Moment now);

  /// What that answer or error means: the result, which ends the call, or nothing where another try is to follow. Then
  /// call next_try() or without_next_try(), and give_up() where neither is possible.
  std::optional<CommitResult> conclude(const Result<HttpResponse>& response, Moment now);

  /// The step after conclude(): that try, with what is left of its pause. It signs, which may take long.
  CommitStep next_try(Moment now);

  /// Ends the call with the error of its latest try instead; `why` is added to its message.
  CommitResult without_next_try(std::string_view why);

  /// Ends the call with `error` instead of what would have come, with what is known of the tries so far.
  CommitResult give_up(Error error);

  /// How many requests were handed over.
  int tries() const noexcept { return static_cast<int>(tries_.size()); }

 private:
  /// Where the latest of tries_ stands.
  enum class Latest {
    ended,        ///< it has its answer or error, or there is none yet
    prepared,     ///< signed; no byte has left
    handed_over,  ///< bytes may have left
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
  std::chrono::steady_clock::time_point sent_;  ///< the latest try, or will be; after conclude(): the next one
  std::size_t host_ = static_cast<std::size_t>(-1);
  std::string nonce_str_;
  std::int64_t timestamp_ = 0;
  std::string signatures_;  ///< of all tries, a line break between
  std::vector<Try> tries_;
  Error error_;  ///< of the latest try, where another is to follow
  Latest latest_ = Latest::ended;
  Outcome outcome_ = Outcome::not_sent;  ///< of all tries so far
  bool stale_connection_ = false;        ///< a try met one, and does not count
  bool not_counted_ = false;             ///< it was the latest
  bool fresh_connection_ = false;        ///< kept connections are not trusted any more
};

/// The error that the caller gets for an error that the transport reported: its message, and those of its members that
/// can be relied on. `not_sent` can, for a failed transfer; with everything else, bytes may have left.
Error failure_of_transport(const Error& reported);

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/commit_attempts.ipp"
#endif

#endif
