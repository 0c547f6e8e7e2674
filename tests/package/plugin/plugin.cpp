#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/client_fixture.hpp>

using namespace wechatpay::bonus_commit;

/// Whether one order was credited, and a CurlTransport could be made.
extern "C" bool plugin_works() {
  const BonusCommitRequest request{"1", "2", "3", "4", "5", 30, MerchantMode::both};
  return testing::ClientFixture().client().commit(request) && CurlTransport::create();
}
