#include "tests/database/servers.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <utility>

#include "src/outbox/session.hpp"

namespace wechatpay::bonus_commit {

namespace {

namespace fs = std::filesystem;

fs::path newest_postgresql() {
  fs::path newest;
  double number = 0;
  std::error_code none;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", none)) {
    const double this_number = std::atof(version.path().filename().c_str());  // 9.6 is older than 15
    if (this_number < number || !fs::exists(version.path() / "bin/initdb")) continue;
    newest = version.path() / "bin";
    number = this_number;
  }
  if (newest.empty()) throw std::runtime_error("there is no PostgreSQL server in /usr/lib/postgresql");
  return newest;
}

/// A socket's path has at most 107 characters, so the folder is not in TMPDIR.
fs::path new_folder() {
  char name[] = "/tmp/wechatpay-db-XXXXXX";
  if (::mkdtemp(name) == nullptr) throw std::runtime_error("no temporary folder");
  return name;
}

}  // namespace

DatabaseServer::DatabaseServer() : folder_(new_folder()) {
  if (::geteuid() != 0) return;
  const passwd* const nobody = ::getpwnam("nobody");
  if (nobody == nullptr || ::chown(folder_.c_str(), nobody->pw_uid, nobody->pw_gid) != 0) {
    throw std::runtime_error("no user to run a database as");
  }
}

DatabaseServer::~DatabaseServer() {
  if (server_ > 0) end_program(server_, SIGKILL);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void DatabaseServer::start() {
  server_ = start_program(command());
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (true) {
    try {
      outbox::connect(url(first_database()));
      return;
    } catch (const outbox::DatabaseError&) {
      if (std::chrono::steady_clock::now() > limit) throw;
    }
    if (::waitpid(server_, nullptr, WNOHANG) == server_) {
      server_ = -1;
      throw std::runtime_error(name() + " ended as soon as it was started:\n" + read_log());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void DatabaseServer::crash() {
  end_program(server_, name() == "PostgreSQL" ? SIGQUIT : SIGKILL);  // SIGKILL would leave its child processes running
  server_ = -1;
}

std::string DatabaseServer::new_database() {
  const std::string name = "test" + std::to_string(++databases_);
  outbox::connect(url(first_database()))->execute("CREATE DATABASE " + name + ";");
  return name;
}

void DatabaseServer::drop(const std::string& database) {
  const auto session = outbox::connect(url(first_database()));
  session->execute("DROP DATABASE " + database + (name() == "PostgreSQL" ? " WITH (FORCE);" : ";"));
}

std::string DatabaseServer::read_log() const {
  std::ifstream log(folder_ / "log");
  return {std::istreambuf_iterator<char>(log), std::istreambuf_iterator<char>()};
}

pid_t DatabaseServer::start_program(const std::vector<std::string>& command) const {
  std::vector<std::string> words{"/usr/bin/env", "TZ=CST-8"};  // the local time of most merchants' servers
  words.insert(words.end(), command.begin(), command.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
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

void DatabaseServer::end_program(pid_t program, int signal) const {
  ::kill(program, signal);
  int status = 0;
  while (::waitpid(program, &status, 0) < 0 && errno == EINTR) continue;
}

void DatabaseServer::run_to_its_end(const std::vector<std::string>& command) const {
  const pid_t program = start_program(command);
  int status = 0;
  while (::waitpid(program, &status, 0) < 0 && errno == EINTR) continue;
  if (status != 0) throw std::runtime_error(command[0] + " failed:\n" + read_log());
}

DatabaseServer& PostgresqlServer::shared() {
  static PostgresqlServer server;
  return server;
}

PostgresqlServer::PostgresqlServer(std::vector<std::string> settings)
    : programs_(newest_postgresql()), settings_(std::move(settings)) {
  // These could point to the user's own server, because the URL does not set them.
  for (const char* variable : {"PGHOSTADDR", "PGPORT", "PGOPTIONS", "PGSERVICE", "PGSSLMODE", "PGPASSWORD"}) {
    ::unsetenv(variable);
  }
  run_to_its_end({program("initdb"), "--pgdata", folder() / "data", "--username", "super", "--auth", "trust",
                  "--no-sync", "--encoding", "UTF8", "--locale", "C"});
  start();
}

std::string PostgresqlServer::url(const std::string& database, const std::string& user) const {
  return "postgresql:///" + database + "?host=" + folder().string() + "&user=" + (user.empty() ? "super" : user);
}

std::vector<std::string> PostgresqlServer::command() const {
  std::vector<std::string> words = {program("postgres"), "-D", folder() / "data", "-k", folder(), "-c",
                                    "listen_addresses="};
  for (const std::string& setting : settings_) words.insert(words.end(), {"-c", setting});
  return words;
}

DatabaseServer& MariadbServer::shared() {
  static MariadbServer server;
  return server;
}

MariadbServer::MariadbServer(std::vector<std::string> settings) : settings_(std::move(settings)) {
  run_to_its_end({"/usr/bin/mariadb-install-db", "--no-defaults", "--datadir=" + (folder() / "data").string(),
                  "--tmpdir=" + folder().string(), "--auth-root-authentication-method=normal", "--skip-test-db"});
  start();
}

std::string MariadbServer::url(const std::string& database, const std::string& user) const {
  return "mysql://" + (user.empty() ? "root" : user) + "@localhost/" + database +
         "?socket=" + (folder() / "socket").string();
}

std::vector<std::string> MariadbServer::command() const {
  std::vector<std::string> words = {"/usr/sbin/mariadbd",
                                    "--no-defaults",
                                    "--datadir=" + (folder() / "data").string(),
                                    "--tmpdir=" + folder().string(),  // a server that starts deletes what lies in it
                                    "--socket=" + (folder() / "socket").string(),
                                    "--pid-file=" + (folder() / "pid").string(),
                                    "--skip-networking"};
  words.insert(words.end(), settings_.begin(), settings_.end());
  return words;
}

}  // namespace wechatpay::bonus_commit
