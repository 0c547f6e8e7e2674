/// The definitions of everything that needs only the standard library. src/core.cpp compiles them once. With
/// WECHATPAY_BONUS_COMMIT_HEADER_ONLY, each header includes its own.
#ifndef WECHATPAY_BONUS_COMMIT_IMPL_SRC_HPP
#define WECHATPAY_BONUS_COMMIT_IMPL_SRC_HPP

#include "wechatpay/bonus_commit/impl/batch.ipp"
#include "wechatpay/bonus_commit/impl/check_options.ipp"
#include "wechatpay/bonus_commit/impl/client.ipp"
#include "wechatpay/bonus_commit/impl/client_core.ipp"
#include "wechatpay/bonus_commit/impl/commit_attempts.ipp"
#include "wechatpay/bonus_commit/impl/commit_call.ipp"
#include "wechatpay/bonus_commit/impl/commit_future.ipp"
#include "wechatpay/bonus_commit/impl/file_name.ipp"
#include "wechatpay/bonus_commit/impl/request.ipp"
#include "wechatpay/bonus_commit/impl/result.ipp"
#include "wechatpay/bonus_commit/impl/signature.ipp"
#include "wechatpay/bonus_commit/impl/stop.ipp"

#endif
