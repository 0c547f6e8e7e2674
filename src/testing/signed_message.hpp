/// The five lines that a request's signature covers, and common mistakes in building them.
#ifndef WECHATPAY_SRC_TESTING_SIGNED_MESSAGE_HPP
#define WECHATPAY_SRC_TESTING_SIGNED_MESSAGE_HPP

#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// The parts of the five lines.
struct MessageParts {
  std::string method;
  std::string url;  ///< path and query as they were received
  std::string timestamp;
  std::string nonce_str;
  std::string body;
};

std::string message_of(const MessageParts& parts);

/// Other data of a request that may be in its message by mistake.
struct MessageContext {
  std::string host;                       ///< the Host header
  std::string mchid;                      ///< from Authorization
  std::string serial_no;                  ///< from Authorization
  std::vector<std::string> other_nonces;  ///< from other requests
};

/// Another text for a part, and the sentences that describe it.
struct Variant {
  std::string text;
  std::string advice;
};

/// Texts that a program may have signed instead of `body`, likely ones first. None is equal to `body`.
std::vector<Variant> variants_of_body(const std::string& body);

/// Which wrongly built message has `digest` (SHA-256, raw), as sentences that say what to change; empty if none has.
std::string mistake_in_message(const MessageParts& parts, const MessageContext& context, std::string_view digest);

std::string sha256(std::string_view text);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
