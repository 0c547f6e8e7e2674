#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>
#include <array>
#include <string_view>

#include "src/outbox/session.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

constexpr std::array<std::string_view, 4> schemes = {"postgresql://", "postgres://", "mysql://", "mariadb://"};

std::string_view behind_scheme(std::string_view url) {
  for (const std::string_view scheme : schemes) {
    if (stages::starts_with(url, scheme)) return url.substr(scheme.size());
  }
  return {};
}

/// Whether the port of each host is a number. In a URL with a password but no host after it, the password is in the
/// port's place.
bool ports_are_numbers(std::string_view hosts) {
  while (!hosts.empty()) {
    const std::string_view host = hosts.substr(0, hosts.find(','));
    hosts.remove_prefix(std::min(hosts.size(), host.size() + 1));
    const std::size_t bracket = host.rfind(']');
    const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon == std::string_view::npos) continue;
    if (host.find_first_not_of(stages::decimal_digits, colon + 1) != std::string_view::npos) return false;
  }
  return true;
}

}  // namespace

std::string fault_of_url(const std::string& url) {
  if (url.find_first_of("\r\n") != std::string::npos) return "must be one line";
  if (url.find('\0') != std::string::npos) return "must not hold a NUL";
  const std::string_view rest = behind_scheme(url);
  if (rest.empty()) {
    return "must begin with postgresql:// or mysql:// (it is not shown here, since it may hold a password)";
  }
  // A client would read a part of such a password as host, port or database name, and quote it in its errors.
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const std::size_t at = authority.find('@');
  const std::size_t user_ends = at == std::string_view::npos ? 0 : at;
  if (rest.rfind('@') != at || authority.substr(0, user_ends).find_first_of("?#") != std::string_view::npos) {
    return "has @ / ? # in a user, a password or an option: write %40 %2F %3F %23";
  }
  const std::string_view hosts = authority.substr(at == std::string_view::npos ? 0 : at + 1);
  if (!ports_are_numbers(hosts.substr(0, hosts.find('?')))) return "has a port that is no number";
  return "";
}

bool has_password(const std::string& url) {
  const std::string_view rest = behind_scheme(url);
  const std::size_t at = rest.rfind('@');
  if (at != std::string_view::npos && rest.substr(0, at).find(':') != std::string_view::npos) return true;
  const std::size_t query = rest.find('?');
  if (query == std::string_view::npos) return false;
  const std::string_view options = rest.substr(query);
  // The option's name may contain the word in percent-encoded form.
  for (std::size_t begin = 0; begin != std::string_view::npos; begin = options.find('&', begin + 1)) {
    const std::string_view name = options.substr(begin + 1, options.find_first_of("=&", begin + 1) - begin - 1);
    if (name.find("password") != std::string_view::npos || name.find('%') != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace wechatpay::bonus_commit::outbox
