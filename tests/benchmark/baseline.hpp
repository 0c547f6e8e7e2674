/// The same commits by hand: libcurl and OpenSSL alone, with everything prepared that can be, and every answer
/// verified. What a careful programmer would write for one key, one server and one order at a time, without checks,
/// retries, threads or errors that help.
#ifndef WECHATPAY_TESTS_BENCHMARK_BASELINE_HPP
#define WECHATPAY_TESTS_BENCHMARK_BASELINE_HPP

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"
#include "src/testing/pki.hpp"
#include "tests/benchmark/measuring.hpp"
#include "tests/support/raw_server.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/stages/body.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/stages/verification.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

/// A key and the context that signs or verifies with it.
class BaselineKey {
 public:
  BaselineKey(PkeyHandle key, int (*initialize)(EVP_PKEY_CTX*))
      : key_(std::move(key)), context_(EVP_PKEY_CTX_new(key_.get(), nullptr)) {
    require(initialize(context_.get()) == 1 && EVP_PKEY_CTX_set_rsa_padding(context_.get(), RSA_PKCS1_PADDING) == 1 &&
            EVP_PKEY_CTX_set_signature_md(context_.get(), EVP_sha256()) == 1);
  }

  std::string sign(const std::string& message) const {
    unsigned char digest[32];
    unsigned char signature[256];
    std::size_t size = sizeof signature;
    require(hash(message, digest) && EVP_PKEY_sign(context_.get(), signature, &size, digest, sizeof digest) == 1);
    std::string text(345, '\0');
    text.resize(static_cast<std::size_t>(
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), signature, static_cast<int>(size))));
    return text;
  }

  bool verify(const std::string& message, std::string_view text) const {
    unsigned char digest[32];
    unsigned char signature[264];
    return text.size() == 344 && hash(message, digest) &&
           EVP_DecodeBlock(signature, reinterpret_cast<const unsigned char*>(text.data()), 344) == 258 &&
           EVP_PKEY_verify(context_.get(), signature, 256, digest, sizeof digest) == 1;
  }

 private:
  static bool hash(const std::string& message, unsigned char* digest) {
    static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return EVP_Digest(message.data(), message.size(), digest, nullptr, sha256, nullptr) == 1;
  }

  PkeyHandle key_;
  PkeyContextHandle context_;
};

inline PkeyHandle baseline_private_key(const std::string& pem) {
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return PkeyHandle(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

inline PkeyHandle baseline_public_key(const std::string& pem) {
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return PkeyHandle(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
}

class Baseline {
 public:
  Baseline(const FakeWechatPay& wechat_pay, std::string origin, const BonusCommitRequest& request, bool http2)
      : signing_(baseline_private_key(wechat_pay.merchant_key_pem()), EVP_PKEY_sign_init),
        verifying_(baseline_public_key(wechat_pay.public_key_pem()), EVP_PKEY_verify_init),
        credentials_(wechat_pay.credentials()),
        platform_serial_(wechat_pay.public_key_id()),
        path_(request_path(request)),
        body_(serialize(request).value()),
        url_(std::move(origin) + path_),
        http2_(http2) {}

  /// One after the other.
  void commit(int count) {
    if (single_ == nullptr) single_ = std::make_unique<Transfer>(*this);
    for (int i = 0; i < count; ++i) {
      single_->prepare();
      require(curl_easy_perform(single_->easy) == CURLE_OK);
      single_->finish();
    }
  }

  /// With `in_flight` at a time.
  void commit_many(int count, int in_flight) {
    if (multi_ == nullptr) {
      multi_ = curl_multi_init();
      curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 8192L);
    }
    while (static_cast<int>(transfers_.size()) < in_flight) transfers_.push_back(std::make_unique<Transfer>(*this));
    int started = 0;
    int ended = 0;
    for (int i = 0; i < in_flight && started < count; ++i, ++started) {
      transfers_[static_cast<std::size_t>(i)]->prepare();
      curl_multi_add_handle(multi_, transfers_[static_cast<std::size_t>(i)]->easy);
    }
    while (ended < count) {
      int running = 0;
      require(curl_multi_perform(multi_, &running) == CURLM_OK);
      int left = 0;
      bool any = false;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        CURL* const easy = message->easy_handle;
        require(message->data.result == CURLE_OK);
        curl_multi_remove_handle(multi_, easy);
        char* transfer = nullptr;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        reinterpret_cast<Transfer*>(transfer)->finish();
        ++ended;
        any = true;
        if (started++ >= count) continue;
        reinterpret_cast<Transfer*>(transfer)->prepare();
        curl_multi_add_handle(multi_, easy);
      }
      if (!any) curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
    }
  }

 private:
  struct Transfer {
    explicit Transfer(Baseline& baseline_) : baseline(baseline_), easy(curl_easy_init()) {
      curl_easy_setopt(easy, CURLOPT_URL, baseline.url_.c_str());
      curl_easy_setopt(easy, CURLOPT_CAINFO, RawServer::ca_file().c_str());
      curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, baseline.body_.c_str());
      curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
      curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
      curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                       static_cast<long>(baseline.http2_ ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
      curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::take_header);
      curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
      curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
    }
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    ~Transfer() {
      curl_easy_cleanup(easy);
      curl_slist_free_all(headers);
    }

    void prepare() {
      timestamp.clear();
      nonce.clear();
      signature.clear();
      unsigned char random[16];
      require(RAND_bytes(random, sizeof random) == 1);
      std::string nonce_str;
      for (const unsigned char byte : random) {
        nonce_str += "0123456789ABCDEF"[byte >> 4U];
        nonce_str += "0123456789ABCDEF"[byte & 0xFU];
      }
      const std::string now = std::to_string(std::time(nullptr));
      const std::string message =
          "POST\n" + baseline.path_ + "\n" + now + "\n" + nonce_str + "\n" + baseline.body_ + "\n";
      const std::string authorization = "Authorization: WECHATPAY2-SHA256-RSA2048 mchid=\"" +
                                        baseline.credentials_.mchid() + "\",nonce_str=\"" + nonce_str +
                                        "\",signature=\"" + baseline.signing_.sign(message) + "\",timestamp=\"" + now +
                                        "\",serial_no=\"" + baseline.credentials_.serial_no() + "\"";
      curl_slist_free_all(headers);
      headers = curl_slist_append(nullptr, authorization.c_str());
      headers = curl_slist_append(headers, "Accept: application/json");
      headers = curl_slist_append(headers, "Content-Type: application/json");
      headers = curl_slist_append(headers, ("User-Agent: " + user_agent()).c_str());
      headers = curl_slist_append(headers, ("Wechatpay-Serial: " + baseline.platform_serial_).c_str());
      headers = curl_slist_append(headers, "Expect:");
      curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    }

    void finish() {
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      require(status == 204 && baseline.verifying_.verify(timestamp + "\n" + nonce + "\n\n", signature));
    }

    static std::size_t take_header(char* data, std::size_t, std::size_t size, void* user) {
      Transfer& self = *static_cast<Transfer*>(user);
      const std::string_view line(data, size);
      const auto take = [line](const char* name, std::string& value) {
        const std::size_t length = std::strlen(name);
        if (line.size() < length + 4 || strncasecmp(line.data(), name, length) != 0 || line[length] != ':') return;
        value = line.substr(length + 2, line.size() - length - 4);
      };
      take("Wechatpay-Timestamp", self.timestamp);
      take("Wechatpay-Nonce", self.nonce);
      take("Wechatpay-Signature", self.signature);
      return size;
    }

    Baseline& baseline;
    CURL* easy;
    curl_slist* headers = nullptr;
    std::string timestamp;
    std::string nonce;
    std::string signature;
  };

  BaselineKey signing_;
  BaselineKey verifying_;
  Credentials credentials_;
  std::string platform_serial_;
  std::string path_;
  std::string body_;
  std::string url_;
  bool http2_;
  std::unique_ptr<Transfer> single_;
  std::vector<std::unique_ptr<Transfer>> transfers_;
  CURLM* multi_ = nullptr;  // to the end of the process
};

}  // namespace wechatpay::bonus_commit

#endif
