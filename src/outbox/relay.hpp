// A worker: claims rows of the outbox, commits them with a client, and settles them.
#ifndef WECHATPAY_SRC_OUTBOX_RELAY_HPP
#define WECHATPAY_SRC_OUTBOX_RELAY_HPP

#include <wechatpay/bonus_commit/client.hpp>
#include <wechatpay/bonus_commit/client_options.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/outbox/breaker.hpp"
#include "src/outbox/decisions.hpp"
#include "src/outbox/lease.hpp"
#include "src/outbox/metrics.hpp"
#include "src/outbox/polling.hpp"
#include "src/outbox/result_queue.hpp"
#include "src/outbox/store.hpp"

namespace wechatpay::bonus_commit::outbox {

struct RelayOptions {
  Owner owner{};
  std::size_t max_in_flight = 64;
  Pace pace{};
  std::chrono::milliseconds lease = std::chrono::seconds(90);  ///< three times the deadline of a call
  std::optional<MerchantMode> mode{};  ///< nothing: the mode follows from the merchant ids of each row
  GivingUp giving_up{};
  bool fair = false;                   ///< merchants take turns
  std::chrono::milliseconds delay{0};  ///< how long a row waits before its first commit
};

/// The clocks and random numbers of a relay, and how it waits. Tests replace them.
struct RelayTime {
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  std::function<Lease::Clock::time_point()> lease_now = Lease::Clock::now;
  /// Waits for a result, but no longer than until the given time.
  std::function<void(ResultQueue&, std::chrono::steady_clock::time_point)> wait =
      [](ResultQueue& results, std::chrono::steady_clock::time_point moment) { results.wait_until(moment); };
  std::function<double()> random = random_fraction;               ///< from 0 to 1
  std::function<Result<std::string>()> new_token = random_nonce;  ///< another one for each claim, of any worker
};

enum class RelayEnd {
  stopped,           ///< stopped on request; every row is settled or handed back
  setup_wrong,       ///< every order would fail in the same way; all rows are handed back
  database_refused,  ///< wrong tables, rights or owner
  unsettled,         ///< some results could not be written: their calls are repeated after their leases have ended
};

/// run(), or work(), must be called by one thread, the only one that uses the database.
class Relay {
 public:
  using OpenStore = std::function<std::unique_ptr<Store>()>;  ///< throws DatabaseError
  using Say = std::function<void(const std::string&)>;        ///< receives one line for the log

  /// `client` must outlive this object. Its deadline must be a third of the lease.
  Relay(RelayOptions options, OpenStore open_store, const BonusCommitClient& client, Say say, RelayTime time = {});

  /// Works until it is stopped or cannot continue.
  RelayEnd run();

  /// One of the rounds of which run() consists: does everything that is due. Returns when the next round is due if no
  /// result arrives and nobody requests a stop before; nothing if the relay has ended.
  std::optional<std::chrono::steady_clock::time_point> work();

  /// How the relay has ended. Call it after that.
  RelayEnd end() const;

  /// Makes run() claim nothing more, hand back rows whose calls have not started, and return when all calls have ended.
  /// Thread-safe.
  void request_stop();

  /// Cuts the connection if run() has not noticed the stop yet because a statement takes long. Call it some time after
  /// request_stop(). Returns false if run() is opening a connection, which cannot be cut. Thread-safe.
  bool cut_statement();

  /// What the relay has done so far, without an observation of the outbox. Thread-safe.
  Metrics metrics() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Held {
    Row row;
    std::string token;
    Lease lease;
    Clock::time_point claimed_at;
    bool started = false;
  };

  using Which = std::function<bool(const Held&)>;

  struct HeldMerchant {
    Clock::time_point until;
    bool doubted = false;  ///< WeChat Pay refused its id, not a permission
  };

  struct Decided {
    Settlement settlement;
    std::string called_order;  ///< empty if no call was made
  };

  void take_results();
  void take_result(const Held& held, const CommitResult& result);
  void note_meaning(const Held& held, const CommitResult& result);
  void note_failure();
  bool holds(const std::string& merchant) const;
  std::optional<std::chrono::milliseconds> held_for(const BonusCommitRequest& order);

  void use_database();
  void settle();
  Settled write(const std::vector<Settlement>& settlements);
  Settled write_refused(const Settlement& refused, const DatabaseError& error);
  void forget(const std::set<std::string>& written_orders);
  void renew();
  void look_for_resume();
  void claim();
  std::size_t claimable() const;
  std::vector<Row> claim_rows(Claim& claim);
  void take_rows(std::vector<Row> rows, const std::string& token, Lease::Clock::time_point begin);
  void leave_suspect_alone();
  void database_failed(const DatabaseError& error);

  Clock::time_point now() const { return time_.now(); }
  void set_store(std::unique_ptr<Store> store);

  Held release(std::uint64_t call);
  std::vector<Held> take_queued(const Which& which);
  void hand_back_queued(const Which& which);
  void hand_back_queue();
  void drop_queued(const Which& which);
  void start_calls();
  bool may_start(const Held& held) const;
  void start(std::uint64_t call);
  bool refuses_mode(const Row& row);
  void hand_back(const Held& held, std::chrono::milliseconds pause, const std::string& why = {});
  void add(Settlement settlement, std::string called_order = {});

  void begin_to_end(RelayEnd end, const std::string& why);
  bool finished() const;
  Clock::time_point next_moment() const;
  void report(bool last);
  void count(const Settled& settled, std::uint64_t lost);
  void publish();

  const RelayOptions options_;
  const OpenStore open_store_;
  const BonusCommitClient& client_;
  const Say say_;
  const RelayTime time_;
  const std::shared_ptr<ResultQueue> results_ = std::make_shared<ResultQueue>();
  std::atomic<bool> stop_requested_{false};
  mutable std::mutex published_mutex_;
  Metrics published_;  ///< guarded by published_mutex_

  // The next members are changed by run()'s thread under the mutex. Other threads read them under the mutex.
  std::mutex store_mutex_;
  std::unique_ptr<Store> store_;  ///< null: not connected
  bool stop_noticed_ = false;     ///< any statement in progress began after the stop request

  // The rest is used by run()'s thread only.
  bool can_settle_ = false;       ///< a result was written since the last connect
  bool claims_doubtful_ = false;  ///< no lease was renewed since a connection was lost
  std::map<std::uint64_t, Held> held_;
  std::deque<std::uint64_t> queue_;  ///< the held rows whose calls have not started
  std::size_t suspects_held_ = 0;
  std::size_t in_flight_ = 0;
  std::set<std::string> orders_called_;  ///< orders with a call whose result is not written yet
  std::vector<Decided> pending_;         ///< results that are not written yet
  std::uint64_t last_call_ = 0;
  Breaker breaker_;
  Polling polling_;
  std::map<std::string, HeldMerchant> merchants_held_;               ///< or a card of one; some are not held any more
  std::string last_resume_;                                          ///< the last value read from the database
  Clock::time_point rate_limited_until_ = Clock::time_point::min();  ///< the end of a pause after a 429
  std::optional<std::chrono::milliseconds> new_halt_;  ///< to be written to the database, which then stops claims

  Clock::time_point settle_at_ = Clock::time_point::max();
  Clock::time_point claim_at_ = Clock::time_point::min();
  Clock::time_point database_at_ = Clock::time_point::min();
  std::chrono::milliseconds database_pause_{500};
  std::string database_fault_;  ///< the last fault that was logged; empty: the database answers
  Clock::time_point fault_said_at_ = Clock::time_point::min();
  std::int64_t low_ = 0;
  std::optional<Merchant> last_merchant_;  ///< the merchant that precedes the next turns
  Clock::time_point full_scan_at_ = Clock::time_point::min();

  std::optional<RelayEnd> end_;  ///< how the relay is ending; nothing: it is not
  Clock::time_point give_up_at_ = Clock::time_point::max();

  Metrics metrics_;
  Settled settled_;  ///< since the last report
  std::uint64_t lost_ = 0;
  std::set<std::string> causes_told_;  ///< causes already logged since calls last began to succeed
  Clock::time_point report_at_ = Clock::time_point::min();
};

}  // namespace wechatpay::bonus_commit::outbox

#endif
