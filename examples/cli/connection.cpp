#include "connection.hpp"

#include <fstream>
#include <iostream>
#include <utility>

using namespace wechatpay;

void Connection::add_to(CLI::App& command) {
  std::string group = "Who asks";
  const auto add = [&](const char* option, auto& value, const char* environment, const char* type, const char* help) {
    return command.add_option(option, value, help)->envname(environment)->type_name(type)->group(group);
  };
  add("--cert-file", certificate_file, "WECHATPAY_CERT_FILE", "FILE", "the merchant's certificate, apiclient_cert.pem");
  add("--key-file", key_file, "WECHATPAY_KEY_FILE", "FILE", "the merchant's private key, apiclient_key.pem");
  add("--p12-file", p12_file, "WECHATPAY_P12_FILE", "FILE", "both in one, apiclient_cert.p12");
  add("--passphrase-file", passphrase_file, "WECHATPAY_PASSPHRASE_FILE", "FILE",
      "a file whose first line is the passphrase of the key; without it, the one of a .p12 is --signing-mchid, as "
      "WeChat Pay sets it");
  add("--signing-mchid", signing_mchid, "WECHATPAY_SIGNING_MCHID", "MCHID",
      "the merchant id that signs, where there is no certificate file");
  add("--serial-no", serial_no, "WECHATPAY_SERIAL_NO", "HEX", "the serial number of its certificate, likewise");

  group = "Whom to believe";
  add("--public-key-file", public_key_file, "WECHATPAY_PUBLIC_KEY_FILE", "FILE",
      "WeChat Pay's public key, pub_key.pem");
  add("--public-key-id", public_key_id, "WECHATPAY_PUBLIC_KEY_ID", "ID", "its id, PUB_KEY_ID_...");
  add("--platform-cert-file", platform_certificate_files, "WECHATPAY_PLATFORM_CERT_FILE", "FILE",
      "a platform certificate, wechatpay_<serial>.pem; several with commas, or given several times")
      ->delimiter(',');

  group = "Where to";
  add("--origin", origins, "WECHATPAY_ORIGIN", "URL",
      "the host, and its backup behind a comma; the sandbox's base URL stands here in tests")
      ->delimiter(',')
      ->capture_default_str();
  add("--ca-file", ca_file, "WECHATPAY_CA_FILE", "FILE",
      "the certificate authorities to trust (default: the system's)");
  add("--proxy", proxy, "WECHATPAY_PROXY", "URL", "an HTTP proxy; the environment's others are not heeded");
}

Result<Credentials> Connection::credentials() const {
  std::string passphrase;
  if (!passphrase_file.empty()) {
    std::ifstream file(passphrase_file);
    if (!std::getline(file, passphrase)) {
      return configuration_error("--passphrase-file " + passphrase_file + " cannot be read, or is empty");
    }
    if (!passphrase.empty() && passphrase.back() == '\r') passphrase.pop_back();
  }
  if (!p12_file.empty()) {
    if (!key_file.empty() || !certificate_file.empty()) {
      return configuration_error("--p12-file has key and certificate: leave out --key-file and --cert-file");
    }
    if (passphrase.empty() && signing_mchid.empty()) {
      return configuration_error(
          "--p12-file needs --signing-mchid (its passphrase, as WeChat Pay sets it) or "
          "--passphrase-file");
    }
    return Credentials::from_p12_file(p12_file, passphrase.empty() ? signing_mchid : passphrase);
  }
  if (key_file.empty()) {
    return configuration_error(
        "who asks is missing: give --cert-file apiclient_cert.pem and --key-file apiclient_key.pem, or --p12-file");
  }
  if (!certificate_file.empty()) return Credentials::from_pem_files(certificate_file, key_file, passphrase);
  if (signing_mchid.empty() || serial_no.empty()) {
    return configuration_error("--key-file needs --cert-file, or both --signing-mchid and --serial-no");
  }
  return Credentials::from_key_file(signing_mchid, serial_no, key_file, passphrase);
}

Result<std::shared_ptr<PlatformKeys>> Connection::platform_keys() const {
  auto keys = std::make_shared<PlatformKeys>();
  for (const std::string& file : platform_certificate_files) {
    if (auto added = keys->add_certificate_file(file); !added) return std::move(added).error();
  }
  if (public_key_file.empty() != public_key_id.empty()) {
    return configuration_error(
        "--public-key-file and --public-key-id belong together: the merchant platform shows both");
  }
  if (!public_key_file.empty()) {
    if (auto added = keys->add_public_key_file(public_key_id, public_key_file); !added) return std::move(added).error();
  }
  if (keys->serials().empty()) {
    return configuration_error(
        "whom to believe is missing: give --public-key-file pub_key.pem and --public-key-id, or --platform-cert-file");
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
  for (const std::string& warning : who->warnings()) std::cerr << "warning: " << warning << "\n";
  auto keys = platform_keys();
  if (!keys) return std::move(keys).error();
  auto way = transport(max_connections);
  if (!way) return std::move(way).error();
  options.origins = origins;
  return BonusCommitClient::create(*std::move(who), *std::move(keys), *std::move(way), std::move(options));
}
