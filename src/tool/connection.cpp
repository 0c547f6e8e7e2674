#include "connection.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <string_view>
#include <utility>

#include "arguments.hpp"
#include "order_values.hpp"

namespace wechatpay::bonus_commit::tool {

void Connection::add_to(CLI::App& command) {
  std::string group = "Merchant credentials";
  const auto add = [&](const char* option, auto& value, const char* environment, const char* type, const char* help) {
    CLI::Option* const added = command.add_option(option, value, help);
    added->envname(environment)->type_name(type)->group(group);
    return type == std::string_view("FILE") ? takes_file_name(added) : added;
  };
  add("--cert-file", certificate_file, "WECHATPAY_CERT_FILE", "FILE", "merchant API certificate, apiclient_cert.pem");
  add("--key-file", key_file, "WECHATPAY_KEY_FILE", "FILE", "merchant API private key, apiclient_key.pem");
  add("--p12-file", p12_file, "WECHATPAY_P12_FILE", "FILE",
      "certificate and private key in one file, apiclient_cert.p12");
  add("--passphrase-file", passphrase_file, "WECHATPAY_PASSPHRASE_FILE", "FILE",
      "file whose first line is the passphrase of the private key or .p12; without it, --signing-mchid is used as the "
      "passphrase of a .p12, which is WeChat Pay's default");
  add("--signing-mchid", signing_mchid, "WECHATPAY_SIGNING_MCHID", "MCHID",
      "merchant id that signs the requests, if --cert-file is not given");
  add("--serial-no", serial_no, "WECHATPAY_SERIAL_NO", "HEX",
      "serial number of its certificate, if --cert-file is not given");

  group = "WeChat Pay keys";
  add("--public-key-file", public_key_file, "WECHATPAY_PUBLIC_KEY_FILE", "FILE", "WeChat Pay public key, pub_key.pem");
  add("--public-key-id", public_key_id, "WECHATPAY_PUBLIC_KEY_ID", "ID", "its ID, PUB_KEY_ID_...");
  add("--platform-cert-file", platform_certificate_files, "WECHATPAY_PLATFORM_CERT_FILE", "FILE",
      "platform certificate, wechatpay_<serial>.pem; for several, separate them with commas or repeat the option")
      ->delimiter(',')
      ->allow_extra_args(false);

  group = "Connection";
  add("--origin", origins, "WECHATPAY_ORIGIN", "URL",
      "WeChat Pay's origin (scheme, host and port), and after a comma the origin of its backup host; for tests, the "
      "sandbox's origin")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  add("--ca-file", ca_file, "WECHATPAY_CA_FILE", "FILE", "certificate authorities to trust (default: the system's)");
  add("--proxy", proxy, "WECHATPAY_PROXY", "URL", "HTTP proxy; HTTPS_PROXY and similar variables are ignored");
}

namespace {

/// An open file descriptor, closed by the destructor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  const int number_;
};

/// What can be read from the file, up to `most` bytes or the end of a line. It waits at most 5 s for a FIFO without a
/// writer, and without limit for a FIFO that a writer has open.
std::string read_line_of(const std::string& name, std::size_t most) {
  const Descriptor file(::open(name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat about {};
  if (file.number() < 0 || ::fstat(file.number(), &about) != 0) return "";
  const bool fifo = S_ISFIFO(about.st_mode);
  if (!fifo) ::fcntl(file.number(), F_SETFL, 0);
  std::string text;
  bool waited = false;
  while (text.size() < most && text.find('\n') == std::string::npos) {
    std::string part(most - text.size(), '\0');
    const ssize_t count = ::read(file.number(), part.data(), part.size());
    if (count > 0) {
      text.append(part, 0, static_cast<std::size_t>(count));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    const bool written = count < 0 && errno == EAGAIN;  // a writer has it open
    if (!written && (!fifo || waited || count < 0 || !text.empty())) break;
    waited = !written;
    pollfd ready{file.number(), POLLIN, 0};
    ::poll(&ready, 1, written ? -1 : 5000);
  }
  return text;
}

/// The first line of the file, unchanged. Messages quote neither the line nor the file's name, which may be the
/// passphrase itself.
Result<std::string> read_passphrase(const std::string& name) {
  constexpr std::size_t most = 4096;
  const auto wrong = [](const char* what) {
    return configuration_error(std::string("the file of --passphrase-file ") + what);
  };
  std::string text = read_line_of(name, most);
  if (text.empty()) return wrong("cannot be read, or is empty");
  const std::size_t end = text.find('\n');
  if (end == std::string::npos && text.size() == most) {
    return wrong("has no line end within 4 KiB: it is not a passphrase file");
  }
  text.resize(std::min(end, text.size()));
  if (!text.empty() && text.back() == '\r') text.pop_back();
  if (text.empty()) return wrong("has an empty first line: write the passphrase there");
  if (stages::starts_with(text, "\xEF\xBB\xBF")) return wrong("begins with a byte order mark: save it without one");
  if (text.find('\0') != std::string::npos || stages::starts_with(text, "\xFF\xFE")) {
    return wrong("is UTF-16, or not a text file: save it as UTF-8");
  }
  if (stages::starts_with(text, "-----BEGIN")) {
    return wrong("is a key or a certificate: give the file that contains the passphrase");
  }
  return text;
}

/// Reports an option that the other options would silently override; empty if there is none.
std::string superfluous_option(const Connection& given) {
  const std::string in_certificate = " is read from the certificate: remove it, or remove ";
  if (!given.p12_file.empty()) {
    if (!given.serial_no.empty()) return "--serial-no" + in_certificate + "--p12-file";
    if (!given.signing_mchid.empty() && !given.passphrase_file.empty()) {
      return "--signing-mchid is used as the passphrase of --p12-file: remove it, or remove --passphrase-file";
    }
  } else if (!given.certificate_file.empty()) {
    if (!given.serial_no.empty()) return "--serial-no" + in_certificate + "--cert-file";
    if (!given.signing_mchid.empty()) return "--signing-mchid" + in_certificate + "--cert-file";
  }
  return "";
}

/// Adds a hint to an error if the passphrase begins or ends with a blank.
Result<Credentials> with_hint(Result<Credentials> credentials, const std::string& passphrase) {
  if (credentials || passphrase.empty() || without_blanks(passphrase) == passphrase) return credentials;
  Error error = std::move(credentials).error();
  error.message += "; the passphrase in --passphrase-file begins or ends with a blank";
  return error;
}

}  // namespace

std::string Connection::passphrase_file_warning() const {
  struct stat about {};
  if (passphrase_file.empty() || ::stat(passphrase_file.c_str(), &about) != 0 || !S_ISREG(about.st_mode) ||
      (about.st_mode & (S_IRGRP | S_IROTH)) == 0) {
    return "";
  }
  return "the file of --passphrase-file can be read by other users: run chmod 600 on it";
}

Result<Credentials> Connection::credentials() const {
  if (const std::string superfluous = superfluous_option(*this); !superfluous.empty()) {
    return configuration_error(superfluous);
  }
  std::string passphrase;
  if (!passphrase_file.empty()) {
    auto read = read_passphrase(passphrase_file);
    if (!read) return std::move(read).error();
    passphrase = *std::move(read);
  }
  if (!p12_file.empty()) {
    if (!key_file.empty() || !certificate_file.empty()) {
      return configuration_error("--p12-file contains key and certificate: remove --key-file and --cert-file");
    }
    if (passphrase.empty() && signing_mchid.empty()) {
      return configuration_error(
          "--p12-file needs --signing-mchid (the default passphrase of WeChat Pay's files) or --passphrase-file");
    }
    return with_hint(Credentials::from_p12_file(p12_file, passphrase.empty() ? signing_mchid : passphrase), passphrase);
  }
  if (key_file.empty()) {
    return configuration_error(
        "the merchant's credentials are missing: give --cert-file apiclient_cert.pem and --key-file apiclient_key.pem, "
        "or --p12-file");
  }
  if (!certificate_file.empty()) {
    return with_hint(Credentials::from_pem_files(certificate_file, key_file, passphrase), passphrase);
  }
  if (signing_mchid.empty() || serial_no.empty()) {
    return configuration_error("--key-file needs --cert-file, or both --signing-mchid and --serial-no");
  }
  return with_hint(Credentials::from_key_file(signing_mchid, serial_no, key_file, passphrase), passphrase);
}

Result<PlatformKeys> Connection::platform_keys() const {
  PlatformKeys keys;
  for (const std::string& file : platform_certificate_files) {
    if (auto added = keys.add_certificate_file(file); !added) return std::move(added).error();
  }
  if (public_key_file.empty() != public_key_id.empty()) {
    return configuration_error(
        "--public-key-file and --public-key-id must be given together: the merchant platform shows both");
  }
  if (!public_key_file.empty()) {
    if (auto added = keys.add_public_key_file(public_key_id, public_key_file); !added) return std::move(added).error();
  }
  if (keys.serials().empty()) {
    return configuration_error(
        "WeChat Pay's key is missing: give --public-key-file pub_key.pem and --public-key-id, or --platform-cert-file");
  }
  return keys;
}

Result<std::shared_ptr<CurlTransport>> Connection::transport(std::size_t max_connections) const {
  CurlOptions options;
  options.max_connections = max_connections;
  options.ca_bundle_file = ca_file;
  options.proxy = proxy;
  return CurlTransport::create(options);
}

Result<BonusCommitClient> Connection::client(ClientOptions options, std::size_t max_connections) const {
  auto who = credentials();
  if (!who) return std::move(who).error();
  return client(*std::move(who), std::move(options), max_connections);
}

Result<BonusCommitClient> Connection::client(Credentials credentials, ClientOptions options,
                                             std::size_t max_connections) const {
  if (const std::string warning = passphrase_file_warning(); !warning.empty()) {
    std::cerr << "warning: " << warning << "\n";
  }
  for (const std::string& warning : credentials.warnings()) std::cerr << "warning: " << warning << "\n";
  auto keys = platform_keys();
  if (!keys) return std::move(keys).error();
  for (const std::string& warning : keys->warnings()) std::cerr << "warning: " << warning << "\n";
  auto way = transport(max_connections);
  if (!way) return std::move(way).error();
  options.origins = origins;
  return BonusCommitClient::create(std::move(credentials), *std::move(keys), *std::move(way), std::move(options));
}

}  // namespace wechatpay::bonus_commit::tool
