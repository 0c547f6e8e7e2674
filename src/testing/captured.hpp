/// Captured requests and answers, and what is wrong with their signatures.
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

/// Whether the text begins with an HTTP version, as an answer does.
bool is_answer(std::string_view capture);

/// Reads a first line, header lines, an empty line and the body, as proxies, curl and logs show them, with LF or CR LF.
/// What follows the bytes that Content-Length counts is left out. A URL may include its scheme and host. Fails with
/// `invalid_configuration`.
Result<HttpRequest> read_captured_request(std::string_view capture);
Result<HttpResponse> read_captured_answer(std::string_view capture);

/// A key or a certificate in PEM.
struct PemText {
  std::string name;  ///< the file's name, for messages
  std::string pem;
};

struct SignatureVerdict {
  bool matches = false;
  std::string explanation;  ///< what is wrong, and what to change; empty if the signature matches
  std::string message;      ///< the lines that the signature covers; empty if they are unknown
};

/// Checks Authorization as WeChat Pay does, except the clock. `others`: keys that may have been used by mistake. Fails
/// with `invalid_configuration` if a PEM text contains no RSA key.
Result<SignatureVerdict> explain_request(const HttpRequest& request, const PemText& merchant_certificate,
                                         const std::vector<PemText>& others);

/// Verifies an answer as this library does, except the clock. `texts`: the PEM texts of `keys`, by their serials;
/// `others`: as above.
Result<SignatureVerdict> explain_answer(const HttpResponse& answer, const PlatformKeys& keys,
                                        const std::vector<PemText>& texts, const std::vector<PemText>& others);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
