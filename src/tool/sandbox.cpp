#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/stages/body.hpp>
#include <wechatpay/bonus_commit/stages/file_name.hpp>
#include <wechatpay/bonus_commit/stages/signature.hpp>
#include <wechatpay/bonus_commit/testing/sandbox.hpp>

#include <ctime>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "interruption.hpp"
#include "progress.hpp"
#include "sandbox_faults.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;
using namespace testing;

namespace {

struct SandboxArguments {
  std::uint16_t port = 8443;
  std::optional<std::uint16_t> backup_port;
  std::optional<std::uint16_t> page_port;
  bool no_page = false;
  std::string folder;
  std::string script;
  std::vector<std::string> faults;
  double fault_rate = 1;
  std::uint64_t fault_seed = 1;
  MerchantStage stage = MerchantStage::public_key;
  std::vector<std::string> tls_names;
};

SandboxFault fault_of(const std::string& option, const std::string& text) {
  const auto fault = parse_fault(text);
  if (!fault) throw CLI::ValidationError(option, "must be one of the faults listed by `sandbox --help`");
  return *fault;
}

std::vector<SandboxFault> read_script(const std::string& name) {
  std::ifstream file(name);
  if (!file) throw CLI::ValidationError("--script", file_in_message(name, "--script") + " cannot be read");
  std::vector<SandboxFault> script;
  for (std::string line; std::getline(file, line);) script.push_back(fault_of("--script", line));
  return script;
}

/// A command line that commits the order of WeChat Pay's example. WeChat Pay accepts its timestamp for five minutes.
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
  std::string announcement;
  if (sandbox.wechat_pay().stage() != MerchantStage::certificates) {
    announcement = "  --header 'Wechatpay-Serial: " + sandbox.wechat_pay().public_key_id() + "' \\\n";
  }
  return "curl --noproxy 127.0.0.1 --include --cacert '" + sandbox.files().ca + "' '" + sandbox.origin() + path +
         "' \\\n  --header 'Authorization: " + authorization(sandbox.wechat_pay().credentials(), parts).value() +
         "' \\\n  --header 'Accept: application/json' --header 'Content-Type: application/json' \\\n" + announcement +
         "  --data '" + body + "'\n";
}

/// The environment variables that the other commands read to use the sandbox. A key that does not exist in the
/// merchant's stage is empty, which replaces a value left by an earlier sandbox.
std::string environment(Sandbox& sandbox, const Sandbox* backup) {
  const SandboxFiles& files = sandbox.files();
  const MerchantStage stage = sandbox.wechat_pay().stage();
  std::string text = "export WECHATPAY_ORIGIN='" + sandbox.origin();
  if (backup != nullptr) text += "," + backup->origin();
  text += "' WECHATPAY_CA_FILE='" + files.ca + "' \\\n  WECHATPAY_CERT_FILE='" + files.merchant_certificate +
          "' WECHATPAY_KEY_FILE='" + files.merchant_key + "' \\\n  WECHATPAY_PUBLIC_KEY_FILE='";
  if (stage != MerchantStage::certificates) {
    text += files.public_key + "' WECHATPAY_PUBLIC_KEY_ID='" + sandbox.wechat_pay().public_key_id();
  } else {
    text += "' WECHATPAY_PUBLIC_KEY_ID='";
  }
  text += "' \\\n  WECHATPAY_PLATFORM_CERT_FILE='";
  if (stage != MerchantStage::public_key) text += files.platform_certificate;
  return text + "'\n";
}

/// Starts the page on its usual port, or on a free port if that one is in use and no port was given. Null if the page
/// is switched off.
std::shared_ptr<SandboxPage> start_page(const SandboxArguments& given) {
  constexpr std::uint16_t usual_port = 8480;
  if (given.no_page) return nullptr;
  auto page = SandboxPage::start(given.page_port.value_or(usual_port));
  if (!page && !given.page_port) page = SandboxPage::start();
  if (!page) throw CLI::ValidationError("--page-port", page.error().message);
  return *page;
}

std::string words_on(const SandboxPage* page) {
  if (page == nullptr) return "";
  return "\nBrowser page with each request and buttons for faults: " + page->url() + "\n";
}

SandboxOptions options_of(const SandboxArguments& given) {
  SandboxOptions options;
  options.port = given.port;
  options.folder = given.folder;
  options.log = [](const std::string& line) { std::cout << line + "\n" << std::flush; };
  FakeWechatPayOptions of_wechat_pay;
  of_wechat_pay.stage = given.stage;
  options.wechat_pay = std::make_shared<FakeWechatPay>(of_wechat_pay);
  options.certificate_names.insert(options.certificate_names.end(), given.tls_names.begin(), given.tls_names.end());
  if (!given.script.empty()) options.script = read_script(given.script);
  for (const std::string& fault : given.faults) options.faults.push_back(fault_of("--fault", fault));
  options.fault_rate = given.fault_rate;
  options.fault_seed = given.fault_seed;
  options.page = start_page(given);
  return options;
}

/// Another host of the same WeChat Pay, without faults.
SandboxOptions backup_of(const SandboxOptions& main_host, std::uint16_t port) {
  SandboxOptions options;
  options.port = port;
  options.wechat_pay = main_host.wechat_pay;
  options.certificate_names = main_host.certificate_names;
  options.page = main_host.page;
  options.log = [](const std::string& line) { std::cout << "backup " + line + "\n" << std::flush; };
  return options;
}

int run(const SandboxArguments& given) {
  const int interruption = catch_interruptions();
  const SandboxOptions options = options_of(given);
  auto sandbox = Sandbox::start(options);
  if (!sandbox) {
    std::cerr << sandbox.error().message << "\n";
    return ExitStatus::usage;
  }
  std::unique_ptr<Sandbox> backup;
  if (given.backup_port) {
    auto started = Sandbox::start(backup_of(options, *given.backup_port));
    if (!started) {
      std::cerr << started.error().message << "\n";
      return ExitStatus::usage;
    }
    backup = *std::move(started);
  }
  const SandboxFiles& files = (*sandbox)->files();
  FakeWechatPay& wechat_pay = (*sandbox)->wechat_pay();
  const Credentials credentials = wechat_pay.credentials();
  std::cout << "base URL              " << (*sandbox)->origin() << "\n";
  if (backup != nullptr) std::cout << "backup host           " << backup->origin() << "\n";
  std::cout << "certificate authority " << files.ca << "\n"
            << "mchid                 " << credentials.mchid() << "\n"
            << "serial_no             " << credentials.serial_no() << "\n"
            << "merchant key          " << files.merchant_key << "\n"
            << "merchant certificate  " << files.merchant_certificate << "\n"
            << "both as PKCS#12       " << files.merchant_p12 << " (passphrase: the mchid)\n"
            << "platform public key   " << files.public_key << "\n"
            << "its id                " << wechat_pay.public_key_id() << "\n"
            << "platform certificate  " << files.platform_certificate << "\n"
            << "merchant's stage      " << to_string(wechat_pay.stage()) << "\n"
            << "APIv3 key             " << wechat_pay.api_v3_key() << "\n\n"
            << "For wechatpay-bonus-commit in another terminal:\n\n"
            << environment(**sandbox, backup.get()) << words_on(options.page.get())
            << "\nA signed request, valid once, for five minutes:\n\n"
            << curl_command(**sandbox) << "\nOne line per request follows. Press Ctrl-C to end.\n"
            << std::endl;

  while (!interrupted_within(interruption, -1)) {
  }
  std::cout << counted(wechat_pay.count_committed(), "order", "orders") << " committed\n";
  return ExitStatus::success;
}

}  // namespace

void add_sandbox(CLI::App& app, int& status) {
  auto options = std::make_shared<SandboxArguments>();
  CLI::App& command =
      *app.add_subcommand("sandbox", "Simulates WeChat Pay on this machine, for programs in any language.");
  constexpr std::uint16_t highest_port = 65535;
  takes_whole_number(command.add_option("--port", options->port, "port on 127.0.0.1; 0: any free port"), 0,
                     highest_port)
      ->type_name("NUMBER")
      ->capture_default_str();
  takes_whole_number(command.add_option("--backup-port", options->backup_port,
                                        "second port, which simulates WeChat Pay's backup host and has no faults"),
                     0, highest_port)
      ->type_name("NUMBER");
  takes_whole_number(
      command.add_option("--page-port", options->page_port,
                         "port of the browser page on 127.0.0.1; 0: any free port (default: 8480, or any free port if "
                         "that is taken)"),
      0, highest_port)
      ->type_name("NUMBER");
  command.add_flag("--no-page", options->no_page, "do not serve the browser page")->excludes("--page-port");
  takes_file_name(command.add_option("--folder", options->folder,
                                     "folder for keys and certificates (default: a temporary folder, removed at the "
                                     "end)"))
      ->type_name("FOLDER");
  const std::map<std::string, MerchantStage> stages = {{"public-key", MerchantStage::public_key},
                                                       {"switching", MerchantStage::switching},
                                                       {"certificates", MerchantStage::certificates}};
  takes_one_of(
      command.add_option_function<std::string>(
          "--stage", [stages, options](const std::string& stage) { options->stage = stages.at(stage); },
          "which of WeChat Pay's keys the merchant uses, and so which one signs the answers: public-key (the default), "
          "certificates, or switching (both: the one that the request names in Wechatpay-Serial; without that header, "
          "the platform certificate's)"),
      {"public-key", "switching", "certificates"})
      ->type_name("STAGE");
  command.add_option("--tls-name", options->tls_names, "additional host name in its TLS certificate; may be repeated")
      ->type_name("NAME");
  takes_file_name(
      command.add_option("--script", options->script, "file with the faults of the first commits, one per line"))
      ->type_name("FILE");
  command.add_option("--fault", options->faults, "fault to apply to commits at random; may be repeated")
      ->type_name("FAULT");
  takes_number(command.add_option("--fault-rate", options->fault_rate, "share of commits that get a fault"), 0, 1)
      ->needs("--fault")
      ->type_name("RATE")
      ->capture_default_str();
  takes_whole_number(command.add_option("--fault-seed", options->fault_seed, "seed of the random choice"), 0,
                     std::numeric_limits<std::uint64_t>::max())
      ->needs("--fault")
      ->type_name("NUMBER")
      ->capture_default_str();
  command.footer(
      "The sandbox is an HTTPS server. It verifies requests as WeChat Pay would, signs its answers, and can simulate "
      "faults. It prints the names of its key files and a curl command to start with. Ctrl-C ends it.\n\n" +
      list_of_faults());
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
