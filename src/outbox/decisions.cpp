#include "src/outbox/decisions.hpp"

#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>

#include "src/outbox/meaning.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

constexpr std::size_t longest_message = 500;
constexpr int tries_of_a_doubtful_setup = 5;

Settlement settlement(const Row& row, const std::string& token, Fate fate) {
  Settlement made;
  made.id = row.id;
  made.token = token;
  made.fate = fate;
  return made;
}

Settlement dead(const Row& row, const std::string& token, const char* kind, const std::string& message) {
  Settlement made = settlement(row, token, Fate::dead);
  made.kind = kind;
  made.message = stages::printable(message, longest_message);
  return made;
}

Settlement dead(const Row& row, const std::string& token, const char* kind, const Error& error) {
  Settlement made = dead(row, token, kind, error.message);
  if (const Answer* const answer = error.answer()) {
    made.code = stages::printable(answer->code, 64);
    made.request_id = stages::printable(answer->request_id, 128);
  }
  return made;
}

}  // namespace

std::chrono::milliseconds backoff(int attempts, double random) {
  const std::chrono::milliseconds longest = std::chrono::hours(1);
  const auto pause = std::min(longest, std::chrono::milliseconds(5000LL << std::clamp(attempts, 0, 20)));
  const double share = 0.8 + 0.4 * std::clamp(random, 0.0, 1.0);
  return std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(pause.count()) * share));
}

bool is_suspect(const Row& row) { return row.claims > row.attempts + 5; }

std::optional<Settlement> dead_before_call(const Row& row, const std::string& token) {
  if (row.claims > row.attempts + 10) {
    return dead(row, token, "poison",
                "claimed " + std::to_string(row.claims) + " times, with " + std::to_string(row.attempts) +
                    " calls: its workers ended before they had a result");
  }
  if (row.contradicted) return dead(row, token, "conflict", "the same order was committed with other points");
  return std::nullopt;
}

Settlement settlement_of(const Row& row, const std::string& token, const CommitResult& result,
                         const GivingUp& giving_up, bool others_succeed, double random) {
  const Meaning meaning = meaning_of(result);
  if (meaning == Meaning::credited) {
    Settlement made = settlement(row, token, Fate::done);
    made.request_id = stages::printable(result->request_id, 128);
    return made;
  }
  const Error& error = result.error();
  if (meaning == Meaning::invalid) return dead(row, token, "invalid", error);
  if (meaning == Meaning::refused) return dead(row, token, "refused", error);
  if (meaning == Meaning::not_called || meaning == Meaning::setup_wrong) {
    Settlement made = settlement(row, token, Fate::hand_back);
    if (error.kind == ErrorKind::rate_limited) made.pause = std::chrono::seconds(1);
    return made;
  }
  const bool refused_often = meaning == Meaning::setup_doubtful && error.outcome == Outcome::refused &&
                             others_succeed && row.attempts + 1 >= tries_of_a_doubtful_setup;
  if (refused_often) return dead(row, token, "refused", error);
  const bool exhausted = meaning == Meaning::failed && giving_up.ever && others_succeed && row.age >= giving_up.age &&
                         row.attempts + 1 >= giving_up.attempts;
  if (exhausted) return dead(row, token, "exhausted", error);
  Settlement made = settlement(row, token, Fate::wait);
  made.pause = meaning == Meaning::permission_missing ? permission_pause : backoff(row.attempts, random);
  made.message = stages::printable(error.to_string(), longest_message);
  return made;
}

MerchantMode mode_of(const BonusCommitRequest& order) {
  if (order.sub_mchid.empty()) return MerchantMode::direct;
  return order.mchid.empty() ? MerchantMode::partner : MerchantMode::both;
}

bool fits_another_mode(BonusCommitRequest order, MerchantMode mode) {
  order.merchant_mode = mode;
  if (order.check().empty()) return false;
  order.merchant_mode = mode_of(order);
  return order.check().empty();
}

std::string order_key(const BonusCommitRequest& order) {
  std::string key;
  for (const std::string* text : {&order.card_id, &order.code, &order.out_trade_no, &order.mchid, &order.sub_mchid}) {
    key.append(*text).push_back('\0');
  }
  return key;
}

}  // namespace wechatpay::bonus_commit::outbox
