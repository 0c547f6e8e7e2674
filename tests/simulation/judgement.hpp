/// What an answer means, judged without the library's code.
#ifndef WECHATPAY_TESTS_SIMULATION_JUDGEMENT_HPP
#define WECHATPAY_TESTS_SIMULATION_JUDGEMENT_HPP

#include "wechatpay/bonus_commit/error.hpp"

namespace wechatpay::bonus_commit::simulation {

/// How an answer is signed.
enum class Signed { well, not_at_all, wrongly, by_an_unknown_key, as_a_probe, long_ago, twice, not_in_base64, before };

/// One way in which WeChat Pay, or a party in its place, answers.
struct Reply {
  const char* what;
  int status;
  Signed is_signed;
  bool commits;  ///< the order is committed
  const char* body;
};

/// What a try says of its order.
enum class Says {
  credited,
  refused,                 ///< because of its content: the same order would be refused again
  merchant_not_permitted,  ///< all orders of the merchant would be refused
  card_not_permitted,      ///< all orders of the merchant with this card would be refused
  merchant_doubted,        ///< its ids, or the set-up, are wrong
  setup_wrong,             ///< each order would fail alike
  nothing,                 ///< try it again later
};

struct Judgement {
  Says says = Says::nothing;
  Outcome outcome = Outcome::unknown;
  bool final = false;  ///< no further try of the same call may follow
  bool verified = false;
};

/// Judges an answer where good signatures verify.
Judgement judge(const Reply& reply);

/// Judges a try without a complete answer, by what its transport told.
Judgement judge(const Error& of_transport);

/// Faults after which the client avoids the host and makes another try.
bool counts(TransportFault fault);

/// Statuses that cause another try, whether the answer is signed or not.
bool asks_for_another(int status);

}  // namespace wechatpay::bonus_commit::simulation

#endif
