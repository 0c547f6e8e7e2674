#include "src/openssl/key_text.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace {

constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view blanks = " \t\r\n";

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// Whether the text is PEM, rather than JSON or a page that contains PEM.
bool is_pem(std::string_view text) {
  constexpr std::string_view others = "{[<";
  return holds(text, begin_mark) && others.find(trimmed(text).front()) == std::string_view::npos;
}

/// The contents according to the BEGIN line.
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
  return "is PEM of a kind that is not known";
}

/// What a text is that begins with certain bytes.
struct Form {
  std::string_view beginning;
  const char* contents;
  std::string_view characters = {};  ///< it has no others; empty if it has any
  std::size_t shortest = 0;
};

template <std::size_t Size>
std::string contents_by_form(std::string_view text, const Form (&forms)[Size]) {
  for (const Form& form : forms) {
    const bool fits = form.characters.empty() || consists_of(text, form.characters);
    if (fits && starts_with(text, form.beginning) && text.size() >= form.shortest) return form.contents;
  }
  return {};
}

std::string contents_of_binary(std::string_view bytes) {
  constexpr const char* utf16 = "is UTF-16 text; save it as UTF-8 or ASCII";
  constexpr const char* der = "is binary (DER or PKCS#12), not PEM";
  constexpr Form forms[] = {
      {"PK\x03\x04", "is a .zip archive, as WeChat Pay delivers certificates; unpack it and give the file in it"},
      {"\x1F\x8B", "is compressed (gzip); unpack it"},
      {"\xFF\xFE", utf16},
      {"\xFE\xFF", utf16},
      {"0\x80", der},
      {"0\x81", der},
      {"0\x82", der},
      {"0\x83", der},
  };
  const bool every_other_is_nul = bytes.size() >= 4 && (bytes[0] == 0) != (bytes[1] == 0) &&
                                  (bytes[2] == 0) != (bytes[3] == 0) && (bytes[0] == 0) == (bytes[2] == 0);
  if (every_other_is_nul) return utf16;
  return contents_by_form(bytes, forms);
}

bool is_file_name(std::string_view text) {
  constexpr std::string_view ends[] = {".PEM", ".P12", ".KEY", ".CRT", ".CER", ".PFX"};
  if (text.size() <= 4 || text.size() > 4096 || text.find_first_of("\r\n") != std::string_view::npos) return false;
  const std::string end = upper_case(text.substr(text.size() - 4));
  return std::find(std::begin(ends), std::end(ends), end) != std::end(ends);
}

std::string contents_of_text(std::string_view text) {
  constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n";
  constexpr const char* ssh = "holds an SSH public key";
  constexpr Form forms[] = {
      {"<", "is XML or HTML, not PEM"},
      {"PuTTY-User-Key-File", "holds a PuTTY private key"},
      {"ssh-", ssh},
      {"ecdsa-", ssh},
      {"---- BEGIN SSH2", ssh},
      {"file:", "is a file: URL, not the file's contents"},
      {"LS0tLS1CRUdJTi", "is Base64 of a PEM file, as Kubernetes keeps a Secret; decode it (base64 -d)", base64},
      {"MI", "is Base64 without PEM's first and last line", base64, 64},
      {"3082", "is hex, not PEM", "0123456789abcdefABCDEF: \t\r\n"},
  };
  if (text.front() == '{' || text.front() == '[') {
    return holds(text, "\"kty\"") ? "is a key in JSON (JWK), not PEM" : "is JSON, not PEM";
  }
  const std::string upper = upper_case(text.substr(0, 200));
  for (const std::string_view mark : {"<!DOCTYPE HTML", "<HTML"}) {
    if (holds(upper, mark)) {
      return "is an HTML page, perhaps of a login or an error, not what was to be downloaded";
    }
  }
  if (std::string contents = contents_by_form(text, forms); !contents.empty()) return contents;
  if (is_file_name(text)) return "is a file's name, not the file's contents; the function for files reads it";
  const bool begins_a_block = holds(text, "BEGIN ");
  for (const std::string_view label : {" KEY", "CERTIFICATE"}) {
    if (begins_a_block && holds(text, label)) return "has a first line without its five hyphens before and after";
  }
  return "is not PEM";
}

}  // namespace

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  return starts_with(text, mark) ? text.substr(mark.size()) : text;
}

std::string contents_of(std::string_view bytes) {
  const std::string_view text = trimmed(without_byte_order_mark(bytes));
  if (bytes.empty()) return "is empty";
  if (text.empty()) return "holds nothing but blanks";
  if (std::string contents = contents_of_binary(bytes); !contents.empty()) return contents;
  return is_pem(text) ? contents_of_pem(text) : contents_of_text(text);
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
  const bool escaped_lf = starts_with(after, "\\n");
  const bool escaped_cr = starts_with(after, "\\r");
  if (escaped_lf || escaped_cr) {
    return "has the two characters \\n in place of each line break, as JSON and environment files write them";
  }
  if (!before.empty()) {
    return trimmed(before).empty() ? "has indented lines; each must begin at the first column"
                                   : "has a quotation mark or other text before its first line";
  }
  const bool has_cr = starts_with(after, "\r");
  if (has_cr && after.find('\n') == std::string_view::npos) {
    return "has only CR as its line breaks; save it with LF or CRLF";
  }
  return "is PEM in one line; its line breaks are lost";
}

WECHATPAY_BONUS_COMMIT_END
