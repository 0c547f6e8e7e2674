/// File names that may be secrets: a key or a passphrase given by mistake where a file's name belongs must not reach a
/// message.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_FILE_NAME_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_FILE_NAME_HPP

#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// Why `name` cannot be a file's name: it holds the key itself, or a control character, or is empty, too long or a URL.
/// Empty where it can be one. A text with a fault is neither opened nor quoted. Begins with a verb: "is empty".
WECHATPAY_BONUS_COMMIT_EXPORT std::string file_name_fault(std::string_view name);

/// Whether a message may quote `name`: no passphrase or key is taken for a file's name by mistake and shown. So it must
/// name something that is there, or lie in a folder that is there (other than the root and the working folder), or end
/// as files of keys and orders do (.pem, .p12, .csv…) and consist of characters that are usual in a path.
WECHATPAY_BONUS_COMMIT_EXPORT bool file_name_is_harmless(const std::string& name);

/// How a message calls the file `name` that was given as `argument` ("key_file"): by its name where that is harmless,
/// else by the argument's.
WECHATPAY_BONUS_COMMIT_EXPORT std::string file_in_message(const std::string& name, std::string_view argument);

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/file_name.ipp"
#endif

#endif
