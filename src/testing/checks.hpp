/// WeChat Pay's checks of a request. The rules are written from its documents only and share no code with the library,
/// so that a wrong rule of the library is found.
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

/// An error in WeChat Pay's wording, not signed yet. A null `detail` is left out.
HttpResponse error_response(int status, std::string_view code, std::string_view message,
                            const nlohmann::ordered_json& detail = nullptr);

/// Why WeChat Pay refuses a request.
struct Refusal {
  HttpResponse response;
  bool is_signed = true;  ///< false for failed authentication and non-API requests
};

/// A merchant whose requests are accepted.
struct Merchant {
  std::string mchid;
  std::string serial_no;
  EVP_PKEY* key;  ///< the key of the certificate with that serial number
  NonceMemory* nonces;
  std::vector<NamedKey> other_keys{};  ///< keys that may have been used by mistake, to explain a bad signature
};

enum class Target { none, commit, certificates };

/// Which commit the path addresses, with any percent-encoding and any query string.
Target target_of(const HttpRequest& request);

/// Checks the path and the method.
std::optional<Refusal> check_target(const HttpRequest& request);

/// Checks the headers except Authorization. `keys` names the keys that can sign an answer.
std::optional<Refusal> check_headers(const HttpRequest& request, const std::vector<std::string>& keys);

/// Checks, in this order: Authorization's form, the clock (`now` in Unix seconds), the caller, the signature, the
/// nonce.
std::optional<Refusal> check_authorization(const HttpRequest& request, const Merchant& merchant, std::int64_t now);

/// Reads the values of path and body into `commit`. What the documents do not mention (blanks at the ends, invisible
/// characters, additional fields) is accepted.
std::optional<Refusal> read_commit(const HttpRequest& request, const Merchant& merchant, BonusCommitRequest& commit);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
