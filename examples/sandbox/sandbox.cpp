// WeChat Pay on your own machine: an HTTPS server that verifies every request as WeChat Pay would and signs its
// answers, for any language; or fails, if it is told to. Ctrl-C ends it.
#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/testing/sandbox.hpp>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

using namespace wechatpay;

namespace {

constexpr const char* usage =
    "usage: sandbox [--port NUMBER] [--backup-port NUMBER] [--folder FOLDER]\n"
    "               [--script FILE] [--fault FAULT]... [--fault-rate RATE] [--fault-seed NUMBER]\n"
    "  --port NUMBER         where to listen on 127.0.0.1 (default 8443; 0: any port that is free)\n"
    "  --backup-port NUMBER  listen there, too, as WeChat Pay's backup host, without faults\n"
    "  --folder FOLDER       where to put the keys and certificates, made if it is not there\n"
    "                        (default: a temporary folder, removed at the end)\n"
    "  --script FILE         faults for the first requests, one line each\n"
    "  --fault FAULT         a fault that requests get at random; may be given several times\n"
    "  --fault-rate RATE     how many of them, from 0 to 1 (default 1: every request)\n"
    "  --fault-seed NUMBER   for another random order (default 1)\n"
    "faults:\n";

void print_usage(std::ostream& out) {
  out << usage;
  for (const SandboxFault::Form& form : SandboxFault::forms()) {
    out << "  " << form.text << std::string(22 - form.text.size(), ' ') << form.meaning << "\n";
  }
}

/// Ends the program over a wrong command line.
[[noreturn]] void refuse(const std::string& why) {
  std::cerr << why << "\n";
  print_usage(std::cerr);
  std::exit(2);
}

SandboxFault fault_of(const std::string& text) {
  const auto fault = SandboxFault::parse(text);
  if (!fault) refuse(fault.error().message);
  return *fault;
}

std::vector<SandboxFault> read_script(const std::string& name) {
  std::ifstream file(name);
  if (!file) refuse("--script " + name + " cannot be read");
  std::vector<SandboxFault> script;
  for (std::string line; std::getline(file, line);) script.push_back(fault_of(line));
  return script;
}

template <typename Number>
Number number_of(const std::string& name, const std::string& text, Number most) {
  std::istringstream in(text);
  Number number{};
  if (text.find_first_not_of("0123456789.") != std::string::npos || !(in >> number) || !in.eof() || number > most) {
    std::ostringstream why;
    why << name << " must be a number from 0 to " << most << ", not " << text;
    refuse(why.str());
  }
  return number;
}

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
  options.log = [](const std::string& line) { std::cout << line + "\n" << std::flush; };
  options.fault_rate = 1;
  std::optional<std::uint16_t> backup_port;
  for (int i = 1; i < count; i += 2) {
    const std::string name = arguments[i];
    if (name == "--help") {
      print_usage(std::cout);
      return EXIT_SUCCESS;
    }
    if (i + 1 == count) refuse(name + " is not known, or needs something behind it");
    const std::string value = arguments[i + 1];
    if (name == "--port") {
      options.port = number_of<std::uint16_t>(name, value, 65535);
    } else if (name == "--backup-port") {
      backup_port = number_of<std::uint16_t>(name, value, 65535);
    } else if (name == "--folder") {
      options.folder = value;
    } else if (name == "--script") {
      options.script = read_script(value);
    } else if (name == "--fault") {
      options.faults.push_back(fault_of(value));
    } else if (name == "--fault-rate") {
      options.fault_rate = number_of<double>(name, value, 1);
    } else if (name == "--fault-seed") {
      options.fault_seed = number_of<std::uint64_t>(name, value, std::numeric_limits<std::uint64_t>::max());
    } else {
      refuse(name + " is not known");
    }
  }

  // Before any thread starts, so that the signals come to sigwait() below and to nobody else.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  options.wechat_pay = std::make_shared<FakeWechatPay>();
  auto sandbox = Sandbox::start(options);
  if (!sandbox) {
    std::cerr << sandbox.error().message << "\n";
    return EXIT_FAILURE;
  }
  std::unique_ptr<Sandbox> backup;
  if (backup_port) {
    SandboxOptions same;
    same.port = *backup_port;
    same.wechat_pay = options.wechat_pay;
    same.log = [](const std::string& line) { std::cout << "backup " + line + "\n" << std::flush; };
    auto started = Sandbox::start(same);
    if (!started) {
      std::cerr << started.error().message << "\n";
      return EXIT_FAILURE;
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
            << "platform certificate  " << files.platform_certificate << "\n\n"
            << "A signed request, good for five minutes:\n\n"
            << curl_command(**sandbox) << "\nOne line for each request follows. Ctrl-C ends.\n"
            << std::endl;

  int signal = 0;
  sigwait(&ends, &signal);
  std::cout << wechat_pay.committed().size() << " orders committed\n";
  return EXIT_SUCCESS;
}
