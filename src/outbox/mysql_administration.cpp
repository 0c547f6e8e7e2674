#include <ctime>
#include <utility>

#include "src/outbox/mysql_store.hpp"
#include "src/outbox/tables.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

// TIMESTAMP rather than DATETIME: sessions with different time zones then write the same moment.
constexpr const char* tables = R"(CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  card_id varchar(255) NOT NULL,
  code varchar(255) NOT NULL,
  out_trade_no varchar(255) NOT NULL,
  mchid varchar(255) NOT NULL DEFAULT '',
  sub_mchid varchar(255) NOT NULL DEFAULT '',
  bonus_value bigint NOT NULL,
  due_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) COMMENT 'the next try, or the end of the lease',
  claim varchar(64) NULL,
  attempts int NOT NULL DEFAULT 0,
  claims int NOT NULL DEFAULT 0,
  created_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  last_error text NULL,
  KEY wechatpay_bonus_outbox_due (due_at, id),
  KEY wechatpay_bonus_outbox_fair (mchid, sub_mchid, due_at, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox_done (
  id bigint NOT NULL COMMENT 'of the row in the outbox, where it may begin again after a TRUNCATE or a restart',
  card_id varchar(255) NOT NULL,
  code varchar(255) NOT NULL,
  out_trade_no varchar(255) NOT NULL,
  mchid varchar(255) NOT NULL,
  sub_mchid varchar(255) NOT NULL,
  bonus_value bigint NOT NULL,
  attempts int NOT NULL,
  created_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  done_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  request_id varchar(255) NOT NULL,
  PRIMARY KEY (id, created_at),
  KEY wechatpay_bonus_outbox_done_at (done_at),
  KEY wechatpay_bonus_outbox_done_order (out_trade_no)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox_dead (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  card_id varchar(255) NOT NULL,
  code varchar(255) NOT NULL,
  out_trade_no varchar(255) NOT NULL,
  mchid varchar(255) NOT NULL,
  sub_mchid varchar(255) NOT NULL,
  bonus_value bigint NOT NULL,
  attempts int NOT NULL,
  created_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  dead_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  kind varchar(32) NOT NULL,
  error_code varchar(255) NOT NULL,
  message text NOT NULL,
  request_id varchar(255) NOT NULL,
  KEY wechatpay_bonus_outbox_dead_kind (kind, dead_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox_pace (
  name varchar(64) NOT NULL PRIMARY KEY COMMENT 'the merchant that signs',
  next_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  halted_until timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  why text NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox_about (
  `key` varchar(64) NOT NULL PRIMARY KEY,
  value varchar(255) NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
)";

constexpr const char* chosen =
    "($1 = '' OR kind = $1) AND ($2 = '' OR id = CAST($2 AS SIGNED)) AND id > CAST($3 AS SIGNED)";

}  // namespace

std::string mysql_schema() {
  return std::string(tables)
      .append("INSERT IGNORE INTO wechatpay_bonus_outbox_about (`key`, value) VALUES ('schema', '")
      .append(std::to_string(schema_version))
      .append("');\n");
}

std::string MysqlAdministration::schema() const { return mysql_schema(); }

void MysqlAdministration::install() {
  if (!session_->query("SHOW TABLES LIKE 'wechatpay_bonus_outbox_about'").empty()) {
    const Table version = session_->query("SELECT value FROM wechatpay_bonus_outbox_about WHERE `key` = 'schema'");
    if (!version.empty()) is_current(version.at(0).at(0));  // throws if the tables are of a newer version
  }
  session_->execute("SET SESSION lock_wait_timeout = 3;" + schema());
  if (session_->query("SHOW INDEX FROM wechatpay_bonus_outbox WHERE Key_name = 'wechatpay_bonus_outbox_fair'")
          .empty()) {
    session_->execute(
        "ALTER TABLE wechatpay_bonus_outbox ADD KEY wechatpay_bonus_outbox_fair (mchid, sub_mchid, due_at, id)");
  }
}

Status MysqlAdministration::status() {
  Status status;
  for (const auto& line : session_->query("SELECT `key`, value FROM wechatpay_bonus_outbox_about")) {
    if (line.at(0) == "schema") status.version = number_of(line.at(1));
    if (line.at(0) == "merchant") status.merchant = line.at(1);
    if (line.at(0) == "host") status.host = line.at(1);
  }
  const Table rows = session_->query(R"(SELECT COUNT(CASE WHEN due_at <= NOW(6) THEN 1 END),
  COUNT(CASE WHEN due_at > NOW(6) AND claim IS NULL THEN 1 END),
  COUNT(CASE WHEN due_at > NOW(6) AND claim IS NOT NULL THEN 1 END),
  COALESCE(TIMESTAMPDIFF(SECOND, MIN(CASE WHEN due_at <= NOW(6) THEN due_at END), NOW(6)), 0),
  COALESCE(TIMESTAMPDIFF(SECOND, MIN(created_at), NOW(6)), 0)
FROM wechatpay_bonus_outbox)");
  const auto count = [&rows](std::size_t i) { return static_cast<std::uint64_t>(number_of(rows.at(0).at(i))); };
  status.due = count(0);
  status.waiting = count(1);
  status.claimed = count(2);
  status.oldest_due_seconds = number_of(rows.at(0).at(3));
  status.oldest_unsettled_seconds = number_of(rows.at(0).at(4));
  status.done_in_last_hour = count_in(
      session_->query("SELECT COUNT(*) FROM wechatpay_bonus_outbox_done WHERE done_at > NOW(6) - INTERVAL 1 HOUR"));
  for (const auto& line : session_->query("SELECT kind, COUNT(*) FROM wechatpay_bonus_outbox_dead GROUP BY kind")) {
    status.dead[line.at(0)] = static_cast<std::uint64_t>(number_of(line.at(1)));
  }
  const Table halts = session_->query(
      std::string("SELECT TIMESTAMPDIFF(SECOND, NOW(6), halted_until), why FROM wechatpay_bonus_outbox_pace WHERE ") +
      mysql_is_halted + " ORDER BY halted_until DESC LIMIT 1");
  if (!halts.empty()) {
    status.halted_seconds = number_of(halts.front().at(0));
    status.why_halted = halts.front().at(1);
  }
  const Table pace = session_->query(
      "SELECT TIMESTAMPDIFF(SECOND, MAX(next_at), NOW(6)) FROM wechatpay_bonus_outbox_pace HAVING COUNT(*) > 0");
  if (!pace.empty()) status.rate_used_seconds = number_of(pace.front().at(0));
  return status;
}

std::vector<DeadRow> MysqlAdministration::dead(const DeadRows& which, std::size_t most) {
  const Table found = session_->query(
      std::string("SELECT id, LEFT(card_id, 64), LEFT(code, 64), LEFT(out_trade_no, 64), LEFT(mchid, 64), "
                  "LEFT(sub_mchid, 64), bonus_value, attempts, DATE_FORMAT(dead_at, '%Y-%m-%dT%H:%i:%sZ'), kind, "
                  "error_code, message, request_id FROM wechatpay_bonus_outbox_dead WHERE ")
          .append(chosen)
          .append(" ORDER BY id LIMIT ")
          .append(std::to_string(most)),
      parameters_of(which));
  std::vector<DeadRow> rows;
  for (const auto& line : found) rows.push_back(dead_row_of(line));
  return rows;
}

/// Uses short transactions. Rows that die during the call are not included.
std::uint64_t MysqlAdministration::take_dead(DeadRows which, bool commit_again) {
  const Table last = session_->query("SELECT COALESCE(MAX(id), 0) FROM wechatpay_bonus_outbox_dead");
  std::uint64_t all = 0;
  while (true) {
    session_->query("START TRANSACTION");
    const Table part = session_->query(std::string("SELECT id FROM wechatpay_bonus_outbox_dead WHERE ")
                                           .append(chosen)
                                           .append(" AND id <= ")
                                           .append(last.at(0).at(0))
                                           .append(" ORDER BY id LIMIT 5000 FOR UPDATE"),
                                       parameters_of(which));
    std::string ids;
    for (const auto& line : part) ids.append(ids.empty() ? "" : ",").append(line.at(0));
    if (commit_again && !part.empty()) {
      session_->query(
          "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, "
          "created_at) SELECT card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, created_at FROM "
          "wechatpay_bonus_outbox_dead WHERE id IN (" +
          ids + ")");
    }
    if (!part.empty()) session_->query("DELETE FROM wechatpay_bonus_outbox_dead WHERE id IN (" + ids + ")");
    session_->query("COMMIT");
    if (part.empty()) return all;
    all += part.size();
    which.after = number_of(part.back().at(0));
  }
}

std::uint64_t MysqlAdministration::retry(const DeadRows& which) { return take_dead(which, true); }

std::uint64_t MysqlAdministration::discard(const DeadRows& which) { return take_dead(which, false); }

/// Runs a statement that changes some rows at a time, until it finds no more.
std::uint64_t MysqlAdministration::repeat(const std::string& statement) {
  std::uint64_t all = 0;
  for (std::uint64_t some = 1; some > 0; all += some) {
    session_->query(statement);
    some = count_in(session_->query("SELECT ROW_COUNT()"));
  }
  return all;
}

std::uint64_t MysqlAdministration::prune(std::chrono::hours age) {
  return repeat("DELETE FROM wechatpay_bonus_outbox_done WHERE done_at < NOW(6) - INTERVAL " +
                std::to_string(age.count()) + " HOUR ORDER BY done_at LIMIT 5000");
}

std::uint64_t MysqlAdministration::resume() {
  session_->query("UPDATE wechatpay_bonus_outbox_pace SET halted_until = NOW(6), why = '' WHERE halted_until > NOW(6)");
  // Written before the rows become due: a worker that claims one of them then knows that no merchant is held any more.
  session_->query("REPLACE INTO wechatpay_bonus_outbox_about (`key`, value) VALUES ('resumed', SYSDATE(6))");
  const std::string waiting = "claim IS NULL AND due_at > NOW(6) AND (attempts > 0 OR last_error IS NOT NULL)";
  std::uint64_t all = 0;
  std::string last = "0";
  while (true) {  // visits each row once: workers may put rows back meanwhile
    const Table found = session_->query(
        "SELECT COUNT(*), MAX(id) FROM (SELECT id FROM wechatpay_bonus_outbox WHERE id > CAST($1 AS SIGNED) AND " +
            waiting + " ORDER BY id LIMIT 5000) AS found",
        {last});
    if (count_in(found) == 0) return all;
    session_->query(
        "UPDATE wechatpay_bonus_outbox SET due_at = NOW(6) WHERE id > CAST($1 AS SIGNED) AND id <= CAST($2 AS SIGNED) "
        "AND " +
            waiting,
        {last, found.at(0).at(1)});
    all += count_in(session_->query("SELECT ROW_COUNT()"));
    last = found.at(0).at(1);
  }
}

Health MysqlAdministration::health() {
  Health health;
  const Table server = session_->query("SELECT @@version, UNIX_TIMESTAMP()");
  health.server = "MySQL or MariaDB " + server.at(0).at(0);
  health.clock_offset_seconds = number_of(server.at(0).at(1)) - static_cast<std::int64_t>(std::time(nullptr));
  const std::pair<const char*, const char*> statements[] = {
      {"SELECT and UPDATE on wechatpay_bonus_outbox", "UPDATE wechatpay_bonus_outbox SET claims = claims WHERE 1 = 0"},
      {"DELETE on wechatpay_bonus_outbox", "DELETE FROM wechatpay_bonus_outbox WHERE 1 = 0"},
      {"INSERT on wechatpay_bonus_outbox_done",
       "INSERT INTO wechatpay_bonus_outbox_done SELECT * FROM wechatpay_bonus_outbox_done WHERE 1 = 0"},
      {"DELETE on wechatpay_bonus_outbox_done", "DELETE FROM wechatpay_bonus_outbox_done WHERE 1 = 0"},
      {"INSERT on wechatpay_bonus_outbox_dead",
       "INSERT INTO wechatpay_bonus_outbox_dead SELECT * FROM wechatpay_bonus_outbox_dead WHERE 1 = 0"},
      {"INSERT on wechatpay_bonus_outbox_pace",
       "INSERT INTO wechatpay_bonus_outbox_pace SELECT * FROM wechatpay_bonus_outbox_pace WHERE 1 = 0"},
      {"UPDATE on wechatpay_bonus_outbox_pace", "UPDATE wechatpay_bonus_outbox_pace SET why = why WHERE 1 = 0"},
      {"INSERT on wechatpay_bonus_outbox_about",
       "INSERT INTO wechatpay_bonus_outbox_about SELECT * FROM wechatpay_bonus_outbox_about WHERE 1 = 0"}};
  for (const auto& [right, statement] : statements) {
    try {
      session_->query(statement);
    } catch (const DatabaseError& error) {
      if (error.state() != "1142" && error.state() != "1143") throw;
      health.missing_rights.emplace_back(right);
    }
  }
  try {
    // trx_started is in the local time of the server's system, whatever the session's time zone is.
    health.oldest_transaction_seconds =
        number_of(session_
                      ->query("SELECT COALESCE(MAX(TIMESTAMPDIFF(SECOND, CONVERT_TZ(trx_started, 'SYSTEM', "
                              "@@session.time_zone), SYSDATE())), 0) FROM information_schema.innodb_trx")
                      .at(0)
                      .at(0));
  } catch (const DatabaseError& error) {
    if (error.passing()) throw;
    health.right_to_see_transactions = "PROCESS";
  }
  return health;
}

}  // namespace wechatpay::bonus_commit::outbox
