/// Reads PEM keys into OpenSSL's objects. Errors name the text.
#ifndef WECHATPAY_SRC_OPENSSL_PEM_HPP
#define WECHATPAY_SRC_OPENSSL_PEM_HPP

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Memory allocated by OpenSSL, wiped when it is freed.
struct OpensslWipe {
  std::size_t size = 0;
  void operator()(void* memory) const noexcept { OPENSSL_clear_free(memory, size); }
};
using SecretMemory = std::unique_ptr<unsigned char, OpensslWipe>;

/// One block of a PEM text.
struct PemBlock {
  std::string label;   ///< "RSA PRIVATE KEY"
  std::string header;  ///< the lines before the Base64; empty if there are none
  SecretMemory data;
  long size = 0;
};

enum class PemSearch { first, all };

/// The blocks of `pem` with one of `labels`; at least one. In all of these functions, `name` is how messages refer to
/// the text: the file's name, or what it should be. `wanted` says what is expected there.
Result<std::vector<PemBlock>> pem_blocks(std::string_view pem, std::initializer_list<std::string_view> labels,
                                         PemSearch search, const std::string& name, const std::string& wanted);

/// An RSA private key of at least 2048 bits in PEM: PKCS#8 or PKCS#1, encrypted or not.
Result<PkeyHandle> read_private_key(std::string_view pem, std::string_view passphrase, const std::string& name);

/// An RSA public key of at least 2048 bits in PEM: SPKI or PKCS#1.
Result<PkeyHandle> read_public_key(std::string_view pem, const std::string& name);

/// What is wrong with the key, as a verb and its object; empty for RSA of at least 2048 bits.
std::string rsa_fault(const EVP_PKEY* key);

/// What the process's OpenSSL lacks for WeChat Pay's keys, as a sentence; empty if it has everything. Nothing works if
/// its configuration activates no default provider.
std::string provider_fault();

WECHATPAY_BONUS_COMMIT_END

#endif
