// An example of a merchant's service around the client: it decides what the merchant's system does next.
#ifndef POINTS_SERVICE_HPP
#define POINTS_SERVICE_HPP

#include <wechatpay/bonus_commit.hpp>

#include <cstdint>
#include <string>
#include <utility>

struct Order {
  std::string card_id;
  std::string member_code;
  std::string number;
  std::int64_t points = 0;
};

enum class Next {
  done,          // the member sees that the points are credited
  try_later,     // put the order back into the queue; repeating is safe
  ask_a_person,  // correct the order or the set-up, or ask WeChat Pay
};

class PointsService {
 public:
  PointsService(wechatpay::bonus_commit::BonusCommitClient client, std::string mchid)
      : client_(std::move(client)), mchid_(std::move(mchid)) {}

  Next credit(const Order& order) {
    wechatpay::bonus_commit::BonusCommitRequest request;
    request.card_id = order.card_id;
    request.code = order.member_code;
    request.out_trade_no = order.number;
    request.mchid = mchid_;
    request.bonus_value = order.points;
    request.merchant_mode = wechatpay::bonus_commit::MerchantMode::direct;

    const wechatpay::bonus_commit::CommitResult result = client_.commit(request);
    if (result) return Next::done;
    last_error_ = result.error().to_string();
    return result.error().remedy == wechatpay::bonus_commit::Remedy::retry_later ? Next::try_later : Next::ask_a_person;
  }

  const std::string& last_error() const { return last_error_; }

 private:
  wechatpay::bonus_commit::BonusCommitClient client_;
  std::string mchid_;
  std::string last_error_;
};

#endif
