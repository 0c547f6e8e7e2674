/// Describes a text or a file that is not the expected key or certificate. No function here quotes it.
#ifndef WECHATPAY_SRC_OPENSSL_KEY_TEXT_HPP
#define WECHATPAY_SRC_OPENSSL_KEY_TEXT_HPP

#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// What the bytes are, as a verb and its object: "holds a certificate", "is an HTML page".
std::string contents_of(std::string_view bytes);

/// What happened to a PEM text whose BEGIN line cannot be read: line breaks lost, lines indented or quoted. Empty if a
/// BEGIN line is intact, and if there is none. A verb and its object.
std::string pem_form_fault(std::string_view text);

/// `text` without the UTF-8 byte order mark, which some editors put before it.
std::string_view without_byte_order_mark(std::string_view text);

WECHATPAY_BONUS_COMMIT_END

#endif
