/// The options of a client. Each default is on its field.
#ifndef WECHATPAY_BONUS_COMMIT_CLIENT_OPTIONS_HPP
#define WECHATPAY_BONUS_COMMIT_CLIENT_OPTIONS_HPP

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/hooks.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Retries are on by default: the call sets a state, so repeating it with the same values is safe, and WeChat Pay asks
/// for it.
struct RetryOptions {
  /// The maximum number of tries, including the first: 1 to 10. 1 turns retries off. A try on a stale connection, which
  /// the server had already closed, does not count, once per call.
  int max_tries = 3;

  /// The time for one try. A try without a complete answer by then ends, so that there is time left for the other host.
  std::chrono::milliseconds try_timeout = std::chrono::seconds(10);

  /// The pause before the second try is random, from 0 to this value. The limit doubles with each further try ...
  std::chrono::milliseconds first_backoff{200};

  /// ... up to this value.
  std::chrono::milliseconds longest_backoff = std::chrono::seconds(5);

  /// A host that failed is not used for this time while there is another.
  std::chrono::milliseconds cool_down = std::chrono::seconds(30);
};

/// WeChat Pay limits the requests of each merchant id. Every try counts, since each is a request. It counts from the
/// moment when it is scheduled, even if it then waits longer than the limit requires or is cancelled.
struct RateLimit {
  double per_second = 0;  ///< requests per second on average; 0: no limit
  int burst = 1;          ///< how many may be sent at once after a pause

  /// After a 429, no call of the client schedules a further try for the time in Retry-After, or for one second without
  /// that header, but at most for this time. 0 turns the pause off. Tries that are already scheduled are still sent.
  std::chrono::milliseconds longest_pause = std::chrono::seconds(30);
};

/// Returns a random number from 0 to 1 from OpenSSL's generator, or 1, the longest pause, if the generator fails.
/// Thread-safe.
WECHATPAY_BONUS_COMMIT_EXPORT double random_fraction() noexcept;

/// Returns 32 random characters, upper-case hex, from OpenSSL's generator. Thread-safe.
WECHATPAY_BONUS_COMMIT_EXPORT Result<std::string> random_nonce();

/// Puts a task into your queue, whose threads then run it: the `post` of a thread pool or of an event loop.
using Executor = std::function<void(std::function<void()> task)>;

/// Passed to BonusCommitClient::create(), which refuses options that cannot work.
struct ClientOptions {
  /// The origins (scheme, host and port) of WeChat Pay, in order of preference: its main host, and its backup host in
  /// another city, which is used while the main one fails. In tests, set this to the origin of the sandbox only.
  std::vector<std::string> origins = {"https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"};

  /// The time for one call, including all tries and pauses. At most 4 minutes, because WeChat Pay refuses a request
  /// whose signature is 5 minutes old.
  std::chrono::milliseconds timeout = std::chrono::seconds(30);

  RetryOptions retry{};  ///< how often, when and on which host a call is tried again

  RateLimit rate_limit{};  ///< for all calls together; none by default

  /// WeChat Pay's signature does not name the request, so an answer could be replayed for another one. With true, an
  /// answer whose nonce was seen before is not accepted (VerificationFault::nonce_repeated), and the commit is tried
  /// again. The client remembers the nonces of verified answers as long as their timestamps are accepted, up to 524,288
  /// nonces (8 MiB). Beyond that, it forgets the oldest, and no longer accepts answers that are as old as those. Set
  /// this to false only for a benchmark or a mock that gives the same answer each time.
  bool refuse_repeated_nonces = true;

  Hooks hooks{};  ///< observers; none by default

  /// The language of WeChat Pay's error messages: zh-CN, en, zh-HK or zh-TW. If empty, WeChat Pay chooses.
  std::string accept_language{};

  // These four functions are called from several threads, including those where hooks run. commit() in them would wait
  // for itself, so it ends with `misuse`. An exception ends the call with `internal_error`, or with `signing_failed` if
  // `nonce` throws.

  /// The clock for timestamps of signatures, and for checking the timestamps of answers.
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;

  /// The clock for deadlines and cool-downs.
  std::function<std::chrono::steady_clock::time_point()> steady_clock = std::chrono::steady_clock::now;

  /// Returns a number from 0 to 1, for the length of pauses.
  std::function<double()> random = random_fraction;

  /// Returns a new `nonce_str` of 32 letters and digits for each try.
  std::function<Result<std::string>()> nonce = random_nonce;

  /// For a slow Signer, such as an HSM: each further try of commit_async() and commit_all() is signed in a task of this
  /// executor, so no other call has to wait. If empty, see Signer. Called on the transport's thread, where hooks run;
  /// do not wait for the task there.
  ///
  /// Run the task soon, on any thread. Hooks and the callback may run in it. If all its copies are destroyed without
  /// being run, or if this function throws, the call ends with the error of its latest try. If it is run again, or
  /// after the call or the client has ended, it does nothing. Refer to the queue's threads in this function, but do not
  /// own them: objects that it owns may be destroyed in one of these tasks.
  Executor executor{};
};

WECHATPAY_BONUS_COMMIT_END

#endif
