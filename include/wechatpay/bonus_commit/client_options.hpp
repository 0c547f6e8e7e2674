/// How a client behaves: every default is on its field.
#ifndef WECHATPAY_BONUS_COMMIT_CLIENT_OPTIONS_HPP
#define WECHATPAY_BONUS_COMMIT_CLIENT_OPTIONS_HPP

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/hooks.hpp"
#include "wechatpay/bonus_commit/move_only_function.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Trying again is the default, because the call sets a state: repeating it with the same values is safe, and WeChat
/// Pay asks for it.
struct RetryOptions {
  /// At most so many tries, the first included, from 1, which turns trying again off, to 10. One that met a stale
  /// connection (see below) does not count, once in a call.
  int max_tries = 3;

  /// A try without a complete answer by then is given up, so that a host that hangs leaves time for the other one.
  std::chrono::milliseconds try_timeout = std::chrono::seconds(10);

  /// The pause before the second try is random between 0 and this, and doubles with each further try ...
  std::chrono::milliseconds first_backoff{200};

  /// ... up to this.
  std::chrono::milliseconds longest_backoff = std::chrono::seconds(5);

  /// A host that failed is left alone for so long while there is another.
  std::chrono::milliseconds cool_down = std::chrono::seconds(30);
};

/// WeChat Pay limits each merchant id. Every try counts, since each is a request; it counts from the moment at which it
/// is decided on, also where it waits longer than the limit asks, or is cancelled meanwhile.
struct RateLimit {
  double per_second = 0;  ///< requests in the long run; 0: no limit
  int burst = 1;          ///< so many may go at once after a rest

  /// After a 429 nothing more is given a moment, by all calls of the client, for as long as Retry-After asks or a
  /// second, but for this at most; 0 turns that off. What has its moment already keeps it.
  std::chrono::milliseconds longest_halt = std::chrono::seconds(30);
};

/// A random number from 0 to 1, from OpenSSL's generator; 1 if that fails, which is the longest pause. Thread-safe.
WECHATPAY_BONUS_COMMIT_EXPORT double random_fraction() noexcept;

/// 32 random characters from OpenSSL's generator, upper-case hex. Thread-safe.
WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> random_nonce();

/// Given to BonusCommitClient::create(), which refuses what cannot work.
struct ClientOptions {
  /// Where requests go: WeChat Pay's main host, and its backup in another city, which serves while the main one fails.
  /// The sandbox's base URL alone stands here in tests.
  std::vector<std::string> origins = {"https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"};

  /// For one call, all tries and pauses included; at most 4 minutes, since WeChat Pay refuses a request that was signed
  /// 5 minutes ago.
  std::chrono::milliseconds deadline = std::chrono::seconds(30);

  RetryOptions retry{};  ///< how often, when and where a call is tried again

  RateLimit rate_limit{};  ///< of all calls together; none by default

  /// WeChat Pay's signature does not name the request, so an answer that has settled one commit settles no other: one
  /// whose nonce came before is not believed (VerificationFault::nonce_repeated), and the commit is tried again. The
  /// nonces of verified answers are remembered for as long as their timestamps are believed, up to 524,288 of them
  /// (8 MiB); beyond, the oldest are forgotten, and answers as old as those are not believed any more. False turns this
  /// off, for a benchmark or a mock that gives the same answer each time.
  bool refuse_repeated_nonces = true;

  Hooks hooks{};  ///< who watches; nobody by default

  /// The language of WeChat Pay's error messages: zh-CN, en, zh-HK or zh-TW; empty leaves it to WeChat Pay.
  std::string accept_language{};

  // These four are called from several threads, and where hooks run: commit() in them would wait for itself, and is
  // refused with `misuse`. An exception ends the call with `internal_error`, one of `nonce` with `signing_failed`.

  /// The time that is signed and with which answers are compared.
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;

  /// The time by which deadlines and cool-downs are kept.
  std::function<std::chrono::steady_clock::time_point()> steady_clock = std::chrono::steady_clock::now;

  /// From 0 to 1, for the length of pauses.
  std::function<double()> random = random_fraction;

  /// A new `nonce_str` of 32 letters and digits for every try.
  std::function<Result<std::string>()> nonce = random_nonce;

  /// Where a Signer takes long, such as an HSM's: puts a task into a queue of yours, whose threads then run it. With
  /// it, each further try of commit_async() and commit_all() is signed in such a task, and keeps no other call waiting;
  /// empty: see Signer. Called on the transport's thread, where hooks run; do not wait there for the task.
  ///
  /// Run the task once, soon, on any thread. Hooks and the callback may run in it. If you destroy it without that, or
  /// throw, the call ends with the error of its latest try. Once the call or the client has ended, it does nothing.
  /// Refer to the queue's threads here, and do not own them: what you own may end in one of these tasks.
  std::function<void(MoveOnlyFunction<void()>)> executor{};
};

WECHATPAY_BONUS_COMMIT_END

#endif
