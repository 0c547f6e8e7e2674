// OpenSSL's random numbers.
#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "src/openssl/handles.hpp"
#include "src/openssl/openssl_use.hpp"
#include "wechatpay/bonus_commit/stages/retry.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

Result<std::string> random_nonce() {
  const OpensslUse openssl;
  if (!openssl) return process_ends();
  const ErrorQueueGuard guard;
  std::array<unsigned char, 16> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    Error error;
    error.kind = ErrorKind::signing_failed;
    error.outcome = Outcome::not_sent;
    error.message = "OpenSSL has no random numbers for the nonce: " + openssl_reason();
    return error;
  }
  std::string nonce;
  nonce.reserve(2 * random.size());
  for (const unsigned char byte : random) stages::append_hex(nonce, byte, 2);
  return nonce;
}

double random_fraction() noexcept {
  const OpensslUse openssl;
  if (!openssl) return 1;
  const ErrorQueueGuard guard;
  std::uint32_t random = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof random) != 1) return 1;
  return static_cast<double>(random) / (std::numeric_limits<std::uint32_t>::max)();
}

WECHATPAY_BONUS_COMMIT_END
