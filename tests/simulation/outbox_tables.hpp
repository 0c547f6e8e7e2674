/// The outbox of a merchant in memory: what the statements of src/outbox do, and what may happen to a database.
#ifndef WECHATPAY_TESTS_SIMULATION_OUTBOX_TABLES_HPP
#define WECHATPAY_TESTS_SIMULATION_OUTBOX_TABLES_HPP

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/outbox/store.hpp"
#include "tests/simulation/auditor.hpp"
#include "tests/simulation/relay_auditor.hpp"
#include "tests/simulation/world.hpp"

namespace wechatpay::bonus_commit::simulation {

/// Since 1970, by the database's clock.
using DatabaseTime = std::chrono::microseconds;

struct LiveRow {
  outbox::Row row{};
  DatabaseTime due{0};
  DatabaseTime created{0};
  std::string claim{};
  bool held_back = false;  ///< it waits for a reason, which is written to it
};

struct SettledRow {
  BonusCommitRequest order{};
  outbox::Fate fate{};
};

struct Tables {
  std::map<std::int64_t, LiveRow> live{};
  std::map<std::int64_t, SettledRow> settled{};  ///< done or dead
  DatabaseTime halted_until{0};
  DatabaseTime next_at{0};  ///< of the shared rate
  unsigned resumes = 0;     ///< how often an operator has resumed
};

/// What a worker's process shares with its store.
struct StoreUse {
  Process& process;
  std::function<Steady()> now;                         ///< the process may be later than the world within an event
  std::function<void(std::chrono::nanoseconds)> wait;  ///< a statement takes so long, which delays the next round
  std::function<std::chrono::nanoseconds()> waited;    ///< in this round, for statements before this one
  milliseconds lease;
};

class Database {
 public:
  Database(World& world, Auditor& wechat_pay, RelayAuditor& auditor);

  Tables tables;

  DatabaseTime time_at(Steady moment) const {
    return std::chrono::duration_cast<DatabaseTime>(moment - Steady()) + clock_offset_;
  }

  Steady moment_of(DatabaseTime time) const { return Steady() + (time - clock_offset_); }

  /// A transaction of the merchant.
  void insert(const BonusCommitRequest& order);

  std::unique_ptr<outbox::Store> connect(StoreUse use);

  void go_down(std::chrono::nanoseconds time);
  void fail_over();
  void keep_copy() { copy_ = tables; }
  void fail_over_to_copy();
  void resume();
  void set_clock(std::chrono::seconds by);

  /// From now on, each new statement works.
  void recover();

 private:
  friend class SimulatedStore;
  enum class Mishap { none, before, after };

  Mishap next_mishap() const;

  World& world_;
  Auditor& wechat_pay_;
  RelayAuditor& auditor_;
  Tables copy_;  ///< an asynchronous replica
  std::chrono::microseconds clock_offset_{1000000000};
  Steady down_until_{};
  unsigned generation_ = 0;  ///< a new one cuts all connections
  std::uint32_t mishaps_per_mille_ = 0;
  std::uint32_t slow_per_mille_ = 0;
  bool recovered_ = false;
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
