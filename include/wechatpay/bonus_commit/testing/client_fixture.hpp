/// A client for unit tests, with a WeChat Pay that answers it: in one line, without network, threads or key files.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_CLIENT_FIXTURE_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_CLIENT_FIXTURE_HPP

#include <memory>

#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// A client whose requests a FakeWechatPay answers through a MockTransport. Requests are really signed and answers are
/// really verified, with RSA keys that are compiled in, so it takes some milliseconds to make one. Script other answers
/// with transport().then(). Copies share all three. Thread-safe.
class ClientFixture {
 public:
  /// `options.clock` is WeChat Pay's clock, too. Throws what Result::value() throws where the options cannot work.
  explicit ClientFixture(ClientOptions options = {});

  /// Give copies of it to the code under test, which may outlive this.
  const BonusCommitClient& client() const noexcept { return client_; }

  /// Who answers whatever is not scripted, and remembers what was committed.
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
