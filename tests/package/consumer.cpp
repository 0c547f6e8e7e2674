// A user's program, as far as it works without a network. It signs and commits through its own transport, and throws
// and casts across the library boundary.
#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/mock_transport.hpp>

#include <iostream>
#include <memory>
#include <string>

using namespace wechatpay::bonus_commit;

namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

/// A signer that signs by itself, as with an HSM.
struct OwnSigner : Signer {
  Result<std::string> sign(std::string_view) const override { return std::string(256, 's'); }
};

}  // namespace

int main(int count, char** arguments) try {
  require(count == 2, "usage: consumer FOLDER_OF_TEST_VECTORS");
  const std::string folder = arguments[1];

  const auto from_key = Credentials::from_key_file("1900009191", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
                                                   folder + "/sign_merchant_test_key.pem");
  const auto own =
      Credentials::from_signer("1900009191", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", std::make_shared<OwnSigner>());
  PlatformKeys platform_keys;
  platform_keys
      .add_public_key_file("PUB_KEY_ID_0119000000012026112300000000000001", folder + "/verify_platform_public_key.pem")
      .value();

  for (const Credentials& credentials : {from_key.value(), own.value()}) {
    const auto transport = std::make_shared<testing::MockTransport>();
    transport->otherwise([](const HttpRequest&) { return HttpResponse{400, {}, R"({"code":"PARAM_ERROR"})"}; });
    const auto client = BonusCommitClient::create(credentials, platform_keys, transport);
    const CommitResult result = client.value().commit({"1", "2", "3", "4", "5", 30, MerchantMode::both});
    require(!result && result.error().answer()->code == "PARAM_ERROR", "the answer is not read");
    const auto requests = transport->requests();
    require(requests.size() == 1 && requests.front().path.find("/cards/1/codes/2/bonus/commit") != std::string::npos &&
                header_value(requests.front().headers, "Authorization").size() > 400,
            "the request is not what it should be");
  }

  bool thrown = false;
  try {
    Credentials::from_p12_file("/no/such.p12", "1900009191").value();
  } catch (const BadResultAccess& failure) {
    thrown = failure.error().kind == ErrorKind::invalid_configuration;
  }
  require(thrown, "what value() throws is not caught");

  const std::shared_ptr<Transport> transport = CurlTransport::create().value();
  require(dynamic_cast<CurlTransport*>(transport.get()) != nullptr, "a CurlTransport is not one");

  std::cout << user_agent() << "\n";
  return 0;
} catch (const std::exception& failure) {
  std::cerr << failure.what() << "\n";
  return 1;
}
