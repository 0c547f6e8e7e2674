/// How a client behaves: every default is on its field.
#ifndef WECHATPAY_BONUS_COMMIT_CLIENT_OPTIONS_HPP
#define WECHATPAY_BONUS_COMMIT_CLIENT_OPTIONS_HPP

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "wechatpay/bonus_commit/rate_limit.hpp"
#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/retry.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/watching.hpp"

namespace wechatpay {

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
};

}  // namespace wechatpay

#endif
