/// The same commits in hand-written code: only libcurl and OpenSSL, on one thread, with as much as possible prepared in
/// advance. Each order has its own path and body, and each answer is verified. This is what a careful programmer would
/// write for one key and one server, without checks, retries or helpful errors.
#ifndef WECHATPAY_TESTS_BENCHMARK_BASELINE_HPP
#define WECHATPAY_TESTS_BENCHMARK_BASELINE_HPP

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <strings.h>

#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"
#include "src/testing/pki.hpp"
#include "tests/benchmark/commits.hpp"
#include "tests/benchmark/measuring.hpp"
#include "tests/support/raw_server.hpp"
#include "wechatpay/bonus_commit.hpp"
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
    static EVP_MD_CTX* const context = EVP_MD_CTX_new();
    return EVP_DigestInit_ex2(context, sha256, nullptr) == 1 &&
           EVP_DigestUpdate(context, message.data(), message.size()) == 1 &&
           EVP_DigestFinal_ex(context, digest, nullptr) == 1;
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
  Baseline(const FakeWechatPay& wechat_pay, std::string origin, bool http2)
      : signing_(baseline_private_key(wechat_pay.merchant_key_pem()), EVP_PKEY_sign_init),
        verifying_(baseline_public_key(wechat_pay.public_key_pem()), EVP_PKEY_verify_init),
        authorization_("Authorization: WECHATPAY2-SHA256-RSA2048 mchid=\"" + wechat_pay.credentials().mchid() +
                       "\",serial_no=\"" + wechat_pay.credentials().serial_no() + "\",nonce_str=\""),
        platform_serial_(wechat_pay.public_key_id()),
        announced_("Wechatpay-Serial: " + platform_serial_),
        user_agent_("User-Agent: " + user_agent()),
        origin_(std::move(origin)),
        http2_(http2) {}

  /// Commits one order after the other.
  void commit(int count) {
    if (single_ == nullptr) single_ = std::make_unique<Transfer>(*this);
    for (int i = 0; i < count; ++i) {
      single_->prepare();
      require(curl_easy_perform(single_->easy) == CURLE_OK);
      single_->finish();
    }
  }

  /// Keeps `in_flight` commits in progress.
  void commit_many(int count, int in_flight) {
    if (multi_ == nullptr) {
      multi_ = curl_multi_init();
      curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 8192L);
    }
    while (static_cast<int>(transfers_.size()) < in_flight) transfers_.push_back(std::make_unique<Transfer>(*this));
    int to_start = count;
    for (int i = 0; i < in_flight && to_start > 0; ++i, --to_start) start(*transfers_[static_cast<std::size_t>(i)]);
    for (int ended = 0; ended < count;) {
      int running = 0;
      require(curl_multi_perform(multi_, &running) == CURLM_OK);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        Transfer& transfer = finished(*message);
        ++ended;
        if (to_start-- > 0) start(transfer);
      }
      if (ended < count) curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
    }
  }

 private:
  struct Transfer {
    explicit Transfer(Baseline& baseline_) : baseline(baseline_), easy(curl_easy_init()) {
      set(CURLOPT_CAINFO, RawServer::ca_file().c_str());
      set(CURLOPT_NOSIGNAL, 1L);
      set(CURLOPT_POST, 1L);
      set(CURLOPT_PATH_AS_IS, 1L);
      set(CURLOPT_PROXY, "");
      set(CURLOPT_HTTP_VERSION, static_cast<long>(baseline.http2_ ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
      if (baseline.http2_) set(CURLOPT_PIPEWAIT, 1L);  // one connection for all
      set(CURLOPT_HEADERFUNCTION, &Transfer::take_header);
      set(CURLOPT_HEADERDATA, this);
      set(CURLOPT_PRIVATE, this);
    }
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    ~Transfer() {
      curl_easy_cleanup(easy);
      curl_slist_free_all(headers);
    }

    template <typename Value>
    void set(CURLoption option, Value value) {
      require(curl_easy_setopt(easy, option, value) == CURLE_OK);
    }

    /// The next order.
    void prepare() {
      const std::string number = order_number(++baseline.orders_);
      path = baseline_path + number + "/bonus/commit";
      body = R"({"out_trade_no":")" + number + R"(","mchid":"1230000109","sub_mchid":"1900000109","bonus_value":30})";
      set(CURLOPT_URL, (baseline.origin_ + path).c_str());
      set(CURLOPT_POSTFIELDS, body.data());
      set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
      curl_slist_free_all(headers);
      headers = nullptr;
      for (const char* line : {sign().c_str(), "Accept: application/json", "Content-Type: application/json",
                               baseline.user_agent_.c_str(), baseline.announced_.c_str(), "Expect:"}) {
        headers = curl_slist_append(headers, line);
      }
      set(CURLOPT_HTTPHEADER, headers);
    }

    const std::string& sign() {
      unsigned char random[16];
      require(RAND_bytes(random, sizeof random) == 1);
      char nonce_str[33];
      for (std::size_t i = 0; i < sizeof random; ++i) {
        nonce_str[2 * i] = "0123456789ABCDEF"[random[i] >> 4U];
        nonce_str[2 * i + 1] = "0123456789ABCDEF"[random[i] & 0xFU];
      }
      nonce_str[32] = '\0';
      const std::string now = std::to_string(std::time(nullptr));
      message.assign("POST\n").append(path).append("\n").append(now).append("\n").append(nonce_str).append("\n");
      message.append(body).append("\n");
      authorization.assign(baseline.authorization_).append(nonce_str).append("\",timestamp=\"").append(now);
      authorization.append("\",signature=\"").append(baseline.signing_.sign(message)).append("\"");
      return authorization;
    }

    void finish() {
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      require(status == 204 && serial == baseline.platform_serial_);
      require(std::abs(std::atol(timestamp.c_str()) - static_cast<long>(std::time(nullptr))) <= 300);
      message.assign(timestamp).append("\n").append(nonce).append("\n\n");
      require(baseline.verifying_.verify(message, signature));
      for (std::string* one : {&serial, &timestamp, &nonce, &signature}) one->clear();
    }

    static std::size_t take_header(char* data, std::size_t, std::size_t size, void* user) {
      const std::string_view line(data, size);
      if (size < 12 || strncasecmp(data, "Wechatpay-", 10) != 0) return size;
      Transfer& self = *static_cast<Transfer*>(user);
      const auto take = [line](std::string_view name, std::string& value) {
        if (line.size() < name.size() + 2 || strncasecmp(line.data(), name.data(), name.size()) != 0) return;
        value = line.substr(name.size() + 1, line.size() - name.size() - 3);  // space before, CR and LF after
      };
      take("Wechatpay-Serial:", self.serial);
      take("Wechatpay-Timestamp:", self.timestamp);
      take("Wechatpay-Nonce:", self.nonce);
      take("Wechatpay-Signature:", self.signature);
      return size;
    }

    Baseline& baseline;
    CURL* easy;
    curl_slist* headers = nullptr;
    std::string path;
    std::string body;
    std::string message;
    std::string authorization;
    std::string serial;
    std::string timestamp;
    std::string nonce;
    std::string signature;
  };

  void start(Transfer& transfer) {
    transfer.prepare();
    require(curl_multi_add_handle(multi_, transfer.easy) == CURLM_OK);
  }

  Transfer& finished(const CURLMsg& message) {
    require(message.data.result == CURLE_OK);
    char* pointer = nullptr;
    curl_easy_getinfo(message.easy_handle, CURLINFO_PRIVATE, &pointer);
    curl_multi_remove_handle(multi_, message.easy_handle);
    Transfer& transfer = *reinterpret_cast<Transfer*>(pointer);
    transfer.finish();
    return transfer;
  }

  static constexpr const char* baseline_path = "/v3/marketing/membercard-open/cards/478515832665/codes/";

  BaselineKey signing_;
  BaselineKey verifying_;
  std::string authorization_;  ///< everything before the nonce
  std::string platform_serial_;
  std::string announced_;
  std::string user_agent_;
  std::string origin_;
  bool http2_;
  int orders_ = 0;
  std::unique_ptr<Transfer> single_;
  std::vector<std::unique_ptr<Transfer>> transfers_;
  CURLM* multi_ = nullptr;  // lives until the process ends
};

}  // namespace wechatpay::bonus_commit

#endif
