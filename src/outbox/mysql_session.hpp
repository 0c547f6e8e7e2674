// A connection to MySQL or MariaDB, using MariaDB Connector/C.
#ifndef WECHATPAY_SRC_OUTBOX_MYSQL_SESSION_HPP
#define WECHATPAY_SRC_OUTBOX_MYSQL_SESSION_HPP

#include <mysql.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "src/outbox/session.hpp"
#include "src/outbox/session_socket.hpp"

namespace wechatpay::bonus_commit::outbox {

/// Uses standard SQL quoting, READ COMMITTED and UTC. Each statement is its own transaction, unless START TRANSACTION
/// precedes it. Refuses a read-only server and binlog_format=STATEMENT.
class MysqlSession : public Session {
 public:
  MysqlSession(const std::string& url, std::chrono::seconds longest);

  Table query(const std::string& statement, const std::vector<std::string>& parameters = {}) override;
  void execute(const std::string& statements) override;
  void interrupt() override { socket_.shut(); }

 private:
  [[noreturn]] void fail() const;
  Table run(const std::string& statement);

  std::string password_;
  std::unique_ptr<MYSQL, decltype(&mysql_close)> connection_;
  SessionSocket socket_;
};

}  // namespace wechatpay::bonus_commit::outbox

#endif
