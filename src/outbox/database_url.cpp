#include <array>
#include <string_view>

#include "src/outbox/session.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

constexpr std::array<std::string_view, 4> schemes = {"postgresql://", "postgres://", "mysql://", "mariadb://"};

std::string_view behind_scheme(std::string_view url) {
  for (const std::string_view scheme : schemes) {
    if (url.substr(0, scheme.size()) == scheme) return url.substr(scheme.size());
  }
  return {};
}

}  // namespace

std::string fault_of_url(const std::string& url) {
  if (url.find_first_of("\r\n") != std::string::npos) return "must be one line";
  if (url.find('\0') != std::string::npos) return "must not hold a NUL";
  for (const std::string_view scheme : schemes) {
    if (url.compare(0, scheme.size(), scheme) == 0) return "";
  }
  return "must begin with postgresql:// or mysql:// (it is not shown here, since it may hold a password)";
}

bool has_password(const std::string& url) {
  const std::string_view rest = behind_scheme(url);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos && authority.substr(0, at).find(':') != std::string_view::npos) return true;
  const std::size_t query = rest.find('?');
  if (query == std::string_view::npos) return false;
  const std::string_view options = rest.substr(query);
  // A percent sign in an option's name may hide the word.
  for (std::size_t begin = 0; begin != std::string_view::npos; begin = options.find('&', begin + 1)) {
    const std::string_view name = options.substr(begin + 1, options.find_first_of("=&", begin + 1) - begin - 1);
    if (name.find("password") != std::string_view::npos || name.find('%') != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace wechatpay::bonus_commit::outbox
