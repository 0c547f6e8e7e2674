// The outbox for workers (Store) and for operators (Administration). Each kind of database has one implementation.
#ifndef WECHATPAY_SRC_OUTBOX_STORE_HPP
#define WECHATPAY_SRC_OUTBOX_STORE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/outbox/fairness.hpp"
#include "src/outbox/polling.hpp"
#include "src/outbox/row.hpp"
#include "src/outbox/session.hpp"

namespace wechatpay::bonus_commit::outbox {

/// The version of the tables that this code creates, and the oldest version that it works with: the previous one, once
/// there is one.
inline constexpr int schema_version = 1;
inline constexpr int oldest_version = 1;

/// The owner of the outbox. An outbox of another merchant or another host is refused.
struct Owner {
  std::string merchant{};
  std::string host{};  ///< as host_of() writes it
};

/// The hosts of the origins, for the tables: sorted and separated by commas, so that the order does not matter.
std::string host_of(std::vector<std::string> origins);

struct Claim {
  std::string token{};
  std::size_t most = 1;
  std::chrono::milliseconds lease{90000};
  std::int64_t low = 0;  ///< only rows due since then, in microseconds since 1970; 0: all due rows
  std::string merchant{};
  Pace pace{};
  std::chrono::milliseconds delay{0};  ///< only rows inserted at least this long ago
  std::vector<Turn> turns{};           ///< empty: the oldest rows of all merchants
};

/// A row and the token under which it was claimed.
struct HeldRow {
  std::int64_t id = 0;
  std::string token{};
};

/// The number of rows settled, for each fate.
struct Settled {
  std::uint64_t done = 0;
  std::uint64_t dead = 0;
  std::uint64_t back = 0;
};

/// The outbox operations of a worker. Each member throws DatabaseError.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// Throws if the tables have another version or another owner: another merchant, or no host in common. The first
  /// worker writes its owner to the tables.
  virtual void open(const Owner& owner) = 0;

  /// Claims due rows, the oldest first. Claims none if the merchant is halted or the rate does not allow it.
  virtual std::vector<Row> claim(const Claim& claim) = 0;

  /// Whether the last claim took no rows because of the rate.
  virtual bool waits_for_rate() const = 0;

  /// The merchants that have due rows.
  virtual std::vector<Merchant> merchants_due(const Claim& claim) = 0;

  /// Renews the leases. Returns the rows that still have their token.
  virtual std::vector<HeldRow> renew(const std::vector<HeldRow>& rows, std::chrono::milliseconds lease) = 0;

  /// Writes all settlements or none. Calling it again with the same settlements changes nothing.
  virtual Settled settle(const std::vector<Settlement>& settlements) = 0;

  /// Stops the claims of all workers of the merchant for this long, at most 5 minutes.
  virtual void halt(const std::string& merchant, std::chrono::milliseconds time, const std::string& why) = 0;

  /// When an operator last ended halts; empty: never.
  virtual std::string last_resume() = 0;

  /// Makes the statement in progress and each later one fail at once, as Session::interrupt() does. Thread-safe.
  virtual void interrupt() {}
};

struct Status {
  std::int64_t version = 0;
  std::string merchant{};
  std::string host{};
  std::uint64_t due = 0;
  std::uint64_t waiting = 0;
  std::uint64_t claimed = 0;
  std::int64_t oldest_due_seconds = 0;        ///< how long the oldest due row has been due
  std::int64_t oldest_unsettled_seconds = 0;  ///< the age of the oldest unsettled row
  std::uint64_t done_in_last_hour = 0;
  std::map<std::string, std::uint64_t> dead{};  ///< by kind
  std::int64_t halted_seconds = 0;              ///< how long the merchant is still halted
  std::string why_halted{};
  /// How long ago the shared rate was last used up. 0 or less: it is used up now. Nothing: no relay has used this
  /// outbox.
  std::optional<std::int64_t> rate_used_seconds{};
};

struct DeadRow {
  std::int64_t id = 0;
  BonusCommitRequest order{};
  int attempts = 0;
  std::string dead_at{};
  std::string kind{};
  std::string code{};
  std::string message{};
  std::string request_id{};
};

/// Selects dead rows: of a kind, with an id, or all; of these, only ids above `after`.
struct DeadRows {
  std::optional<std::string> kind{};
  std::optional<std::int64_t> id{};
  std::int64_t after = 0;
};

/// What `doctor` checks.
struct Health {
  std::string server{};
  std::vector<std::string> missing_rights{};  ///< of the rights that a relay needs; an operator needs more
  std::int64_t clock_offset_seconds = 0;      ///< the database's clock minus this machine's
  /// How long the oldest transaction has been open; nothing: this user has no right to see the transactions of others.
  std::optional<std::int64_t> oldest_transaction_seconds{};
  std::string right_to_see_transactions{};  ///< the right that is missing then
};

/// The outbox operations of an operator. Each member throws DatabaseError.
class Administration {
 public:
  Administration() = default;
  Administration(const Administration&) = delete;
  Administration& operator=(const Administration&) = delete;
  virtual ~Administration() = default;

  /// The statements that create the tables. Existing tables are not changed.
  virtual std::string schema() const = 0;
  virtual void install() = 0;

  virtual Status status() = 0;
  virtual std::vector<DeadRow> dead(const DeadRows& which, std::size_t most) = 0;
  virtual std::uint64_t retry(const DeadRows& which) = 0;    ///< makes them new rows; returns how many
  virtual std::uint64_t discard(const DeadRows& which) = 0;  ///< deletes them; returns how many
  virtual std::uint64_t prune(std::chrono::hours age) = 0;   ///< deletes done rows older than `age`; returns how many
  virtual std::uint64_t resume() = 0;  ///< ends halts and makes waiting rows due; returns the number of rows
  virtual Health health() = 0;

  /// As Store::interrupt(). Thread-safe.
  virtual void interrupt() {}
};

/// Connects. Each throws DatabaseError.
std::unique_ptr<Store> open_store(const std::string& url);
std::unique_ptr<Administration> open_administration(const std::string& url);

/// The statements that create the tables, for the kind of database in the URL.
std::string schema_for(const std::string& url);

}  // namespace wechatpay::bonus_commit::outbox

#endif
