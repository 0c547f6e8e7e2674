// Relay processes are killed and stopped, and the database crashes. No order is lost, and nothing is committed that was
// not ordered.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/database/outbox_fixture.hpp"
#include "tests/database/tool_process.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit::outbox {

using namespace testing;

namespace {

SandboxOptions faulty() {
  using Kind = SandboxFault::Kind;
  SandboxOptions options;
  options.fault_rate = 0.05;
  options.faults = {Kind::drop_before, Kind::drop_after, Kind::reset, 500, 503, Kind::unsigned_answer};
  return options;
}

class ChaosParts : protected OutboxParts {
 protected:
  explicit ChaosParts(DatabaseServer& server) : OutboxParts(server) {}

  std::unique_ptr<ToolProcess> relay(const std::vector<std::string>& more = {}) const {
    return relay(more, log(), url_);
  }

  std::unique_ptr<ToolProcess> relay(const std::vector<std::string>& more, const std::string& output,
                                     const std::string& url) const {
    const SandboxFiles& files = sandbox_->files();
    std::vector<std::string> arguments = {"relay",
                                          "--database",
                                          url,
                                          "--lease",
                                          "3",
                                          "--max-in-flight",
                                          "8",
                                          "--origin",
                                          sandbox_->origin(),
                                          "--ca-file",
                                          files.ca,
                                          "--cert-file",
                                          files.merchant_certificate,
                                          "--key-file",
                                          files.merchant_key,
                                          "--public-key-file",
                                          files.public_key,
                                          "--public-key-id",
                                          sandbox_->wechat_pay().public_key_id()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<ToolProcess>(arguments, output);
  }

  /// The output of `outbox`, run for the database with this URL.
  static CommandResult run_outbox(const std::string& arguments, const std::string& url) {
    return run("WECHATPAY_DATABASE=" + shell_word(url) + " " + shell_word(WECHATPAY_TOOL) + " outbox " + arguments +
               " 2>&1");
  }

  std::string log() const { return folder_.path("log"); }

  /// Waits until the relays have settled more rows, or all.
  bool goes_on() const {
    const int before = done();
    return becomes([this, before] { return done() >= before + 5 || unsettled() == 0; });
  }

  std::set<std::string> names(const std::string& query) const {
    std::set<std::string> found;
    for (const auto& line : connect(url_)->query(query)) found.insert(line.at(0));
    return found;
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<Sandbox> sandbox_ = Sandbox::start(faulty()).value();
};

/// A terminal that records the output of a process.
class Terminal {
 public:
  Terminal() {
    if (::grantpt(master_) != 0 || ::unlockpt(master_) != 0 || ::ptsname_r(master_, name_.data(), name_.size()) != 0) {
      throw std::runtime_error("no terminal");
    }
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() { ::close(master_); }

  std::string name() const { return name_.data(); }

  /// Everything shown so far.
  const std::string& shown() {
    std::array<char, 4096> some{};
    for (ssize_t length = 1; length > 0;) {
      length = ::read(master_, some.data(), some.size());
      if (length > 0) shown_.append(some.data(), static_cast<std::size_t>(length));
      ended_ = length < 0 && errno == EIO;
    }
    return shown_;
  }

  /// Whether shown() has reached the end: no process has the terminal open any more.
  bool ended() const { return ended_; }

 private:
  const int master_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  std::array<char, 64> name_{};
  std::string shown_;
  bool ended_ = false;
};

class Chaos : public ::testing::TestWithParam<SharedServer>, protected ChaosParts {
 protected:
  Chaos() : ChaosParts(GetParam().get()) {}
};

class PostgresqlTool : public ::testing::Test, protected ChaosParts {
 protected:
  PostgresqlTool() : ChaosParts(PostgresqlServer::shared()) {}
};

/// A primary of its own, since it is killed, and a replica of it.
class PostgresqlReplica : public ::testing::Test, protected ChaosParts {
 protected:
  PostgresqlReplica() : ChaosParts(primary()) {
    run_program("pg_basebackup", {"--host", folder_of_server(), "--username", "super", "--pgdata", data_,
                                  "--checkpoint", "fast", "--write-recovery-conf", "--no-sync"});
    replica_ = server_.start_program({primary().program("postgres"), "-D", data_, "-k", folder_of_server(), "-p",
                                      replica_port, "-c", "listen_addresses=", "-c", "fsync=off"});
  }
  ~PostgresqlReplica() override {
    server_.end_program(replica_, SIGQUIT);
    std::filesystem::remove_all(data_);
  }

  /// The database on the servers with these ports, the first one that can be written.
  std::string url_of(const std::string& ports) const {
    const std::string folder = folder_of_server();
    return "postgresql:///" + database_ +
           "?user=super&host=" + (contains(ports, ",") ? folder + "," + folder : folder) + "&port=" + ports;
  }

  void promote() const { run_program("pg_ctl", {"promote", "-D", data_}); }

  static constexpr const char* replica_port = "5433";

 private:
  static PostgresqlServer& primary() {
    static PostgresqlServer server;
    return server;
  }

  std::string folder_of_server() const { return server_.folder().string(); }

  void run_program(const std::string& name, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), primary().program(name));
    server_.end_program(server_.start_program(arguments), 0);  // waits for its end
  }

  const std::string data_ = folder_of_server() + "/replica";
  pid_t replica_ = -1;
};

/// A merchant that credits orders and rolls back every fifth one.
void insert_orders(const std::string& url, int count, std::set<std::string>& ordered) {
  const auto merchant = connect(url);
  for (int i = 1; i <= count; ++i) {
    const std::string name = "order-" + std::to_string(i);
    const bool rolled_back = i % 5 == 0;
    merchant->execute(
        "BEGIN; INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, sub_mchid, "
        "bonus_value) VALUES ('478515832665', '478515832665', '" +
        name + "', '1230000109', '1900000109', 30); " + (rolled_back ? "ROLLBACK;" : "COMMIT;"));
    if (!rolled_back) ordered.insert(name);
  }
}

TEST_P(Chaos, KilledAndStoppedRelaysAndACrashedServerLoseNothing) {
  std::set<std::string> ordered;
  insert_orders(url_, 500, ordered);
  std::vector<std::unique_ptr<ToolProcess>> relays;
  for (int i = 0; i < 3; ++i) relays.push_back(relay());
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(goes_on()) << read_text(log());
    relays[static_cast<std::size_t>(round) % 3] = nullptr;  // SIGKILL
    relays[static_cast<std::size_t>(round) % 3] = relay();
  }

  ASSERT_TRUE(goes_on()) << read_text(log());
  relays[0]->signal(SIGSTOP);
  const auto held = names("SELECT DISTINCT claim FROM wechatpay_bonus_outbox WHERE claim IS NOT NULL");
  EXPECT_TRUE(becomes([&] {
    const auto now = names("SELECT DISTINCT claim FROM wechatpay_bonus_outbox WHERE claim IS NOT NULL");
    return std::none_of(held.begin(), held.end(), [&now](const std::string& one) { return now.count(one) > 0; });
  })) << "what it held has gone to others";
  relays[0]->signal(SIGCONT);

  server_.crash();
  server_.start();
  ASSERT_TRUE(becomes([this] {
    execute("UPDATE wechatpay_bonus_outbox SET due_at = now() WHERE claim IS NULL;");  // skips the pause of an hour
    return unsettled() == 0;
  })) << read_text(log());
  for (const auto& one : relays) EXPECT_EQ(one->end(SIGTERM), 0) << read_text(log());

  EXPECT_EQ(names("SELECT out_trade_no FROM wechatpay_bonus_outbox_done"), ordered);
  EXPECT_EQ(done(), static_cast<int>(ordered.size()));
  EXPECT_EQ(dead(), 0);
  std::set<std::string> committed;
  std::size_t calls = 0;
  for (const CommittedOrder& one : sandbox_->wechat_pay().committed()) {
    committed.insert(one.request.out_trade_no);
    calls += one.times;
  }
  EXPECT_EQ(committed, ordered);
  RecordProperty("repeated_calls", static_cast<int>(calls - committed.size()));
  EXPECT_LE(calls, 2 * ordered.size());
}

TEST_F(PostgresqlTool, ARelayBehindAPoolerInTransactionModeWorks) {
  const std::string folder = server_.folder().string();
  std::ofstream(folder + "/pgbouncer.ini")
      << "[databases]\n* = host=" << folder << " user=super\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = " << folder
      << "\nlisten_port = 6432\nauth_type = any\npool_mode = transaction\n"
         "default_pool_size = 2\n";
  const pid_t pooler = server_.start_program({"/usr/sbin/pgbouncer", folder + "/pgbouncer.ini"});
  const std::string pooled = "postgresql:///" + database_ + "?host=" + folder + "&port=6432&user=super";
  EXPECT_TRUE(becomes([&pooled] {
    try {
      connect(pooled);
      return true;
    } catch (const DatabaseError&) {
      return false;
    }
  }));
  insert(100);
  {
    std::vector<std::unique_ptr<ToolProcess>> relays;
    for (int i = 0; i < 4; ++i) {
      relays.push_back(std::make_unique<ToolProcess>(
          std::vector<std::string>{"relay", "--database", pooled, "--rate", "500", "--origin", sandbox_->origin(),
                                   "--ca-file", sandbox_->files().ca, "--cert-file",
                                   sandbox_->files().merchant_certificate, "--key-file", sandbox_->files().merchant_key,
                                   "--public-key-file", sandbox_->files().public_key, "--public-key-id",
                                   sandbox_->wechat_pay().public_key_id()},
          log()));
    }
    EXPECT_TRUE(becomes([this] {
      execute("UPDATE wechatpay_bonus_outbox SET due_at = now() WHERE claim IS NULL;");
      return unsettled() == 0;
    })) << read_text(log());
    for (const auto& one : relays) EXPECT_EQ(one->end(SIGTERM), 0) << read_text(log());
  }
  EXPECT_EQ(done(), 100);
  server_.end_program(pooler, SIGTERM);
}

TEST_F(PostgresqlTool, ARelayHeedsItsOptions) {
  sandbox_->set_faults({});
  insert(200, "many");
  insert(3, "few");
  execute("UPDATE wechatpay_bonus_outbox SET sub_mchid = '1900000777' WHERE out_trade_no LIKE 'few%';");
  const auto fair = relay({"--fair"});
  ASSERT_TRUE(becomes([this] { return unsettled() == 0; })) << read_text(log());
  EXPECT_EQ(fair->end(SIGTERM), 0) << read_text(log());
  const auto latest_first = sandbox_->wechat_pay().latest_committed(203);
  const auto last = std::find_if(latest_first.begin(), latest_first.end(),
                                 [](const CommittedOrder& one) { return one.request.sub_mchid == "1900000777"; });
  EXPECT_LE(latest_first.end() - last, 80) << "they were inserted behind 200 others";

  insert(3, "young");
  insert(3, "old");
  execute("UPDATE wechatpay_bonus_outbox SET created_at = now() - interval '6' minute WHERE out_trade_no LIKE 'old%';");
  const auto delayed = relay({"--delay", "300"});
  EXPECT_TRUE(becomes([this] { return unsettled() == 3; })) << read_text(log());
  EXPECT_EQ(delayed->end(SIGTERM), 0) << read_text(log());
  EXPECT_EQ(number("SELECT count(*) FROM wechatpay_bonus_outbox WHERE out_trade_no LIKE 'young%' AND claims = 0"), 3);

  execute("UPDATE wechatpay_bonus_outbox SET sub_mchid = '';");
  const auto misfit = relay({"--merchant-mode", "partner"});
  EXPECT_TRUE(becomes([this] { return contains(read_text(log()), "the merchant mode that is set is partner"); }));
  EXPECT_EQ(misfit->end(SIGTERM), 2) << "no row has a sub_mchid: " << read_text(log());
  EXPECT_EQ(unsettled(), 3);
}

TEST_F(PostgresqlReplica, ARelayRefusesItAndGoesOnThereWhenItIsPromoted) {
  insert(40);
  EXPECT_TRUE(becomes([this] {
    return number("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()") == 1;
  })) << "the orders have arrived";
  const std::string replica_url = url_of(replica_port);
  std::string error;
  ASSERT_TRUE(becomes([&] {
    try {
      connect(replica_url);
    } catch (const DatabaseError& refused) {
      error = refused.what();
    }
    return contains(error, "session is read-only");
  })) << error;
  const auto relay = this->relay({}, log(), url_of("5432," + std::string(replica_port)));
  ASSERT_TRUE(goes_on()) << read_text(log());
  server_.crash();
  promote();
  const auto left = [&replica_url] {
    const auto promoted = connect(replica_url);
    promoted->execute("UPDATE wechatpay_bonus_outbox SET due_at = now() WHERE claim IS NULL;");
    return promoted->query("SELECT count(*) FROM wechatpay_bonus_outbox").at(0).at(0);
  };
  EXPECT_TRUE(becomes([&left] { return left() == "0"; })) << read_text(log());
  EXPECT_EQ(relay->end(SIGTERM), 0) << read_text(log());
  EXPECT_EQ(connect(replica_url)->query("SELECT count(*) FROM wechatpay_bonus_outbox_done").at(0).at(0), "40");
  EXPECT_EQ(sandbox_->wechat_pay().committed().size(), 40U);
  server_.start();
}

TEST_P(Chaos, TheToolServesMetricsAndHealthOnTheLoopback) {
  insert(20);
  const auto process = relay({"--metrics", "0"});
  std::string origin;
  ASSERT_TRUE(becomes([&] {
    const std::string said = read_text(log());
    const std::size_t begin = said.find("metrics: http://127.0.0.1:");
    const std::size_t end = said.find("/metrics,");
    if (begin == std::string::npos || end == std::string::npos) return false;
    origin = said.substr(begin + 9, end - begin - 9);
    return true;
  })) << read_text(log());
  const auto get = [&origin](const std::string& path) {
    return run("curl --silent --max-time 60 --noproxy '*' " + origin + path).output;
  };
  EXPECT_TRUE(becomes([&get] { return contains(get("/metrics"), "settled_total{result=\"done\"} 20\n"); }))
      << get("/metrics") << read_text(log());
  EXPECT_TRUE(becomes([&get] { return contains(get("/metrics"), "rows{state=\"due\"}"); })) << get("/metrics");
  EXPECT_EQ(get("/healthz"), "ok\n");
  if (run("command -v promtool").status == 0) {
    const CommandResult checked =
        run("curl --silent --noproxy '*' " + origin + "/metrics | promtool check metrics 2>&1");
    EXPECT_EQ(checked.status, 0) << checked.output;
    EXPECT_EQ(checked.output, "");
  }
  EXPECT_EQ(process->end(SIGTERM), 0) << read_text(log());
}

TEST_P(Chaos, TheToolShowsOnATerminalHowFarItIs) {
  insert(20);
  Terminal terminal;
  const auto process = relay({}, terminal.name(), url_);
  EXPECT_TRUE(becomes([&terminal] { return contains(terminal.shown(), "\r\33[K20 credited"); })) << terminal.shown();
  process->signal(SIGTERM);
  ASSERT_TRUE(becomes([&terminal] {
    terminal.shown();
    return terminal.ended();
  })) << terminal.shown();
  EXPECT_EQ(process->wait(), 0);
  const std::string& shown = terminal.shown();
  EXPECT_TRUE(contains(shown.substr(shown.rfind("\r\33[K")), "20 credited  ")) << shown;
  EXPECT_EQ(shown.substr(shown.size() - 2), "\r\n") << "the line stays";
}

TEST_P(Chaos, TheToolMakesShowsAndMendsTheOutbox) {
  const std::string database = server_.new_database();
  const std::string empty = server_.url(database);
  const auto tool = [&](const std::string& arguments, const std::string& user = "") {
    return run_outbox(arguments, server_.url(database, user));
  };
  EXPECT_TRUE(contains(tool("status").output, "wechatpay_bonus_outbox_about"));
  const std::string statements = tool("install --sql").output;
  EXPECT_TRUE(contains(statements, "CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox ("));
  connect(empty)->execute(statements);
  EXPECT_EQ(tool("install").output, "the outbox tables have version 1\n");
  EXPECT_EQ(tool("upgrade").status, 0);
  connect(empty)->execute(
      "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, bonus_value) VALUES "
      "('1', '2', '3', '4', 5); INSERT INTO wechatpay_bonus_outbox_dead (card_id, code, "
      "out_trade_no, mchid, sub_mchid, bonus_value, attempts, created_at, kind, error_code, "
      "message, request_id) VALUES ('1', '2', '3', '4', '', 5, 1, now(), 'refused', "
      "'INVALID_REQUEST', 'no such card', 'ID');");
  EXPECT_TRUE(contains(tool("status").output, "due 1, the oldest for "));
  EXPECT_TRUE(contains(tool("status").output, "\ndead, refused 1\n"));
  EXPECT_TRUE(contains(tool("status --json").output, "\"due\": 1,"));
  EXPECT_TRUE(contains(tool("dead").output, "\"message\":\"no such card\""));
  EXPECT_TRUE(contains(tool("retry").output, "needs one of --kind, --id and --all"));
  EXPECT_TRUE(contains(tool("status --all").output, "outbox status has no option --all"));
  EXPECT_EQ(tool("retry --kind refused").output, "1 row to be committed again\n");
  EXPECT_EQ(tool("discard --all").output, "0 rows discarded\n");
  EXPECT_EQ(tool("prune --days 1").output, "0 rows deleted\n");
  EXPECT_EQ(tool("resume").output, "no halt; 0 rows due now\n");
  const CommandResult doctor = tool("doctor");
  EXPECT_EQ(doctor.status, 0) << doctor.output;
  EXPECT_TRUE(contains(doctor.output, "ok    rights")) << doctor.output;
  EXPECT_TRUE(contains(doctor.output, "ok    oldest transaction")) << doctor.output;

  const bool postgresql = server_.name() == "PostgreSQL";
  const std::string role = "visitor_of_" + database;
  const std::string user = postgresql ? role : "'" + role + "'@'localhost'";
  connect(empty)->execute((postgresql ? "CREATE ROLE " + role + " LOGIN" : "CREATE USER " + user) +
                          "; GRANT SELECT ON " + (postgresql ? "ALL TABLES IN SCHEMA public" : database + ".*") +
                          " TO " + user + ";");
  const std::string visit = tool("doctor", role).output;
  EXPECT_TRUE(contains(visit, "?   oldest transaction")) << visit;
  EXPECT_TRUE(contains(visit, postgresql ? "grant pg_read_all_stats," : "grant PROCESS,")) << visit;
  connect(empty)->execute((postgresql ? "DROP OWNED BY " + role + "; DROP ROLE " : "DROP USER ") + user + ";");
}

TEST_P(Chaos, TheToolSaysWhyAMerchantIsHaltedAndEndsTheHalt) {
  store()->halt(owner.merchant, std::chrono::seconds(200), "WeChat Pay answered 429");
  const std::string status = run_outbox("status", url_).output;
  EXPECT_TRUE(contains(status, "\nhalted for ")) << status;
  EXPECT_TRUE(contains(status, " s: WeChat Pay answered 429\n")) << status;
  const auto halted = nlohmann::json::parse(run_outbox("status --json", url_).output);
  EXPECT_EQ(halted.at("merchant"), owner.merchant);
  EXPECT_EQ(halted.at("host"), owner.host);
  EXPECT_EQ(halted.at("why_halted"), "WeChat Pay answered 429");
  EXPECT_GT(halted.at("halted_seconds"), 0);
  const CommandResult doctor = run_outbox("doctor --json", url_);
  EXPECT_EQ(doctor.status, 0);
  const auto findings = nlohmann::json::parse(doctor.output);
  EXPECT_EQ(findings["wrong"], 0);
  const auto halt = std::find_if(findings["steps"].begin(), findings["steps"].end(),
                                 [](const auto& step) { return step["step"] == "halt"; });
  ASSERT_NE(halt, findings["steps"].end()) << doctor.output;
  EXPECT_EQ((*halt)["verdict"], "look");
  EXPECT_EQ(run_outbox("resume", url_).output, "no halt; 0 rows due now\n");
  const auto resumed = nlohmann::json::parse(run_outbox("status --json", url_).output);
  EXPECT_EQ(resumed.at("halted_seconds"), 0);
  EXPECT_FALSE(resumed.contains("why_halted"));
}

TEST_P(Chaos, TheToolSelectsDeadRowsByKindOrIdAndListsThemAsOneDocument) {
  for (const char* const kind : {"refused", "refused", "exhausted"}) {
    execute(
        std::string("INSERT INTO wechatpay_bonus_outbox_dead (card_id, code, out_trade_no, mchid, sub_mchid, "
                    "bonus_value, attempts, created_at, kind, error_code, message, request_id) VALUES ('1', '2', '3', "
                    "'4', '', 5, 1, now(), '")
            .append(kind)
            .append("', 'INVALID_REQUEST', 'no such card', 'ID');"));
  }
  const auto all = nlohmann::json::parse(run_outbox("dead --json", url_).output);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0]["out_trade_no"], "3");
  EXPECT_EQ(all[0]["bonus_value"], 5);
  EXPECT_EQ(all[0]["request_id"], "ID");
  EXPECT_EQ(nlohmann::json::parse(run_outbox("dead --kind refused --json", url_).output).size(), 2U);
  const std::string id = all[1]["id"].dump();
  EXPECT_EQ(nlohmann::json::parse(run_outbox("dead --id " + id, url_).output)["id"], all[1]["id"]);
  EXPECT_TRUE(
      contains(run_outbox("discard --id " + id + " --all", url_).output, "needs one of --kind, --id and --all"));
  EXPECT_EQ(run_outbox("discard --id " + id, url_).output, "1 row discarded\n");
  EXPECT_EQ(run_outbox("retry --all", url_).output, "2 rows to be committed again\n");
  EXPECT_EQ(run_outbox("dead --json", url_).output, "[]\n");
  EXPECT_EQ(unsettled(), 2);
}

TEST_P(Chaos, TheToolReadsAUrlFromAFileAndSaysThatItsOutputIsLost) {
  const std::string file = folder_.write("url", url_ + "\r\nanything\n");
  const auto tool = [&](const std::string& arguments) {
    return run(shell_word(WECHATPAY_TOOL) + " outbox " + arguments + " --database-file " + shell_word(file));
  };
  EXPECT_TRUE(contains(tool("install --sql").output, "CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox ("));
  EXPECT_EQ(tool("status --json").status, 0);
  const CommandResult lost = tool("status 2>&1 > /dev/full");
  EXPECT_NE(lost.status, 0);
  EXPECT_EQ(lost.output, "standard output cannot be written: the output is lost\n");
}

TEST_F(PostgresqlTool, ARelayThatCannotWriteAResultSaysSoByItsExitStatusAndTheCallIsRepeated) {
  sandbox_->set_faults({});
  insert(1);
  const auto process = relay();
  ASSERT_TRUE(becomes([this] { return sandbox_->wechat_pay().times_committed("order-1") == 1 && done() == 1; }));
  std::atomic<bool> asked{false};
  std::atomic<bool> answered{false};
  sandbox_->answer_with([&](const HttpRequest& request) {
    asked = true;
    becomes([&answered] { return answered.load(); });
    return sandbox_->wechat_pay().answer(request);
  });
  insert(1, "another");
  EXPECT_TRUE(becomes([&asked] { return asked.load(); })) << read_text(log());
  server_.crash();
  process->signal(SIGTERM);
  answered = true;
  EXPECT_EQ(process->wait(), 3) << read_text(log());
  server_.start();
  EXPECT_EQ(unsettled(), 1);
  sandbox_->answer_with([this](const HttpRequest& request) { return sandbox_->wechat_pay().answer(request); });
  const auto next = relay();
  EXPECT_TRUE(becomes([this] { return unsettled() == 0; })) << read_text(log());
  EXPECT_EQ(next->end(SIGTERM), 0) << read_text(log());
}

INSTANTIATE_TEST_SUITE_P(Databases, Chaos, ::testing::ValuesIn(servers()), server_name);

}  // namespace
}  // namespace wechatpay::bonus_commit::outbox
