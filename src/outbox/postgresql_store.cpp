#include "src/outbox/postgresql_store.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>
#include <utility>

#include "src/outbox/postgresql_session.hpp"
#include "src/outbox/tables.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

// Rows are looked up by `id = ANY (...)`, and joined by `id + 0`. Otherwise PostgreSQL, which expects a single row if
// the table was empty at its last VACUUM, reads the whole index, and compares each of its rows with each of the batch.
//
// MATERIALIZED: otherwise the planner may run the subquery with the LIMIT again. now() rather than clock_timestamp(),
// which cannot use an index. Texts are cut: a row may hold megabytes, and the check refuses it anyway.
constexpr const char* claim_begin = R"(picked AS MATERIALIZED (
  SELECT id, due_at FROM wechatpay_bonus_outbox
  WHERE )";
constexpr const char* claim_oldest = R"(
  ORDER BY due_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED))";

// The expressions are those of the index wechatpay_bonus_outbox_fair: an index cannot hold a text of any length.
constexpr const char* claim_in_turns_begin = R"(picked AS MATERIALIZED (
  SELECT p.id, p.due_at
  FROM unnest($5::text[], $6::text[], $7::bigint[]) AS turn (mchid, sub_mchid, share) CROSS JOIN LATERAL (
    SELECT id, due_at FROM wechatpay_bonus_outbox
    WHERE left(mchid, 64) COLLATE "C" = turn.mchid AND left(sub_mchid, 64) COLLATE "C" = turn.sub_mchid AND )";
constexpr const char* claim_in_turns = R"(
    ORDER BY due_at LIMIT turn.share FOR UPDATE SKIP LOCKED) p
  LIMIT $2::bigint))";

// The ORDER BY of the last subquery makes the planner search the index for each merchant.
constexpr const char* merchants_begin = R"(WITH RECURSIVE merchants AS (
  (SELECT left(mchid, 64) COLLATE "C" AS mchid, left(sub_mchid, 64) COLLATE "C" AS sub_mchid
   FROM wechatpay_bonus_outbox
   ORDER BY left(mchid, 64) COLLATE "C", left(sub_mchid, 64) COLLATE "C" LIMIT 1)
  UNION ALL
  SELECT following.mchid, following.sub_mchid FROM merchants m CROSS JOIN LATERAL (
    SELECT left(o.mchid, 64) COLLATE "C" AS mchid, left(o.sub_mchid, 64) COLLATE "C" AS sub_mchid
    FROM wechatpay_bonus_outbox o
    WHERE (left(o.mchid, 64) COLLATE "C", left(o.sub_mchid, 64) COLLATE "C") > (m.mchid, m.sub_mchid)
    ORDER BY left(o.mchid, 64) COLLATE "C", left(o.sub_mchid, 64) COLLATE "C" LIMIT 1) following)
SELECT m.mchid, m.sub_mchid FROM merchants m WHERE (
  SELECT true FROM wechatpay_bonus_outbox
  WHERE left(mchid, 64) COLLATE "C" = m.mchid AND left(sub_mchid, 64) COLLATE "C" = m.sub_mchid AND )";

constexpr const char* claim_end = R"(
UPDATE wechatpay_bonus_outbox o
SET due_at = now() + $3::bigint * interval '1 ms', claim = $4, claims = least(claims, 2147483646) + 1
FROM picked WHERE o.id = ANY (ARRAY(SELECT id FROM picked)) AND o.id + 0 = picked.id
RETURNING o.id, left(o.card_id, 64), left(o.code, 64), left(o.out_trade_no, 64), left(o.mchid, 64),
  left(o.sub_mchid, 64), o.bonus_value, o.attempts, o.claims,
  (extract(epoch FROM greatest(picked.due_at, 'epoch')) * 1000000)::bigint,
  CASE WHEN isfinite(o.created_at) THEN extract(epoch FROM now() - o.created_at)::bigint ELSE 0 END,
  EXISTS (SELECT 1 FROM wechatpay_bonus_outbox_done d
    WHERE length(o.out_trade_no) <= 64 AND d.out_trade_no = o.out_trade_no AND d.card_id = o.card_id AND d.code = o.code
      AND d.mchid = o.mchid AND d.sub_mchid = o.sub_mchid AND d.bonus_value <> o.bonus_value))";

std::string not_halted() {
  return std::string("NOT EXISTS (SELECT 1 FROM wechatpay_bonus_outbox_pace WHERE name = $1 AND ") +
         postgresql_is_halted + ")";
}

std::string interval(std::chrono::microseconds time) { return std::to_string(time.count()) + " * interval '1 us'"; }

/// The condition for the rows that a claim may take.
std::string due_of(const Claim& claim) {
  std::string due = "due_at <= now()";
  if (claim.low > 0) due += " AND due_at >= to_timestamp(" + std::to_string(claim.low) + "::bigint / 1000000.0)";
  if (claim.delay.count() > 0) {
    due += " AND least(created_at, due_at) <= now() - " + std::to_string(claim.delay.count()) + " * interval '1 ms'";
  }
  return due;
}

constexpr const char* settle_statement = R"(WITH told AS (
  SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[],
    $8::text[]) AS t (id, token, fate, pause, kind, code, message, request_id)),
live AS MATERIALIZED (
  SELECT o.id, t.fate, t.pause, t.kind, t.code, t.message, t.request_id
  FROM wechatpay_bonus_outbox o JOIN told t ON t.id = o.id + 0 AND t.token = o.claim
  WHERE o.id = ANY ($1::bigint[]) ORDER BY o.id + 0 FOR UPDATE OF o),
gone AS (
  DELETE FROM wechatpay_bonus_outbox o USING live l
  WHERE o.id = ANY (ARRAY(SELECT id FROM live)) AND o.id + 0 = l.id AND l.fate IN ('done', 'dead')
  RETURNING o.id, o.card_id, o.code AS member, o.out_trade_no, o.mchid, o.sub_mchid, o.bonus_value, o.attempts,
    o.created_at, l.fate, l.kind, l.code, l.message, l.request_id),
done AS (
  INSERT INTO wechatpay_bonus_outbox_done AS d
    (id, card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, attempts, created_at, request_id)
  SELECT id, card_id, member, out_trade_no, mchid, sub_mchid, bonus_value, least(attempts, 2147483646) + 1,
    created_at, request_id
  FROM gone WHERE fate = 'done'
  ON CONFLICT (id, created_at) DO UPDATE SET (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, attempts, created_at,
      done_at, request_id) = (excluded.card_id, excluded.code, excluded.out_trade_no, excluded.mchid,
      excluded.sub_mchid, excluded.bonus_value, excluded.attempts, excluded.created_at, excluded.done_at,
      excluded.request_id)
  RETURNING 1),
dead AS (
  INSERT INTO wechatpay_bonus_outbox_dead
    (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, attempts, created_at, kind, error_code, message,
     request_id)
  SELECT card_id, member, out_trade_no, mchid, sub_mchid, bonus_value, least(attempts, 2147483646) + CASE WHEN kind IN
      ('invalid', 'conflict', 'poison') THEN 0 ELSE 1 END, created_at, kind, code, message, request_id
  FROM gone WHERE fate = 'dead'
  RETURNING 1),
back AS (
  UPDATE wechatpay_bonus_outbox o
  SET due_at = now() + l.pause * interval '1 ms', claim = NULL,
    attempts = least(o.attempts, 2147483646) + CASE l.fate WHEN 'wait' THEN 1 ELSE 0 END,
    claims = o.claims - CASE l.fate WHEN 'wait' THEN 0 ELSE 1 END,
    last_error = coalesce(nullif(l.message, ''), o.last_error)
  FROM live l WHERE o.id = ANY (ARRAY(SELECT id FROM live)) AND o.id + 0 = l.id AND l.fate IN ('wait', 'back')
  RETURNING 1)
SELECT (SELECT count(*) FROM done), (SELECT count(*) FROM dead), (SELECT count(*) FROM back))";

std::string word_of(Fate fate) {
  switch (fate) {
    case Fate::done: return "done";
    case Fate::dead: return "dead";
    case Fate::wait: return "wait";
    case Fate::hand_back: break;
  }
  return "back";
}

/// One member of all settlements, as an array.
template <typename Member>
std::string column(const std::vector<Settlement>& settlements, Member member) {
  std::vector<std::string> texts;
  texts.reserve(settlements.size());
  std::transform(settlements.begin(), settlements.end(), std::back_inserter(texts), member);
  return array_of(texts);
}

/// The turns as arrays: the two ids of the merchants, and their shares.
std::array<std::string, 3> columns_of(const std::vector<Turn>& turns) {
  std::vector<std::string> mchids;
  std::vector<std::string> sub_mchids;
  std::vector<std::string> shares;
  for (const Turn& turn : turns) {
    mchids.push_back(turn.merchant.mchid);
    sub_mchids.push_back(turn.merchant.sub_mchid);
    shares.push_back(std::to_string(turn.share));
  }
  return {array_of(mchids), array_of(sub_mchids), array_of(shares)};
}

std::string milliseconds(std::chrono::milliseconds time) { return std::to_string(time.count()); }

}  // namespace

void check_encoding(Session& session) {
  const std::string encoding = session.query("SELECT current_setting('server_encoding')").at(0).at(0);
  if (encoding == "UTF8") return;
  throw DatabaseError(
      "the database has the encoding " + shown(encoding) + ", and the outbox needs UTF8: make a database for it", "",
      false);
}

std::map<std::string, std::string> PostgresqlStore::about() {
  std::map<std::string, std::string> about;
  for (const auto& line : session_->query("SELECT key, value FROM wechatpay_bonus_outbox_about")) {
    about[line.at(0)] = line.at(1);
  }
  return about;
}

void PostgresqlStore::open(const Owner& owner) {
  const Table there = session_->query("SELECT to_regclass('wechatpay_bonus_outbox_about') IS NOT NULL");
  if (there.at(0).at(0) != "t") check_version("");
  check_version(about()["schema"]);
  check_encoding(*session_);
  session_->query(
      "INSERT INTO wechatpay_bonus_outbox_about (key, value) VALUES ('merchant', $1), ('host', $2) "
      "ON CONFLICT (key) DO NOTHING",
      {owner.merchant, owner.host});
  auto found = about();
  check_owner({found["merchant"], found["host"]}, owner);
  session_->query("INSERT INTO wechatpay_bonus_outbox_pace (name) VALUES ($1) ON CONFLICT (name) DO NOTHING",
                  {owner.merchant});
}

bool PostgresqlStore::may_claim(const Claim& claim) {
  const Pace& pace = claim.pace;
  if (!(pace.per_second > 0)) return true;  // the claim's own statement looks for a halt
  const std::string farthest = "now() + " + interval(pace.farthest());
  return !session_
              ->query("UPDATE wechatpay_bonus_outbox_pace SET next_at = CASE WHEN next_at <= " + farthest +
                          " THEN greatest(next_at, now()) ELSE now() END + " + interval(pace.time_of(claim.most)) +
                          " WHERE name = $1 AND NOT " + postgresql_is_halted + " AND (next_at <= now() + " +
                          interval(pace.room_for(claim.most)) + " OR next_at > " + farthest +
                          ") AND EXISTS (SELECT 1 FROM wechatpay_bonus_outbox WHERE " + due_of(claim) + ") RETURNING 1",
                      {claim.merchant})
              .empty();
}

void PostgresqlStore::give_back(const Claim& claim, std::size_t rows) {
  session_->query("UPDATE wechatpay_bonus_outbox_pace SET next_at = next_at - " + interval(claim.pace.time_of(rows)) +
                      " WHERE name = $1 AND next_at > now()",
                  {claim.merchant});
}

std::vector<Row> PostgresqlStore::take(const Claim& claim) {
  std::vector<std::string> parameters = {claim.merchant, std::to_string(claim.most), milliseconds(claim.lease),
                                         claim.token};
  const bool in_turns = !claim.turns.empty();
  if (in_turns) {
    for (auto& column : columns_of(claim.turns)) parameters.push_back(std::move(column));
  }
  std::string statement = "WITH ";
  statement.append(in_turns ? claim_in_turns_begin : claim_begin).append(due_of(claim)).append(" AND ");
  statement.append(not_halted()).append(in_turns ? claim_in_turns : claim_oldest).append(claim_end);
  std::vector<Row> rows;
  for (const auto& line : session_->query(statement, parameters)) rows.push_back(row_of(line));
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return std::tie(a.due, a.id) < std::tie(b.due, b.id); });
  return rows;
}

std::vector<Merchant> PostgresqlStore::merchants_due(const Claim& claim) {
  std::vector<Merchant> merchants;
  for (const auto& line : session_->query(merchants_begin + due_of(claim) + " ORDER BY due_at LIMIT 1)")) {
    merchants.push_back({line.at(0), line.at(1)});
  }
  return merchants;
}

std::vector<HeldRow> PostgresqlStore::renew(const std::vector<HeldRow>& rows, std::chrono::milliseconds lease) {
  std::vector<std::string> ids;
  std::vector<std::string> tokens;
  for (const HeldRow& row : rows) {
    ids.push_back(std::to_string(row.id));
    tokens.push_back(row.token);
  }
  const Table renewed = session_->query(
      R"(WITH held AS MATERIALIZED (
  SELECT o.id FROM wechatpay_bonus_outbox o
  JOIN unnest($1::bigint[], $2::text[]) AS t (id, token) ON t.id = o.id + 0 AND t.token = o.claim
  WHERE o.id = ANY ($1::bigint[]) ORDER BY o.id + 0 FOR UPDATE OF o)
UPDATE wechatpay_bonus_outbox o SET due_at = now() + $3::bigint * interval '1 ms'
WHERE o.id = ANY (ARRAY(SELECT id FROM held)) RETURNING o.id, o.claim)",
      {array_of(ids), array_of(tokens), milliseconds(lease)});
  std::vector<HeldRow> still_held;
  for (const auto& line : renewed) still_held.push_back({number_of(line.at(0)), line.at(1)});
  return still_held;
}

Settled PostgresqlStore::settle(const std::vector<Settlement>& settlements) {
  const Table counts = session_->query(
      settle_statement, {column(settlements, [](const Settlement& one) { return std::to_string(one.id); }),
                         column(settlements, [](const Settlement& one) { return one.token; }),
                         column(settlements, [](const Settlement& one) { return word_of(one.fate); }),
                         column(settlements, [](const Settlement& one) { return milliseconds(one.pause); }),
                         column(settlements, [](const Settlement& one) { return one.kind; }),
                         column(settlements, [](const Settlement& one) { return one.code; }),
                         column(settlements, [](const Settlement& one) { return one.message; }),
                         column(settlements, [](const Settlement& one) { return one.request_id; })});
  const auto count = [&counts](std::size_t i) { return static_cast<std::uint64_t>(number_of(counts.at(0).at(i))); };
  return {count(0), count(1), count(2)};
}

void PostgresqlStore::halt(const std::string& merchant, std::chrono::milliseconds time, const std::string& why) {
  session_->query(std::string("UPDATE wechatpay_bonus_outbox_pace SET why = $3, halted_until = greatest(CASE WHEN ") +
                      postgresql_is_halted +
                      " THEN halted_until END, now() + $2::bigint * interval '1 ms') WHERE name = $1",
                  {merchant, milliseconds(time), why});
}

std::string PostgresqlStore::last_resume() {
  const Table found = session_->query("SELECT value FROM wechatpay_bonus_outbox_about WHERE key = 'resumed'");
  return found.empty() ? "" : found.at(0).at(0);
}

}  // namespace wechatpay::bonus_commit::outbox
