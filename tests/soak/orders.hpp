/// The orders that the soak commits.
#ifndef WECHATPAY_TESTS_SOAK_ORDERS_HPP
#define WECHATPAY_TESTS_SOAK_ORDERS_HPP

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/request.hpp"

namespace wechatpay::bonus_commit {

/// Orders by number. Every process computes the same order from its number, so nothing about an order is stored.
class Orders {
 public:
  explicit Orders(std::uint64_t seed) : seed_(seed) {}

  BonusCommitRequest request(std::uint32_t number) const {
    return {card_id(number), code(number),        out_trade_no(number), mchid,
            sub_mchid,       bonus_value(number), MerchantMode::both};
  }

  // The bytes that must arrive. They are built without the library, because the library's output is compared with them.

  std::string path(std::uint32_t number) const {
    return "/v3/marketing/membercard-open/cards/" + card_id(number) + "/codes/" + hex(number, 2) +
           "%2F%E7%A7%AF/bonus/commit";
  }

  std::string body(std::uint32_t number) const {
    return std::string(body_begins) + out_trade_no(number) + "\",\"mchid\":\"" + mchid + "\",\"sub_mchid\":\"" +
           sub_mchid + "\",\"bonus_value\":" + std::to_string(bonus_value(number)) + "}";
  }

  /// The order to which a body seems to belong.
  static std::optional<std::uint32_t> number_of_body(std::string_view body) {
    if (body.substr(0, body_begins.size()) != body_begins) return std::nullopt;
    return number_of_order(body.substr(body_begins.size(), out_trade_no_begins.size() + digits));
  }

  static std::optional<std::uint32_t> number_of_order(std::string_view out_trade_no) {
    if (out_trade_no.size() != out_trade_no_begins.size() + digits) return std::nullopt;
    std::uint32_t number = 0;
    const char* const end = out_trade_no.data() + out_trade_no.size();
    const auto [stopped, failure] = std::from_chars(end - digits, end, number);
    if (failure != std::errc() || stopped != end) return std::nullopt;
    return number;
  }

 private:
  static constexpr std::string_view body_begins = "{\"out_trade_no\":\"";
  static constexpr std::string_view out_trade_no_begins = "soak";
  static constexpr std::size_t digits = 10;
  static constexpr const char* mchid = "1230000109";
  static constexpr const char* sub_mchid = "1900000109";

  /// splitmix64: pseudo-random, determined by the number.
  std::uint64_t random(std::uint32_t number, std::uint32_t field) const {
    std::uint64_t value = seed_ + (std::uint64_t{number} * 4 + field + 1) * 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
  }

  std::string hex(std::uint32_t number, std::uint32_t field) const {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(random(number, field)));
    return text;
  }

  static std::string out_trade_no(std::uint32_t number) {
    char text[digits + 1];
    std::snprintf(text, sizeof text, "%010lu", static_cast<unsigned long>(number));
    return std::string(out_trade_no_begins) + text;
  }

  std::string card_id(std::uint32_t number) const { return hex(number, 1); }
  std::string code(std::uint32_t number) const { return hex(number, 2) + "/积"; }

  std::int64_t bonus_value(std::uint32_t number) const {
    return static_cast<std::int64_t>(random(number, 3) % 1000000 + 1);
  }

  std::uint64_t seed_;
};

}  // namespace wechatpay::bonus_commit

#endif
