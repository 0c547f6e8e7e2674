#include "tests/database/postgresql_server.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "src/outbox/session.hpp"

namespace wechatpay::bonus_commit {

namespace {

namespace fs = std::filesystem;

fs::path newest_programs() {
  fs::path newest;
  std::error_code none;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", none)) {
    if (fs::exists(version.path() / "bin/initdb")) newest = std::max(newest, version.path() / "bin");
  }
  if (newest.empty()) throw std::runtime_error("there is no PostgreSQL server in /usr/lib/postgresql");
  return newest;
}

/// A socket's path is at most 107 characters long, so it does not stand where TMPDIR says.
fs::path new_folder() {
  char name[] = "/tmp/wechatpay-pg-XXXXXX";
  if (::mkdtemp(name) == nullptr) throw std::runtime_error("no temporary folder");
  return name;
}

}  // namespace

PostgresqlServer& PostgresqlServer::shared() {
  static PostgresqlServer server;
  return server;
}

PostgresqlServer::PostgresqlServer() : folder_(new_folder()), programs_(newest_programs()) {
  if (::geteuid() == 0) {
    const passwd* const nobody = ::getpwnam("nobody");
    if (nobody == nullptr || ::chown(folder_.c_str(), nobody->pw_uid, nobody->pw_gid) != 0) {
      throw std::runtime_error("no user to run PostgreSQL as");
    }
  }
  const pid_t initdb = start_program({programs_ / "initdb", "--pgdata", folder_ / "data", "--username", "super",
                                      "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"});
  int status = 0;
  ::waitpid(initdb, &status, 0);
  if (status != 0) throw std::runtime_error("initdb failed: " + (folder_ / "log").string());
  start();
}

PostgresqlServer::~PostgresqlServer() {
  if (server_ > 0) end_program(server_, SIGQUIT);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void PostgresqlServer::start() {
  server_ = start_program({programs_ / "postgres", "-D", folder_ / "data", "-k", folder_, "-c",
                           "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c",
                           "max_connections=40", "-c", "max_wal_size=256MB", "-c", "autovacuum_naptime=60s"});
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (true) {
    try {
      outbox::connect(url("postgres"));
      return;
    } catch (const outbox::DatabaseError& error) {
      if (std::chrono::steady_clock::now() > limit) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void PostgresqlServer::crash() {
  end_program(server_, SIGQUIT);
  server_ = -1;
}

std::string PostgresqlServer::new_database() {
  const std::string name = "test" + std::to_string(++databases_);
  outbox::connect(url("postgres"))->execute("CREATE DATABASE " + name + ";");
  return url(name);
}

std::string PostgresqlServer::url(const std::string& database, const std::string& user) const {
  return "postgresql:///" + database + "?host=" + folder_.string() + "&user=" + user;
}

pid_t PostgresqlServer::start_program(const std::vector<std::string>& command) const {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const passwd* const nobody = ::geteuid() == 0 ? ::getpwnam("nobody") : nullptr;
  const std::string log = folder_ / "log";
  const pid_t program = ::fork();
  if (program != 0) return program;
  if (nobody != nullptr && (::setgid(nobody->pw_gid) != 0 || ::setuid(nobody->pw_uid) != 0)) ::_exit(126);
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  if (::chdir(folder_.c_str()) != 0) ::_exit(126);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

void PostgresqlServer::end_program(pid_t program, int signal) const {
  ::kill(program, signal);
  int status = 0;
  ::waitpid(program, &status, 0);
}

}  // namespace wechatpay::bonus_commit
