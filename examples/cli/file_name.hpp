// Names of files that come from arguments and the environment: judged before they are opened or shown.
#ifndef WECHATPAY_BONUS_COMMIT_CLI_FILE_NAME_HPP
#define WECHATPAY_BONUS_COMMIT_CLI_FILE_NAME_HPP

#include <wechatpay/bonus_commit/text.hpp>

#include <climits>
#include <string>
#include <string_view>

/// Why `name` is not the name of a file, without quoting it; empty where it may be one.
inline std::string fault_of_file_name(std::string_view name) {
  const bool holds_key = name.find("-----BEGIN") != std::string_view::npos;
  if (holds_key || wechatpay::has_control_character(name) || name.size() >= PATH_MAX) {
    return "this is the key itself, or no name of a file; give a file's name";
  }
  return "";
}

/// The name of a file for a message.
inline std::string shown_file_name(std::string_view name) { return wechatpay::printable(name, PATH_MAX); }

#endif
