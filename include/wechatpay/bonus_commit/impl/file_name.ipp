#ifndef WECHATPAY_BONUS_COMMIT_IMPL_FILE_NAME_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_FILE_NAME_IPP

#include "wechatpay/bonus_commit/stages/file_name.hpp"

#include <cstddef>
#include <filesystem>
#include <system_error>

#include "wechatpay/bonus_commit/stages/base64.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

WECHATPAY_BONUS_COMMIT_DECL std::string file_name_fault(std::string_view name) {
  constexpr std::size_t longest_path = 4096;  // PATH_MAX on Linux
  constexpr std::size_t longest_name = 255;   // NAME_MAX

  if (name.empty()) return "is empty";
  if (name.find("-----BEGIN") != std::string_view::npos) return "is the key itself, not a file's name";
  if (has_control_character(name)) {
    const bool at_the_end = !has_control_character(name.substr(0, name.find_last_not_of("\r\n") + 1));
    return at_the_end ? "ends with a line break, which no file's name does"
                      : "holds control characters, as no file's name does; it may be the key itself";
  }
  // How Base64 of DER (SEQUENCE) and of PEM begins, and how hex of DER begins.
  const bool encoded = starts_with(name, "MI") || starts_with(name, "LS0tLS1CRUdJTi") || starts_with(name, "3082");
  if (encoded && name.size() >= 100 && name.find_first_not_of(base64_characters) == std::string_view::npos) {
    return "is an encoded key or certificate, not a file's name";
  }
  if (starts_with(name, "file:")) return "is a file: URL; give only the path";
  if (name.find("://") != std::string_view::npos) return "is a URL, not a file's name";
  std::size_t longest = 0;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = name.find_first_of("/\\", at);
    const std::size_t size = (end == std::string_view::npos ? name.size() : end) - at;
    longest = size > longest ? size : longest;
    at += size + 1;
  }
  if (name.size() > longest_path || longest > longest_name) {
    return "is longer than a file's name can be; it may be the key itself";
  }
  return {};
}

WECHATPAY_BONUS_COMMIT_DECL bool file_name_is_harmless(const std::string& name) {
  if (!file_name_fault(name).empty()) return false;
  std::error_code ignored;
#if defined(_WIN32)
  const std::filesystem::path path = std::filesystem::u8path(name);
#else
  const std::filesystem::path path(name);
#endif
  if (std::filesystem::exists(path, ignored)) return true;
  const std::filesystem::path folder = path.parent_path();
  if (folder.has_relative_path() && folder != "." && std::filesystem::is_directory(folder, ignored)) return true;

  for (const char c : name) {
    const bool usual = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       static_cast<unsigned char>(c) >= 0x80 ||
                       std::string_view("/\\._-~: ").find(c) != std::string_view::npos;
    if (!usual) return false;
  }
  const std::string upper = upper_case(name);
  for (const std::string_view end : {".PEM", ".P12", ".PFX", ".KEY", ".CRT", ".CER", ".DER", ".PUB", ".TXT", ".CSV",
                                     ".JSON", ".JSONL", ".DB", ".JOURNAL", ".FAILED"}) {
    if (upper.size() > end.size() && upper.compare(upper.size() - end.size(), end.size(), end) == 0) return true;
  }
  return false;
}

WECHATPAY_BONUS_COMMIT_DECL std::string file_in_message(const std::string& name, std::string_view argument) {
  constexpr std::size_t most = 1000;
  if (file_name_is_harmless(name)) return printable(name, most);
  return "the file given as " + std::string(argument) + " (not shown here, since it may be a secret)";
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif
