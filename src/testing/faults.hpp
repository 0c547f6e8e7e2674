/// The sandbox's faults that change the answer.
#ifndef WECHATPAY_SRC_TESTING_FAULTS_HPP
#define WECHATPAY_SRC_TESTING_FAULTS_HPP

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// The fault with the name that to_string() returns, or with an HTTP status; empty for any other name. `pause` is for
/// the faults that have one.
std::optional<SandboxFault> fault_named(std::string_view name, std::chrono::milliseconds pause);

/// The answer of `answer` to the request, changed as the fault says; or its replacement.
HttpResponse spoiled_answer(const FakeWechatPay& wechat_pay, const HttpRequest& request, const SandboxFault& fault,
                            const std::function<HttpResponse(const HttpRequest&)>& answer);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
