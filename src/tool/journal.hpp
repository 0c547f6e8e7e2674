// What became of each order of a file: an SQLite database that outlives the process.
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

/// The journal cannot be read or written; the message names it and says what to do.
class JournalError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A result is in the journal before anything else is told of it, and there is no fsync for each: a process that is
/// killed loses nothing, a power cut the latest results at most, whose orders are then committed once more, which is
/// safe. When no run is under way, operators may read it: `sqlite3 FILE.journal "SELECT * FROM orders"`.
/// Thread-safe. Members throw JournalError.
class Journal {
 public:
  /// Opens or makes `file`; empty: one that is gone afterwards. `about` says for whom and where to, since what was
  /// settled in the sandbox is not settled at WeChat Pay: a journal about something else is refused, as is one that
  /// another process works on.
  Journal(const std::string& file, const std::string& about);

  /// What is to be done with a row.
  enum class Lookup {
    commit,    ///< it is not known to be settled
    settled,   ///< credited by an earlier run
    refused,   ///< by an earlier run, for good
    repeated,  ///< the same order stood in the file before, with the same points
    fault,     ///< the row is in the journal with what is wrong with it
  };

  /// Notes that `row` has been read. Its fault, where it has none and is no order to commit, is set. What was refused
  /// is to be committed `again`, if that is asked for.
  Lookup look_up(OrderRow& row, bool again = false);

  /// Notes how the commit of an order ended. Settled is what would have no other result next time.
  void record(const BonusCommitRequest& request, const CommitResult& result, bool settled);

  /// Whether an earlier run, or this one, has written, or was about to write, what failed to `file`.
  bool owns(const std::string& file);
  void own(const std::string& file);

  /// One kind of failure among the rows of this run.
  struct Failures {
    std::string label;
    std::uint64_t count;
    std::uint64_t first_line;
    std::string message;  ///< of the first
  };
  void for_each_kind_of_failure(const std::function<void(const Failures&)>& take);

  /// The rows of this run that are not credited, in the order of the file, with why; and those of earlier runs behind
  /// the line `last`, to which this one has not come. What is wrong with a row that is no order, and not merely in
  /// doubt, begins with not_an_order.
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
  void execute(const Statement& statement);  ///< one without rows, to be used again
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
  std::int64_t run_ = 0;  ///< which run this is
};

}  // namespace wechatpay::bonus_commit::tool

#endif
