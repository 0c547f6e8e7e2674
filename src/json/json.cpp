#include "wechatpay/bonus_commit/json.hpp"

#include <stdexcept>

WECHATPAY_BONUS_COMMIT_BEGIN

void stages::throw_invalid_json(const char* why) { throw std::invalid_argument(why); }

WECHATPAY_BONUS_COMMIT_END
