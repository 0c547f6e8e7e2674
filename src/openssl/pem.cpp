#include "src/openssl/pem.hpp"

#include <openssl/decoder.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/openssl/decryption.hpp"
#include "src/openssl/key_text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace {

constexpr const char* damaged = "): the file is damaged or incomplete";

int give_passphrase(char* buffer, int size, int /*writing*/, void* user) {
  const auto& passphrase = *static_cast<const std::string_view*>(user);
  if (passphrase.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, passphrase.data(), passphrase.size());
  return static_cast<int>(passphrase.size());
}

PkeyHandle pkcs1_key(const unsigned char* der, long size) {
  return PkeyHandle(d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &der, size));
}

PkeyHandle pkcs8_key(const unsigned char* der, long size) {
  const Pkcs8Handle content(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &der, size));
  return PkeyHandle(content == nullptr ? nullptr : EVP_PKCS82PKEY(content.get()));
}

/// A PKCS#8 key. It contains the description of its encryption.
PkeyHandle decrypt_pkcs8(const PemBlock& block, std::string_view passphrase, std::string& fault) {
  const unsigned char* at = block.data.get();
  const EncryptedPkcs8Handle encrypted(d2i_X509_SIG(nullptr, &at, block.size));
  if (encrypted == nullptr) {
    fault = "holds an encrypted private key that cannot be read (" + openssl_reason() + damaged;
    return nullptr;
  }
  Pkcs8Handle decrypted;
  {
    Decryption decryption(passphrase);
    decrypted = decryption.pkcs8(encrypted.get());
    fault = decryption.fault();
  }
  if (decrypted == nullptr) return nullptr;
  PkeyHandle key(EVP_PKCS82PKEY(decrypted.get()));
  if (key == nullptr) fault = "holds a private key that cannot be read (" + openssl_reason() + damaged;
  return key;
}

/// A PKCS#1 key. The header lines before it describe its encryption.
PkeyHandle decrypt_pkcs1(const PemBlock& block, std::string_view passphrase, std::string& fault) {
  SecretMemory data(static_cast<unsigned char*>(OPENSSL_memdup(block.data.get(), static_cast<std::size_t>(block.size))),
                    {static_cast<std::size_t>(block.size)});
  long size = block.size;
  {
    Decryption decryption(passphrase);
    std::string header = block.header;
    EVP_CIPHER_INFO encryption{};
    if (data == nullptr || PEM_get_EVP_CIPHER_INFO(header.data(), &encryption) != 1) {
      decryption.fail("is encrypted in a way that cannot be read (" + openssl_reason() + ")");
    }
    const bool done =
        decryption.fault().empty() && PEM_do_header(&encryption, data.get(), &size, give_passphrase, &passphrase) == 1;
    if (!done && decryption.fault().empty()) decryption.lacks_cipher(EVP_CIPHER_get0_name(encryption.cipher));
    fault = decryption.fault();
    if (!done) return nullptr;
  }
  return pkcs1_key(data.get(), size);
}

bool is_one_of(std::string_view label, std::initializer_list<std::string_view> labels) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

}  // namespace

Result<std::vector<PemBlock>> pem_blocks(std::string_view pem, std::initializer_list<std::string_view> labels,
                                         PemSearch search, const std::string& name, const std::string& wanted) {
  const std::string_view text = without_byte_order_mark(pem);
  if (const std::string fault = pem_form_fault(text); !fault.empty()) return configuration_error(name + " " + fault);
  const BioHandle bio(BIO_new_mem_buf(text.data(), static_cast<int>(std::min<std::size_t>(text.size(), 1U << 20U))));
  if (bio == nullptr) return configuration_error(name + " cannot be read: " + openssl_reason());

  std::vector<PemBlock> blocks;
  while (blocks.empty() || search == PemSearch::all) {
    char* label = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (PEM_read_bio(bio.get(), &label, &header, &data, &size) != 1) {
      if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) break;
      return configuration_error(name + " cannot be read as PEM (" + openssl_reason() + damaged);
    }
    const OpensslMemory<char> own_label(label);
    const OpensslMemory<char> own_header(header);
    SecretMemory own_data(data, {static_cast<std::size_t>(size)});
    if (is_one_of(label, labels)) blocks.push_back({label, header, std::move(own_data), size});
  }
  if (blocks.empty()) return configuration_error(name + " " + contents_of(pem) + "; " + wanted);
  return blocks;
}

std::string rsa_fault(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") != 1) return "is not an RSA key; WeChat Pay signs with RSA";
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < 2048) return "has " + std::to_string(bits) + " bits; WeChat Pay's keys have 2048";
  return {};
}

std::string provider_fault() {
  using KeyManagement = std::unique_ptr<EVP_KEYMGMT, Freeing<EVP_KEYMGMT_free>>;
  using Decoder = std::unique_ptr<OSSL_DECODER, Freeing<OSSL_DECODER_free>>;
  const KeyManagement keys(EVP_KEYMGMT_fetch(nullptr, "RSA", nullptr));
  const Decoder decoder(OSSL_DECODER_fetch(nullptr, "RSA", nullptr));
  const DigestHandle digest(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  if (keys != nullptr && decoder != nullptr && digest != nullptr) return {};
  return "OpenSSL can use no RSA key in this process: its configuration (openssl.cnf, or the file that OPENSSL_CONF "
         "names) activates no provider that does; activate the default provider";
}

Result<PkeyHandle> read_private_key(std::string_view pem, std::string_view passphrase, const std::string& name) {
  const ErrorQueueGuard guard;
  if (std::string fault = provider_fault(); !fault.empty()) return configuration_error(std::move(fault));
  auto blocks = pem_blocks(pem, {"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY"}, PemSearch::first, name,
                           "the merchant's private key belongs here (apiclient_key.pem)");
  if (!blocks) return std::move(blocks).error();
  const PemBlock& block = blocks->front();
  const bool sealed_pkcs8 = block.label == "ENCRYPTED PRIVATE KEY";
  const bool encrypted = sealed_pkcs8 || block.header.find("ENCRYPTED") != std::string::npos;
  if (encrypted && passphrase.empty()) return configuration_error(name + " is encrypted: give its passphrase");

  Result<PkeyHandle> key = PkeyHandle();
  if (encrypted) {
    key = decrypt(name, passphrase, "", [&](std::string_view tried, std::string& fault) {
      return sealed_pkcs8 ? decrypt_pkcs8(block, tried, fault) : decrypt_pkcs1(block, tried, fault);
    });
  } else {
    key = block.label == "PRIVATE KEY" ? pkcs8_key(block.data.get(), block.size)
                                       : pkcs1_key(block.data.get(), block.size);
  }
  if (!key) return key;
  if (*key == nullptr) {
    return configuration_error(name + " holds a private key that cannot be read (" + openssl_reason() + damaged);
  }
  if (const std::string fault = rsa_fault(key->get()); !fault.empty()) return configuration_error(name + " " + fault);
  return key;
}

Result<PkeyHandle> read_public_key(std::string_view pem, const std::string& name) {
  const ErrorQueueGuard guard;
  if (std::string fault = provider_fault(); !fault.empty()) return configuration_error(std::move(fault));
  auto blocks =
      pem_blocks(pem, {"PUBLIC KEY", "RSA PUBLIC KEY"}, PemSearch::first, name,
                 "WeChat Pay's public key belongs here (pub_key.pem); a platform certificate is added as one");
  if (!blocks) return std::move(blocks).error();
  const PemBlock& block = blocks->front();
  const unsigned char* at = block.data.get();
  PkeyHandle key(block.label == "PUBLIC KEY" ? d2i_PUBKEY(nullptr, &at, block.size)
                                             : d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, block.size));
  if (key == nullptr) {
    return configuration_error(name + " holds a public key that cannot be read (" + openssl_reason() + damaged);
  }
  if (const std::string fault = rsa_fault(key.get()); !fault.empty()) return configuration_error(name + " " + fault);
  return key;
}

WECHATPAY_BONUS_COMMIT_END
