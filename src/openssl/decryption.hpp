/// What a passphrase protects: decrypted with the ciphers that merchants' files have, within a bounded time.
#ifndef WECHATPAY_SRC_OPENSSL_DECRYPTION_HPP
#define WECHATPAY_SRC_OPENSSL_DECRYPTION_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// A try to decrypt one file with one passphrase.
///
/// While it lives, the calling thread's default library context is one of its own, with the legacy provider: WeChat
/// Pay's files are encrypted with RC2, and the process at large is not to get that provider. Keys and certificates are
/// therefore made after it has ended, of what it decrypted.
class Decryption {
 public:
  explicit Decryption(std::string_view passphrase);
  Decryption(const Decryption&) = delete;
  Decryption& operator=(const Decryption&) = delete;
  ~Decryption();

  std::string_view passphrase() const noexcept { return passphrase_; }
  int passphrase_size() const noexcept { return static_cast<int>(passphrase_.size()); }

  /// Why the file cannot be decrypted, as a verb and its object; empty where only the passphrase does not fit.
  const std::string& fault() const noexcept { return fault_; }
  void fail(std::string fault) { fault_ = std::move(fault); }

  /// Whether there is time for that many rounds of a key derivation; if not, it has failed.
  bool takes(std::int64_t rounds);

  /// The same for an encryption by passphrase.
  bool takes(const X509_ALGOR* encryption);

  /// To be asked after a failure: whether OpenSSL lacks what `encryption` needs; if so, it has failed.
  bool lacks(const X509_ALGOR* encryption);
  bool lacks_cipher(const char* cipher);
  bool lacks_digest(const char* digest);

  /// A key in PKCS#8. Null where it has failed, and where the passphrase does not fit.
  Pkcs8Handle pkcs8(const X509_SIG* encrypted);

 private:
  bool lacks_algorithm(bool there, const char* name);

  std::string_view passphrase_;
  std::int64_t rounds_left_;
  LibraryContextHandle library_;
  ProviderHandle standard_;
  ProviderHandle legacy_;
  OSSL_LIB_CTX* previous_ = nullptr;
  std::string fault_;
};

/// A passphrase without what a file or a paste puts around it, and what that is: "ends with a line break". Nothing
/// where there is none.
struct TrimmedPassphrase {
  std::string_view text;
  const char* surplus;
};
std::optional<TrimmedPassphrase> trimmed_passphrase(std::string_view passphrase);

/// `once(passphrase, fault)`, which decrypts the file that messages call `name`: its result, which is null or nothing
/// where it fails, with a `fault` if that is not the passphrase's. `owner` says who sets the passphrase.
template <typename Once>
auto decrypt(const std::string& name, std::string_view passphrase, const char* owner, const Once& once)
    -> Result<decltype(once(passphrase, std::declval<std::string&>()))> {
  constexpr std::size_t longest = 1024;  // PEM_BUFSIZE, OpenSSL's bound
  if (passphrase.size() > longest) {
    return configuration_error(name + " cannot be decrypted: the passphrase is longer than 1024 bytes, so it is none");
  }
  std::string fault;
  const auto decrypted_with = [&](std::string_view tried) {
    const ErrorQueueGuard guard;
    return once(tried, fault);
  };
  if (auto decrypted = decrypted_with(passphrase)) return decrypted;
  if (!fault.empty()) return configuration_error(name + " " + fault);
  if (passphrase.empty()) return configuration_error(name + " is encrypted: give its passphrase" + owner);
  const std::string wrong = name + " cannot be decrypted: the passphrase is wrong";
  if (const auto trimmed = trimmed_passphrase(passphrase)) {
    if (once(trimmed->text, fault))
      return configuration_error(wrong + ": it " + trimmed->surplus + ", and fits without it");
  }
  return configuration_error(wrong + ", or the file is damaged" + owner);
}

WECHATPAY_BONUS_COMMIT_END

#endif
