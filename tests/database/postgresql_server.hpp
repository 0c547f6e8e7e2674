// A PostgreSQL of the test program's own, on a socket in a temporary folder.
#ifndef WECHATPAY_TESTS_DATABASE_POSTGRESQL_SERVER_HPP
#define WECHATPAY_TESTS_DATABASE_POSTGRESQL_SERVER_HPP

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace wechatpay::bonus_commit {

/// PostgreSQL does not run as root: there it runs as nobody. Started once in a program, and ended with it.
class PostgresqlServer {
 public:
  static PostgresqlServer& shared();

  PostgresqlServer();
  PostgresqlServer(const PostgresqlServer&) = delete;
  PostgresqlServer& operator=(const PostgresqlServer&) = delete;
  ~PostgresqlServer();

  void start();  ///< and waits until it answers
  void crash();  ///< as after a power cut: it has to recover what it had written

  /// Makes an empty database, and returns its URL for the superuser.
  std::string new_database();

  /// The URL of that database for another role.
  std::string url(const std::string& database, const std::string& user = "super") const;

  /// Starts another program of a server beside it, with the same user and folder.
  pid_t start_program(const std::vector<std::string>& command) const;
  void end_program(pid_t program, int signal) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::filesystem::path programs_;
  pid_t server_ = -1;
  int databases_ = 0;
};

}  // namespace wechatpay::bonus_commit

#endif
