#include "src/testing/captured.hpp"

#include <openssl/pem.h>

#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "src/testing/checks.hpp"
#include "src/testing/pki.hpp"
#include "src/testing/recovered_signature.hpp"
#include "src/testing/signature_explanation.hpp"
#include "wechatpay/bonus_commit/stages/verification.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

using namespace stages;

namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

struct Capture {
  std::string_view first_line;
  HttpHeaders headers;
  std::string body;
};

/// Removes the next line from `rest` and returns it without its line end.
std::string_view take_line(std::string_view& rest) {
  std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

bool begins_as_answer(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of("\r\n")));
  return is_answer(text);
}

/// Reads the last block of a capture. Earlier blocks are a proxy's answer to CONNECT, or interim answers such as 100
/// Continue.
Result<Capture> read_capture(std::string_view rest) {
  Capture read;
  std::size_t number = 0;  // the line number
  const auto next_line = [&] {
    ++number;
    return take_line(rest);
  };
  while (read.first_line.empty() && !rest.empty()) read.first_line = trimmed(next_line());
  while (!rest.empty()) {
    const std::string_view line = next_line();
    if (line.empty()) {
      if (!is_answer(read.first_line) || !begins_as_answer(rest)) break;
      read = {};
      while (read.first_line.empty()) read.first_line = trimmed(next_line());
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      return configuration_error("line " + std::to_string(number) +
                                 " of the capture is no header, `Name: value`; an empty line ends the headers");
    }
    read.headers.push_back({std::string(trimmed(line.substr(0, colon))), std::string(trimmed(line.substr(colon + 1)))});
  }
  const std::string_view length = header_value(read.headers, "Content-Length");
  std::size_t size = rest.size();
  const auto read_size = std::from_chars(length.data(), length.data() + length.size(), size);
  if (read_size.ec == std::errc()) rest = rest.substr(0, size);
  read.body = rest;
  return read;
}

/// The path and the query of a URL.
std::string_view without_host(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme > 5) return url;  // no scheme at its beginning
  const std::size_t path = url.find('/', scheme + 3);
  return path == std::string_view::npos ? "/" : url.substr(path);
}

/// The public key from a certificate, a public key or a private key; null if there is none.
PkeyHandle key_of(const std::string& pem) {
  const ErrorQueueGuard guard;
  const auto open = [&pem] { return BioHandle(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); };
  char no_passphrase[] = "";  // otherwise OpenSSL asks on the terminal
  const CertificateHandle certificate(PEM_read_bio_X509(open().get(), nullptr, nullptr, no_passphrase));
  if (certificate) return PkeyHandle(X509_get_pubkey(certificate.get()));
  PkeyHandle key(PEM_read_bio_PUBKEY(open().get(), nullptr, nullptr, no_passphrase));
  if (!key) key.reset(PEM_read_bio_PrivateKey(open().get(), nullptr, nullptr, no_passphrase));
  return key;
}

Result<PkeyHandle> rsa_key_of(const PemText& text) {
  PkeyHandle key = key_of(text.pem);
  if (!key || EVP_PKEY_is_a(key.get(), "RSA") != 1) {
    return configuration_error(text.name +
                               " holds no RSA key that can be read: give a certificate or a public key in PEM");
  }
  return key;
}

struct OwnedKeys {
  std::vector<PkeyHandle> handles;
  std::vector<NamedKey> named;
};

Result<OwnedKeys> read_others(const std::vector<PemText>& others) {
  OwnedKeys keys;
  for (const PemText& other : others) {
    auto key = rsa_key_of(other);
    if (!key) return std::move(key).error();
    keys.handles.push_back(*std::move(key));
    keys.named.push_back({"the key of " + other.name, keys.handles.back().get()});
  }
  return keys;
}

/// The value of `name` in Authorization; empty if it has none.
std::string authorization_value(const HttpRequest& request, std::string_view name) {
  const std::string_view value = header_value(request.headers, "Authorization");
  const std::string key = std::string(name) + "=\"";
  const std::size_t at = value.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = value.substr(at + key.size());
  return std::string(rest.substr(0, rest.find('"')));
}

/// The timestamp of the capture itself: its age does not matter here.
std::int64_t time_of(std::string_view timestamp) {
  std::int64_t seconds = 0;
  std::from_chars(timestamp.data(), timestamp.data() + timestamp.size(), seconds);
  return timestamp.size() > 11 ? 0 : seconds;
}

/// The result of `explain` for a message. If the length of a body is unknown, a line break at its end may come from an
/// editor. `if_it_is_sent` says what it means if it was sent.
template <typename Message, typename Explain>
Result<SignatureVerdict> explain_captured(Message message, const char* if_it_is_sent, const Explain& explain) {
  auto verdict = explain(message);
  std::string& body = message.body;
  const bool has_its_length = header_value(message.headers, "Content-Length") == std::to_string(body.size());
  if (!verdict || verdict->matches || has_its_length || body.empty() || body.back() != '\n') return verdict;
  body.pop_back();
  if (!body.empty() && body.back() == '\r') body.pop_back();
  auto shorter = explain(message);
  if (!shorter) return shorter;
  if (shorter->matches) {
    shorter->matches = false;
    shorter->explanation =
        "The signature matches the body without the line break at its end. If an editor added it to ";
    shorter->explanation.append("the file, all is right. ").append(if_it_is_sent);
    return shorter;
  }
  const std::string& whole = verdict->explanation;
  const bool is_second_mistake = whole != shorter->explanation && whole.find(shorter->explanation) != std::string::npos;
  return is_second_mistake ? shorter : verdict;
}

std::string explanation_in(const HttpResponse& refusal) {
  const auto body = nlohmann::json::parse(refusal.body);
  const auto& detail = body["detail"];
  if (detail.contains("explanation")) return detail["explanation"].get<std::string>();
  return body["message"].get<std::string>() + ".";
}

SignatureVerdict explain_one_request(const HttpRequest& request, const Merchant& merchant) {
  const std::string timestamp = authorization_value(request, "timestamp");
  SignatureVerdict verdict;
  verdict.message =
      message_of({request.method, request.path, timestamp, authorization_value(request, "nonce_str"), request.body});
  const auto refusal = check_authorization(request, merchant, time_of(timestamp));
  verdict.matches = !refusal;
  if (refusal) verdict.explanation = explanation_in(refusal->response);
  return verdict;
}

Result<SignatureVerdict> explain_one_answer(const HttpResponse& answer, const PlatformKeys& keys,
                                            const std::vector<PemText>& texts, const std::vector<PemText>& others) {
  SignatureVerdict verdict;
  const auto headers = signature_headers(answer);
  if (!headers) {
    verdict.explanation = headers.error().message + ".";
    return verdict;
  }
  verdict.message = verification_message(headers->timestamp, headers->nonce, answer.body);
  const auto verified =
      verify(answer, keys, std::chrono::system_clock::time_point(std::chrono::seconds(time_of(headers->timestamp))));
  verdict.matches = verified.has_value();
  if (verified) return verdict;
  verdict.explanation = verified.error().message + ".";
  for (const PemText& text : texts) {
    if (text.name != headers->serial || verified.error().verification_fault() == VerificationFault::signature_probe) {
      continue;
    }
    const auto key = rsa_key_of(text);
    if (!key) return key.error();
    const auto other_keys = read_others(others);
    if (!other_keys) return other_keys.error();
    verdict.explanation = explain_answer_signature(headers->timestamp, headers->nonce, answer.body, headers->signature,
                                                   key->get(), other_keys->named);
  }
  return verdict;
}

}  // namespace

bool is_answer(std::string_view capture) { return capture.substr(0, 5) == "HTTP/"; }

Result<HttpRequest> read_captured_request(std::string_view capture) {
  auto read = read_capture(capture);
  if (!read) return std::move(read).error();
  const std::string_view line = read->first_line;
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos || line.find('/') == std::string_view::npos) {
    return configuration_error("the capture does not begin with a method and a URL, as in POST /v3/...");
  }
  std::string_view url = trimmed(line.substr(blank));
  if (const std::size_t version = url.rfind(" HTTP/"); version != std::string_view::npos) url = url.substr(0, version);
  HttpRequest request;
  request.method = line.substr(0, blank);
  url = trimmed(url);
  request.path = without_host(url);
  request.headers = std::move(read->headers);
  if (const std::size_t host = url.find("://"); request.path != url && header_value(request.headers, "Host").empty()) {
    request.headers.push_back({"Host", std::string(url.substr(host + 3, url.find('/', host + 3) - host - 3))});
  }
  request.body = std::move(read->body);
  return request;
}

Result<HttpResponse> read_captured_answer(std::string_view capture) {
  auto read = read_capture(capture);
  if (!read) return std::move(read).error();
  HttpResponse answer;
  const std::string_view line = read->first_line.substr(std::min(read->first_line.size(), read->first_line.find(' ')));
  const std::string_view status = trimmed(line).substr(0, 3);
  std::from_chars(status.data(), status.data() + status.size(), answer.status);
  answer.headers = std::move(read->headers);
  answer.body = std::move(read->body);
  return answer;
}

Result<SignatureVerdict> explain_request(const HttpRequest& request, const PemText& merchant_certificate,
                                         const std::vector<PemText>& others) {
  const std::string& pem = merchant_certificate.pem;
  const BioHandle text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const ErrorQueueGuard guard;
  const CertificateHandle certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
  if (!certificate) {
    return configuration_error(merchant_certificate.name + " holds no certificate: give apiclient_cert.pem");
  }
  const auto key = rsa_key_of(merchant_certificate);
  if (!key) return key.error();
  auto other_keys = read_others(others);
  if (!other_keys) return std::move(other_keys).error();
  char mchid[64] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, mchid, sizeof mchid);
  const std::string serial_no = serial_no_of(certificate.get());
  return explain_captured(request, "If the client sent it, the client must sign it, too.",
                          [&](const HttpRequest& one) -> Result<SignatureVerdict> {
                            NonceMemory nonces;
                            return explain_one_request(one, {mchid, serial_no, key->get(), &nonces, other_keys->named});
                          });
}

Result<SignatureVerdict> explain_answer(const HttpResponse& answer, const PlatformKeys& keys,
                                        const std::vector<PemText>& texts, const std::vector<PemText>& others) {
  return explain_captured(answer, "If it came with the answer, a proxy on its way added it.",
                          [&](const HttpResponse& one) { return explain_one_answer(one, keys, texts, others); });
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
