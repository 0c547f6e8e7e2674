#include "src/outbox/meaning.hpp"

#include <algorithm>

namespace wechatpay::bonus_commit::outbox {

Meaning meaning_of(const CommitResult& result) {
  if (result) return Meaning::credited;
  const Error& error = result.error();
  if (error.remedy == Remedy::correct_setup || error.remedy == Remedy::correct_the_program) {
    // One row with another merchant's id must not stop all other rows, whatever an earlier try of its call may have
    // done.
    const bool of_the_order = error.verified() && error.http_status() != 401;
    return of_the_order ? Meaning::setup_doubtful : Meaning::setup_wrong;
  }
  if (error.kind == ErrorKind::invalid_request) return Meaning::invalid;
  if (error.remedy == Remedy::ask_wechat_pay) return Meaning::permission_missing;
  if (error.remedy == Remedy::correct_request && error.outcome == Outcome::refused && error.verified()) {
    return Meaning::refused;
  }
  const bool ended_early = error.kind == ErrorKind::rate_limited || error.kind == ErrorKind::cancelled ||
                           error.transport_fault == TransportFault::shut_down;
  return ended_early && error.tries.empty() ? Meaning::not_called : Meaning::failed;
}

bool settled(Meaning meaning) noexcept { return meaning == Meaning::credited || meaning == Meaning::refused; }

std::optional<std::chrono::milliseconds> halt_after(const CommitResult& result) {
  if (result) return std::nullopt;
  const Error& error = result.error();
  const bool too_fast =
      std::any_of(error.tries.begin(), error.tries.end(), [](const Try& made) { return made.http_status() == 429; });
  if (!too_fast) return std::nullopt;
  const std::chrono::milliseconds longest = std::chrono::minutes(5);
  const std::chrono::milliseconds asked = error.retry_after.value_or(std::chrono::seconds(1));
  return std::clamp(asked, std::chrono::milliseconds(1000), longest);
}

}  // namespace wechatpay::bonus_commit::outbox
