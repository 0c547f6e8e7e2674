// One run of a backfill: from a file of orders through a client into a journal.
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
  std::string journal;  ///< the file's name; empty: none
  std::string failed;   ///< where to write what failed
  std::size_t max_in_flight = 64;
  double rate = 0;  ///< requests a second; 0: no limit
  std::uint64_t stop_after = 100;
  bool again = false;
  bool allow_rounded = false;
};

class BackfillRun {
 public:
  /// `interruption`: a descriptor that is readable when the run is to end; -1: nothing ends it early. All of them must
  /// outlive this.
  BackfillRun(const BackfillOptions& options, OrderFile file, Journal& journal, int interruption);

  /// Commits what is to be committed, tells of it on standard error, and returns the exit status.
  int run(const BonusCommitClient& client);

  /// How it went, for --json; after run().
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
  // The next ones are the thread's that reads the file, and after it the one's that reports.
  std::map<std::string, int> rows_told_;  ///< by cause
  std::uint64_t last_line_ = 0;
  bool read_to_the_end_ = false;
  // The rest is the thread's that takes results, and after it the one's that reports.
  std::map<std::string, std::string> orders_told_;  ///< the labels, by cause
  FailuresInARow failures_in_a_row_;
  std::string stopped_because_;
  int worst_ = 0;
  bool broken_ = false;
  bool interrupted_ = false;
  std::uint64_t failed_rows_ = 0;  ///< in the file of what failed
};

}  // namespace wechatpay::bonus_commit::tool

#endif
