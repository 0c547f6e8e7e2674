/// WeChat Pay's side of the call, for tests: verifies requests, signs answers, and remembers what was committed.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_FAKE_WECHAT_PAY_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_FAKE_WECHAT_PAY_HPP

#include <chrono>
#include <cstddef>
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

/// Which of WeChat Pay's two kinds of keys a merchant has. This decides which key signs the answers. A request that
/// announces a key (Wechatpay-Serial) that the merchant does not have is refused with 400 PARAM_ERROR.
enum class MerchantStage {
  public_key,    ///< only the WeChat Pay public key (merchants since 2024): it signs, announced or not
  switching,     ///< both: the announced key signs; the platform certificate's if none is announced
  certificates,  ///< only platform certificates: their key signs, announced or not
};

/// The name in logs and on the command line: "public-key", "switching", "certificates".
std::string to_string(MerchantStage stage);

/// The merchant and the clock of a FakeWechatPay.
struct FakeWechatPayOptions {
  /// The merchant whose requests are accepted.
  std::string mchid = "1900000001";

  /// WeChat Pay's clock. Give the client the same one.
  std::function<std::chrono::system_clock::time_point()> clock = std::chrono::system_clock::now;

  /// Which keys the merchant has. FakeWechatPay::set_stage() changes it.
  MerchantStage stage = MerchantStage::public_key;
};

/// An order that was committed with a valid signature.
struct CommittedOrder {
  BonusCommitRequest request{};  ///< the values of the latest commit
  std::size_t times = 0;         ///< more than 1 if the commit was repeated
};

/// Simulates WeChat Pay for one merchant. Its RSA keys are compiled in and the same in every process, so a test need
/// not wait for new ones. They are public, so use them only for tests. Its certificates are created anew each time. It
/// shares no code for signing, verifying or checking with the library, so that a mistake in the library does not hide
/// itself. Thread-safe.
class FakeWechatPay {
 public:
  /// Throws std::runtime_error if OpenSSL cannot create certificates.
  explicit FakeWechatPay(FakeWechatPayOptions options = {});
  FakeWechatPay(const FakeWechatPay&) = delete;
  FakeWechatPay& operator=(const FakeWechatPay&) = delete;
  ~FakeWechatPay();

  /// The merchant's credentials, and the WeChat Pay keys of its stage. If these are both kinds, a client announces the
  /// public key unless PlatformKeys::announce() sets another.
  Credentials credentials() const;
  PlatformKeys platform_keys() const;  ///< a new object for each call

  /// The merchant's stage.
  MerchantStage stage() const noexcept;
  /// Changes the stage for all further requests.
  void set_stage(MerchantStage stage) noexcept;

  /// The contents of the files, and the ids, of these keys.
  const std::string& merchant_key_pem() const noexcept;
  const std::string& merchant_certificate_pem() const noexcept;  ///< apiclient_cert.pem
  const std::string& merchant_p12() const noexcept;        ///< apiclient_cert.p12; its passphrase is the merchant id
  const std::string& public_key_pem() const noexcept;      ///< pub_key.pem
  const std::string& public_key_id() const noexcept;       ///< PUB_KEY_ID_ and digits
  const std::string& certificate_pem() const noexcept;     ///< wechatpay_<serial>.pem, the platform's
  const std::string& certificate_serial() const noexcept;  ///< its serial number, upper-case hex
  const std::string& api_v3_key() const noexcept;          ///< 32 characters; encrypts the list of certificates

  /// Returns what WeChat Pay would answer. It checks, in this order: method and path, the required headers, the format
  /// of Authorization, the clock, merchant id and serial number, the signature over path and body as received, the
  /// nonce, which must be new, and the fields of the body. The first fault is answered with WeChat Pay's status and
  /// error body. A valid commit is remembered and answered with a signed 204. `GET /v3/certificates` is answered with
  /// the platform certificate, encrypted with the APIv3 key (AEAD_AES_256_GCM), or with 404 RESOURCE_NOT_EXISTS at the
  /// stage `public_key`. A query string, which the documents do not mention, is accepted.
  HttpResponse answer(const HttpRequest& request);

  /// Returns `response` with a Request-ID and a signature, by the key that the stage and the announcement in `request`
  /// decide. A scripted answer needs this to verify. The signature's time is `ago` seconds before the clock's.
  HttpResponse sign(HttpResponse response, const HttpRequest& request,
                    std::chrono::seconds ago = std::chrono::seconds(0)) const;

  /// Returns a signed error in WeChat Pay's format. `detail` is JSON text, or empty.
  HttpResponse error(int status, std::string_view code, std::string_view message, const HttpRequest& request,
                     std::string_view detail = {}) const;

  /// All orders that were committed, sorted by out_trade_no.
  std::vector<CommittedOrder> committed() const;

  /// At most `most` of them, the latest commit first.
  std::vector<CommittedOrder> latest_committed(std::size_t most) const;

  /// The number of orders that were committed.
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
