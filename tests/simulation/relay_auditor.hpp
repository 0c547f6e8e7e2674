/// Checks the relay's workers: each row is done or dead once, none is lost, and only rows that were held at a fault are
/// called again.
#ifndef WECHATPAY_TESTS_SIMULATION_RELAY_AUDITOR_HPP
#define WECHATPAY_TESTS_SIMULATION_RELAY_AUDITOR_HPP

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "src/outbox/relay.hpp"
#include "tests/simulation/auditor.hpp"
#include "tests/simulation/judgement.hpp"
#include "tests/simulation/world.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"

namespace wechatpay::bonus_commit::simulation {

/// How long a merchant or a card without a permission waits.
inline constexpr std::chrono::minutes permission_pause{10};

/// What is known of a row.
struct RowStory {
  unsigned order = 0;      ///< the number in its out_trade_no
  bool wrong = false;      ///< the check refuses it
  bool poison = false;     ///< each call for it crashes the worker
  bool cursed = false;     ///< the database refuses to write its result
  bool twin = false;       ///< there is another row of the same order
  bool credited = false;   ///< the worker that claimed it last has its receipt
  bool excused = false;    ///< a fault happened while a worker held it, so that it may be called again
  bool lost = false;       ///< its insertion was lost in a failover
  std::string claim{};     ///< the token of the latest claim
  std::string merchant{};  ///< the ids of its order's merchant
  std::string card{};      ///< and of the merchant's card
};

/// A worker's call for an order.
struct RelayCall {
  std::string token{};     ///< of the claim under which it is made: the worker may claim the row again before its end
  std::string merchant{};  ///< the row's
  std::string card{};      ///< the row's
  Judgement last{Says::nothing, Outcome::not_sent};  ///< its latest try
  bool in_doubt = false;                             ///< a try before that may have committed
  bool too_fast = false;                             ///< a try was answered with 429
  std::optional<seconds> retry_after{};              ///< of the latest try
  bool others_succeed = false;  ///< at its end, calls had been answered for ten minutes, and one had failed at most

  /// A refusal that may be a gateway's, or that an earlier try contradicts, says nothing of the order.
  Says says() const {
    if (last.says == Says::merchant_doubted && !last.verified) return Says::setup_wrong;
    return last.says == Says::refused && (in_doubt || !last.verified) ? Says::nothing : last.says;
  }
};

/// A worker's claim of a row. After the database's clock was set, several workers may hold the same row.
struct HeldClaim {
  std::string token{};
  bool contradicted = false;  ///< when the row was claimed, its order was done with other points
};

/// One process of a worker, from its start to its end.
struct Process {
  std::map<std::int64_t, HeldClaim> claims{};  ///< the rows that it holds
  std::set<std::string> tokens{};              ///< of all its claims
  std::map<unsigned, RelayCall> calling{};     ///< orders with a call in progress
  std::map<unsigned, RelayCall> ended{};       ///< the latest call for each order
  std::map<std::string, Steady> holds{};       ///< merchants and cards that must wait until then, by the steady clock
  int failures = 0;                            ///< in a row
  std::chrono::nanoseconds slept{0};           ///< its steady clock stands still while the machine sleeps
  Steady proved_since{};                       ///< when the first call was answered, by the steady clock
  Steady next_probe{};                         ///< not proved: no call may start before, by the steady clock
  milliseconds pause{1000};                    ///< after the next failed probe
  Steady halted_until{};                       ///< after a 429
  bool proved = false;                         ///< a call was answered, and fewer than 20 in a row have failed since
  std::optional<Steady> failing_since{};       ///< of statements
  unsigned cuts = 0;                           ///< how often the database has ended its connection
  unsigned resumes = 0;                        ///< of which it knows
  std::map<std::string, Steady> old_holds{};   ///< ended by the latest resume
  Steady resumed_at{};                         ///< when it heard of that
  Steady settled_at{};                         ///< when it wrote results last
  std::optional<Steady> halt_to_tell{};        ///< the end of a halt of which the database must be told
  std::optional<Steady> ends_since{};          ///< by the steady clock: a stop, or a call whose set-up is wrong
  bool setup_wrong = false;                    ///< what a call has said
  bool database_refused = false;               ///< a statement has failed for good
  bool stopping = false;
  bool gone = false;
};

class RelayAuditor {
 public:
  explicit RelayAuditor(World& world) : world_(world) {}

  /// When workers may give up a row.
  outbox::GivingUp giving_up{};

  double per_second = 0;  ///< the rate that all workers share; 0: no limit
  milliseconds delay{0};  ///< how long a row waits before its first claim

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

  /// A fault: no result is written before that.
  void database_is_down(Steady until);

  /// Claims may be lost.
  void database_errs() { database_errs_ = true; }

  /// From now on, a worker may do nothing for so long that another one calls its rows.
  void worker_sleeps() { worker_sleeps_ = true; }

  /// The process is about to claim. `halted_until` is what the database knows.
  void claims(Process& process, Steady halted_until);

  /// An operator ends halts.
  void operator_resumes();

  /// The process asks whether an operator has resumed. If so, no merchant or card is held any more.
  static void learns_of_resumes(Process& process, unsigned resumes, Steady now);

  /// The process has written results.
  static void has_settled(Process& process, Steady now);

  /// The database gives away so many rows at once.
  void gives(std::size_t rows, Steady now);

  void claimed(Process& process, const outbox::Row& row, const std::string& token, std::chrono::microseconds age);

  /// A try is sent. Returns the row if it is the first try of a call.
  std::int64_t sent(Process& process, unsigned order, Steady now, milliseconds lease_left, milliseconds deadline);

  /// The row of this order that the process holds; 0 if there is none.
  std::int64_t held(const Process& process, unsigned order) const;

  /// A try of the order ends. `answer` is null if there is no answer of WeChat Pay's or a gateway's.
  void answered(Process& process, unsigned order, const Answered* answer, const Result<HttpResponse>& response,
                Wall now);

  void ended(Process& process, unsigned order, Steady now, const CommitResult& result);

  /// The process ends by itself, at `now` of its steady clock. `longest` is how long it may wait for its calls.
  void finishes(const Process& process, outbox::RelayEnd end, Steady now, milliseconds longest) const;

  /// The process writes a settlement for a row that still has its token. `committed`: how many times at WeChat Pay.
  void settles(Process& process, const outbox::Settlement& settlement, const outbox::Row& row, seconds age,
               int committed);

  /// The settlement has taken effect.
  void settled(Process& process, const outbox::Settlement& settlement);

  std::uint64_t calls() const { return calls_; }

 private:
  bool holds_another(const Process& process, unsigned order) const;
  static void note(Process& process, Steady now, const RelayCall& call);
  static void note_doubt(Process& process, Steady steady, const std::string& merchant);
  static void note_failure(Process& process, Steady steady);
  static void halt(Process& process, Steady now, const RelayCall& call);
  void check_death(const Process& process, const outbox::Settlement& settlement, const outbox::Row& row, seconds age,
                   const RelayCall* call) const;
  void check_return(const Process& process, const outbox::Settlement& settlement, const outbox::Row& row,
                    const RelayCall* call) const;
  void require(bool holds, const char* invariant, std::int64_t id, const char* what) const {
    if (!holds) world_.fail(invariant, "row " + std::to_string(id) + " " + what);
  }

  World& world_;
  std::map<std::int64_t, RowStory> stories_;
  std::deque<Process> processes_;
  double given_ = 0;  ///< rows that the database has given away beyond the rate
  Steady given_at_{};
  std::uint64_t calls_ = 0;
  Steady database_down_until_{};
  bool database_forgets_ = false;
  bool database_errs_ = false;
  bool worker_sleeps_ = false;
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
