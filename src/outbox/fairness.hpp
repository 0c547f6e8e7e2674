// Which merchants' rows a claim takes when merchants take turns. Pure functions.
#ifndef WECHATPAY_SRC_OUTBOX_FAIRNESS_HPP
#define WECHATPAY_SRC_OUTBOX_FAIRNESS_HPP

#include <algorithm>
#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace wechatpay::bonus_commit::outbox {

/// The merchant of an order.
struct Merchant {
  std::string mchid{};
  std::string sub_mchid{};

  friend bool operator<(const Merchant& a, const Merchant& b) {
    return std::tie(a.mchid, a.sub_mchid) < std::tie(b.mchid, b.sub_mchid);
  }
};

/// How many rows of a merchant a claim may take.
struct Turn {
  Merchant merchant{};
  std::size_t share = 0;
};

/// Divides one claim of at most `most` rows among the merchants. Each merchant gets the same share; the first ones get
/// the remainder. Merchants are in the order of their ids, starting after `last`. If there are more merchants than
/// rows, the others have their turn in later claims: pass the result of next_last() as `last` there.
inline std::vector<Turn> turns_of(std::vector<Merchant> merchants, const Merchant& last, std::size_t most) {
  std::vector<Turn> turns;
  if (merchants.empty() || most == 0) return turns;
  std::sort(merchants.begin(), merchants.end());
  std::rotate(merchants.begin(), std::upper_bound(merchants.begin(), merchants.end(), last), merchants.end());
  const std::size_t count = std::min(merchants.size(), most);
  for (std::size_t i = 0; i < count; ++i) {
    turns.push_back({std::move(merchants[i]), most / count + (i < most % count ? 1 : 0)});
  }
  return turns;
}

/// The merchant after which the next claim starts: the last one that had a turn. If all merchants had a turn, the first
/// one, so that others get the remainder next time.
inline const Merchant& next_last(const std::vector<Turn>& turns, std::size_t merchants) {
  return turns.size() == merchants ? turns.front().merchant : turns.back().merchant;
}

}  // namespace wechatpay::bonus_commit::outbox

#endif
