/// How a client behaves: every default is on its field.
#ifndef WECHATPAY_BONUS_COMMIT_CLIENT_OPTIONS_HPP
#define WECHATPAY_BONUS_COMMIT_CLIENT_OPTIONS_HPP

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/rate_limit.hpp"
#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/retry.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/text.hpp"
#include "wechatpay/bonus_commit/watching.hpp"

namespace wechatpay {

struct ClientOptions {
  /// Where requests go: WeChat Pay's main host, and its backup in another city, which serves while the main one fails.
  /// The sandbox's base URL alone stands here in tests.
  std::vector<std::string> origins = {"https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"};

  /// For one call, all tries and pauses included; at most 4 minutes, since WeChat Pay refuses a request that was signed
  /// 5 minutes ago.
  std::chrono::milliseconds deadline = std::chrono::seconds(30);

  RetryOptions retry;

  RateLimit rate_limit;

  Hooks hooks;

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

/// An error of kind `invalid_configuration` that names the first option that cannot work; nothing where all can.
inline std::optional<Error> check_options(const ClientOptions& options) {
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
      retry.cool_down < std::chrono::milliseconds(0) || retry.try_timeout > std::chrono::hours(24) ||
      retry.longest_backoff > std::chrono::hours(24) || retry.cool_down > std::chrono::hours(24)) {
    return configuration_error(
        "ClientOptions::retry wants 1 try or more, a try_timeout of more than 0 ms, pauses of 0 ms or more, all of "
        "them 24 h at most, and a longest_backoff that is not less than first_backoff");
  }
  const RateLimit& limit = options.rate_limit;
  // So written, it refuses what is not a number, too.
  if (!(limit.per_second == 0 || (limit.per_second >= 0.001 && limit.per_second <= 1e6)) || limit.burst < 1 ||
      limit.burst > 1000000 || limit.longest_halt < std::chrono::milliseconds(0) ||
      limit.longest_halt > std::chrono::hours(24)) {
    return configuration_error(
        "ClientOptions::rate_limit wants 0.001 to 1000000 requests per second, or 0 for no limit, a burst of 1 to "
        "1000000, and a longest_halt from 0 ms to 24 h");
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
  return std::nullopt;
}

}  // namespace wechatpay

#endif
