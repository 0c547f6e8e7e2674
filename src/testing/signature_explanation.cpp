#include "src/testing/signature_explanation.hpp"

#include <algorithm>
#include <array>

#include "src/testing/recovered_signature.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

using Scheme = RecoveredSignature::Scheme;

constexpr const char* wanted_scheme = " Sign with SHA256withRSA (RSASSA-PKCS1-v1_5).";

bool is_known(Scheme scheme) { return scheme != Scheme::another_key && scheme != Scheme::perhaps_pss; }

/// The key that made the signature; null if it is none of `keys`.
const NamedKey* maker_of(std::string_view signature, const std::string& message, const std::vector<NamedKey>& keys) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const NamedKey& one) {
    return is_known(recover_signature(one.key, signature, message).scheme);
  });
  return found == keys.end() ? nullptr : &*found;
}

std::string explain_unknown_key(std::string_view signature, EVP_PKEY* key) {
  constexpr std::array<std::size_t, 4> usual = {128, 256, 384, 512};
  const auto size = static_cast<std::size_t>(EVP_PKEY_get_size(key));
  std::string sizes;
  if (signature.size() != size) {
    if (std::find(usual.begin(), usual.end(), signature.size()) == usual.end()) {
      return "The signature has " + std::to_string(signature.size()) + " bytes, one by the merchant's key has " +
             std::to_string(size) + ": it was cut, or it is something else than an RSA signature.";
    }
    sizes = " It is a key of " + std::to_string(signature.size() * 8) + " bits, the merchant's has " +
            std::to_string(size * 8) + ".";
  }
  return "The request is signed with another private key than the one that belongs to serial_no." + sizes +
         " Take apiclient_key.pem and apiclient_cert.pem from the same download.";
}

/// Explains a padding that contains something other than a hash function's name and value.
std::string explain_bare(const std::string& payload, const MessageParts& parts) {
  const std::string message = message_of(parts);
  if (payload == message) {
    return std::string("The client encrypted the message itself with the private key.") + wanted_scheme;
  }
  if (payload.size() == 32) {
    return std::string("The client encrypted a hash with the private key, without the name of the hash function.") +
           wanted_scheme;
  }
  if (payload.size() == 64) {
    return std::string("The client encrypted a hash in hex with the private key.") + wanted_scheme;
  }
  return std::string("The client encrypted a text with the private key: that is no signature.") + wanted_scheme;
}

std::string explain_message(const std::string& digest, const MessageParts& parts, const MessageContext& context) {
  const std::string message = message_of(parts);
  if (digest == sha256(message)) return {};
  std::string mistake = mistake_in_message(parts, context, digest);
  if (!mistake.empty()) return mistake;
  return "Key and scheme are right, but another message was signed, by no mistake that is known here. The server's "
         "message has " +
         std::to_string(message.size()) +
         " bytes: compare it with the message that the client signs, byte for byte. `wechatpay-bonus-commit explain "
         "--signed-message FILE` shows the line that differs.";
}

std::string explain_recovered(const RecoveredSignature& recovered, std::string_view signature,
                              const MessageParts& parts, const MessageContext& context, EVP_PKEY* key,
                              const std::vector<NamedKey>& others) {
  if (!is_known(recovered.scheme)) {
    if (const NamedKey* const maker = maker_of(signature, message_of(parts), others)) {
      return "The request is signed with " + maker->name +
             ": sign with the merchant's private key, apiclient_key.pem, that belongs to serial_no.";
    }
  }
  switch (recovered.scheme) {
    case Scheme::another_key: return explain_unknown_key(signature, key);
    case Scheme::pss: return "The client signed with RSASSA-PSS (" + recovered.digest_name + ")." + wanted_scheme;
    case Scheme::perhaps_pss:
      return "The client probably signed with RSASSA-PSS (" + recovered.digest_name + ")." + wanted_scheme;
    case Scheme::other_digest: return "The client signed with " + recovered.digest_name + "." + wanted_scheme;
    case Scheme::bare: return explain_bare(recovered.payload, parts);
    case Scheme::sha256: break;
  }
  return explain_message(recovered.payload, parts, context);
}

std::vector<std::string_view> lines_of(std::string_view message) {
  std::vector<std::string_view> lines;
  while (lines.size() < 4 && message.find('\n') != std::string_view::npos) {
    lines.push_back(message.substr(0, message.find('\n')));
    message.remove_prefix(lines.back().size() + 1);
  }
  lines.push_back(message);
  return lines;
}

}  // namespace

std::string explain_signature(const MessageParts& parts, const MessageContext& context, std::string_view signature,
                              EVP_PKEY* key, const std::vector<NamedKey>& other_keys) {
  const SignatureText text = read_signature_text(signature);
  if (text.bytes.empty()) return text.fault;
  const RecoveredSignature recovered = recover_signature(key, text.bytes, message_of(parts));
  const std::string rest = explain_recovered(recovered, text.bytes, parts, context, key, other_keys);
  const bool are_two = !text.fault.empty() && !rest.empty();
  return text.fault + (are_two ? " " : "") + rest;
}

std::string explain_answer_signature(std::string_view timestamp, std::string_view nonce, const std::string& body,
                                     std::string_view signature, EVP_PKEY* key,
                                     const std::vector<NamedKey>& other_keys) {
  const SignatureText text = read_signature_text(signature);
  if (!text.fault.empty()) return text.fault;
  const std::string head = std::string(timestamp) + "\n" + std::string(nonce) + "\n";
  const std::string message = head + body + "\n";
  const RecoveredSignature recovered = recover_signature(key, text.bytes, message);
  if (!is_known(recovered.scheme)) {
    if (const NamedKey* const maker = maker_of(text.bytes, message, other_keys)) {
      return "The answer is signed with " + maker->name + ", not with the platform key of its Wechatpay-Serial.";
    }
    return "The answer is not signed with the key that was given for its Wechatpay-Serial: the file is that of another "
           "key, or the signature was changed or forged on its way.";
  }
  if (recovered.scheme != Scheme::sha256) return "The answer is signed, but not with SHA256withRSA.";
  if (sha256(message) == recovered.payload) return {};
  for (const Variant& variant : variants_of_body(body)) {
    if (sha256(head + variant.text + "\n") != recovered.payload) continue;
    return "The body is not the text that WeChat Pay signed: it was parsed and written again, or a line break was "
           "added or lost. Verify the bytes as they are received, before anything reads them.";
  }
  return "Key and scheme are right, but WeChat Pay signed another text: the body was changed, or Wechatpay-Timestamp "
         "and Wechatpay-Nonce are those of another answer.";
}

std::string first_difference(std::string_view signed_message, std::string_view message) {
  if (signed_message == message) return {};
  constexpr std::array<const char*, 5> names = {"1 (the method)", "2 (the URL)", "3 (the timestamp)", "4 (nonce_str)",
                                                "5 (the body)"};
  const auto lines = lines_of(signed_message);
  const auto wanted = lines_of(message);
  const std::string lengths = "The client signed " + std::to_string(signed_message.size()) +
                              " bytes, the request's message has " + std::to_string(message.size()) + ". ";
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i >= lines.size()) return lengths + "Line " + names.at(i) + " is missing.";
    if (lines[i] == wanted[i]) continue;
    const auto [here, there] = std::mismatch(lines[i].begin(), lines[i].end(), wanted[i].begin(), wanted[i].end());
    const auto column = here - lines[i].begin() + 1;
    return lengths + "They differ in line " + names.at(i) + ", from byte " + std::to_string(column) + " on.";
  }
  return {};  // both have the same lines, so they are the same
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
