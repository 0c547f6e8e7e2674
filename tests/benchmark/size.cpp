// A small program, built with and without a client. building.cpp compares the two sizes.
#include <wechatpay/bonus_commit.hpp>

#ifdef WITH_CLIENT
int main(int, char** arguments) {
  using namespace wechatpay::bonus_commit;
  const auto credentials = Credentials::from_pem_files(arguments[1], arguments[2]).value();
  PlatformKeys platform_keys;
  platform_keys.add_public_key_file(arguments[3], arguments[4]).value();
  const auto client = BonusCommitClient::create(credentials, platform_keys).value();
  return client.commit({arguments[5], arguments[6], arguments[7], arguments[8], arguments[9], 30}) ? 0 : 1;
}
#else
int main() { return 0; }
#endif
