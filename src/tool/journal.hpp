// The result of each order of a file: an SQLite database that outlives the process.
#ifndef WECHATPAY_SRC_TOOL_JOURNAL_HPP
#define WECHATPAY_SRC_TOOL_JOURNAL_HPP

#include <sqlite3.h>
#include <wechatpay/bonus_commit/receipt.hpp>
#include <wechatpay/bonus_commit/request.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>

#include "order_file.hpp"

namespace wechatpay::bonus_commit::tool {

/// The journal cannot be read or written. The message names the journal and says what to do.
class JournalError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A result is written to the journal before it is reported anywhere else. There is no fsync for each result: killing
/// the process loses nothing. A power failure can lose the latest results; their orders are then committed again, which
/// is safe. While no run is in progress, operators may read the journal: `sqlite3 FILE.journal "SELECT * FROM orders"`.
/// Thread-safe. Members throw JournalError.
class Journal {
 public:
  /// Opens or creates `file`; empty: a temporary journal. `about` names the merchant and the destination, because an
  /// order settled in the sandbox is not settled at WeChat Pay. A journal with another `about` is refused, and so is a
  /// journal in use by another process.
  Journal(const std::string& file, const std::string& about);

  /// What is to be done with a row.
  enum class Lookup {
    commit,    ///< not known to be settled
    settled,   ///< credited by an earlier run
    refused,   ///< permanently refused in an earlier run
    repeated,  ///< the same order with the same points was earlier in the file
    fault,     ///< the row is in the journal, with its fault
  };

  /// Records that `row` has been read. Sets its fault if the order was in the file, or credited, with other points.
  /// `again`: also commits orders that were permanently refused.
  Lookup look_up(OrderRow& row, bool again = false);

  /// Records the result of a commit. `settled`: a repetition would have the same result.
  void record(const BonusCommitRequest& request, const CommitResult& result, bool settled);

  /// Whether this run or an earlier one has written its failures to `file`, or was about to.
  bool owns(const std::string& file);
  void own(const std::string& file);

  /// Failures of one kind among the rows of this run.
  struct Failures {
    std::string label;
    std::uint64_t count;
    std::uint64_t first_line;
    std::string message;  ///< the first one's
  };
  void for_each_kind_of_failure(const std::function<void(const Failures&)>& take);

  /// The rows of this run that are not credited, in the order of the file, with the reason. They are followed by rows
  /// of earlier runs after the line `last`, which this run did not reach. The reason begins with not_an_order if the
  /// row is invalid and not merely in doubt.
  void for_each_failed_row(std::int64_t last,
                           const std::function<void(const std::string& text, const std::string& error)>& take);

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  void run(const char* sql);
  Statement prepare(const char* sql);
  void bind(const Statement& statement, int at, std::string_view text);
  void bind(const Statement& statement, int at, std::int64_t number);
  void bind_order(const Statement& statement, const BonusCommitRequest& request);
  bool step(const Statement& statement);
  void execute(const Statement& statement);  ///< a statement without result rows; it can be used again
  std::string text_of(const char* query);
  void require_about(const std::string& about);
  [[noreturn]] void fail() const;

  std::mutex mutex_;
  const std::string file_;
  std::unique_ptr<sqlite3, Close> database_;
  Statement find_;
  Statement note_;
  Statement note_fault_;
  Statement record_;
  std::int64_t run_ = 0;  ///< the number of this run
};

}  // namespace wechatpay::bonus_commit::tool

#endif
