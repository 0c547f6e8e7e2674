// Database servers of the test program, each on a socket in a temporary folder.
#ifndef WECHATPAY_TESTS_DATABASE_SERVERS_HPP
#define WECHATPAY_TESTS_DATABASE_SERVERS_HPP

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace wechatpay::bonus_commit {

/// Started when it is created, and ended with its object. No server runs as root: if the tests do, it runs as the user
/// nobody.
class DatabaseServer {
 public:
  DatabaseServer();
  DatabaseServer(const DatabaseServer&) = delete;
  DatabaseServer& operator=(const DatabaseServer&) = delete;
  virtual ~DatabaseServer();

  void start();  ///< and waits until it answers; it ends with the calling thread, which is the main thread
  void crash();  ///< as if it were killed: at its next start it has to recover what it had written

  /// Makes an empty database, and returns its name.
  std::string new_database();
  void drop(const std::string& database);

  virtual std::string name() const = 0;

  /// The URL of a database for a user. If `user` is empty, the superuser.
  virtual std::string url(const std::string& database, const std::string& user = "") const = 0;

  /// Starts a program as the server's user, in its folder.
  pid_t start_program(const std::vector<std::string>& command) const;
  void end_program(pid_t program, int signal) const;

  const std::filesystem::path& folder() const { return folder_; }

 protected:
  void run_to_its_end(const std::vector<std::string>& command) const;

 private:
  virtual std::vector<std::string> command() const = 0;
  virtual std::string first_database() const = 0;
  std::string read_log() const;

  std::filesystem::path folder_;
  pid_t server_ = -1;
  int databases_ = 0;
};

class PostgresqlServer : public DatabaseServer {
 public:
  static DatabaseServer& shared();

  /// `settings`: of postgresql.conf. The default ones are for short tests: commits do not wait for the disk.
  explicit PostgresqlServer(std::vector<std::string> settings = {"fsync=off", "shared_buffers=16MB",
                                                                 "max_connections=40", "max_wal_size=256MB",
                                                                 "autovacuum_naptime=60s"});
  std::string name() const override { return "PostgreSQL"; }

  /// The path of a program that belongs to the server.
  std::string program(const std::string& name) const { return programs_ / name; }

  std::string url(const std::string& database, const std::string& user = "") const override;

 private:
  std::vector<std::string> command() const override;
  std::string first_database() const override { return "postgres"; }

  const std::filesystem::path programs_;
  const std::vector<std::string> settings_;
};

class MariadbServer : public DatabaseServer {
 public:
  static DatabaseServer& shared();

  /// `settings`: options of mariadbd. The default ones are for short tests: commits do not wait for the disk.
  explicit MariadbServer(std::vector<std::string> settings = {"--innodb-flush-log-at-trx-commit=2",
                                                              "--innodb-buffer-pool-size=32M",
                                                              "--innodb-log-file-size=16M"});
  std::string name() const override { return "MariaDB"; }
  std::string url(const std::string& database, const std::string& user = "") const override;

 private:
  std::vector<std::string> command() const override;
  std::string first_database() const override { return "mysql"; }

  const std::vector<std::string> settings_;
};

}  // namespace wechatpay::bonus_commit

#endif
