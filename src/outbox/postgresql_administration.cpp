#include <ctime>

#include "src/outbox/postgresql_store.hpp"
#include "src/outbox/tables.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

constexpr const char* tables = R"(CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  card_id text NOT NULL,
  code text NOT NULL,
  out_trade_no text NOT NULL,
  mchid text NOT NULL DEFAULT '',
  sub_mchid text NOT NULL DEFAULT '',
  bonus_value bigint NOT NULL,
  due_at timestamptz NOT NULL DEFAULT now(),  -- the next try, or the end of the lease
  claim text,
  attempts int NOT NULL DEFAULT 0,
  claims int NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_error text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0);

CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox_done (
  id bigint NOT NULL,  -- the row's in the outbox, which may begin again after a TRUNCATE
  card_id text NOT NULL,
  code text NOT NULL,
  out_trade_no text NOT NULL,
  mchid text NOT NULL,
  sub_mchid text NOT NULL,
  bonus_value bigint NOT NULL,
  attempts int NOT NULL,
  created_at timestamptz NOT NULL,
  done_at timestamptz NOT NULL DEFAULT now(),
  request_id text NOT NULL,
  PRIMARY KEY (id, created_at)
);

CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox_dead (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  card_id text NOT NULL,
  code text NOT NULL,
  out_trade_no text NOT NULL,
  mchid text NOT NULL,
  sub_mchid text NOT NULL,
  bonus_value bigint NOT NULL,
  attempts int NOT NULL,
  created_at timestamptz NOT NULL,
  dead_at timestamptz NOT NULL DEFAULT now(),
  kind text NOT NULL,
  error_code text NOT NULL,
  message text NOT NULL,
  request_id text NOT NULL
);

CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox_pace (
  name text PRIMARY KEY,  -- the merchant that signs
  next_at timestamptz NOT NULL DEFAULT now(),
  halted_until timestamptz NOT NULL DEFAULT '-infinity',
  why text NOT NULL DEFAULT ''
);

CREATE TABLE IF NOT EXISTS wechatpay_bonus_outbox_about (key text PRIMARY KEY, value text NOT NULL);

-- CREATE INDEX IF NOT EXISTS would lock out INSERTs although the index is there. The primary key alone has the id:
-- in a table that it takes for empty, PostgreSQL would look ids up in any index that has one, and read all of it.
DO $$ BEGIN
  IF to_regclass('wechatpay_bonus_outbox_due') IS NULL THEN
    CREATE INDEX wechatpay_bonus_outbox_due ON wechatpay_bonus_outbox (due_at);
  END IF;
  IF to_regclass('wechatpay_bonus_outbox_fair') IS NULL THEN
    CREATE INDEX wechatpay_bonus_outbox_fair ON wechatpay_bonus_outbox
      ((left(mchid, 64) COLLATE "C"), (left(sub_mchid, 64) COLLATE "C"), due_at);
  END IF;
  IF to_regclass('wechatpay_bonus_outbox_done_at') IS NULL THEN
    CREATE INDEX wechatpay_bonus_outbox_done_at ON wechatpay_bonus_outbox_done (done_at);
  END IF;
  IF to_regclass('wechatpay_bonus_outbox_done_order') IS NULL THEN
    CREATE INDEX wechatpay_bonus_outbox_done_order ON wechatpay_bonus_outbox_done (out_trade_no);
  END IF;
  IF to_regclass('wechatpay_bonus_outbox_dead_kind') IS NULL THEN
    CREATE INDEX wechatpay_bonus_outbox_dead_kind ON wechatpay_bonus_outbox_dead (kind, dead_at);
  END IF;
END $$;
)";

/// The condition for dead rows. `$1` is the kind or empty, `$2` the id or empty. `$3`: only ids above this one.
constexpr const char* chosen =
    "($1 = '' OR kind = $1) AND ($2 = '' OR id = nullif($2, '')::bigint) AND id > $3::bigint";

}  // namespace

std::string postgresql_schema() {
  return std::string(tables)
      .append("INSERT INTO wechatpay_bonus_outbox_about (key, value) VALUES ('schema', '")
      .append(std::to_string(schema_version))
      .append("') ON CONFLICT (key) DO NOTHING;\n");
}

std::string PostgresqlAdministration::schema() const { return postgresql_schema(); }

void PostgresqlAdministration::install() {
  check_encoding(*session_);
  if (session_->query("SELECT to_regclass('wechatpay_bonus_outbox_about') IS NOT NULL").at(0).at(0) == "t") {
    const Table version = session_->query("SELECT value FROM wechatpay_bonus_outbox_about WHERE key = 'schema'");
    if (!version.empty()) is_current(version.at(0).at(0));  // throws if the tables are of a newer version
  }
  // Two concurrent installations would conflict in the catalogue. The lock timeout is short: a session that waits for a
  // table's lock blocks all later ones.
  session_->execute(
      "BEGIN; SELECT pg_advisory_xact_lock(hashtext('wechatpay_bonus_outbox')); SET LOCAL lock_timeout = '3s';\n" +
      schema() + "COMMIT;");
}

Status PostgresqlAdministration::status() {
  Status status;
  for (const auto& line : session_->query("SELECT key, value FROM wechatpay_bonus_outbox_about")) {
    if (line.at(0) == "schema") status.version = number_of(line.at(1));
    if (line.at(0) == "merchant") status.merchant = line.at(1);
    if (line.at(0) == "host") status.host = line.at(1);
  }
  const Table rows = session_->query(R"(SELECT count(*) FILTER (WHERE due_at <= now()),
  count(*) FILTER (WHERE due_at > now() AND claim IS NULL), count(*) FILTER (WHERE due_at > now() AND claim IS NOT NULL),
  coalesce(extract(epoch FROM now() - min(due_at) FILTER (WHERE due_at <= now() AND isfinite(due_at))), 0)::bigint,
  coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE isfinite(created_at))), 0)::bigint
FROM wechatpay_bonus_outbox)");
  const auto count = [&rows](std::size_t i) { return static_cast<std::uint64_t>(number_of(rows.at(0).at(i))); };
  status.due = count(0);
  status.waiting = count(1);
  status.claimed = count(2);
  status.oldest_due_seconds = number_of(rows.at(0).at(3));
  status.oldest_unsettled_seconds = number_of(rows.at(0).at(4));
  status.done_in_last_hour = count_in(
      session_->query("SELECT count(*) FROM wechatpay_bonus_outbox_done WHERE done_at > now() - interval '1 hour'"));
  for (const auto& line : session_->query("SELECT kind, count(*) FROM wechatpay_bonus_outbox_dead GROUP BY kind")) {
    status.dead[line.at(0)] = static_cast<std::uint64_t>(number_of(line.at(1)));
  }
  const Table halts = session_->query(
      std::string(
          "SELECT extract(epoch FROM halted_until - now())::bigint, why FROM wechatpay_bonus_outbox_pace WHERE ") +
      postgresql_is_halted + " ORDER BY halted_until DESC LIMIT 1");
  if (!halts.empty()) {
    status.halted_seconds = number_of(halts.front().at(0));
    status.why_halted = halts.front().at(1);
  }
  const Table pace = session_->query(R"(SELECT extract(epoch FROM now() - max(next_at))::bigint
FROM wechatpay_bonus_outbox_pace WHERE isfinite(next_at) HAVING count(*) > 0)");
  if (!pace.empty()) status.rate_used_seconds = number_of(pace.front().at(0));
  return status;
}

std::vector<DeadRow> PostgresqlAdministration::dead(const DeadRows& which, std::size_t most) {
  auto parameters = parameters_of(which);
  parameters.push_back(std::to_string(most));
  const Table found = session_->query(
      std::string("SELECT id, left(card_id, 64), left(code, 64), left(out_trade_no, 64), left(mchid, 64), "
                  "left(sub_mchid, 64), bonus_value, attempts, to_char(dead_at AT TIME ZONE 'UTC', "
                  "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), kind, error_code, message, request_id "
                  "FROM wechatpay_bonus_outbox_dead WHERE ")
          .append(chosen)
          .append(" ORDER BY id LIMIT $4::bigint"),
      parameters);
  std::vector<DeadRow> rows;
  for (const auto& line : found) rows.push_back(dead_row_of(line));
  return rows;
}

/// Uses short transactions. Rows that die during the call are not included.
std::uint64_t PostgresqlAdministration::take_dead(DeadRows which, const std::string& and_then) {
  const std::string statement =
      std::string("WITH part AS (SELECT id FROM wechatpay_bonus_outbox_dead WHERE ")
          .append(chosen)
          .append(
              " AND id <= $4::bigint ORDER BY id LIMIT 5000 FOR UPDATE), gone AS (DELETE FROM "
              "wechatpay_bonus_outbox_dead WHERE id = ANY (ARRAY(SELECT id FROM part)) RETURNING *)")
          .append(and_then)
          .append(" SELECT (SELECT count(*) FROM gone), (SELECT coalesce(max(id), 0) FROM part)");
  const Table last = session_->query("SELECT coalesce(max(id), 0) FROM wechatpay_bonus_outbox_dead");
  std::uint64_t all = 0;
  while (true) {
    auto parameters = parameters_of(which);
    parameters.push_back(last.at(0).at(0));
    const Table part = session_->query(statement, parameters);
    if (count_in(part) == 0) return all;
    all += count_in(part);
    which.after = number_of(part.at(0).at(1));
  }
}

std::uint64_t PostgresqlAdministration::retry(const DeadRows& which) {
  return take_dead(which,
                   ", back AS (INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, sub_mchid, "
                   "bonus_value, created_at) SELECT card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, "
                   "created_at FROM gone)");
}

std::uint64_t PostgresqlAdministration::discard(const DeadRows& which) { return take_dead(which, ""); }

std::uint64_t PostgresqlAdministration::prune(std::chrono::hours age) {
  std::uint64_t all = 0;
  for (std::uint64_t some = 1; some > 0; all += some) {  // in short transactions
    some = count_in(session_->query(R"(WITH old AS (
  SELECT ctid FROM wechatpay_bonus_outbox_done WHERE done_at < now() - $1::bigint * interval '1 hour'
  ORDER BY done_at LIMIT 5000 FOR UPDATE SKIP LOCKED),
gone AS (DELETE FROM wechatpay_bonus_outbox_done WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1)
SELECT count(*) FROM gone)",
                                    {std::to_string(age.count())}));
  }
  return all;
}

std::uint64_t PostgresqlAdministration::resume() {
  session_->query(
      "UPDATE wechatpay_bonus_outbox_pace SET halted_until = '-infinity', why = '' WHERE halted_until > now()");
  // Written before the rows become due: a worker that claims one of them then knows that no merchant is held any more.
  session_->query(
      "INSERT INTO wechatpay_bonus_outbox_about (key, value) VALUES ('resumed', clock_timestamp()::text) "
      "ON CONFLICT (key) DO UPDATE SET value = excluded.value");
  std::uint64_t all = 0;
  std::string last = "0";
  while (true) {  // visits each row once: workers may put rows back meanwhile
    const Table made_due = session_->query(R"(WITH waiting AS (
  SELECT id FROM wechatpay_bonus_outbox
  WHERE id > $1::bigint AND claim IS NULL AND due_at > now() AND (attempts > 0 OR last_error IS NOT NULL)
  ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED),
made_due AS (UPDATE wechatpay_bonus_outbox SET due_at = now() WHERE id = ANY (ARRAY(SELECT id FROM waiting))
  RETURNING id)
SELECT count(*), max(id) FROM made_due)",
                                           {last});
    if (count_in(made_due) == 0) return all;
    all += count_in(made_due);
    last = made_due.at(0).at(1);
  }
}

Health PostgresqlAdministration::health() {
  Health health;
  const Table server = session_->query(
      "SELECT 'PostgreSQL ' || current_setting('server_version'), extract(epoch FROM clock_timestamp())::bigint");
  health.server = server.at(0).at(0);
  health.clock_offset_seconds = number_of(server.at(0).at(1)) - static_cast<std::int64_t>(std::time(nullptr));
  const Table missing = session_->query(R"(SELECT t.privilege || ' on ' || t.name
FROM (SELECT 'wechatpay_bonus_outbox' || suffix AS name, unnest(privileges) AS privilege FROM (VALUES
  ('', ARRAY['SELECT', 'UPDATE', 'DELETE']), ('_done', ARRAY['SELECT', 'INSERT', 'UPDATE']),
  ('_dead', ARRAY['SELECT', 'INSERT']), ('_pace', ARRAY['SELECT', 'INSERT', 'UPDATE']),
  ('_about', ARRAY['SELECT', 'INSERT'])) AS needed (suffix, privileges)) AS t
WHERE to_regclass(t.name) IS NOT NULL AND NOT has_table_privilege(to_regclass(t.name), t.privilege)
ORDER BY 1)");
  for (const auto& line : missing) health.missing_rights.push_back(line.at(0));
  if (session_->query("SELECT pg_has_role('pg_read_all_stats', 'USAGE')").at(0).at(0) != "t") {
    health.right_to_see_transactions = "pg_read_all_stats";
    return health;
  }
  health.oldest_transaction_seconds = number_of(
      session_
          ->query("SELECT coalesce(extract(epoch FROM max(now() - xact_start)), 0)::bigint FROM pg_stat_activity "
                  "WHERE state <> 'idle' AND backend_type = 'client backend' AND datname = current_database()")
          .at(0)
          .at(0));
  return health;
}

}  // namespace wechatpay::bonus_commit::outbox
