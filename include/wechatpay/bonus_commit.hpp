/// The public API of wechatpay-bonus-commit. Include this one. Two headers are left to those who use what they are
/// about: json.hpp (nlohmann/json) and coroutine.hpp (C++20).
#ifndef WECHATPAY_BONUS_COMMIT_HPP
#define WECHATPAY_BONUS_COMMIT_HPP

/// \mainpage
/// Begin with wechatpay::bonus_commit::BonusCommitClient, whose commit() takes a
/// wechatpay::bonus_commit::BonusCommitRequest and gives a wechatpay::bonus_commit::CommitResult: a
/// wechatpay::bonus_commit::CommitReceipt, or a wechatpay::bonus_commit::Error that says what became of the commit. It
/// is made of wechatpay::bonus_commit::Credentials and wechatpay::bonus_commit::PlatformKeys.

/// \namespace wechatpay::bonus_commit
/// All of the library.

/// \defgroup stages Stages behind the client
/// What a commit is made of (namespace stages), to be read, tested and inlined. It is not API: a minor release may
/// change it. Everything outside of this group is API, and keeps its meaning for as long as the major version lasts.

// In the order in which they are best read; each includes only what stands above it.
// clang-format off
#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/stop.hpp"
#include "wechatpay/bonus_commit/move_only_function.hpp"
#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/transport.hpp"
#include "wechatpay/bonus_commit/hooks.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/call_options.hpp"
#include "wechatpay/bonus_commit/commit_future.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/batch.hpp"
#include "wechatpay/bonus_commit/event_loop.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"
// clang-format on

#endif
