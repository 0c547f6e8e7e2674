#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/client_fixture.hpp>

using namespace wechatpay::bonus_commit;

int main() {
  const BonusCommitRequest request{"1", "2", "3", "4", "5", 30, MerchantMode::both};
  return testing::ClientFixture().client().commit(request) ? 0 : 1;
}
