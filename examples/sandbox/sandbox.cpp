// WeChat Pay on your own machine: an HTTPS server that verifies every request as WeChat Pay would and signs its
// answers, for any language. Ctrl-C ends it.
#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/sandbox.hpp>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>
#include <string_view>

using namespace wechatpay;

namespace {

constexpr const char* usage =
    "usage: sandbox [--port NUMBER] [--folder FOLDER]\n"
    "  --port NUMBER    where to listen on 127.0.0.1 (default 8443; 0: any port that is free)\n"
    "  --folder FOLDER  where to put the keys and certificates, made if it is not there\n"
    "                   (default: a temporary folder, removed at the end)\n";

/// A command line that commits the order of WeChat Pay's example; WeChat Pay takes a timestamp for five minutes.
std::string curl_command(Sandbox& sandbox) {
  BonusCommitRequest request;
  request.card_id = "478515832665";
  request.code = "478515832665";
  request.out_trade_no = "1217752501201407033233368018";
  request.mchid = "1230000109";
  request.sub_mchid = "1900000109";
  request.bonus_value = 30;
  const std::string path = request_path(request);
  const std::string body = serialize(request).value();
  const std::string nonce = random_nonce().value();
  const SignedParts parts{"POST", path, std::time(nullptr), nonce, body};
  return "curl --include --cacert '" + sandbox.files().ca + "' '" + sandbox.origin() + path +
         "' \\\n  --header 'Authorization: " + authorization(sandbox.wechat_pay().credentials(), parts).value() +
         "' \\\n  --header 'Accept: application/json' --header 'Content-Type: application/json' \\\n"
         "  --header 'Wechatpay-Serial: " +
         sandbox.wechat_pay().public_key_id() + "' \\\n  --data '" + body + "'\n";
}

}  // namespace

int main(int count, char** arguments) {
  SandboxOptions options;
  options.port = 8443;
  options.log = [](const std::string& line) { std::cout << line << std::endl; };
  for (int i = 1; i < count; i += 2) {
    const std::string_view name = arguments[i];
    if (i + 1 == count || (name != "--port" && name != "--folder")) {
      std::cerr << usage;
      return name == "--help" ? EXIT_SUCCESS : 2;
    }
    const std::string value = arguments[i + 1];
    if (name == "--folder") {
      options.folder = value;
      continue;
    }
    char* end = nullptr;
    const unsigned long port = std::strtoul(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0' || port > 65535) {
      std::cerr << "--port must be a number from 0 to 65535, not " << value << "\n" << usage;
      return 2;
    }
    options.port = static_cast<std::uint16_t>(port);
  }

  // Before any thread starts, so that the signals come to sigwait() below and to nobody else.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  auto sandbox = Sandbox::start(options);
  if (!sandbox) {
    std::cerr << sandbox.error().message << "\n";
    return EXIT_FAILURE;
  }
  const SandboxFiles& files = (*sandbox)->files();
  FakeWechatPay& wechat_pay = (*sandbox)->wechat_pay();
  const Credentials credentials = wechat_pay.credentials();
  std::cout << "base URL              " << (*sandbox)->origin() << "\n"
            << "certificate authority " << files.ca << "\n"
            << "mchid                 " << credentials.mchid() << "\n"
            << "serial_no             " << credentials.serial_no() << "\n"
            << "merchant key          " << files.merchant_key << "\n"
            << "merchant certificate  " << files.merchant_certificate << "\n"
            << "both as PKCS#12       " << files.merchant_p12 << " (passphrase: the mchid)\n"
            << "platform public key   " << files.public_key << "\n"
            << "its id                " << wechat_pay.public_key_id() << "\n"
            << "platform certificate  " << files.platform_certificate << "\n\n"
            << "A signed request, good for five minutes:\n\n"
            << curl_command(**sandbox) << "\nOne line for each request follows. Ctrl-C ends.\n"
            << std::endl;

  int signal = 0;
  sigwait(&ends, &signal);
  std::cout << wechat_pay.committed().size() << " orders committed\n";
  return EXIT_SUCCESS;
}
