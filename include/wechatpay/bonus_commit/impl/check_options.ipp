#ifndef WECHATPAY_BONUS_COMMIT_IMPL_CHECK_OPTIONS_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_CHECK_OPTIONS_IPP

#include "wechatpay/bonus_commit/impl/check_options.hpp"

#include <chrono>
#include <string_view>

#include "wechatpay/bonus_commit/impl/users_code.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

inline constexpr int most_tries = 10;
inline constexpr std::chrono::minutes longest_deadline{4};

WECHATPAY_BONUS_COMMIT_DECL Result<void> check_options(const ClientOptions& options) {
  if (options.origins.empty()) return configuration_error("ClientOptions::origins is empty: give one host at least");
  for (const std::string_view origin : options.origins) {
    if (origin.substr(0, 8) != "https://" || origin.size() == 8 ||
        origin.find_first_of("/?#@ \\", 8) != std::string_view::npos || has_control_character(origin)) {
      return configuration_error(
          "ClientOptions::origins must be https://host or https://host:port each, without a user, a path or a blank");
    }
  }
  if (options.timeout <= std::chrono::milliseconds(0) || options.timeout > longest_deadline) {
    return configuration_error("ClientOptions::timeout must be more than 0 ms and at most 4 minutes");
  }
  const RetryOptions& retry = options.retry;
  if (retry.max_tries < 1 || retry.max_tries > most_tries || retry.try_timeout <= std::chrono::milliseconds(0) ||
      retry.first_backoff < std::chrono::milliseconds(0) || retry.longest_backoff < retry.first_backoff ||
      retry.cool_down < std::chrono::milliseconds(0) || retry.try_timeout > std::chrono::hours(24) ||
      retry.longest_backoff > std::chrono::hours(24) || retry.cool_down > std::chrono::hours(24)) {
    return configuration_error(
        "ClientOptions::retry wants 1 to 10 tries, a try_timeout of more than 0 ms, pauses of 0 ms or more, all of "
        "them 24 h at most, and a longest_backoff that is not less than first_backoff");
  }
  const RateLimit& limit = options.rate_limit;
  // This form of the condition also refuses NaN.
  if (!(limit.per_second == 0 || (limit.per_second >= 0.001 && limit.per_second <= 1e6)) || limit.burst < 1 ||
      limit.burst > 1000000 || limit.longest_pause < std::chrono::milliseconds(0) ||
      limit.longest_pause > std::chrono::hours(24)) {
    return configuration_error(
        "ClientOptions::rate_limit wants 0.001 to 1000000 requests per second, or 0 for no limit, a burst of 1 to "
        "1000000, and a longest_pause from 0 ms to 24 h");
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
  return {};
}

WECHATPAY_BONUS_COMMIT_DECL Result<void> check_options(const CallOptions& options) {
  if (options.timeout >= std::chrono::milliseconds(0) && options.timeout <= longest_deadline) return {};
  return misuse("CallOptions::timeout must be from 0 ms, which stands for ClientOptions::timeout, to 4 minutes");
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif
