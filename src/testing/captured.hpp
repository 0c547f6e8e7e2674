/// Requests and answers that somebody has captured, and what is wrong with their signatures.
#ifndef WECHATPAY_SRC_TESTING_CAPTURED_HPP
#define WECHATPAY_SRC_TESTING_CAPTURED_HPP

#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Whether the text begins as an answer does, with HTTP's version.
bool is_answer(std::string_view capture);

/// A first line, header lines, an empty line, and the body: as proxies, curl and logs show it, with LF or CR LF. What
/// stands behind Content-Length's bytes is left out. A URL may have its scheme and host. Fails with
/// `invalid_configuration`.
Result<HttpRequest> read_captured_request(std::string_view capture);
Result<HttpResponse> read_captured_answer(std::string_view capture);

/// A key or a certificate in PEM.
struct PemText {
  std::string name;  ///< the file's, for sentences
  std::string pem;
};

struct SignatureVerdict {
  bool matches = false;
  std::string explanation;  ///< what is wrong, and what to change; empty where it matches
  std::string message;      ///< the lines that the signature covers; empty where they are not known
};

/// As WeChat Pay checks Authorization, except the clock. `others`: keys that may have been taken by mistake. Fails
/// with `invalid_configuration` where a PEM text holds no RSA key.
Result<SignatureVerdict> explain_request(const HttpRequest& request, const PemText& merchant_certificate,
                                         const std::vector<PemText>& others);

/// As this library verifies an answer, except the clock. `texts`: those of `keys`, by their serials; `others`: as
/// above.
Result<SignatureVerdict> explain_answer(const HttpResponse& answer, const PlatformKeys& keys,
                                        const std::vector<PemText>& texts, const std::vector<PemText>& others);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
