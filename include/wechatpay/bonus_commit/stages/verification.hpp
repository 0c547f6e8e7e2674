/// Whether an answer is WeChat Pay's own.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_VERIFICATION_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_VERIFICATION_HPP

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/stages/base64.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// The largest allowed difference between WeChat Pay's timestamp and the local clock, in either direction.
inline constexpr std::chrono::seconds greatest_clock_difference{300};

/// What a valid signature proves.
struct Verification {
  std::string serial{};                  ///< serial of the platform key
  std::int64_t timestamp = 0;            ///< Wechatpay-Timestamp: WeChat Pay's time, Unix seconds
  std::chrono::seconds clock_offset{0};  ///< the local clock minus WeChat Pay's
};

/// The local clock minus WeChat Pay's.
inline std::chrono::seconds clock_offset(std::int64_t timestamp, std::chrono::system_clock::time_point now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()) - std::chrono::seconds(timestamp);
}

/// The three lines that are signed. Each ends with one LF.
inline std::string verification_message(std::string_view timestamp, std::string_view nonce, std::string_view body) {
  std::string message;
  message.reserve(timestamp.size() + nonce.size() + body.size() + 3);
  message.append(timestamp).append(1, '\n');
  message.append(nonce).append(1, '\n');
  message.append(body).append(1, '\n');
  return message;
}

/// The error for an answer that may not be WeChat Pay's own. Its outcome is unknown.
inline Error unverified(VerificationFault fault, std::string message,
                        std::optional<std::chrono::seconds> clock_offset = std::nullopt) {
  Error error;
  error.kind = ErrorKind::unverified_answer;
  error.outcome = Outcome::unknown;
  error.message = std::move(message);
  Answer& answer = error.tries.emplace_back().answer.emplace();
  answer.verification_fault = fault;
  answer.clock_offset = clock_offset;
  return error;
}

/// The signature headers of an answer.
struct SignatureHeaders {
  std::string_view timestamp{};  ///< Wechatpay-Timestamp
  std::string_view nonce{};      ///< Wechatpay-Nonce
  std::string_view signature{};  ///< Wechatpay-Signature
  std::string_view serial{};     ///< Wechatpay-Serial
};

/// A header's value for a message. Whatever the value contains, the message never repeats a signature.
inline std::string quoted_header(std::string_view value) { return printable(without_signatures(value), 80); }

/// The signature headers of an answer. Each must be present exactly once.
inline Result<SignatureHeaders> signature_headers(const HttpResponse& response) {
  SignatureHeaders headers;
  for (const auto& [name, value] :
       {std::pair("Wechatpay-Timestamp", &headers.timestamp), std::pair("Wechatpay-Nonce", &headers.nonce),
        std::pair("Wechatpay-Signature", &headers.signature), std::pair("Wechatpay-Serial", &headers.serial)}) {
    std::size_t times = 0;
    for (const HttpHeader& header : response.headers) {
      if (same_token(header.name, name) && times++ == 0) *value = header.value;
    }
    if (times == 0) {
      return unverified(
          VerificationFault::header_missing,
          std::string(name) + " is missing: the answer is not signed; a proxy or CDN may have removed the header");
    }
    if (times > 1) {
      return unverified(VerificationFault::header_repeated,
                        std::string(name) + " occurs " + std::to_string(times) + " times");
    }
  }
  for (const HttpHeader& header : response.headers) {
    if (same_token(header.name, "Wechatpay-Signature-Type") && header.value != authorization_scheme) {
      return unverified(
          VerificationFault::signature_type_unknown,
          "Wechatpay-Signature-Type is " + quoted_header(header.value) + ", not " + std::string(authorization_scheme));
    }
  }
  // A line break in the nonce would change the lines that were signed.
  const std::string_view nonce = headers.nonce;
  if (nonce.empty() || !std::all_of(nonce.begin(), nonce.end(), [](char c) { return c > ' ' && c <= '~'; })) {
    return unverified(VerificationFault::nonce_malformed,
                      "Wechatpay-Nonce must be visible ASCII characters, not \"" + quoted_header(nonce) + "\"");
  }
  return headers;
}

/// Wechatpay-Timestamp as a number. It must be within 300 s of `now`.
inline Result<std::int64_t> checked_timestamp(std::string_view text, std::chrono::system_clock::time_point now) {
  std::int64_t timestamp = 0;
  const auto [stopped, failure] = std::from_chars(text.data(), text.data() + text.size(), timestamp);
  // 11 digits are enough until after the year 5000; a longer number would overflow the clock's arithmetic.
  if (failure != std::errc() || stopped != text.data() + text.size() || timestamp < 0 || text.size() > 11) {
    return unverified(VerificationFault::timestamp_malformed,
                      "Wechatpay-Timestamp is not Unix time in seconds: " + quoted_header(text));
  }
  const std::chrono::seconds offset = clock_offset(timestamp, now);
  if (offset <= greatest_clock_difference && offset >= -greatest_clock_difference) return timestamp;
  const bool ahead = offset.count() > 0;
  return unverified(VerificationFault::timestamp_out_of_range,
                    "Wechatpay-Timestamp is " + std::to_string(ahead ? offset.count() : -offset.count()) + " s " +
                        (ahead ? "behind" : "ahead of") +
                        " the local clock (300 s are allowed): set this machine's clock by NTP; if it is right, the "
                        "answer is an old one, replayed",
                    offset);
}

/// Verifies the answer's signature over its body with the key that `Wechatpay-Serial` names. Each header must be
/// present exactly once, the timestamp must be within 300 s of `now`, and the signature must be strict Base64. An error
/// has the kind `unverified_answer`, the reason in Error::verification_fault(), and advice in `message`. Thread-safe.
inline Result<Verification> verify(const HttpResponse& response, const PlatformKeys& keys,
                                   std::chrono::system_clock::time_point now) {
  const auto headers = signature_headers(response);
  if (!headers) return headers.error();
  const auto timestamp = checked_timestamp(headers->timestamp, now);
  if (!timestamp) return timestamp.error();
  // WeChat Pay's signature probe is recognized first: it names a real key, but its signature is not real.
  if (headers->signature.substr(0, 19) == "WECHATPAY/SIGNTEST/") {
    return unverified(VerificationFault::signature_probe,
                      "signature probe: WeChat Pay sent a wrong signature to see whether it would be noticed; it was; "
                      "commit again");
  }
  const auto signature = decode_base64(headers->signature);
  const std::string message = verification_message(headers->timestamp, headers->nonce, response.body);
  const auto verdict = keys.verify(headers->serial, message, signature ? *signature : std::string());
  if (verdict == PlatformKeys::Verdict::unknown_serial) {
    std::string known;
    for (const std::string& one : keys.serials()) known += (known.empty() ? "" : ", ") + one;
    return unverified(VerificationFault::serial_unknown,
                      "Wechatpay-Serial is " + quoted_header(headers->serial) +
                          ", which is none of the platform keys (" + known +
                          "): add that public key or platform certificate to PlatformKeys");
  }
  if (!signature) return unverified(VerificationFault::signature_malformed, "Wechatpay-Signature is not Base64");
  if (verdict != PlatformKeys::Verdict::valid) {
    return unverified(VerificationFault::signature_mismatch,
                      "Wechatpay-Signature does not belong to this answer under the key " +
                          printable(headers->serial, 80) +
                          ": the answer was changed or forged on its way, or the key file is not the one of that "
                          "serial");
  }
  return Verification{std::string(headers->serial), *timestamp, clock_offset(*timestamp, now)};
}

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif
