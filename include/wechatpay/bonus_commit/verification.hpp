/// Whether an answer is WeChat Pay's own.
#ifndef WECHATPAY_BONUS_COMMIT_VERIFICATION_HPP
#define WECHATPAY_BONUS_COMMIT_VERIFICATION_HPP

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {

/// \addtogroup stages
/// @{

/// How far the timestamps of WeChat Pay and of the local clock may lie apart, either way.
inline constexpr std::chrono::seconds greatest_clock_difference{300};

/// What a valid signature proves.
struct Verification {
  std::string serial;                    ///< of the platform key
  std::int64_t timestamp = 0;            ///< Wechatpay-Timestamp: WeChat Pay's time, Unix seconds
  std::chrono::seconds clock_offset{0};  ///< the local clock minus WeChat Pay's
};

/// The three lines, each ended by one LF.
inline std::string verification_message(std::string_view timestamp, std::string_view nonce, std::string_view body) {
  std::string message;
  message.reserve(timestamp.size() + nonce.size() + body.size() + 3);
  message.append(timestamp).append(1, '\n');
  message.append(nonce).append(1, '\n');
  message.append(body).append(1, '\n');
  return message;
}

/// The error of an answer that may not be WeChat Pay's own; its outcome is unknown.
inline Error unverified(VerificationFault fault, std::string message) {
  Error error;
  error.kind = ErrorKind::unverified_answer;
  error.outcome = Outcome::unknown;
  error.verification_fault = fault;
  error.message = std::move(message);
  return error;
}

/// Verifies the answer's signature over its body under the key that `Wechatpay-Serial` names. Each header must be there
/// exactly once, the timestamp within 300 s of `now`, the signature strict Base64. An error has the kind
/// `unverified_answer`, its reason in `verification_fault`, and in `message` what to do. Thread-safe.
inline Result<Verification> verify(const HttpResponse& response, const PlatformKeys& keys,
                                   std::chrono::system_clock::time_point now) {
  constexpr std::string_view required[] = {"Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature",
                                           "Wechatpay-Serial"};
  // Whatever a header holds that it should not, no message repeats a signature.
  const auto quoted = [](std::string_view value) { return printable(without_signatures(value), 80); };
  std::string_view values[4];
  for (std::size_t i = 0; i < 4; ++i) {
    std::size_t times = 0;
    for (const HttpHeader& header : response.headers) {
      if (same_token(header.name, required[i]) && times++ == 0) values[i] = header.value;
    }
    if (times == 0) {
      return unverified(VerificationFault::header_missing,
                        std::string(required[i]) +
                            " is missing: the answer is not signed; a proxy or CDN may have removed the header");
    }
    if (times > 1) {
      return unverified(VerificationFault::header_repeated,
                        std::string(required[i]) + " occurs " + std::to_string(times) + " times");
    }
  }
  const auto [timestamp_text, nonce, signature_text, serial] = values;

  for (const HttpHeader& header : response.headers) {
    if (same_token(header.name, "Wechatpay-Signature-Type") && header.value != authorization_scheme) {
      return unverified(
          VerificationFault::signature_type_unknown,
          "Wechatpay-Signature-Type is " + quoted(header.value) + ", not " + std::string(authorization_scheme));
    }
  }

  std::int64_t timestamp = 0;
  const char* const end = timestamp_text.data() + timestamp_text.size();
  const auto [stopped, failure] = std::from_chars(timestamp_text.data(), end, timestamp);
  // 11 digits reach beyond the year 5000; a longer one would overflow the clock's arithmetic.
  if (failure != std::errc() || stopped != end || timestamp < 0 || timestamp_text.size() > 11) {
    return unverified(VerificationFault::timestamp_malformed,
                      "Wechatpay-Timestamp is not Unix time in seconds: " + quoted(timestamp_text));
  }
  const auto local = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  const std::chrono::seconds offset = local - std::chrono::seconds(timestamp);
  if (offset > greatest_clock_difference || offset < -greatest_clock_difference) {
    const bool ahead = offset.count() > 0;
    Error error = unverified(VerificationFault::timestamp_out_of_range,
                             "Wechatpay-Timestamp is " + std::to_string(ahead ? offset.count() : -offset.count()) +
                                 " s " + (ahead ? "behind" : "ahead of") +
                                 " the local clock (300 s are allowed): set this machine's clock by NTP; if it is "
                                 "right, the answer is an old one, replayed");
    error.clock_offset = offset;
    return error;
  }

  // A line break in it would make other lines out of what was signed.
  const bool visible = std::all_of(nonce.begin(), nonce.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (nonce.empty() || !visible) {
    return unverified(VerificationFault::nonce_malformed,
                      "Wechatpay-Nonce must be visible ASCII characters, not \"" + quoted(nonce) + "\"");
  }

  // WeChat Pay's test of its merchants is told apart first: it names a real key but no real signature.
  if (signature_text.substr(0, 19) == "WECHATPAY/SIGNTEST/") {
    return unverified(VerificationFault::signature_probe,
                      "signature probe: WeChat Pay sent a wrong signature to see whether it would be noticed; it was; "
                      "commit again");
  }
  const auto key = keys.find(serial);
  if (key == nullptr) {
    std::string known;
    for (const std::string& one : keys.serials()) known += (known.empty() ? "" : ", ") + one;
    return unverified(VerificationFault::serial_unknown,
                      "Wechatpay-Serial is " + quoted(serial) + ", which is none of the platform keys (" + known +
                          "): add that public key or platform certificate to PlatformKeys");
  }
  const auto signature = decode_base64(signature_text);
  if (!signature) {
    return unverified(VerificationFault::signature_malformed, "Wechatpay-Signature is not Base64");
  }
  if (!key->verify(verification_message(timestamp_text, nonce, response.body), *signature)) {
    return unverified(VerificationFault::signature_mismatch,
                      "Wechatpay-Signature does not belong to this answer under the key " + printable(serial, 80) +
                          ": the answer was changed or forged on its way, or the key file is not the one of that "
                          "serial");
  }
  return Verification{std::string(serial), timestamp, offset};
}

/// @}

}  // namespace wechatpay

#endif
