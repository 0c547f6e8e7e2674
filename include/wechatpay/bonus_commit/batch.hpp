/// Commits a backlog of any size in bounded memory.
#ifndef WECHATPAY_BONUS_COMMIT_BATCH_HPP
#define WECHATPAY_BONUS_COMMIT_BATCH_HPP

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/config.hpp"
#include "wechatpay/bonus_commit/move_only_function.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/stop.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

/// Limits of a batch.
struct BatchOptions {
  /// The maximum number of commits in progress, and of requests in memory. The next commit starts when one has ended.
  /// At most CurlOptions::max_connections of them are being sent at the same time; the others wait.
  std::size_t max_in_flight = 64;

  /// The number of threads that take requests from the source and sign them. Signing is four fifths of a commit's CPU
  /// time. With 1, only the calling thread does so.
  unsigned threads = 1;

  /// After a stop is requested, no further commit starts. Commits in progress continue to their end.
  StopToken stop{};
};

/// The result of a batch.
struct BatchSummary {
  std::uint64_t credited = 0;  ///< commits that ended with a receipt
  std::uint64_t failed = 0;    ///< commits that ended with an error
  bool stopped = false;        ///< the batch was stopped before its end
};

/// Returns the next request of a backlog, or nothing at its end. Called by one thread at a time.
using NextRequest = MoveOnlyFunction<std::optional<BonusCommitRequest>()>;

/// Receives each request with its result when it is known. Return false to stop the batch. Called by one thread at a
/// time, mostly the transport's thread, so return quickly. An exception counts as false.
using TakeResult = MoveOnlyFunction<bool(const BonusCommitRequest&, const CommitResult&)>;

/// Commits all requests that `next` returns, and returns when all of these commits have ended. Before it starts a
/// commit, it waits for a place in the client's rate limit, or for the end of the pause after a 429, however long that
/// takes. The commit's deadline starts then. If the batch is stopped during this wait, `take` receives that request
/// with the error `rate_limited`. An exception thrown by `next` ends the batch; it is rethrown after the commits in
/// progress have ended.
///
/// Fails without calling `next`: with `invalid_configuration` if an option is 0; with `misuse` if `next` or `take` is
/// empty, in a callback or hook, where it would wait for itself, and in a child process after fork(). In the thread of
/// your own EventLoop it would wait for itself, too; do not call it there.
WECHATPAY_BONUS_COMMIT_EXPORT Result<BatchSummary> commit_all(const BonusCommitClient& client, NextRequest next,
                                                              TakeResult take, const BatchOptions& options = {});

/// The same for a range of requests: anything that std::begin() and std::end() accept.
template <typename Range, typename = decltype(BonusCommitRequest(*std::begin(std::declval<Range&>())))>
Result<BatchSummary> commit_all(const BonusCommitClient& client, Range&& requests, TakeResult take,
                                const BatchOptions& options = {}) {
  auto at = std::begin(requests);
  const auto end = std::end(requests);
  const auto next = [&]() -> std::optional<BonusCommitRequest> {
    if (at == end) return std::nullopt;
    std::optional<BonusCommitRequest> request(*at);
    ++at;
    return request;
  };
  return commit_all(client, NextRequest(next), std::move(take), options);
}

WECHATPAY_BONUS_COMMIT_END

#if defined(WECHATPAY_BONUS_COMMIT_HEADER_ONLY)
#include "wechatpay/bonus_commit/impl/batch.ipp"
#endif

#endif
