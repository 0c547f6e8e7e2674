/// Everything for committing bonus points: include this one. Left out, since others need not parse it: json.hpp and
/// coroutine.hpp, for those who use what they are about; nonce_memory.hpp, verification.hpp, redaction.hpp, advice.hpp
/// and answer.hpp, for those who call the stages behind the client themselves.
#ifndef WECHATPAY_BONUS_COMMIT_HPP
#define WECHATPAY_BONUS_COMMIT_HPP

/// \mainpage
/// Begin with wechatpay::BonusCommitClient, whose commit() takes a wechatpay::BonusCommitRequest and gives a
/// wechatpay::CommitResult: a wechatpay::CommitReceipt, or a wechatpay::Error that says what became of the commit. It
/// is made of wechatpay::Credentials and wechatpay::PlatformKeys.

/// \namespace wechatpay
/// All of the library.

/// \defgroup stages Stages behind the client
/// They can be seen, so that they can be read, tested and inlined; but they are not API: a minor release may change
/// them. Everything outside of this group is API, and keeps its meaning for as long as the major version lasts.

// In the order in which a request walks through them; each includes only what stands above it.
// clang-format off
#include "wechatpay/bonus_commit/export.hpp"
#include "wechatpay/bonus_commit/version.hpp"
#include "wechatpay/bonus_commit/text.hpp"
#include "wechatpay/bonus_commit/file_name.hpp"
#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/body.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/move_only_function.hpp"
#include "wechatpay/bonus_commit/stop.hpp"
#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/transport.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"
#include "wechatpay/bonus_commit/retry.hpp"
#include "wechatpay/bonus_commit/rate_limit.hpp"
#include "wechatpay/bonus_commit/watching.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/call_options.hpp"
#include "wechatpay/bonus_commit/commit_future.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/batch.hpp"
#include "wechatpay/bonus_commit/event_loop.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"
// clang-format on

#endif
