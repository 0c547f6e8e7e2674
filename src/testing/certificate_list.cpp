#include "src/testing/certificate_list.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "src/testing/pki.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

constexpr const char* associated_data = "certificate";

/// In WeChat Pay's time zone: "2018-06-08T10:34:56+08:00".
std::string text_of(const ASN1_TIME* time) {
  std::tm utc{};
  int days = 0;
  int seconds = 0;
  const std::unique_ptr<ASN1_TIME, Freeing<ASN1_TIME_free>> epoch(ASN1_TIME_set(nullptr, 0));
  if (epoch == nullptr || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) {
    throw std::runtime_error("a certificate's time cannot be read");
  }
  const std::time_t there = std::time_t{86400} * days + seconds + std::time_t{8} * 3600;
  if (OPENSSL_gmtime(&there, &utc) == nullptr) throw std::runtime_error("a certificate's time cannot be read");
  std::array<char, 40> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S+08:00", &utc);
  return std::string(text.data(), size);
}

/// The ciphertext with its tag at the end.
std::string encrypted(const std::string& text, const std::string& key, const std::string& nonce) {
  constexpr int tag_size = 16;
  const std::unique_ptr<EVP_CIPHER_CTX, Freeing<EVP_CIPHER_CTX_free>> context(EVP_CIPHER_CTX_new());
  const std::string data = associated_data;
  std::string out(text.size() + tag_size, '\0');
  const auto bytes = [](const std::string& from) { return reinterpret_cast<const unsigned char*>(from.data()); };
  auto* const to = reinterpret_cast<unsigned char*>(out.data());
  int size = 0;
  const bool done = context != nullptr && key.size() == 32 && nonce.size() == 12 &&
                    EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(nonce)) == 1 &&
                    EVP_EncryptUpdate(context.get(), nullptr, &size, bytes(data), static_cast<int>(data.size())) == 1 &&
                    EVP_EncryptUpdate(context.get(), to, &size, bytes(text), static_cast<int>(text.size())) == 1 &&
                    EVP_EncryptFinal_ex(context.get(), to + text.size(), &size) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_size, to + text.size()) == 1;
  if (!done) throw std::runtime_error("OpenSSL could not encrypt a certificate: " + openssl_reason());
  return out;
}

}  // namespace

std::string certificate_list(const X509* certificate, const std::string& serial_no, const std::string& pem,
                             const std::string& api_v3_key) {
  const std::string nonce = random_nonce().value().substr(0, 12);
  const nlohmann::ordered_json list = {{"data",
                                        {{{"serial_no", serial_no},
                                          {"effective_time", text_of(X509_get0_notBefore(certificate))},
                                          {"expire_time", text_of(X509_get0_notAfter(certificate))},
                                          {"encrypt_certificate",
                                           {{"algorithm", "AEAD_AES_256_GCM"},
                                            {"nonce", nonce},
                                            {"associated_data", associated_data},
                                            {"ciphertext", base64_of(encrypted(pem, api_v3_key, nonce))}}}}}}};
  return list.dump();
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
