#include "src/openssl/rsa.hpp"

#include <openssl/rsa.h>

#include <array>
#include <atomic>
#include <utility>

#include "src/openssl/openssl_use.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace {

using Digest = std::array<unsigned char, 32>;

/// Fetched once, since OpenSSL 3 takes microseconds to find an algorithm by name. Never freed, since OpenSSL may be
/// cleaned up before a client is destroyed. Null if it fails; the next call tries again. Has no lock, which a thread
/// could hold at a fork.
const EVP_MD* sha256() {
  static std::atomic<EVP_MD*> found{nullptr};
  EVP_MD* kept = found.load();
  if (kept != nullptr) return kept;
  EVP_MD* const made = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (found.compare_exchange_strong(kept, made)) return made;
  EVP_MD_free(made);
  return kept;
}

bool digest_of(std::string_view message, Digest& digest) {
  unsigned int size = 0;
  const EVP_MD* const algorithm = sha256();
  return algorithm != nullptr &&
         EVP_Digest(message.data(), message.size(), digest.data(), &size, algorithm, nullptr) == 1 &&
         size == digest.size();
}

class RsaSigner final : public Signer {
 public:
  explicit RsaSigner(PkeyHandle key) : contexts_(std::move(key), EVP_PKEY_sign_init) {}

  Result<std::string> sign(std::string_view message) const override {
    const OpensslUse openssl;
    if (!openssl) return process_ends();
    const ErrorQueueGuard guard;
    Digest digest;
    std::string signature(contexts_.signature_size(), '\0');
    std::size_t size = signature.size();
    PkeyContextHandle context = contexts_.take();
    if (context == nullptr || !digest_of(message, digest) ||
        EVP_PKEY_sign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, digest.data(),
                      digest.size()) != 1) {
      Error error;
      error.kind = ErrorKind::signing_failed;
      error.outcome = Outcome::not_sent;
      error.message = "OpenSSL could not sign with the merchant's private key: " + openssl_reason();
      return error;
    }
    signature.resize(size);
    contexts_.give_back(std::move(context));
    return signature;
  }

 private:
  mutable ContextPool contexts_;
};

}  // namespace

ContextPool::ContextPool(PkeyHandle key, Initialize initialize) : initialize_(initialize) {
  const OpensslUse first;  // registers the exit handlers
  owned_->key = std::move(key);
}

ContextPool::~ContextPool() {
  const OpensslUse openssl;
  if (openssl) {
    owned_.reset();
    return;
  }
  static std::atomic<Owned*> left{nullptr};  // leak checkers still find it here
  Owned* const owned = owned_.release();
  owned->next = left;
  while (!left.compare_exchange_weak(owned->next, owned)) {
  }
}

PkeyContextHandle ContextPool::take() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<PkeyContextHandle>& idle = owned_->idle;
    if (!idle.empty()) {
      PkeyContextHandle context = std::move(idle.back());
      idle.pop_back();
      return context;
    }
  }
  PkeyContextHandle context(EVP_PKEY_CTX_new_from_pkey(nullptr, owned_->key.get(), nullptr));
  if (context == nullptr || initialize_(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), sha256()) != 1) {
    return nullptr;
  }
  return context;
}

void ContextPool::give_back(PkeyContextHandle context) {
  const std::lock_guard<std::mutex> lock(mutex_);
  owned_->idle.push_back(std::move(context));
}

bool RsaVerifier::verify(std::string_view message, std::string_view signature) const {
  const OpensslUse openssl;
  if (!openssl) return false;
  const ErrorQueueGuard guard;
  Digest digest;
  PkeyContextHandle context = contexts_.take();
  const bool valid =
      context != nullptr && digest_of(message, digest) &&
      EVP_PKEY_verify(context.get(), bytes_of(signature), signature.size(), digest.data(), digest.size()) == 1;
  if (valid) contexts_.give_back(std::move(context));
  return valid;
}

std::shared_ptr<const Signer> make_rsa_signer(PkeyHandle private_key) {
  return std::make_shared<RsaSigner>(std::move(private_key));
}

std::string stages::encode_base64(std::string_view bytes) {
  // OpenSSL writes a NUL after the text.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes_of(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> stages::decode_base64(std::string_view text) {
  // A signature has 344 characters. The limit keeps the size within OpenSSL's int.
  if (text.empty() || text.size() % 4 != 0 || text.size() > 65536) return std::nullopt;
  const ErrorQueueGuard guard;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), bytes_of(text), static_cast<int>(text.size()));
  const std::size_t padding = text[text.size() - 1] != '=' ? 0 : text[text.size() - 2] != '=' ? 1 : 2;
  const std::size_t end = bytes.size() - padding;
  // EVP_DecodeBlock skips white space, accepts padding anywhere, and decodes the unused bits before the padding.
  const bool strict = size == static_cast<int>(bytes.size()) &&
                      text.substr(0, text.size() - padding).find('=') == std::string_view::npos &&
                      bytes.find_first_not_of('\0', end) == std::string::npos;
  if (!strict) return std::nullopt;
  bytes.erase(end);
  return bytes;
}

WECHATPAY_BONUS_COMMIT_END
