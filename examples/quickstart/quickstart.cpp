// One commit from the struct to the verified receipt, with every stage printed. It uses real HTTPS to a sandbox in this
// process. To use WeChat Pay itself, change the three marked places.
#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/sandbox.hpp>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace bonus = wechatpay::bonus_commit;

namespace {

/// Prints what is signed. Signer is an interface, so a decorator takes only a few lines.
class PrintingSigner final : public bonus::Signer {
 public:
  explicit PrintingSigner(bonus::Credentials credentials) : credentials_(std::move(credentials)) {}

  bonus::Result<std::string> sign(std::string_view message) const override {
    // create() also signs, to see whether a platform key is the merchant's own. Only a request begins with its method.
    if (message.substr(0, 5) != "POST\n") return credentials_.signer().sign(message);
    std::cout << "\n1. What is signed: five lines, each ended by a line feed\n";
    for (std::string_view rest = message; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
      std::cout << "     " << rest.substr(0, rest.find('\n')) << "\n";
    }
    return credentials_.signer().sign(message);
  }

 private:
  bonus::Credentials credentials_;
};

/// Prints what is sent and received. Transport is an interface too.
class PrintingTransport final : public bonus::Transport {
 public:
  explicit PrintingTransport(std::shared_ptr<bonus::Transport> next) : next_(std::move(next)) {}

  void send(bonus::HttpRequest request, bonus::SendOptions options, Completion done) override {
    std::cout << "\n2. Sent\n     " << request.method << " " << request.origin << request.path << "\n     "
              << request.body << "\n";
    next_->send(std::move(request), std::move(options),
                [done = std::move(done)](bonus::Result<bonus::HttpResponse> response) {
                  if (response) {
                    std::cout << "\n3. Answered\n     status " << response->status << ", Wechatpay-Serial "
                              << header_value(response->headers, "Wechatpay-Serial") << "\n";
                  }
                  done(std::move(response));
                });
  }

 private:
  std::shared_ptr<bonus::Transport> next_;
};

int fail(const bonus::Error& error) {
  std::cout << std::flush;
  std::cerr << "\n" << error.to_string() << "\n";
  return EXIT_FAILURE;
}

}  // namespace

int main() {
  auto sandbox = bonus::testing::Sandbox::start();
  if (!sandbox) return fail(sandbox.error());
  const bonus::testing::SandboxFiles& files = (*sandbox)->files();
  std::cout << "The sandbox plays WeChat Pay at " << (*sandbox)->origin() << "\n";

  // Once at start-up. For WeChat Pay: use your own files here ...
  auto credentials = bonus::Credentials::from_pem_files(files.merchant_certificate, files.merchant_key);
  if (!credentials) return fail(credentials.error());
  for (const std::string& warning : credentials->warnings()) std::cout << "warning: " << warning << "\n";

  bonus::PlatformKeys platform_keys;
  // ... use the id that the merchant platform shows next to pub_key.pem here ...
  auto added = platform_keys.add_public_key_file((*sandbox)->wechat_pay().public_key_id(), files.public_key);
  if (!added) return fail(added.error());

  // ... and omit these two: their defaults are the system's certificate authorities and WeChat Pay's host.
  bonus::CurlOptions curl_options;
  curl_options.ca_bundle_file = files.ca;
  bonus::ClientOptions client_options;
  client_options.origins = {(*sandbox)->origin()};

  auto curl = bonus::CurlTransport::create(curl_options);
  if (!curl) return fail(curl.error());
  auto watched_credentials = bonus::Credentials::from_signer(credentials->mchid(), credentials->serial_no(),
                                                             std::make_shared<PrintingSigner>(*credentials));
  if (!watched_credentials) return fail(watched_credentials.error());
  auto client = bonus::BonusCommitClient::create(*watched_credentials, platform_keys,
                                                 std::make_shared<PrintingTransport>(*curl), client_options);
  if (!client) return fail(client.error());

  // For each order whose points have been credited.
  bonus::BonusCommitRequest request;
  request.merchant_mode = bonus::MerchantMode::direct;
  request.card_id = "478515832665";
  request.code = "478515832665";
  request.out_trade_no = "1217752501201407033233368018";
  request.mchid = credentials->mchid();
  request.bonus_value = 30;

  const bonus::CommitResult result = client->commit(request);
  if (!result) return fail(result.error());

  std::cout << "\n4. Verified: the answer carries WeChat Pay's signature under " << result->serial << "\n"
            << "\nReceipt: " << request.bonus_value << " points of order " << request.out_trade_no
            << " are credited\n     Request-ID   " << result->request_id << "\n     answered at  " << result->timestamp
            << " (Unix time; this machine's clock is " << result->clock_offset.count() << " s off)\n";
  return EXIT_SUCCESS;
}
