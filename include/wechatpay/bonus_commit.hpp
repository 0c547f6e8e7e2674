/// The public API of wechatpay-bonus-commit: include this header. It does not include two optional headers: json.hpp
/// (for nlohmann/json) and coroutine.hpp (for C++20).
#ifndef WECHATPAY_BONUS_COMMIT_HPP
#define WECHATPAY_BONUS_COMMIT_HPP

/// \mainpage
/// Start with wechatpay::bonus_commit::BonusCommitClient. It is created from wechatpay::bonus_commit::Credentials and
/// wechatpay::bonus_commit::PlatformKeys. Its function commit() takes a wechatpay::bonus_commit::BonusCommitRequest and
/// returns a wechatpay::bonus_commit::CommitResult: a wechatpay::bonus_commit::CommitReceipt, or a
/// wechatpay::bonus_commit::Error that tells whether the commit may have taken effect.

/// \namespace wechatpay::bonus_commit
/// All names of the library.

/// \defgroup stages Stages behind the client
/// The parts of a commit (namespace stages), for reading, testing and inlining. They are not API: a minor release may
/// change them. Everything outside this group is API, and keeps its meaning within a major version.

// In reading order; each header includes only headers above it.
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
