#include "src/openssl/key_text.hpp"

#include <cstddef>

#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace {

constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view blanks = " \t\r\n";

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool begins(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

bool ends(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

bool only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// Whether the text is PEM, rather than JSON or a page that contains PEM.
bool is_pem(std::string_view text) {
  return holds(text, begin_mark) && std::string_view("{[<").find(trimmed(text)[0]) == std::string_view::npos;
}

/// The contents according to the BEGIN line; empty if the label is unknown.
std::string contents_of_pem(std::string_view text) {
  struct Kind {
    std::string_view label;
    const char* contents;
  };
  constexpr Kind kinds[] = {
      {"BEGIN OPENSSH PRIVATE KEY", "holds an OpenSSH private key"},
      {"BEGIN EC PRIVATE KEY", "holds an elliptic-curve private key; WeChat Pay signs with RSA"},
      {"BEGIN DSA PRIVATE KEY", "holds a DSA private key; WeChat Pay signs with RSA"},
      {"BEGIN PGP", "holds PGP data"},
      {"PRIVATE KEY-----", "holds a private key"},
      {"BEGIN CERTIFICATE REQUEST", "holds a certificate request (CSR), not the certificate made from it"},
      {"BEGIN NEW CERTIFICATE REQUEST", "holds a certificate request (CSR), not the certificate made from it"},
      {"BEGIN TRUSTED CERTIFICATE",
       "holds a certificate in OpenSSL's own form (TRUSTED CERTIFICATE); openssl x509 -in FILE converts it"},
      {"BEGIN CERTIFICATE-----", "holds a certificate"},
      {"BEGIN X509 CERTIFICATE-----", "holds a certificate"},
      {"BEGIN PKCS7", "holds certificates as PKCS#7; openssl pkcs7 -print_certs -in FILE converts them"},
      {"BEGIN CMS", "holds CMS (PKCS#7) data"},
      {"BEGIN X509 CRL", "holds a list of revoked certificates (CRL)"},
      {"BEGIN EC PARAMETERS", "holds parameters of an elliptic curve, no key"},
      {"BEGIN DH PARAMETERS", "holds Diffie-Hellman parameters, no key"},
      {"PUBLIC KEY-----", "holds a public key"},
  };
  for (const Kind& kind : kinds) {
    if (holds(text, kind.label)) return kind.contents;
  }
  return {};
}

std::string contents_of_binary(std::string_view bytes) {
  if (begins(bytes, "PK\x03\x04")) {
    return "is a .zip archive, as WeChat Pay delivers certificates; unpack it and give the file in it";
  }
  if (begins(bytes, "\x1F\x8B")) return "is compressed (gzip); unpack it";
  const bool utf16_mark = begins(bytes, "\xFF\xFE") || begins(bytes, "\xFE\xFF");
  const bool every_other_is_nul = bytes.size() >= 4 && (bytes[0] == 0) != (bytes[1] == 0) &&
                                  (bytes[2] == 0) != (bytes[3] == 0) && (bytes[0] == 0) == (bytes[2] == 0);
  if (utf16_mark || every_other_is_nul) return "is UTF-16 text; save it as UTF-8 or ASCII";
  if (begins(bytes, "0\x80") || begins(bytes, "0\x81") || begins(bytes, "0\x82") || begins(bytes, "0\x83")) {
    return "is binary (DER or PKCS#12), not PEM";
  }
  return {};
}

std::string contents_of_text(std::string_view text) {
  constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n";
  const std::string upper = upper_case(text.substr(0, 200));
  if (begins(text, "{") || begins(text, "[")) {
    return holds(text, "\"kty\"") ? "is a key in JSON (JWK), not PEM" : "is JSON, not PEM";
  }
  if (begins(upper, "<!DOCTYPE HTML") || holds(upper, "<HTML")) {
    return "is an HTML page, perhaps of a login or an error, not what was to be downloaded";
  }
  if (begins(text, "<")) return "is XML or HTML, not PEM";
  if (begins(text, "PuTTY-User-Key-File")) return "holds a PuTTY private key";
  if (begins(text, "ssh-") || begins(text, "ecdsa-") || begins(text, "---- BEGIN SSH2")) {
    return "holds an SSH public key";
  }
  if (begins(text, "file:")) return "is a file: URL, not the file's contents";
  const bool one_line = text.find_first_of("\r\n") == std::string_view::npos && text.size() <= 4096;
  for (const std::string_view end : {".PEM", ".P12", ".KEY", ".CRT", ".CER", ".PFX"}) {
    if (one_line && ends(upper_case(text), end)) {
      return "is a file's name, not the file's contents; the function for files reads it";
    }
  }
  if (begins(text, "LS0tLS1CRUdJTi") && only(text, base64)) {
    return "is Base64 of a PEM file, as Kubernetes keeps a Secret; decode it (base64 -d)";
  }
  if (begins(text, "MI") && text.size() >= 64 && only(text, base64)) {
    return "is Base64 without PEM's first and last line";
  }
  if (begins(text, "3082") && only(text, "0123456789abcdefABCDEF: \t\r\n")) return "is hex, not PEM";
  if (holds(text, "BEGIN ") && (holds(text, " KEY") || holds(text, "CERTIFICATE"))) {
    return "has a first line without its five hyphens before and after";
  }
  return {};
}

}  // namespace

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  return begins(text, mark) ? text.substr(mark.size()) : text;
}

std::string contents_of(std::string_view bytes) {
  const std::string_view text = trimmed(without_byte_order_mark(bytes));
  if (bytes.empty()) return "is empty";
  if (text.empty()) return "holds nothing but blanks";
  if (std::string contents = contents_of_binary(bytes); !contents.empty()) return contents;
  std::string contents = is_pem(text) ? contents_of_pem(text) : contents_of_text(text);
  return contents.empty() ? "is not PEM" : contents;
}

std::string pem_form_fault(std::string_view text) {
  if (!is_pem(text)) return {};
  std::string_view before;
  std::string_view after;
  for (std::size_t at = text.find(begin_mark); at != std::string_view::npos; at = text.find(begin_mark, at + 1)) {
    before = text.substr(0, at);
    before.remove_prefix(before.rfind('\n') + 1);  // npos + 1 is 0
    after = text.substr(at + begin_mark.size());
    const std::size_t end = after.find("-----");
    if (end == std::string_view::npos) return "has a first line that is not complete";
    after.remove_prefix(end + 5);
    const std::size_t rest = after.find_first_not_of(" \t\r");
    if (before.empty() && rest != std::string_view::npos && after[rest] == '\n') return {};
  }
  if (begins(after, "\\n") || begins(after, "\\r")) {
    return "has the two characters \\n in place of each line break, as JSON and environment files write them";
  }
  if (!before.empty()) {
    return trimmed(before).empty() ? "has indented lines; each must begin at the first column"
                                   : "has a quotation mark or other text before its first line";
  }
  if (after.find('\n') == std::string_view::npos && begins(after, "\r")) {
    return "has only CR as its line breaks; save it with LF or CRLF";
  }
  return "is PEM in one line; its line breaks are lost";
}

WECHATPAY_BONUS_COMMIT_END
