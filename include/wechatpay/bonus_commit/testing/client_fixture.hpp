/// A client for unit tests, with a simulated WeChat Pay: no network, threads or key files.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_CLIENT_FIXTURE_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_CLIENT_FIXTURE_HPP

#include <memory>

#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// A client whose requests a FakeWechatPay answers through a MockTransport. Requests are really signed, and answers are
/// really verified, with RSA keys that are compiled in, so creating one takes some milliseconds. Script other answers
/// with transport().then(). Copies share the client, the FakeWechatPay and the MockTransport. Thread-safe.
class ClientFixture {
 public:
  /// `options.clock` is also the clock of the FakeWechatPay. Throws the exception of Result::value() if the options
  /// cannot work.
  explicit ClientFixture(ClientOptions options = {});

  /// Pass copies of it to the code under test. They may outlive the fixture.
  const BonusCommitClient& client() const noexcept { return client_; }

  /// Answers the requests for which nothing is scripted, and remembers what was committed.
  FakeWechatPay& wechat_pay() const noexcept { return *wechat_pay_; }

  /// Scripts answers and errors, and records requests.
  MockTransport& transport() const noexcept { return *transport_; }

 private:
  std::shared_ptr<FakeWechatPay> wechat_pay_;
  std::shared_ptr<MockTransport> transport_;
  BonusCommitClient client_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
