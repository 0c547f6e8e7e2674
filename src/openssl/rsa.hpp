/// Signs and verifies with an RSA key and OpenSSL.
#ifndef WECHATPAY_SRC_OPENSSL_RSA_HPP
#define WECHATPAY_SRC_OPENSSL_RSA_HPP

#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"
#include "src/openssl/verifier.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Prepared contexts for one operation with one key. Preparing one costs more than the rest of a verification. A
/// context serves one thread at a time, so the pool keeps as many as threads have used at once. The last owner may be
/// destroyed at any moment while the process exits. Once OpenSSL has begun to free its objects, nothing is freed here.
class ContextPool {
 public:
  using Initialize = int (*)(EVP_PKEY_CTX*);

  ContextPool(PkeyHandle key, Initialize initialize);
  ContextPool(const ContextPool&) = delete;
  ContextPool& operator=(const ContextPool&) = delete;
  ~ContextPool();

  /// Null if OpenSSL fails.
  PkeyContextHandle take();
  void give_back(PkeyContextHandle context);

  std::size_t signature_size() const { return static_cast<std::size_t>(EVP_PKEY_get_size(owned_->key.get())); }

 private:
  struct Owned {
    PkeyHandle key;
    std::vector<PkeyContextHandle> idle;
    Owned* next = nullptr;
  };

  std::unique_ptr<Owned> owned_ = std::make_unique<Owned>();
  Initialize initialize_;
  std::mutex mutex_;
};

/// Verifies with a public key. Thread-safe.
class RsaVerifier final : public Verifier {
 public:
  explicit RsaVerifier(PkeyHandle key) : contexts_(std::move(key), EVP_PKEY_verify_init) {}

  bool verify(std::string_view message, std::string_view signature) const override;

 private:
  mutable ContextPool contexts_;
};

std::shared_ptr<const Signer> make_rsa_signer(PkeyHandle private_key);

WECHATPAY_BONUS_COMMIT_END

#endif
