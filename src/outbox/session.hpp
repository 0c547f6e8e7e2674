// A connection to the merchant's database.
#ifndef WECHATPAY_SRC_OUTBOX_SESSION_HPP
#define WECHATPAY_SRC_OUTBOX_SESSION_HPP

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace wechatpay::bonus_commit::outbox {

/// What a database, or the connection to it, answered in place of a result. The message holds no password.
class DatabaseError : public std::runtime_error {
 public:
  /// `state`: the SQLSTATE, or the vendor's number; empty where there is none.
  DatabaseError(const std::string& message, std::string state, bool passing, bool refuses_rows = false)
      : std::runtime_error(message), state_(std::move(state)), passing_(passing), refuses_rows_(refuses_rows) {}

  const std::string& state() const { return state_; }

  /// Whether the same may succeed later: a connection, a restart, a full disk, a deadlock; not a missing table or
  /// right.
  bool passing() const { return passing_; }

  /// Whether a column, a constraint or a trigger refuses what was to be written. The same may succeed with other rows.
  bool refuses_rows() const { return refuses_rows_; }

 private:
  std::string state_;
  bool passing_;
  bool refuses_rows_;
};

/// Lines of columns. A NULL is an empty text.
using Table = std::vector<std::vector<std::string>>;

/// One connection. Each member throws DatabaseError; after one that is passing and refuses no rows, make another
/// session. One thread's.
class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  /// Runs one statement in a transaction of its own. `$1` and so on stand for the parameters. An
  /// error may leave open whether it was done.
  virtual Table query(const std::string& statement, const std::vector<std::string>& parameters = {}) = 0;

  /// Runs several statements without parameters, each ended by a semicolon.
  virtual void execute(const std::string& statements) = 0;

  /// Cuts the connection: a statement that waits for the server fails at once, and so does each later one. Whether it
  /// was done stays open. Thread-safe, the only member that is.
  virtual void interrupt() = 0;
};

/// What is wrong with a database's URL; empty where nothing is. Quotes nothing of it.
std::string fault_of_url(const std::string& url);

/// Whether a password stands in the URL.
bool has_password(const std::string& url);

/// Connects. Throws DatabaseError, also where this build has no client for such a database. Each query ends within
/// `longest`, 10 s or more.
std::unique_ptr<Session> connect(const std::string& url, std::chrono::seconds longest = std::chrono::seconds(15));

}  // namespace wechatpay::bonus_commit::outbox

#endif
