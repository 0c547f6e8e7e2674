// The outbox as a worker uses it, and as an operator does. One implementation for each kind of database.
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

/// The version of the tables that this code makes, and the oldest one that it works with: the one before, once there is
/// one.
inline constexpr int schema_version = 1;
inline constexpr int oldest_version = 1;

/// Whose outbox it is: another merchant's or another host's is refused.
struct Owner {
  std::string merchant{};
  std::string host{};  ///< as host_of() writes it
};

/// Where requests go, for the tables: sorted, with commas between, so that the order does not matter.
std::string host_of(std::vector<std::string> origins);

struct Claim {
  std::string token{};
  std::size_t most = 1;
  std::chrono::milliseconds lease{90000};
  std::int64_t low = 0;  ///< only rows that are due since then, microseconds since 1970; 0: all that are due
  std::string merchant{};
  Pace pace{};
  std::chrono::milliseconds delay{0};  ///< only rows that were inserted so long ago
  std::vector<Turn> turns{};           ///< empty: the oldest rows, whose ever they are
};

/// A row and the token under which it was claimed.
struct HeldRow {
  std::int64_t id = 0;
  std::string token{};
};

/// How many rows were settled, of each fate.
struct Settled {
  std::uint64_t done = 0;
  std::uint64_t dead = 0;
  std::uint64_t back = 0;
};

/// What a worker asks of the outbox. Each member throws DatabaseError.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// Throws where the tables are of another version, or another owner's: another merchant's, or with no host in common.
  /// The first worker makes its owner theirs.
  virtual void open(const Owner& owner) = 0;

  /// Claims rows that are due, the oldest first. None are where the merchant is halted, or its pace gives no room.
  virtual std::vector<Row> claim(const Claim& claim) = 0;

  /// Whether the last claim took none since its pace gave no room.
  virtual bool waits_for_rate() const = 0;

  /// The merchants that have rows which are due.
  virtual std::vector<Merchant> merchants_due(const Claim& claim) = 0;

  /// Lengthens the leases; returns the rows that still have their token.
  virtual std::vector<HeldRow> renew(const std::vector<HeldRow>& rows, std::chrono::milliseconds lease) = 0;

  /// All of it or nothing. Repeated, it changes nothing.
  virtual Settled settle(const std::vector<Settlement>& settlements) = 0;

  /// Has no worker of the merchant claim for so long.
  virtual void halt(const std::string& merchant, std::chrono::milliseconds time, const std::string& why) = 0;

  /// When an operator last ended halts; empty: never.
  virtual std::string last_resume() = 0;

  /// Has the statement that is under way, and each later one, fail at once: as Session::interrupt(). Thread-safe.
  virtual void interrupt() {}
};

struct Status {
  std::int64_t version = 0;
  std::string merchant{};
  std::string host{};
  std::uint64_t due = 0;
  std::uint64_t waiting = 0;
  std::uint64_t claimed = 0;
  std::int64_t oldest_due_seconds = 0;        ///< since when the oldest due row is due
  std::int64_t oldest_unsettled_seconds = 0;  ///< the age of the oldest row that is not settled
  std::uint64_t done_in_last_hour = 0;
  std::map<std::string, std::uint64_t> dead{};  ///< by kind
  std::int64_t halted_seconds = 0;              ///< for how long the merchant is still halted
  std::string why_halted{};
  /// Since when the shared rate was last used up: 0 or less, it is now; nothing: no relay has been here.
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

/// Which dead rows: of a kind, with an id, or all; of them, those with an id above `after`.
struct DeadRows {
  std::optional<std::string> kind{};
  std::optional<std::int64_t> id{};
  std::int64_t after = 0;
};

/// What `doctor` looks at.
struct Health {
  std::string server{};
  std::vector<std::string> missing_rights{};    ///< of those that a relay needs; an operator needs more
  std::int64_t clock_offset_seconds = 0;        ///< the database's clock minus this machine's
  std::int64_t oldest_transaction_seconds = 0;  ///< how long the oldest transaction has been open
};

/// What an operator asks of the outbox. Each member throws DatabaseError.
class Administration {
 public:
  Administration() = default;
  Administration(const Administration&) = delete;
  Administration& operator=(const Administration&) = delete;
  virtual ~Administration() = default;

  /// The statements that make the tables, and leave alone those that are there.
  virtual std::string schema() const = 0;
  virtual void install() = 0;

  virtual Status status() = 0;
  virtual std::vector<DeadRow> dead(const DeadRows& which, std::size_t most) = 0;
  virtual std::uint64_t retry(const DeadRows& which) = 0;    ///< they become new rows; returns how many
  virtual std::uint64_t discard(const DeadRows& which) = 0;  ///< they are deleted; returns how many
  virtual std::uint64_t prune(std::chrono::hours age) = 0;   ///< deletes done rows that are older; returns how many
  virtual std::uint64_t resume() = 0;  ///< ends halts, and makes waiting rows due; returns how many rows
  virtual Health health() = 0;
};

/// Connects. Each throws DatabaseError.
std::unique_ptr<Store> open_store(const std::string& url);
std::unique_ptr<Administration> open_administration(const std::string& url);

/// The statements for a database with such a URL.
std::string schema_for(const std::string& url);

}  // namespace wechatpay::bonus_commit::outbox

#endif
