// A connection to the merchant's database.
#ifndef WECHATPAY_SRC_OUTBOX_SESSION_HPP
#define WECHATPAY_SRC_OUTBOX_SESSION_HPP

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace wechatpay::bonus_commit::outbox {

/// An error of a database or of the connection to it. The message contains no password.
class DatabaseError : public std::runtime_error {
 public:
  /// `state`: the SQLSTATE or the vendor's error number; empty if there is neither.
  DatabaseError(const std::string& message, std::string state, bool passing, bool refuses_rows = false)
      : std::runtime_error(message), state_(std::move(state)), passing_(passing), refuses_rows_(refuses_rows) {}

  const std::string& state() const { return state_; }

  /// Whether the same operation may succeed later: for example after a lost connection, a restart, a full disk or a
  /// deadlock. Not for a missing table or right.
  bool passing() const { return passing_; }

  /// Whether a column, constraint or trigger refuses the data. The same operation may succeed with other rows.
  bool refuses_rows() const { return refuses_rows_; }

 private:
  std::string state_;
  bool passing_;
  bool refuses_rows_;
};

/// Rows of columns. A NULL is an empty text.
using Table = std::vector<std::vector<std::string>>;

/// One connection. Each member throws DatabaseError. After an error with passing() but without refuses_rows(), create a
/// new session. Use it from one thread only.
class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  /// Runs one statement in its own transaction. `$1` and so on are placeholders for the parameters. After an error, the
  /// statement may or may not have taken effect.
  virtual Table query(const std::string& statement, const std::vector<std::string>& parameters = {}) = 0;

  /// Runs several statements without parameters, each terminated by a semicolon.
  virtual void execute(const std::string& statements) = 0;

  /// Cuts the connection: a statement that waits for the server fails at once, and so does each later one. The
  /// statement may or may not have taken effect. This is the only thread-safe member.
  virtual void interrupt() = 0;
};

/// What is wrong with a database URL; empty if nothing is. It quotes no part of the URL.
std::string fault_of_url(const std::string& url);

/// Whether the URL contains a password.
bool has_password(const std::string& url);

/// Connects. Throws DatabaseError, also if this build has no client for the database. Each query is limited to
/// `longest`, which must be at least 10 s.
std::unique_ptr<Session> connect(const std::string& url, std::chrono::seconds longest = std::chrono::seconds(15));

}  // namespace wechatpay::bonus_commit::outbox

#endif
