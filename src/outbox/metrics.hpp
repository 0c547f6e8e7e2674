// What a relay has done and what its outbox holds: as text for Prometheus and as a health check. Pure functions.
#ifndef WECHATPAY_SRC_OUTBOX_METRICS_HPP
#define WECHATPAY_SRC_OUTBOX_METRICS_HPP

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "src/outbox/store.hpp"

namespace wechatpay::bonus_commit::outbox {

/// The delays between the insertion of rows and the credit of their orders.
struct CreditDelays {
  static constexpr std::array<int, 10> bounds{1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86400};  ///< seconds

  std::array<std::uint64_t, bounds.size() + 1> counts{};  ///< one for each range; the last range has no upper limit
  double seconds = 0;                                     ///< the sum of all delays

  void add(std::chrono::milliseconds delay);
};

/// The state of the outbox at one moment.
struct Observation {
  using Clock = std::chrono::steady_clock;

  Clock::time_point time{};
  Status status{};
  Health health{};
};

/// The state of one relay at one moment. Counts are since its start.
struct Metrics {
  using Clock = std::chrono::steady_clock;

  std::uint64_t claims = 0;  ///< rows
  Settled settled{};
  std::uint64_t leases_lost = 0;
  std::map<std::string, std::uint64_t> database_errors{};  ///< by SQLSTATE or the vendor's number; "": neither
  CreditDelays credit_delays{};

  std::size_t in_flight = 0;
  bool breaker_closed = false;
  bool calls_fail = false;             ///< the breaker is open because calls fail, not because no call was made yet
  bool has_rate = false;               ///< there is a rate limit that all relays of the merchant share
  std::chrono::milliseconds delay{0};  ///< how long a row waits before its first commit; it counts as due meanwhile
  bool rate_limited = false;           ///< after a 429
  std::size_t merchants_without_permission = 0;  ///< or cards of them, held after a refused permission
  std::size_t merchants_doubted = 0;             ///< held because WeChat Pay refused the merchant id
  Clock::time_point moved_at{};  ///< the last progress, at first the start; a claim for a probe does not count
  Clock::time_point waited_for_rate_at{};  ///< when a claim last took no rows because of the shared rate
  std::optional<Clock::time_point> database_failing_since{};
  std::optional<Observation> observed{};  ///< nothing until the first observation
};

/// The metrics in Prometheus' text format, version 0.0.4. Observations older than one minute are left out.
std::string to_text(const Metrics& metrics, Metrics::Clock::time_point now);

/// Why the relay makes no progress. Empty if it makes progress or has nothing to do. `limit`: how long it may go
/// without progress. `start`: when the relay started.
std::string health_fault(const Metrics& metrics, Metrics::Clock::time_point start, Metrics::Clock::time_point now,
                         std::chrono::seconds limit);

}  // namespace wechatpay::bonus_commit::outbox

#endif
