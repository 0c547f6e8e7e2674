/// WeChat Pay's side of the call, for tests: verifies a request, signs an answer, remembers what was committed.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_FAKE_WECHAT_PAY_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_FAKE_WECHAT_PAY_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/request.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Where a merchant stands between WeChat Pay's two kinds of keys. It decides which key signs the answers; a request
/// that announces a key (Wechatpay-Serial) which the merchant has not is refused with 400 PARAM_ERROR.
enum class MerchantStage {
  public_key,    ///< WeChat Pay's public key alone, as every merchant since 2024: it signs, whether announced or not
  switching,     ///< both: the one that is announced signs; the platform certificate's where none is
  certificates,  ///< platform certificates alone: theirs signs, whether announced or not
};

/// For a log and a command line: "public-key", "switching", "certificates".
std::string to_string(MerchantStage stage);

/// For whom WeChat Pay is played, and at what time.
struct FakeWechatPayOptions {
  /// The merchant whose requests are believed.
  std::string mchid = "1900000001";

  /// WeChat Pay's clock; give the client the same one.
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;

  /// Which keys the merchant has; FakeWechatPay::set_stage() changes it.
  MerchantStage stage = MerchantStage::public_key;
};

/// An order that was committed under a valid signature.
struct CommittedOrder {
  BonusCommitRequest request{};  ///< as it was committed the last time
  std::size_t times = 0;         ///< more than once where the commit was repeated
};

/// Plays WeChat Pay for one merchant. Its RSA keys are compiled in, the same in every process, so that a test need not
/// wait for new ones; everybody has them, so they are for tests alone. Its certificates are made anew each time. Shares
/// no signing, verifying or checking code with the library, so a mistake there does not hide itself. Thread-safe.
class FakeWechatPay {
 public:
  /// Throws std::runtime_error if OpenSSL cannot make certificates.
  explicit FakeWechatPay(FakeWechatPayOptions options = {});
  FakeWechatPay(const FakeWechatPay&) = delete;
  FakeWechatPay& operator=(const FakeWechatPay&) = delete;
  ~FakeWechatPay();

  /// What the merchant has: its credentials, and the keys of WeChat Pay's that belong to its stage. Where that is both,
  /// the client announces the public key unless told otherwise (PlatformKeys::announce()).
  Credentials credentials() const;
  PlatformKeys platform_keys() const;  ///< shared with no other call's

  /// Where the merchant stands.
  MerchantStage stage() const noexcept;
  /// Changes that, from now on for every request.
  void set_stage(MerchantStage stage) noexcept;

  /// The same as PEM texts, and as they are called.
  const std::string& merchant_key_pem() const noexcept;
  const std::string& merchant_certificate_pem() const noexcept;  ///< apiclient_cert.pem
  const std::string& merchant_p12() const noexcept;        ///< apiclient_cert.p12; its passphrase is the merchant id
  const std::string& public_key_pem() const noexcept;      ///< pub_key.pem
  const std::string& public_key_id() const noexcept;       ///< PUB_KEY_ID_ and digits
  const std::string& certificate_pem() const noexcept;     ///< wechatpay_<serial>.pem, the platform's
  const std::string& certificate_serial() const noexcept;  ///< its serial number, upper-case hex
  const std::string& api_v3_key() const noexcept;          ///< 32 characters; it encrypts the list of certificates

  /// What WeChat Pay would answer. Looks at the method and path, the required headers, Authorization's form, the clock,
  /// merchant id and serial number, the signature over path and body as received, the nonce, which must be new, and the
  /// body's fields, in this order; the first thing wrong is answered with WeChat Pay's status and error body. A good
  /// commit is remembered and answered with a signed 204. `GET /v3/certificates` is answered with the platform
  /// certificate, encrypted with the APIv3 key (AEAD_AES_256_GCM); with 404 RESOURCE_NOT_EXISTS at the stage of the
  /// public key alone. A query string, of which the documents do not speak, is taken.
  HttpResponse answer(const HttpRequest& request);

  /// `response` with a Request-ID and signed, under the key that the stage and the announcement in `request` decide;
  /// what a scripted answer needs to be believed. Signed `ago` seconds ago by the clock.
  HttpResponse sign(HttpResponse response, const HttpRequest& request,
                    std::chrono::seconds ago = std::chrono::seconds(0)) const;

  /// An error as WeChat Pay words it, signed. `detail` is JSON text, or empty.
  HttpResponse error(int status, std::string_view code, std::string_view message, const HttpRequest& request,
                     std::string_view detail = {}) const;

  /// Every order that was committed, in the order of out_trade_no.
  std::vector<CommittedOrder> committed() const;

  /// At most so many of them, the latest commit first.
  std::vector<CommittedOrder> latest_committed(std::size_t most) const;

  /// How many orders were committed.
  std::size_t count_committed() const;

  /// How often this order was committed.
  std::size_t times_committed(std::string_view out_trade_no) const;

 private:
  struct State;

  std::unique_ptr<State> state_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
