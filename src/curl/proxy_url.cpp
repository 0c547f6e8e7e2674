#include "src/curl/proxy_url.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "src/curl/handles.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace curl {
namespace {

/// The parts of a URL, not decoded.
struct ProxyUrl {
  std::string scheme = "http";
  std::string_view user_info;
  bool has_user = false;
  std::string_view host;
  std::optional<std::string_view> port;
};

using Fault = std::optional<std::string>;

const char* const encode_it = "a user or password with any of @ : / # ? must have them percent-encoded (%40 for @)";

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lowered;
}

Fault split(std::string_view text, ProxyUrl& url) {
  if (const std::size_t colon = text.find("://"); colon != std::string_view::npos) {
    url.scheme = lower(text.substr(0, colon));
    text.remove_prefix(colon + 3);
  }
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view rest = text.substr(end);
  if (rest.find('@') != std::string_view::npos) return encode_it;
  if (!rest.empty() && rest != "/") return "it may have no path, query or fragment";
  text = text.substr(0, end);
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    url.has_user = true;
    url.user_info = text.substr(0, at);
    text.remove_prefix(at + 1);
    if (text.find('@') != std::string_view::npos) return encode_it;
  }
  const std::size_t bracket = text.find(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  url.host = text.substr(0, colon);
  if (colon != std::string_view::npos) url.port = text.substr(colon + 1);
  return std::nullopt;
}

/// `text` with its percent-encoding decoded; empty if the encoding is invalid.
std::optional<std::string> decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    const std::string hex(text.substr(i + 1, 2));
    if (hex.size() != 2 || !consists_of(hex, hex_digits)) return std::nullopt;
    plain += static_cast<char>(std::strtol(hex.c_str(), nullptr, 16));
    i += 2;
  }
  return plain;
}

/// Checks the user or the password.
Fault check_secret(std::string_view text, const ProxyUrl& url) {
  const auto plain = decoded(text);
  if (!plain) return "a % in the user or password must be percent-encoded, as %25";
  if (std::any_of(plain->begin(), plain->end(), is_control)) {
    return "the user or password decodes to a control character: percent-encode each % in it, as %25";
  }
  // libcurl decodes it again for the second connection.
  if (plain->find("%00") != std::string::npos) return "libcurl cannot use a user or password that holds %00";
  if (starts_with(url.scheme, "socks5") && plain->size() > 255) return "SOCKS5 has at most 255 bytes for each";
  return std::nullopt;
}

Fault check_user(const ProxyUrl& url) {
  if (!url.has_user) return std::nullopt;
  const std::size_t colon = url.user_info.find(':');
  const bool has_password = colon != std::string_view::npos;
  const std::string_view user = url.user_info.substr(0, colon);
  const std::string_view password = has_password ? url.user_info.substr(colon + 1) : std::string_view();
  if (password.find(':') != std::string_view::npos) return encode_it;
  for (const std::string_view secret : {user, password}) {
    if (auto fault = check_secret(secret, url)) return fault;
  }
  if (starts_with(url.scheme, "http") && decoded(user)->find(':') != std::string::npos) {
    return "HTTP's user may have no colon (RFC 7617)";
  }
  if (starts_with(url.scheme, "socks4") && has_password) return "SOCKS4 knows no password";
  return std::nullopt;
}

Fault check_address(const ProxyUrl& url) {
  if (url.host.empty()) return "the host is missing";
  if (url.host.front() != '[' && url.host.find('%') != std::string_view::npos) return "the host may have no %";
  if (!url.port) return std::nullopt;
  const std::string digits(*url.port);
  const bool number = digits.size() <= 5 && consists_of(digits, decimal_digits);
  const long port = number ? std::strtol(digits.c_str(), nullptr, 10) : 0;
  if (port < 1 || port > 65535) {
    return std::string("the port must be a number from 1 to 65535") + (url.has_user ? "" : "; ") +
           (url.has_user ? "" : encode_it);
  }
  return std::nullopt;
}

Fault check_scheme(const std::string& scheme) {
  if (scheme == "https" && (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTPS_PROXY) == 0) {
    return "this libcurl cannot use https proxies";
  }
  for (const char* known : {"http", "https", "socks4", "socks4a", "socks5", "socks5h"}) {
    if (scheme == known) return std::nullopt;
  }
  return "the scheme must be http, https, socks4, socks4a, socks5 or socks5h";
}

bool libcurl_takes(const std::string& text) {
  const UrlHandle url(curl_url());
  char* host = nullptr;
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, text.c_str(),
                                     CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return false;
  }
  const bool has_host = curl_url_get(url.get(), CURLUPART_HOST, &host, CURLU_URLDECODE) == CURLUE_OK;
  const CurlText owned(host);
  return has_host;
}

}  // namespace

std::optional<std::string> proxy_fault(const std::string& url) {
  const auto unsafe = [](char c) { return is_control(c) || c == ' ' || c == '\\'; };
  if (std::any_of(url.begin(), url.end(), unsafe)) {
    return "it holds a blank, a backslash or a control character: percent-encode it";
  }
  ProxyUrl parts;
  if (auto fault = split(url, parts)) return fault;
  if (auto fault = check_scheme(parts.scheme)) return fault;
  if (auto fault = check_user(parts)) return fault;
  if (auto fault = check_address(parts)) return fault;
  if (!libcurl_takes(url)) return "libcurl cannot read it";
  return std::nullopt;
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END
