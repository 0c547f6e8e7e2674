#include "src/openssl/decryption.hpp"

#include <openssl/asn1t.h>
#include <openssl/objects.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace {

/// The limit for all key derivations of one file together; takes some seconds on a slow machine. OpenSSL and other
/// programs use 2,048 to 1,000,000 rounds.
constexpr std::int64_t most_rounds = 5'000'000;

constexpr std::int64_t too_many = (std::numeric_limits<std::int64_t>::max)();

using Pbes1Handle = std::unique_ptr<PBEPARAM, Freeing<PBEPARAM_free>>;
using Pbes2Handle = std::unique_ptr<PBE2PARAM, Freeing<PBE2PARAM_free>>;
using Pbkdf2Handle = std::unique_ptr<PBKDF2PARAM, Freeing<PBKDF2PARAM_free>>;
#ifndef OPENSSL_NO_SCRYPT
using ScryptHandle = std::unique_ptr<SCRYPT_PARAMS, Freeing<SCRYPT_PARAMS_free>>;
#endif
using CipherHandle = std::unique_ptr<EVP_CIPHER, Freeing<EVP_CIPHER_free>>;

template <typename Handle>
Handle parameters_of(const X509_ALGOR* algorithm, const ASN1_ITEM* form) {
  using Parameters = typename Handle::element_type;
  return Handle(static_cast<Parameters*>(ASN1_TYPE_unpack_sequence(form, algorithm->parameter)));
}

std::int64_t number_of(const ASN1_INTEGER* number) {
  std::int64_t value = 0;
  return ASN1_INTEGER_get_int64(&value, number) == 1 && value >= 0 ? value : too_many;
}

std::int64_t product(std::int64_t a, std::int64_t b) { return b != 0 && a > too_many / b ? too_many : a * b; }

/// The cost and the algorithms of an encryption by passphrase.
struct PassphraseEncryption {
  bool readable = true;
  std::int64_t rounds = 0;
  int cipher = NID_undef;
  int digest = NID_undef;  ///< only for the oldest scheme, PBES1
};

/// Empty if the parameters cannot be read.
std::optional<std::int64_t> rounds_of(const X509_ALGOR* derivation) {
  const int kind = OBJ_obj2nid(derivation->algorithm);
  if (kind == NID_id_pbkdf2) {
    const auto pbkdf2 = parameters_of<Pbkdf2Handle>(derivation, ASN1_ITEM_rptr(PBKDF2PARAM));
    if (pbkdf2 == nullptr) return std::nullopt;
    return number_of(pbkdf2->iter);
  }
#ifndef OPENSSL_NO_SCRYPT
  if (kind == NID_id_scrypt) {
    const auto scrypt = parameters_of<ScryptHandle>(derivation, ASN1_ITEM_rptr(SCRYPT_PARAMS));
    if (scrypt == nullptr) return std::nullopt;
    return product(number_of(scrypt->costParameter),
                   product(number_of(scrypt->blockSize), number_of(scrypt->parallelizationParameter)));
  }
#endif
  return 0;  // OpenSSL has no other key derivations
}

PassphraseEncryption encryption_of(const X509_ALGOR* algorithm) {
  const ErrorQueueGuard guard;
  PassphraseEncryption read;
  const int kind = OBJ_obj2nid(algorithm->algorithm);
  if (kind == NID_pbes2) {
    const auto pbes2 = parameters_of<Pbes2Handle>(algorithm, ASN1_ITEM_rptr(PBE2PARAM));
    const auto rounds = pbes2 == nullptr ? std::nullopt : rounds_of(pbes2->keyfunc);
    read.readable = rounds.has_value();
    if (!read.readable) return read;
    read.rounds = *rounds;
    read.cipher = OBJ_obj2nid(pbes2->encryption->algorithm);
    return read;
  }
  if (EVP_PBE_find(EVP_PBE_TYPE_OUTER, kind, &read.cipher, &read.digest, nullptr) != 1) return read;
  const auto pbes1 = parameters_of<Pbes1Handle>(algorithm, ASN1_ITEM_rptr(PBEPARAM));
  read.readable = pbes1 != nullptr;
  if (read.readable) read.rounds = number_of(pbes1->iter);
  return read;
}

}  // namespace

Decryption::Decryption(std::string_view passphrase)
    : passphrase_(passphrase.empty() ? "" : passphrase), rounds_left_(most_rounds), library_(OSSL_LIB_CTX_new()) {
  if (library_ != nullptr) {
    standard_.reset(OSSL_PROVIDER_load(library_.get(), "default"));
    legacy_.reset(OSSL_PROVIDER_load(library_.get(), "legacy"));
    previous_ = OSSL_LIB_CTX_set0_default(library_.get());
  }
  if (previous_ == nullptr || standard_ == nullptr) fail("cannot be decrypted: " + openssl_reason());
}

Decryption::~Decryption() {
  if (previous_ != nullptr) OSSL_LIB_CTX_set0_default(previous_);
}

bool Decryption::takes(std::int64_t rounds) {
  if (rounds < 0 || rounds > rounds_left_) {
    fail("asks for more than " + std::to_string(most_rounds) +
         " rounds of key derivation, which could take minutes: encrypt it again with fewer");
    return false;
  }
  rounds_left_ -= rounds;
  return true;
}

bool Decryption::takes(const X509_ALGOR* encryption) {
  const PassphraseEncryption asked = encryption_of(encryption);
  if (!asked.readable) fail("is damaged: how it is encrypted cannot be read");
  return asked.readable && takes(asked.rounds);
}

bool Decryption::lacks_algorithm(bool there, const char* name) {
  if (there) return false;
  fail(std::string("is encrypted with ") + (name == nullptr ? "an algorithm" : name) +
       ", which this OpenSSL does not have" + (legacy_ == nullptr ? " (its legacy provider is not installed)" : "") +
       ": convert it on a machine that has it (openssl pkcs8 -topk8 -v2 aes-256-cbc -provider default -provider legacy "
       "-in FILE; for a .p12: openssl pkcs12 -legacy -in FILE), or use apiclient_key.pem and apiclient_cert.pem");
  return true;
}

bool Decryption::lacks_cipher(const char* cipher) {
  const ErrorQueueGuard guard;
  const CipherHandle found(cipher == nullptr ? nullptr : EVP_CIPHER_fetch(nullptr, cipher, nullptr));
  return lacks_algorithm(found != nullptr, cipher);
}

bool Decryption::lacks_digest(const char* digest) {
  const ErrorQueueGuard guard;
  const DigestHandle found(digest == nullptr ? nullptr : EVP_MD_fetch(nullptr, digest, nullptr));
  return lacks_algorithm(found != nullptr, digest);
}

bool Decryption::lacks(const X509_ALGOR* encryption) {
  const PassphraseEncryption needed = encryption_of(encryption);
  if (needed.cipher == NID_undef) return lacks_cipher(nullptr);
  return lacks_cipher(OBJ_nid2sn(needed.cipher)) ||
         (needed.digest > NID_undef && lacks_digest(OBJ_nid2sn(needed.digest)));
}

Pkcs8Handle Decryption::pkcs8(const X509_SIG* encrypted) {
  const X509_ALGOR* encryption = nullptr;
  X509_SIG_get0(encrypted, &encryption, nullptr);
  if (!fault_.empty() || !takes(encryption)) return nullptr;
  Pkcs8Handle key(PKCS8_decrypt(encrypted, passphrase_.data(), passphrase_size()));
  if (key == nullptr) lacks(encryption);
  return key;
}

std::optional<TrimmedPassphrase> trimmed_passphrase(std::string_view passphrase) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  constexpr std::string_view blanks = " \t\r\n";
  const bool marked = stages::starts_with(passphrase, mark);
  const std::string_view given = marked ? passphrase.substr(mark.size()) : passphrase;
  const std::size_t first = given.find_first_not_of(blanks);
  if (first == std::string_view::npos) return std::nullopt;
  const std::string_view text = given.substr(first, given.find_last_not_of(blanks) - first + 1);
  if (text == passphrase) return std::nullopt;
  if (marked) return TrimmedPassphrase{text, "begins with a byte order mark"};
  const char last = passphrase.back();
  if (last == '\n' || last == '\r') return TrimmedPassphrase{text, "ends with a line break"};
  return TrimmedPassphrase{text, last == ' ' || last == '\t' ? "ends with a blank" : "begins with a blank"};
}

WECHATPAY_BONUS_COMMIT_END
