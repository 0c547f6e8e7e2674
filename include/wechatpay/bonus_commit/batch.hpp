/// A backlog of any size, in bounded memory.
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

/// How many at a time.
struct BatchOptions {
  /// So many commits are under way at a time, and in memory; the next one starts when one has ended. Of these, as many
  /// as CurlOptions::max_connections are on the wire, the others wait for their turn.
  std::size_t max_in_flight = 64;

  /// So many threads take requests and sign them; signing is four fifths of a commit's work. 1 is the calling thread.
  unsigned threads = 1;

  /// Once the stop is requested, no further commit starts; those under way end as ever.
  StopToken stop{};
};

/// How a batch went.
struct BatchSummary {
  std::uint64_t credited = 0;  ///< ended in a receipt
  std::uint64_t failed = 0;    ///< ended in an error
  bool stopped = false;        ///< before its end
};

/// The next request of a backlog; nothing at its end. Called by one thread at a time.
using NextRequest = MoveOnlyFunction<std::optional<BonusCommitRequest>()>;

/// Takes each request with its result, as it comes; false stops the batch. Called by one thread at a time, the
/// transport's mostly, so be short. An exception counts as false.
using TakeResult = MoveOnlyFunction<bool(const BonusCommitRequest&, const CommitResult&)>;

/// Commits everything that `next` gives, and returns when all of it has ended. Before it starts a commit, it waits for
/// its place in the client's rate limit, or for the end of the halt after a 429, however long that is; the commit's
/// deadline begins then. Where the batch is stopped meanwhile, that request is handed over with `rate_limited`. An
/// exception of `next` ends the batch, and is thrown on when what is under way has ended. Fails, and takes nothing from
/// `next`, with `invalid_configuration` on an option that is 0, and with `misuse` where `next` or `take` is empty, in a
/// callback or hook, where it would wait for itself (in the thread of an EventLoop of yours it would, too), and in a
/// child process after fork().
WECHATPAY_BONUS_COMMIT_EXPORT Result<BatchSummary> commit_all(const BonusCommitClient& client, NextRequest next,
                                                              TakeResult take, const BatchOptions& options = {});

/// The same for a range of requests: anything that std::begin() and std::end() take.
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
