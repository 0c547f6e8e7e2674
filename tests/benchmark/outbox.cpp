// The outbox in PostgreSQL and MariaDB: claims and settlements, the merchant's transaction, and relays beside
// `backfill`. Each server has its default settings, except for 256 MB of buffers. So a commit waits for the disk.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/benchmark/figures.hpp"
#include "tests/benchmark/measuring.hpp"
#include "tests/database/outbox_fixture.hpp"
#include "tests/database/servers.hpp"
#include "tests/database/tool_process.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit::outbox {

using namespace testing;

namespace {

constexpr std::size_t batch = 128;  // what a relay claims at once, at its default of 64 in flight

struct Sizes {
  int rounds;
  int rows;          ///< of a drain without calls
  int settled;       ///< settled rows that are there already
  int transactions;  ///< of the merchant
  int orders;        ///< of a drain over the sandbox, in each round
  int drains;        ///< rounds of such drains

  static Sizes of(const Arguments& arguments) {
    if (arguments.brief) return {1, 500, 1000, 20, 20, 1};
    return {7, 20000, 1000000, 1000, 20000, 5};
  }
};

/// "1,000,000"
std::string grouped(int number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

/// "PostgreSQL 15.14"
std::string name_of(const DatabaseServer& server, Session& session) {
  const std::string version = session.query("SELECT version()").at(0).at(0);
  const std::size_t begin = std::min(version.find_first_of("0123456789"), version.size());
  const std::size_t end = version.find_first_not_of("0123456789.", begin);
  return server.name() + " " + version.substr(begin, end - begin);
}

struct Medians {
  double first = 0;
  double second = 0;
  double ratio = 0;  ///< of the second to the first of the same round
};

/// Measures both alternately. The first round is not counted.
Medians by_turns(int rounds, const std::function<double()>& first, const std::function<double()>& second) {
  std::vector<double> ones;
  std::vector<double> others;
  std::vector<double> ratios;
  for (int round = 0; round <= rounds; ++round) {
    const bool swapped = round % 2 == 1;
    double one = swapped ? second() : first();
    double other = swapped ? first() : second();
    if (swapped) std::swap(one, other);
    if (round == 0) continue;
    ones.push_back(one);
    others.push_back(other);
    ratios.push_back(other / one);
  }
  return {median(ones), median(others), median(ratios)};
}

/// Repeats what a relay would repeat.
template <typename Run>
auto until_done(const Run& run) {
  while (true) {
    try {
      return run();
    } catch (const DatabaseError& error) {
      if (!error.passing()) throw;
    }
  }
}

/// One outbox in a database of its own.
class Outbox : OutboxParts {
 public:
  explicit Outbox(DatabaseServer& server) : OutboxParts(server), session_(connect(url_, std::chrono::minutes(10))) {}

  const std::string& url() const { return url_; }
  Session& session() const { return *session_; }
  bool empty() const { return session_->query("SELECT 1 FROM wechatpay_bonus_outbox LIMIT 1").empty(); }

  /// Inserts due rows, one each tenth of a second of the past.
  void insert(int rows) {
    const std::string count = std::to_string(rows);
    const std::string name = "'order-" + std::to_string(++inserted_) + "-' || ";
    session_->query(std::string("INSERT INTO wechatpay_bonus_outbox (") +
                    "card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, due_at) SELECT '478515832665', "
                    "'478515832665', " +
                    name +
                    (postgresql() ? "n, '1230000109', '1900000109', 30, now() - (" + count +
                                        " - n) * interval '100 ms' FROM generate_series(1, " + count + ") n"
                                  : "seq, '1230000109', '1900000109', 30, NOW(6) - INTERVAL (" + count +
                                        " - seq) * 100000 MICROSECOND FROM seq_1_to_" + count));
  }

  void insert_settled(int rows) const {
    const std::string count = std::to_string(rows);
    session_->execute(
        std::string("INSERT INTO wechatpay_bonus_outbox_done (id, card_id, code, out_trade_no, mchid, ") +
        "sub_mchid, bonus_value, attempts, created_at, request_id) SELECT -n, '478515832665', "
        "'478515832665', 'settled-' || n, '1230000109', '1900000109', 30, 1, now(), "
        "'08F7B6D3A90610CE0218C8EBE0DA012033' FROM " +
        (postgresql() ? "generate_series(1, " + count + ") n" : "(SELECT seq AS n FROM seq_1_to_" + count + ") s"));
    session_->execute(postgresql() ? "VACUUM ANALYZE wechatpay_bonus_outbox_done"
                                   : "ANALYZE TABLE wechatpay_bonus_outbox_done");
  }

  void forget_settled() const { session_->execute("TRUNCATE TABLE wechatpay_bonus_outbox_done"); }

  /// Does what autovacuum would do some time later.
  void clean_up() const {
    if (postgresql()) session_->execute("VACUUM wechatpay_bonus_outbox");
  }

  /// Rows a second that the workers claim and settle.
  double drain(int workers, int rows) {
    clean_up();
    insert(rows);
    std::vector<std::unique_ptr<Store>> stores;
    for (int i = 0; i < workers; ++i) stores.push_back(store());
    std::atomic<int> claimed{0};
    const auto begin = Clock::now();
    std::vector<std::thread> threads;
    for (int i = 0; i < workers; ++i) {
      threads.emplace_back([&, i] { work(*stores[static_cast<std::size_t>(i)], std::to_string(i), claimed, rows); });
    }
    for (std::thread& thread : threads) thread.join();
    const double seconds = seconds_between(begin, Clock::now());
    require(empty());
    return rows / seconds;
  }

 private:
  bool postgresql() const { return server_.name() == "PostgreSQL"; }

  /// Claims and settles as a relay does whose calls take no time.
  static void work(Store& store, const std::string& name, std::atomic<int>& claimed, int rows) {
    std::int64_t low = 0;
    for (int turn = 0; claimed < rows; ++turn) {
      Claim claim = claim_of(batch, name + "-" + std::to_string(turn));
      claim.low = low;
      const auto taken = until_done([&] { return store.claim(claim); });
      claimed += static_cast<int>(taken.size());
      low = taken.size() < batch ? 0 : std::max<std::int64_t>(0, taken.back().due - 5000000);
      if (taken.empty()) continue;
      std::vector<Settlement> settlements;
      for (const Row& row : taken) {
        settlements.push_back(settlement_of(row, claim.token, Fate::done));
        settlements.back().request_id = "08F7B6D3A90610CE0218C8EBE0DA012033";
      }
      until_done([&] { return store.settle(settlements); });
    }
  }

  const std::unique_ptr<Session> session_;
  int inserted_ = 0;
};

/// A transaction that sees the database as it was, as long as this object exists.
class OldSnapshot {
 public:
  explicit OldSnapshot(const Outbox& outbox, bool postgresql) : session_(connect(outbox.url())) {
    session_->execute(postgresql
                          ? "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM wechatpay_bonus_outbox_about;"
                          : "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH "
                            "CONSISTENT SNAPSHOT; SELECT COUNT(*) FROM wechatpay_bonus_outbox_about;");
  }

 private:
  const std::unique_ptr<Session> session_;
};

void claims_and_settlements(DatabaseServer& server, const std::string& name, const Sizes& sizes, Figures& figures) {
  Outbox none(server);
  Outbox many(server);
  many.insert_settled(sizes.settled);
  const std::vector<int> all_workers = {1, 4, 8};
  std::vector<double> without_snapshot;
  const auto what = [&name](int workers) {
    return name + ", " + std::to_string(workers) + (workers == 1 ? " worker: " : " workers: ");
  };
  for (const int workers : all_workers) {
    const Medians medians = by_turns(
        sizes.rounds,
        [&] {
          none.forget_settled();
          return none.drain(workers, sizes.rows);
        },
        [&] { return many.drain(workers, sizes.rows); });
    without_snapshot.push_back(medians.first);
    figures.add(
        {what(workers) + "claimed and settled, " + std::to_string(batch) + " at a time", medians.first, "rows/s"});
    figures.add({what(workers) + "the same with " + grouped(sizes.settled) + " settled rows", medians.ratio, "x",
                 "at least", 0.9});
  }
  const OldSnapshot snapshot(none, server.name() == "PostgreSQL");
  for (std::size_t i = 0; i < all_workers.size(); ++i) {
    std::vector<double> rates;
    for (int round = 0; round < sizes.rounds; ++round) rates.push_back(none.drain(all_workers[i], sizes.rows));
    figures.add({what(all_workers[i]) + "the same while another session holds an old snapshot",
                 median(rates) / without_snapshot[i], "x"});
  }
}

/// Transactions a second of a merchant that credits points.
double credit(Session& merchant, int transactions, bool with_row) {
  const std::string row =
      with_row ? "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value) "
                 "VALUES ('478515832665', '478515832665', 'order', '1230000109', '1900000109', 30); "
               : "";
  const auto begin = Clock::now();
  for (int i = 0; i < transactions; ++i) {
    const std::string member = std::to_string(i % 1000);
    merchant.execute("BEGIN; UPDATE member SET points = points + 30 WHERE id = " + member +
                     "; INSERT INTO payment (member, points) VALUES (" + member + ", 30); " + row + "COMMIT;");
  }
  return transactions / seconds_between(begin, Clock::now());
}

void merchants_transaction(DatabaseServer& server, const std::string& name, const Sizes& sizes, Figures& figures) {
  const Outbox outbox(server);
  const bool postgresql = server.name() == "PostgreSQL";
  Session& merchant = outbox.session();
  merchant.execute(std::string("CREATE TABLE member (id bigint PRIMARY KEY, points bigint NOT NULL); ") +
                   "CREATE TABLE payment (id bigint " +
                   (postgresql ? "GENERATED ALWAYS AS IDENTITY" : "AUTO_INCREMENT") +
                   " PRIMARY KEY, member bigint NOT NULL, points bigint NOT NULL); INSERT INTO member SELECT " +
                   (postgresql ? "n, 0 FROM generate_series(0, 999) n;" : "seq, 0 FROM seq_0_to_999;"));
  const Medians medians = by_turns(
      sizes.rounds, [&] { return credit(merchant, sizes.transactions, false); },
      [&] { return credit(merchant, sizes.transactions, true); });
  figures.add({name + ": a merchant's transaction that credits points", 1e6 / medians.first, "us"});
  figures.add({name + ": its time with the row of the outbox, against without", 1 / medians.ratio, "x"});
}

/// The tool's commands against the sandbox.
class Tool {
 public:
  Tool(Sandbox& sandbox, const TemporaryFolder& folder) : sandbox_(sandbox), folder_(folder) {}

  /// CPU time of each commit, in microseconds.
  double backfill(int orders) {
    const std::string file = folder_.path("orders-" + std::to_string(++files_) + ".csv");
    {
      std::ofstream csv(file);
      csv << "card_id,code,out_trade_no,mchid,sub_mchid,bonus_value\n";
      for (int i = 1; i <= orders; ++i) csv << "478515832665,478515832665,order-" << i << ",1230000109,1900000109,30\n";
    }
    const double cpu = cpu_seconds(RUSAGE_CHILDREN);
    const auto tool = start({"backfill", file});
    if (tool->wait() != 0) throw std::runtime_error("backfill failed: " + read_text(log()));
    return (cpu_seconds(RUSAGE_CHILDREN) - cpu) * 1e6 / orders;
  }

  /// CPU time of each commit, in microseconds.
  double relay(Outbox& outbox, int orders) {
    outbox.forget_settled();
    outbox.clean_up();
    outbox.insert(orders);
    const double cpu = cpu_seconds(RUSAGE_CHILDREN);
    const auto tool = start({"relay", "--database", outbox.url()});
    const auto limit = Clock::now() + std::chrono::minutes(20);
    while (!outbox.empty()) {
      if (Clock::now() > limit) throw std::runtime_error("the relay does not drain the outbox: " + read_text(log()));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    if (tool->end(SIGTERM) != 0) throw std::runtime_error("the relay failed: " + read_text(log()));
    return (cpu_seconds(RUSAGE_CHILDREN) - cpu) * 1e6 / orders;
  }

 private:
  std::string log() const { return folder_.path("log"); }

  std::unique_ptr<ToolProcess> start(std::vector<std::string> arguments) const {
    const SandboxFiles& files = sandbox_.files();
    arguments.insert(arguments.end(),
                     {"--origin", sandbox_.origin(), "--ca-file", files.ca, "--cert-file", files.merchant_certificate,
                      "--key-file", files.merchant_key, "--public-key-file", files.public_key, "--public-key-id",
                      sandbox_.wechat_pay().public_key_id()});
    return std::make_unique<ToolProcess>(std::move(arguments), log());
  }

  Sandbox& sandbox_;
  const TemporaryFolder& folder_;
  int files_ = 0;
};

void drains(DatabaseServer& server, const std::string& name, const Sizes& sizes, Figures& figures) {
  Outbox outbox(server);
  const TemporaryFolder folder;
  const auto sandbox = Sandbox::start().value();
  Tool tool(*sandbox, folder);
  const Medians medians = by_turns(
      sizes.drains, [&] { return tool.backfill(sizes.orders); }, [&] { return tool.relay(outbox, sizes.orders); });
  const std::string what = name + ", " + grouped(sizes.drains * sizes.orders) + " orders to the sandbox: ";
  figures.add({what + "CPU of a commit by relay", medians.second, "us"});
  figures.add({what + "the same against backfill", medians.ratio, "x", "at most", 1.1});
}

/// Starts the server; null: it or its client is not installed.
template <typename Server>
std::unique_ptr<DatabaseServer> start(const std::string& url, std::vector<std::string> settings) {
  try {
    schema_for(url);
    return std::make_unique<Server>(std::move(settings));
  } catch (const std::exception& error) {
    std::cout << "not measured: " << error.what() << std::endl;
    return nullptr;
  }
}

void measure_all(const Arguments& arguments) {
  Figures figures(arguments.figures);
  const Sizes sizes = Sizes::of(arguments);
  for (const bool postgresql : {true, false}) {
    const auto server = postgresql ? start<PostgresqlServer>("postgresql://", {"shared_buffers=256MB"})
                                   : start<MariadbServer>(
                                         "mysql://", {"--innodb-buffer-pool-size=256M", "--innodb-log-file-size=256M"});
    if (server == nullptr) continue;
    const Outbox first(*server);
    const std::string name = name_of(*server, first.session());
    claims_and_settlements(*server, name, sizes, figures);
    merchants_transaction(*server, name, sizes, figures);
    drains(*server, name, sizes, figures);
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit::outbox

int main(int count, char** values) {
  wechatpay::bonus_commit::outbox::measure_all(wechatpay::bonus_commit::Arguments{count, values});
}
