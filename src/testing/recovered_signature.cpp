#include "src/testing/recovered_signature.hpp"

#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "src/testing/replaced.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdefABCDEF";
constexpr std::string_view base64_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string from_hex(std::string_view text) {
  const auto value = [](char digit) {
    const std::size_t at = hex_digits.find(digit);
    return at < 16 ? at : at - 6;
  };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(value(text[i]) * 16 + value(text[i + 1]));
  }
  return bytes;
}

/// What was sent instead of an RSA signature, as a sentence; empty if it may be an RSA signature.
std::string what_else_it_is(std::string_view bytes) {
  const std::string wanted = ": APIv3 wants a signature by SHA256withRSA, with a private key.";
  switch (bytes.size()) {
    case 16: return "The signature has the size of an MD5 hash, as in APIv2" + wanted;
    case 20:
    case 28:
    case 32:
    case 48: return "The signature has the size of a hash or an HMAC, as in APIv2" + wanted;
    case 64: return "The signature has the size of a hash, an HMAC or an elliptic curve's signature" + wanted;
    default: break;
  }
  const bool is_sequence = bytes.size() >= 68 && bytes.size() <= 72 && bytes[0] == '\x30' &&
                           static_cast<unsigned char>(bytes[1]) == bytes.size() - 2;
  if (!is_sequence) return {};
  return "The signature is made with ECDSA or SM2, the key of an elliptic curve" + wanted;
}

/// Whether the text is an RSA signature or a hash in hex.
bool is_hex(std::string_view text) {
  constexpr std::array<std::size_t, 6> hashes = {32, 40, 56, 64, 96, 128};
  if (text.size() < 256 && std::find(hashes.begin(), hashes.end(), text.size()) == hashes.end()) return false;
  return text.size() % 2 == 0 && text.find_first_not_of(hex_digits) == std::string_view::npos;
}

/// Decodes standard Base64 with padding; empty for any other text.
std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.size() - 1 - text.find_last_not_of('=');
  if (padding > 2 ||
      text.substr(0, text.size() - padding).find_first_not_of(base64_letters) != std::string_view::npos) {
    return std::nullopt;
  }
  std::string bytes(text.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), bytes_of(text), static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(length) - padding);
  return bytes;
}

struct Repair {
  std::string text;
  const char* fault;
};

/// `text` after undoing common changes of Base64.
std::array<Repair, 5> repairs_of(const std::string& text) {
  std::string without_breaks = text;
  without_breaks.erase(std::remove_if(without_breaks.begin(), without_breaks.end(),
                                      [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }),
                       without_breaks.end());
  std::string url_form = replaced(replaced(text, "-", "+"), "_", "/");
  url_form.append((4 - url_form.size() % 4) % 4, '=');
  std::string padded = text;
  padded.append((4 - padded.size() % 4) % 4, '=');
  std::string unescaped = text;
  for (const auto& [from, to] :
       {std::pair("%2B", "+"), {"%2b", "+"}, {"%2F", "/"}, {"%2f", "/"}, {"%3D", "="}, {"%3d", "="}, {"%0A", ""}}) {
    unescaped = replaced(unescaped, from, to);
  }
  return {
      {{without_breaks, "The signature's Base64 has blanks or line breaks in it: write it in one line."},
       {replaced(text, " ", "+"),
        "The signature's Base64 has blanks where it had plus signs: do not pass it through URL decoding."},
       {padded, "The signature's Base64 has lost its padding: keep the equals signs at its end."},
       {url_form, "The signature is Base64 in URL form: use the standard alphabet with + and /, and padding with =."},
       {unescaped, "The signature's Base64 is percent-encoded: write it as it is."}}};
}

constexpr const char* not_base64 =
    "The signature is not Base64: write the signature's bytes in standard Base64, in one line.";

struct DigestInfo {
  std::string_view name;
  std::string_view prefix;  ///< in hex
  std::size_t size;
};

constexpr DigestInfo digest_infos[] = {
    {"SHA-256", "3031300d060960864801650304020105000420", 32},
    {"SHA-1", "3021300906052b0e03021a05000414", 20},
    {"MD5", "3020300c06082a864886f70d020505000410", 16},
    {"SHA-224", "302d300d06096086480165030402040500041c", 28},
    {"SHA-384", "3041300d060960864801650304020205000430", 48},
    {"SHA-512", "3051300d060960864801650304020305000440", 64},
};

/// The result of the raw RSA operation; empty if it fails.
std::string raw_recovery(EVP_PKEY* key, std::string_view signature) {
  const ErrorQueueGuard guard;
  const PkeyContextHandle context(EVP_PKEY_CTX_new(key, nullptr));
  std::string padded(static_cast<std::size_t>(EVP_PKEY_get_size(key)), '\0');
  std::size_t size = padded.size();
  if (context == nullptr || signature.size() != size || EVP_PKEY_verify_recover_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) != 1 ||
      EVP_PKEY_verify_recover(context.get(), reinterpret_cast<unsigned char*>(padded.data()), &size,
                              bytes_of(signature), signature.size()) != 1) {
    return {};
  }
  padded.resize(size);
  return padded;
}

/// The content of PKCS#1 v1.5 padding (RFC 8017, 9.2).
std::optional<std::string> without_padding(const std::string& padded) {
  constexpr std::string_view beginning("\0\1", 2);
  const std::size_t end = padded.find_first_not_of('\xFF', 2);
  if (padded.compare(0, 2, beginning) != 0 || end == std::string::npos || end < 10 || padded[end] != '\0') {
    return std::nullopt;
  }
  return padded.substr(end + 1);
}

std::string digest_of(const EVP_MD* function, const std::string& text) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, function, nullptr) !=
      1) {
    size = 0;
  }
  digest.resize(size);
  return digest;
}

/// MGF1 (RFC 8017, B.2.1).
std::string mask_of(const std::string& seed, std::size_t size, const EVP_MD* function) {
  std::string mask;
  for (char i = 0; mask.size() < size; ++i) mask += digest_of(function, seed + std::string("\0\0\0", 3) + i);
  return mask.substr(0, size);
}

/// Reads PSS encoding with MGF1 of the same hash function, and a salt of a usual length (RFC 8017, 9.1.2). The longest
/// salt leaves so little padding that a signature of another key can look the same. Then the hash of `message` decides.
RecoveredSignature::Scheme read_pss(const std::string& padded, const EVP_MD* function, const std::string& message) {
  using Scheme = RecoveredSignature::Scheme;
  const auto digest_size = static_cast<std::size_t>(EVP_MD_get_size(function));
  if (padded.size() < digest_size + 2 || padded.back() != '\xBC') return Scheme::another_key;
  if ((static_cast<unsigned char>(padded.front()) & 0x80U) != 0) return Scheme::another_key;
  const std::size_t size = padded.size() - digest_size - 1;
  const std::string digest = padded.substr(size, digest_size);
  const std::string mask = mask_of(digest, size, function);
  std::string block = padded.substr(0, size);
  for (std::size_t i = 0; i < size; ++i) block[i] = static_cast<char>(block[i] ^ mask[i]);
  block[0] = static_cast<char>(static_cast<unsigned char>(block[0]) & 0x7FU);
  const std::size_t one = block.find_first_not_of('\0');
  if (one == std::string::npos || block[one] != '\1') return Scheme::another_key;
  const std::string salt = block.substr(one + 1);
  if (one > 0) {
    const bool is_usual = salt.empty() || salt.size() == 20 || salt.size() == digest_size;
    return is_usual ? Scheme::pss : Scheme::another_key;
  }
  const std::string hashed = std::string(8, '\0') + digest_of(function, message) + salt;
  return digest_of(function, hashed) == digest ? Scheme::pss : Scheme::perhaps_pss;
}

/// The bytes of a text that is Base64, hex, or Base64 of one of these; empty for any other text.
SignatureText read_encoded(std::string_view text) {
  if (is_hex(text)) return {from_hex(text), "The signature is hex: write its bytes in Base64."};
  const auto bytes = from_base64(text);
  if (!bytes) return {};
  if (is_hex(*bytes)) {
    return {from_hex(*bytes), "The signature is Base64 of hex: put the signature's bytes themselves into Base64."};
  }
  if (auto again = from_base64(*bytes)) return {*again, "The signature was put into Base64 twice: do it once."};
  return {*bytes, ""};
}

}  // namespace

SignatureText read_signature_text(std::string_view text) {
  if (text.empty()) return {"", "The signature is empty."};
  SignatureText read = read_encoded(text);
  for (const Repair& repair : repairs_of(std::string(text))) {
    if (!read.bytes.empty()) break;
    const auto bytes = from_base64(repair.text);
    if (bytes && (bytes->size() % 128 == 0 || !what_else_it_is(*bytes).empty())) read = {*bytes, repair.fault};
  }
  if (read.bytes.empty()) return {"", not_base64};
  std::string other = what_else_it_is(read.bytes);
  if (!other.empty()) return {"", std::move(other)};
  return read;
}

RecoveredSignature recover_signature(EVP_PKEY* key, std::string_view signature, const std::string& message) {
  using Scheme = RecoveredSignature::Scheme;
  const std::string padded = raw_recovery(key, signature);
  if (const auto payload = without_padding(padded)) {
    for (const DigestInfo& info : digest_infos) {
      const std::string prefix = from_hex(info.prefix);
      if (payload->size() != prefix.size() + info.size || payload->compare(0, prefix.size(), prefix) != 0) continue;
      return {info.name == "SHA-256" ? Scheme::sha256 : Scheme::other_digest, std::string(info.name),
              payload->substr(prefix.size())};
    }
    return {Scheme::bare, "", *payload};
  }
  const std::pair<const char*, const EVP_MD*> functions[] = {
      {"SHA-256", EVP_sha256()}, {"SHA-1", EVP_sha1()}, {"SHA-384", EVP_sha384()}, {"SHA-512", EVP_sha512()}};
  RecoveredSignature perhaps;
  for (const auto& [name, function] : functions) {
    const Scheme scheme = read_pss(padded, function, message);
    if (scheme == Scheme::pss) return {scheme, name, ""};
    if (scheme == Scheme::perhaps_pss) {
      perhaps.scheme = scheme;
      perhaps.digest_name.append(perhaps.digest_name.empty() ? "" : " or ").append(name);
    }
  }
  return perhaps;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
