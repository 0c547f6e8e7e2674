/// File names that may be secrets: a key or a passphrase that was passed as a file name by mistake must not appear in a
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

/// Why `name` cannot be a file name: it contains the key itself or a control character, or it is empty, too long or a
/// URL. Empty if it can be one. A text with a fault is neither opened nor quoted. Begins with a verb: "is empty".
WECHATPAY_BONUS_COMMIT_EXPORT std::string file_name_fault(std::string_view name);

/// Whether a message may quote `name`, so that a passphrase or a key passed by mistake is never shown. `name` must meet
/// one of these conditions: the file exists; it is in an existing folder other than the root and the working folder; or
/// it has an extension of key or order files (.pem, .p12, .csv…) and only characters that are usual in a path.
WECHATPAY_BONUS_COMMIT_EXPORT bool file_name_is_harmless(const std::string& name);

/// How a message refers to the file `name` that was passed as `argument` ("key_file"): by its name if that may be
/// quoted, else by the argument's name.
WECHATPAY_BONUS_COMMIT_EXPORT std::string file_in_message(const std::string& name, std::string_view argument);

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/file_name.ipp"
#endif

#endif
