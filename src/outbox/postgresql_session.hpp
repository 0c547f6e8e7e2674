// A connection to PostgreSQL, using libpq.
#ifndef WECHATPAY_SRC_OUTBOX_POSTGRESQL_SESSION_HPP
#define WECHATPAY_SRC_OUTBOX_POSTGRESQL_SESSION_HPP

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "src/outbox/session.hpp"
#include "src/outbox/session_socket.hpp"

namespace wechatpay::bonus_commit::outbox {

/// Needs no session state between transactions, so it works through a connection pooler.
class PostgresqlSession : public Session {
 public:
  PostgresqlSession(const std::string& url, std::chrono::seconds longest);

  Table query(const std::string& statement, const std::vector<std::string>& parameters = {}) override;
  void execute(const std::string& statements) override;
  void interrupt() override { socket_.shut(); }

 private:
  using Clock = std::chrono::steady_clock;
  using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

  void send(bool queued);
  Result finish(Clock::time_point deadline);
  Result finish_or_roll_back(Clock::time_point deadline);
  void wait(short events, Clock::time_point deadline);
  [[noreturn]] void fail(const PGresult* result);
  std::string without_password(std::string message) const;

  std::chrono::seconds longest_;
  std::string password_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  SessionSocket socket_;
};

/// An array of texts, as a parameter.
std::string array_of(const std::vector<std::string>& texts);

}  // namespace wechatpay::bonus_commit::outbox

#endif
