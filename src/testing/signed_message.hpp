/// The five lines that a request's signature covers, and how people build them by mistake.
#ifndef WECHATPAY_SRC_TESTING_SIGNED_MESSAGE_HPP
#define WECHATPAY_SRC_TESTING_SIGNED_MESSAGE_HPP

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// What the five lines are made of.
struct MessageParts {
  std::string method;
  std::string url;  ///< path and query as they came over the wire
  std::string timestamp;
  std::string nonce_str;
  std::string body;
};

std::string message_of(const MessageParts& parts);

/// What else is known of a request, and may stand in its message by mistake.
struct MessageContext {
  std::string host;                       ///< the Host header
  std::string mchid;                      ///< of Authorization
  std::string serial_no;                  ///< of Authorization
  std::vector<std::string> other_nonces;  ///< of other requests
};

/// Another text in the place of a part, and the sentences that say so.
struct Variant {
  std::string text;
  std::string advice;
};

/// Texts that a program may have signed in the place of `body`, likely ones first. None is `body` itself.
std::vector<Variant> variants_of_body(const std::string& body);

/// Which message people build by mistake has `digest` (SHA-256, raw), as sentences that say what to change; empty
/// where none has.
std::string mistake_in_message(const MessageParts& parts, const MessageContext& context, std::string_view digest);

std::string sha256(std::string_view text);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
