/// The sandbox's faults that lie in the answer.
#ifndef WECHATPAY_SRC_TESTING_FAULTS_HPP
#define WECHATPAY_SRC_TESTING_FAULTS_HPP

#include <functional>

#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// What `answer` makes of the request, changed as the fault says; or what stands in its place.
HttpResponse spoiled_answer(const FakeWechatPay& wechat_pay, const HttpRequest& request, const SandboxFault& fault,
                            const std::function<HttpResponse(const HttpRequest&)>& answer);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
