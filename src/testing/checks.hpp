/// What WeChat Pay checks in a request. The rules are written only from its documents: none of them is the
/// library's, so that a wrong one there does not hide itself.
#ifndef WECHATPAY_SRC_TESTING_CHECKS_HPP
#define WECHATPAY_SRC_TESTING_CHECKS_HPP

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/openssl/handles.hpp"
#include "src/testing/nonce_memory.hpp"
#include "src/testing/signature_explanation.hpp"
#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/request.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// An error as WeChat Pay words it, not signed yet. A null `detail` is left out.
HttpResponse error_response(int status, std::string_view code, std::string_view message,
                            const nlohmann::ordered_json& detail = nullptr);

/// Why WeChat Pay does not take a request.
struct Refusal {
  HttpResponse response;
  bool is_signed = true;  ///< failed authentication, and what is no API call, is answered without a signature
};

/// Who may ask.
struct Merchant {
  std::string mchid;
  std::string serial_no;
  EVP_PKEY* key;  ///< of the certificate with that serial number
  NonceMemory* nonces;
  std::vector<NamedKey> other_keys{};  ///< that may be taken by mistake, for the explanation of a bad signature
};

enum class Target { none, commit, certificates };

/// What the path asks for, however it is percent-encoded, and whatever query string follows it.
Target target_of(const HttpRequest& request);

/// The path and the method.
std::optional<Refusal> check_target(const HttpRequest& request);

/// The headers except Authorization. `keys` names those with which an answer can be signed.
std::optional<Refusal> check_headers(const HttpRequest& request, const std::vector<std::string>& keys);

/// Authorization's form, the clock (`now` in Unix seconds), who asks, the signature, and the nonce, in this order.
std::optional<Refusal> check_authorization(const HttpRequest& request, const Merchant& merchant, std::int64_t now);

/// Reads the values of path and body into `commit`. What the documents do not speak of (blanks at the ends, characters
/// that cannot be seen, further fields) is taken.
std::optional<Refusal> read_commit(const HttpRequest& request, const Merchant& merchant, BonusCommitRequest& commit);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
