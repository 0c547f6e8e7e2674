/// Loads arbitrary files as a key, a certificate or a PKCS#12 file.
///
/// An input has a line with the passphrase, and then the file. It is loaded in every way, so a file with a certificate
/// and its key is a pair. The content is also passed instead of a file name.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "src/openssl/handles.hpp"
#include "tests/fuzz/fuzz_support.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/stages/file_name.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;

namespace {

constexpr const char* serial_no = "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB";
constexpr const char* public_key_id = "PUB_KEY_ID_1";

constexpr std::size_t piece = 20;

/// `message` without the serial numbers of certificates, which it may name, and which a key's lines may repeat.
std::string without_serial_numbers(std::string_view message) {
  std::string rest;
  while (!message.empty()) {
    const std::size_t digits = std::min(message.find_first_not_of("0123456789ABCDEF"), message.size());
    if (digits < piece) rest.append(message.substr(0, digits));
    message.remove_prefix(digits);
    if (message.empty()) break;
    rest += message.front();
    message.remove_prefix(1);
  }
  return rest;
}

/// Whether `message` contains a piece of a private key's lines. Pieces that could be words of a message are ignored.
bool leaks_key_of(std::string_view file, std::string_view message) {
  const std::string text = without_serial_numbers(message);
  constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  for (std::size_t key = 0; (key = file.find("PRIVATE KEY-----", key)) != std::string_view::npos; ++key) {
    std::string_view lines = file.substr(key, file.find("-----END", key) - key);
    while (!lines.empty()) {
      const std::string_view line = take(lines, '\n');
      if (line.find_first_not_of(base64) == std::string_view::npos && line.size() >= piece && leaks(text, line)) {
        return true;
      }
    }
  }
  return false;
}

/// Loads `file` in one way, and checks the promises that hold for every result.
template <typename Load>
auto loaded(std::string_view file, std::string_view passphrase, const Load& load) {
  ERR_clear_error();
  ERR_raise(ERR_LIB_USER, 42);
  const unsigned long before = ERR_peek_error();
  auto result = load(passphrase);
  require(ERR_get_error() == before && ERR_get_error() == 0, "OpenSSL's error queue is as it was",
          result ? "loaded" : result.error().message);
  if (result) return result;

  const Error& error = result.error();
  require(error.kind == ErrorKind::invalid_configuration, "the file is at fault", error.message);
  require(is_one_safe_line(error.message), "the message is one line of UTF-8", error.message);
  require(contains(error.message, "the private key") || contains(error.message, "the PKCS#12 file") ||
              contains(error.message, "the public key") || contains(error.message, "the certificate") ||
              contains(error.message, "the platform certificate"),
          "the message names the file", error.message);
  require(!leaks_key_of(file, error.message), "no message holds a private key", error.message);
  // A passphrase may happen to be a word of the message. Then another passphrase must give the same message.
  if (passphrase.size() >= 8 && contains(error.message, passphrase)) {
    const auto other = load(std::string(passphrase.size(), '\x01'));
    require(!other && other.error().message == error.message, "no message holds the passphrase", error.message);
  }
  return result;
}

void use(const Credentials& credentials) {
  const auto signature = credentials.signer().sign("message");
  if (!signature) {
    const Error& error = signature.error();
    require(error.kind == ErrorKind::signing_failed && !error.message.empty(), "a key that cannot sign says so");
  }
  // Before the seeds' certificates are valid, shortly before they expire, and after that.
  for (const int days : {0, 24420, 80000}) {
    const auto now = std::chrono::system_clock::time_point(std::chrono::hours(24 * days));
    for (const std::string& warning : credentials.warnings(now)) {
      require(is_one_safe_line(warning), "a warning is one line of UTF-8", warning);
    }
  }
  for (const char c : credentials.mchid() + credentials.serial_no()) {
    require(c > 0x20 && c < 0x7F && c != '"' && c != '\\', "the Authorization header stays whole",
            credentials.mchid() + " " + credentials.serial_no());
  }
}

void use(const PlatformKeys& keys, const std::string& serial) {
  const auto verdict = keys.verify(serial, "message", std::string(256, 'x'));
  require(verdict != PlatformKeys::Verdict::unknown_serial, "a key that was added is found", serial);
  require(verdict == PlatformKeys::Verdict::mismatch, "nothing verifies by chance");
  require(is_one_safe_line(serial), "a serial can stand in a header", serial);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wechatpay::bonus_commit;
  std::string_view file(reinterpret_cast<const char*>(data), size);
  const std::string_view given = take(file, '\n');

  const auto load = [&](const auto& way) { return loaded(file, given, way); };
  for (const auto& credentials : {
           load([&](std::string_view passphrase) { return Credentials::from_pem(file, file, passphrase); }),
           load([&](std::string_view passphrase) { return Credentials::from_p12(file, passphrase); }),
           load([&](std::string_view passphrase) {
             return Credentials::from_key("1900000001", serial_no, file, passphrase);
           }),
       }) {
    if (credentials) use(*credentials);
  }

  std::error_code ignored;
  PlatformKeys keys;
  // The content in place of a file name: the message must not quote it. No file of that name may exist.
  const std::string name(file.substr(0, 8192));
  if (!std::filesystem::exists(name.substr(0, name.find('\0')), ignored)) {
    const auto shown = file_in_message(name, "key_file");
    require(is_one_safe_line(shown), "a file's name can stand in a message", shown);
    require(!leaks_key_of(file, shown), "no file's name holds a private key", shown);
    require(!Credentials::from_key_file("1900000001", serial_no, name), "there is no such file", shown);
  }

  const auto id = load([&](std::string_view) { return keys.add_public_key(public_key_id, file); });
  if (id) use(keys, *id);
  const auto serial = load([&](std::string_view) { return keys.add_certificate(file); });
  if (serial) use(keys, *serial);
  return 0;
}
