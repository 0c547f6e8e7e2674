/// Checks the relay's workers: each row is done or dead once, none is lost, and only rows that were held at a fault are
/// called again.
#ifndef WECHATPAY_TESTS_SIMULATION_RELAY_AUDITOR_HPP
#define WECHATPAY_TESTS_SIMULATION_RELAY_AUDITOR_HPP

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "src/outbox/decisions.hpp"
#include "src/outbox/row.hpp"
#include "tests/simulation/world.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"

namespace wechatpay::bonus_commit::simulation {

/// What is known of a row.
struct RowStory {
  unsigned order = 0;     ///< the number in its out_trade_no
  bool wrong = false;     ///< the check refuses it
  bool poison = false;    ///< each call for it crashes the worker
  bool cursed = false;    ///< the database refuses to write its result
  bool twin = false;      ///< there is another row of the same order
  bool credited = false;  ///< the worker that claimed it last has its receipt
  bool excused = false;   ///< a fault happened while a worker held it, so that it may be called again
  bool lost = false;      ///< its insertion was lost in a failover
  std::string claim{};    ///< the token of the latest claim
};

/// How a worker's latest call for an order has ended.
struct CallEnd {
  enum { credited, refused, other } how = other;
  std::string token{};  ///< of the claim under which it was made: the worker may have claimed the row again since
  bool others_succeed = false;  ///< calls were answered for the last ten minutes
};

/// One process of a worker, from its start to its end.
struct Process {
  std::map<std::int64_t, std::string> claims{};  ///< the rows that it holds, and their tokens
  std::set<std::string> tokens{};                ///< of all its claims
  std::map<unsigned, std::string> calling{};     ///< orders with a call in progress, and the tokens of their claims
  std::map<unsigned, CallEnd> ended{};           ///< the latest call for each order
  int failures = 0;                              ///< in a row
  std::chrono::nanoseconds slept{0};             ///< its steady clock stands still while the machine sleeps
  Steady proved_since{};                         ///< when the first call was answered, by the steady clock
  Steady next_probe{};                           ///< not proved: no call may start before, by the steady clock
  milliseconds pause{1000};                      ///< after the next failed probe
  Steady halted_until{};                         ///< after a 429
  bool proved = false;                           ///< a call was answered, and fewer than 20 in a row have failed since
  std::optional<Steady> failing_since{};         ///< of statements
  unsigned cuts = 0;                             ///< how often the database has ended its connection
  bool stopping = false;
  bool gone = false;
};

class RelayAuditor {
 public:
  explicit RelayAuditor(World& world) : world_(world) {}

  /// When workers may give up a row.
  outbox::GivingUp giving_up{};

  /// Adds the row with the next id.
  RowStory& add(unsigned order);
  RowStory& story(std::int64_t id) { return stories_.at(id); }
  const std::map<std::int64_t, RowStory>& stories() const { return stories_; }

  Process& start() { return processes_.emplace_back(); }

  /// A fault: the rows that the process holds may be called again, or all rows.
  void excuse(const Process& process);
  void excuse_all();

  /// From now on, the database does not keep what it promised: a lease may be shorter than it was.
  void database_forgets() { database_forgets_ = true; }

  /// From now on, a worker may do nothing for so long that another one calls its rows.
  void worker_sleeps() { worker_sleeps_ = true; }

  void claimed(Process& process, const outbox::Row& row, const std::string& token);

  /// A try is sent. Returns the row if it is the first try of a call.
  std::int64_t sent(Process& process, unsigned order, Steady now, milliseconds lease_left, milliseconds deadline);

  /// The row of this order that the process holds; 0 if there is none.
  std::int64_t held(const Process& process, unsigned order) const;

  void ended(Process& process, unsigned order, Steady now, const CommitResult& result);

  /// The process writes a settlement for a row that still has its token. `committed`: how many times at WeChat Pay.
  void settles(Process& process, const outbox::Settlement& settlement, const outbox::Row& row, seconds age,
               int committed);

  /// The settlement has taken effect.
  void settled(Process& process, const outbox::Settlement& settlement);

  std::uint64_t calls() const { return calls_; }

 private:
  static void note(Process& process, Steady now, const CommitResult& result);
  void check_death(const outbox::Settlement& settlement, const outbox::Row& row, seconds age, const CallEnd& end) const;
  void require(bool holds, const char* invariant, std::int64_t id, const char* what) const {
    if (!holds) world_.fail(invariant, "row " + std::to_string(id) + " " + what);
  }

  World& world_;
  std::map<std::int64_t, RowStory> stories_;
  std::deque<Process> processes_;
  std::uint64_t calls_ = 0;
  bool database_forgets_ = false;
  bool worker_sleeps_ = false;
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
