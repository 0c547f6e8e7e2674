// Names of files that come from arguments and the environment: judged before they are opened or shown.
#ifndef WECHATPAY_BONUS_COMMIT_CLI_FILE_NAME_HPP
#define WECHATPAY_BONUS_COMMIT_CLI_FILE_NAME_HPP

#include <wechatpay/bonus_commit/text.hpp>

#include <climits>
#include <string>
#include <string_view>

/// Why `name` cannot be a file's name; empty where it can be one. Begins with a verb. A text with a fault is neither
/// opened nor quoted.
inline std::string file_name_fault(std::string_view name) {
  if (name.find("-----BEGIN") != std::string_view::npos) return "is the key itself, not a file's name";
  if (wechatpay::has_control_character(name)) return "holds control characters, as no file's name does";
  if (name.size() >= PATH_MAX) return "is longer than a file's name can be; it may be the key itself";
  return {};
}

/// How a message calls the file `name` that was given as `argument`: by its name where that is harmless, else by the
/// argument's.
inline std::string file_in_message(const std::string& name, std::string_view argument) {
  constexpr std::size_t most = 1000;
  return file_name_fault(name).empty() ? wechatpay::printable(name, most)
                                       : "the file given as " + std::string(argument);
}

#endif
