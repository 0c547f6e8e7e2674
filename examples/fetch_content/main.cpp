// Commits 30 points of one order at WeChat Pay.
#include <wechatpay/bonus_commit.hpp>

#include <iostream>

namespace bonus = wechatpay::bonus_commit;

int main(int count, char** arguments) {
  if (count != 5) {
    std::cerr << "usage: credit_points apiclient_cert.pem apiclient_key.pem pub_key.pem PUB_KEY_ID_...\n";
    return 2;
  }
  const auto credentials = wechatpay::bonus_commit::Credentials::from_pem_files(arguments[1], arguments[2]);
  bonus::PlatformKeys platform_keys;
  const auto added = platform_keys.add_public_key_file(arguments[4], arguments[3]);
  for (const auto* error : {credentials ? nullptr : &credentials.error(), added ? nullptr : &added.error()}) {
    if (error == nullptr) continue;
    std::cerr << error->message << "\n";
    return 2;
  }
  const auto client = wechatpay::bonus_commit::BonusCommitClient::create(*credentials, platform_keys);
  if (!client) {
    std::cerr << client.error().message << "\n";
    return 2;
  }

  bonus::BonusCommitRequest request;
  request.card_id = "478515832665";
  request.code = "478515832665";
  request.out_trade_no = "1217752501201407033233368018";
  request.mchid = credentials->mchid();
  request.bonus_value = 30;
  request.merchant_mode = wechatpay::bonus_commit::MerchantMode::direct;

  const bonus::CommitResult result = client->commit(request);
  if (!result) {
    std::cerr << result.error().to_string() << "\n";
    return 1;
  }
  std::cout << "credited, Request-ID " << result->request_id << "\n";
}
