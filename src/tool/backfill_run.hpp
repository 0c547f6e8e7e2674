// One run of a backfill: reads orders from a file, commits them with a client, and writes the results to a journal.
#ifndef WECHATPAY_SRC_TOOL_BACKFILL_RUN_HPP
#define WECHATPAY_SRC_TOOL_BACKFILL_RUN_HPP

#include <wechatpay/bonus_commit.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "backfill_decisions.hpp"
#include "journal.hpp"
#include "order_file.hpp"
#include "screen.hpp"

namespace wechatpay::bonus_commit::tool {

struct BackfillOptions {
  std::string journal;  ///< the file's name; empty: no journal file
  std::string failed;   ///< the file for orders and rows that failed
  std::size_t max_in_flight = 64;
  double rate = 0;  ///< requests a second; 0: no limit
  std::uint64_t stop_after = 100;
  bool again = false;
  bool allow_rounded = false;
};

class BackfillRun {
 public:
  /// `interruption`: a descriptor that becomes readable when the run is to end; -1: it is never interrupted. All
  /// arguments must outlive this object.
  BackfillRun(const BackfillOptions& options, OrderFile file, Journal& journal, int interruption);

  /// Commits the orders that need it, reports on standard error, and returns the exit status.
  int run(const BonusCommitClient& client);

  /// The result of the run, for --json. Call it after run().
  nlohmann::ordered_json summary();

 private:
  std::optional<BonusCommitRequest> next();
  bool take(const BonusCommitRequest& request, const CommitResult& result);
  void watch();
  void tell_of_row(const OrderRow& row);
  void tell_of_order(const std::string& out_trade_no, const Error& error);
  int report();
  void report_counts();
  void report_kinds();
  void report_end(bool written);
  bool write_failed();
  int exit_status(bool written) const;
  bool complete() const;

  const BackfillOptions& options_;
  OrderFile file_;
  Journal& journal_;
  const int interruption_;
  Screen screen_;
  const StopSource stop_;
  std::atomic<bool> ended_{false};
  std::atomic<std::uint64_t> credited_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> bad_rows_{0};
  std::atomic<std::uint64_t> held_back_{0};
  std::atomic<std::uint64_t> settled_before_{0};
  std::atomic<std::uint64_t> refused_before_{0};
  std::atomic<std::uint64_t> repeated_{0};
  std::atomic<std::uint64_t> bytes_{0};
  // The next members are used by the thread that reads the file, and after it ends by the thread that reports.
  std::map<std::string, int> rows_told_;  ///< rows printed, by cause
  std::uint64_t last_line_ = 0;
  bool read_to_the_end_ = false;
  // The other members are used by the thread that takes results, and after it ends by the thread that reports.
  std::map<std::string, std::string> orders_told_;  ///< labels of printed orders, by cause
  FailuresInARow failures_in_a_row_;
  std::string stopped_because_;
  int worst_ = 0;
  bool broken_ = false;
  bool interrupted_ = false;
  std::uint64_t failed_rows_ = 0;  ///< in the file of failures
};

}  // namespace wechatpay::bonus_commit::tool

#endif
