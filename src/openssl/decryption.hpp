/// Decrypts what a passphrase protects, with the ciphers that merchants' files use, within a bounded time.
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

/// An attempt to decrypt one file with one passphrase.
///
/// While this object exists, the calling thread's default library context is its own context with the legacy provider.
/// WeChat Pay's files are encrypted with RC2, but the rest of the process must not get that provider. So keys and
/// certificates are built from the decrypted data after this object is destroyed.
class Decryption {
 public:
  explicit Decryption(std::string_view passphrase);
  Decryption(const Decryption&) = delete;
  Decryption& operator=(const Decryption&) = delete;
  ~Decryption();

  std::string_view passphrase() const noexcept { return passphrase_; }
  int passphrase_size() const noexcept { return static_cast<int>(passphrase_.size()); }

  /// Why the file cannot be decrypted, as a verb and its object; empty if only the passphrase is wrong.
  const std::string& fault() const noexcept { return fault_; }
  void fail(std::string fault) { fault_ = std::move(fault); }

  /// Whether this number of key derivation rounds is within the limit. If not, the attempt has failed.
  bool takes(std::int64_t rounds);

  /// The same check for an encryption by passphrase.
  bool takes(const X509_ALGOR* encryption);

  /// Call after a failure: whether OpenSSL lacks what `encryption` needs. If so, that is the fault.
  bool lacks(const X509_ALGOR* encryption);
  bool lacks_cipher(const char* cipher);
  bool lacks_digest(const char* digest);

  /// A key in PKCS#8. Null if the attempt has failed, and if the passphrase is wrong.
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

/// A passphrase without the characters that a file or a paste adds, and a description of them: "ends with a line
/// break". Empty if there are none.
struct TrimmedPassphrase {
  std::string_view text;
  const char* surplus;
};
std::optional<TrimmedPassphrase> trimmed_passphrase(std::string_view passphrase);

/// `once(passphrase, fault)` decrypts the file that messages call `name`. It returns null or an empty value on failure,
/// and sets `fault` if the cause is not the passphrase. `owner` says who sets the passphrase.
template <typename Once>
auto decrypt(const std::string& name, std::string_view passphrase, const char* owner, const Once& once)
    -> Result<decltype(once(passphrase, std::declval<std::string&>()))> {
  constexpr std::size_t longest = 1024;  // PEM_BUFSIZE, OpenSSL's limit
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
    if (once(trimmed->text, fault)) {
      return configuration_error(wrong + ": it " + trimmed->surplus + ", and fits without it");
    }
  }
  return configuration_error(wrong + ", or the file is damaged" + owner);
}

WECHATPAY_BONUS_COMMIT_END

#endif
