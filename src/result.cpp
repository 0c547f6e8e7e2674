#include "wechatpay/bonus_commit/result.hpp"

namespace wechatpay {

BadResultAccess::~BadResultAccess() = default;

void throw_bad_result_access(const Error& error) { throw BadResultAccess(error); }

}  // namespace wechatpay
