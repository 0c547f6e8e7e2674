#include "src/outbox/mysql_store.hpp"

#include <wechatpay/bonus_commit/client_options.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

#include "src/outbox/tables.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

std::string interval(std::chrono::microseconds time) {
  return "INTERVAL " + std::to_string(time.count()) + " MICROSECOND";
}

/// The condition for the rows that a claim may take.
std::string due_of(const Claim& claim) {
  std::string due = "due_at <= NOW(6)";
  if (claim.low > 0) due += " AND due_at >= FROM_UNIXTIME(" + std::to_string(claim.low) + " / 1000000)";
  if (claim.delay.count() > 0) due += " AND LEAST(created_at, due_at) <= NOW(6) - " + interval(claim.delay);
  return due;
}

std::string literal(const std::string& text) {
  std::string made = "'";
  for (const char c : text) made.append(c == '\'' ? 2 : 1, c);
  return made + "'";
}

/// Concatenates `part(one)` for each element, separated by `between`.
template <typename Range, typename Part>
std::string joined(const Range& range, const char* between, Part part) {
  std::string all;
  for (const auto& one : range) all.append(all.empty() ? "" : between).append(part(one));
  return all;
}

/// The condition that a row is one of `rows` and still has their claim. The plain list of ids lets the server use the
/// index.
template <typename Range>
std::string held(const Range& rows) {
  return std::string("id IN (")
      .append(joined(rows, ",", [](const auto& row) { return std::to_string(row.id); }))
      .append(") AND (id, claim) IN (")
      .append(joined(rows, ",",
                     [](const auto& row) { return "(" + std::to_string(row.id) + "," + literal(row.token) + ")"; }))
      .append(")");
}

/// Runs it again after a deadlock or a lock wait timeout, up to 5 times in all. Rolls back if the server refuses the
/// rows.
template <typename Run>
auto repeated(Session& session, const Run& run) {
  for (int tries = 1;; ++tries) {
    try {
      return run();
    } catch (const DatabaseError& error) {
      const bool may_be_repeated = error.state() == "1213" || error.state() == "1205";
      if (may_be_repeated || error.refuses_rows()) session.query("ROLLBACK");
      if (!may_be_repeated || tries == 5) throw;
    }
  }
}

constexpr const char* moved_columns =
    "o.card_id, o.code, o.out_trade_no, o.mchid, o.sub_mchid, o.bonus_value, LEAST(o.attempts, 2147483646)";

}  // namespace

std::map<std::string, std::string> MysqlStore::about() {
  std::map<std::string, std::string> about;
  for (const auto& line : session_->query("SELECT `key`, value FROM wechatpay_bonus_outbox_about")) {
    about[line.at(0)] = line.at(1);
  }
  return about;
}

void MysqlStore::open(const Owner& owner) {
  if (session_->query("SHOW TABLES LIKE 'wechatpay_bonus_outbox_about'").empty()) check_version("");
  check_version(about()["schema"]);
  session_->query(
      "INSERT IGNORE INTO wechatpay_bonus_outbox_about (`key`, value) VALUES ('merchant', $1), ('host', $2)",
      {owner.merchant, owner.host});
  auto found = about();
  check_owner({found["merchant"], found["host"]}, owner);
  session_->query("INSERT IGNORE INTO wechatpay_bonus_outbox_pace (name) VALUES ($1)", {owner.merchant});
}

bool MysqlStore::may_claim(const Claim& claim) {
  if (!(claim.pace.per_second > 0)) {
    return session_
        ->query(std::string("SELECT 1 FROM wechatpay_bonus_outbox_pace WHERE name = $1 AND ") + mysql_is_halted,
                {claim.merchant})
        .empty();
  }
  const std::string farthest = "NOW(6) + " + interval(claim.pace.farthest());
  session_->query("UPDATE wechatpay_bonus_outbox_pace SET next_at = CASE WHEN next_at <= " + farthest +
                      " THEN GREATEST(next_at, NOW(6)) ELSE NOW(6) END + " + interval(claim.pace.time_of(claim.most)) +
                      " WHERE name = $1 AND NOT " + mysql_is_halted + " AND (next_at <= NOW(6) + " +
                      interval(claim.pace.room_for(claim.most)) + " OR next_at > " + farthest +
                      ") AND EXISTS (SELECT 1 FROM wechatpay_bonus_outbox WHERE " + due_of(claim) + ")",
                  {claim.merchant});
  return session_->query("SELECT ROW_COUNT()").at(0).at(0) == "1";
}

std::vector<Merchant> MysqlStore::merchants_due(const Claim& claim) {
  std::string statement =
      "SELECT mchid, sub_mchid FROM (SELECT mchid, sub_mchid, MIN(due_at) AS oldest FROM wechatpay_bonus_outbox GROUP "
      "BY mchid, sub_mchid) m WHERE oldest <= NOW(6)";
  if (claim.delay.count() > 0) {  // the ORDER BY makes the planner search the index for each merchant
    statement.append(
        " AND (SELECT 1 FROM wechatpay_bonus_outbox o WHERE o.mchid = m.mchid AND o.sub_mchid = m.sub_mchid AND ");
    statement.append(due_of(claim)).append(" ORDER BY due_at, id LIMIT 1) = 1");
  }
  std::vector<Merchant> merchants;
  for (const auto& line : session_->query(statement)) {
    merchants.push_back({line.at(0), line.at(1)});
  }
  return merchants;
}

/// The rows to claim, with the times at which they were due. Concurrent workers take different parts of the due rows.
std::map<std::string, std::string> MysqlStore::candidates(const Claim& claim) {
  const auto select = [&claim](const std::string& where, std::size_t turn, std::size_t share) {
    return "(SELECT id, CAST(UNIX_TIMESTAMP(due_at) * 1000000 AS SIGNED), " + std::to_string(turn) +
           " FROM wechatpay_bonus_outbox WHERE " + where + due_of(claim) + " ORDER BY due_at, id LIMIT " +
           std::to_string(4 * share) + ")";
  };
  std::vector<std::string> parameters;
  std::string statement;
  for (std::size_t i = 0; i < claim.turns.size(); ++i) {
    const Turn& turn = claim.turns[i];
    parameters.insert(parameters.end(), {turn.merchant.mchid, turn.merchant.sub_mchid});
    const std::string where =
        "mchid = $" + std::to_string(2 * i + 1) + " AND sub_mchid = $" + std::to_string(2 * i + 2) + " AND ";
    statement.append(i > 0 ? " UNION ALL " : "").append(select(where, i, turn.share));
  }
  std::map<std::string, Table> found;  // by turn
  for (auto& line : session_->query(claim.turns.empty() ? select("", 0, claim.most) : statement, parameters)) {
    found[line.at(2)].push_back(std::move(line));
  }
  std::map<std::string, std::string> due;
  for (const auto& [turn, lines] : found) {
    const std::size_t share = claim.turns.empty() ? claim.most : claim.turns[std::stoul(turn)].share;
    const std::size_t parts = (lines.size() + share - 1) / share;
    const auto part = std::min(parts - 1, static_cast<std::size_t>(random_fraction() * static_cast<double>(parts)));
    const std::size_t begin = part * share;
    for (std::size_t i = begin; i < std::min(begin + share, lines.size()); ++i) due[lines[i].at(0)] = lines[i].at(1);
  }
  return due;
}

void MysqlStore::give_back(const Claim& claim, std::size_t rows) {
  session_->query("UPDATE wechatpay_bonus_outbox_pace SET next_at = next_at - " + interval(claim.pace.time_of(rows)) +
                      " WHERE name = $1 AND next_at > NOW(6)",
                  {claim.merchant});
}

/// Claims by compare-and-swap. This takes no gap locks, and works on servers without SKIP LOCKED.
std::vector<Row> MysqlStore::take(const Claim& claim) {
  std::map<std::string, std::string> due = candidates(claim);
  if (due.empty()) return {};
  const std::string ids = joined(due, ",", [](const auto& one) { return one.first; });
  repeated(*session_, [&] {
    return session_->query("UPDATE wechatpay_bonus_outbox SET due_at = NOW(6) + " + interval(claim.lease) +
                               ", claim = $1, claims = LEAST(claims, 2147483646) + 1 WHERE id IN (" + ids +
                               ") AND due_at <= NOW(6)",
                           {claim.token});
  });
  const Table claimed = session_->query(
      "SELECT id, LEFT(card_id, 64), LEFT(code, 64), LEFT(out_trade_no, 64), LEFT(mchid, 64), LEFT(sub_mchid, 64), "
      "bonus_value, attempts, claims, 0, TIMESTAMPDIFF(SECOND, created_at, NOW(6)), EXISTS (SELECT 1 FROM "
      "wechatpay_bonus_outbox_done d WHERE d.out_trade_no = o.out_trade_no AND d.card_id = o.card_id AND d.code = "
      "o.code AND d.mchid = o.mchid AND d.sub_mchid = o.sub_mchid AND d.bonus_value <> o.bonus_value) FROM "
      "wechatpay_bonus_outbox o WHERE id IN (" +
          ids + ") AND claim = $1",
      {claim.token});
  std::vector<Row> rows;
  for (const auto& line : claimed) {
    rows.push_back(row_of(line));
    rows.back().due = number_of(due[line.at(0)]);
  }
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return std::tie(a.due, a.id) < std::tie(b.due, b.id); });
  return rows;
}

std::vector<HeldRow> MysqlStore::renew(const std::vector<HeldRow>& rows, std::chrono::milliseconds lease) {
  repeated(*session_, [&] {
    return session_->query("UPDATE wechatpay_bonus_outbox SET due_at = NOW(6) + " + interval(lease) + " WHERE " +
                           held(rows));
  });
  std::vector<HeldRow> still_held;
  for (const auto& line : session_->query("SELECT id, claim FROM wechatpay_bonus_outbox WHERE " + held(rows))) {
    still_held.push_back({number_of(line.at(0)), line.at(1)});
  }
  return still_held;
}

Settled MysqlStore::settle(const std::vector<Settlement>& settlements) {
  return repeated(*session_, [&] {
    session_->query("START TRANSACTION");
    std::map<std::int64_t, std::string> claims;
    for (const auto& line : session_->query("SELECT id, claim FROM wechatpay_bonus_outbox WHERE " + held(settlements) +
                                            " ORDER BY id FOR UPDATE")) {
      claims[number_of(line.at(0))] = line.at(1);
    }
    std::vector<const Settlement*> live;
    for (const Settlement& one : settlements) {
      const auto found = claims.find(one.id);
      if (found != claims.end() && found->second == one.token) live.push_back(&one);
    }
    const Settled settled = live.empty() ? Settled() : write(live);
    session_->query("COMMIT");
    return settled;
  });
}

/// The rows must be locked already.
Settled MysqlStore::write(const std::vector<const Settlement*>& live) {
  std::vector<const Settlement*> done;
  std::vector<const Settlement*> dead;
  std::vector<const Settlement*> back;
  for (const Settlement* one : live) {
    (one->fate == Fate::done ? done : one->fate == Fate::dead ? dead : back).push_back(one);
  }
  const auto id = [](const Settlement* one) { return std::to_string(one->id); };
  if (!done.empty()) {
    const std::string told = joined(done, " UNION ALL ", [&id](const Settlement* one) {
      return "SELECT " + id(one) + " AS id, " + literal(one->request_id) + " AS request_id";
    });
    session_->query(std::string("REPLACE INTO wechatpay_bonus_outbox_done (id, card_id, code, out_trade_no, mchid, "
                                "sub_mchid, bonus_value, attempts, created_at, request_id) SELECT o.id, ") +
                    moved_columns + " + 1, o.created_at, t.request_id FROM wechatpay_bonus_outbox o JOIN (" + told +
                    ") t ON t.id = o.id");
  }
  if (!dead.empty()) {
    const std::string told = joined(dead, " UNION ALL ", [&id](const Settlement* one) {
      const bool called = one->kind == "refused" || one->kind == "exhausted";
      return "SELECT " + id(one) + " AS id, " + (called ? "1" : "0") + " AS called, " + literal(one->kind) +
             " AS kind, " + literal(one->code) + " AS code, " + literal(one->message) + " AS message, " +
             literal(one->request_id) + " AS request_id";
    });
    session_->query(
        std::string("INSERT INTO wechatpay_bonus_outbox_dead (card_id, code, out_trade_no, mchid, sub_mchid, "
                    "bonus_value, attempts, created_at, kind, error_code, message, request_id) SELECT ") +
        moved_columns + " + t.called, o.created_at, t.kind, t.code, t.message, t.request_id FROM " +
        "wechatpay_bonus_outbox o JOIN (" + told + ") t ON t.id = o.id");
  }
  if (done.size() + dead.size() > 0) {
    std::vector<const Settlement*> gone = done;
    gone.insert(gone.end(), dead.begin(), dead.end());
    session_->query("DELETE FROM wechatpay_bonus_outbox WHERE id IN (" + joined(gone, ",", id) + ")");
  }
  if (!back.empty()) {
    const std::string told = joined(back, " UNION ALL ", [&id](const Settlement* one) {
      return "SELECT " + id(one) + " AS id, " + std::to_string(one->pause.count() * 1000) + " AS pause, " +
             (one->fate == Fate::wait ? "1" : "0") + " AS called, " + literal(one->message) + " AS message";
    });
    session_->query("UPDATE wechatpay_bonus_outbox o JOIN (" + told +
                    ") t ON t.id = o.id SET o.due_at = NOW(6) + INTERVAL t.pause MICROSECOND, o.claim = NULL, "
                    "o.attempts = LEAST(o.attempts, 2147483646) + t.called, o.claims = o.claims - 1 + t.called, "
                    "o.last_error = COALESCE(NULLIF(t.message, ''), o.last_error)");
  }
  return {done.size(), dead.size(), back.size()};
}

void MysqlStore::halt(const std::string& merchant, std::chrono::milliseconds time, const std::string& why) {
  const std::string until = "NOW(6) + " + interval(time);
  session_->query("UPDATE wechatpay_bonus_outbox_pace SET why = $2, halted_until = CASE WHEN " +
                      std::string(mysql_is_halted) + " THEN GREATEST(halted_until, " + until + ") ELSE " + until +
                      " END WHERE name = $1",
                  {merchant, why});
}

std::string MysqlStore::last_resume() {
  const Table found = session_->query("SELECT value FROM wechatpay_bonus_outbox_about WHERE `key` = 'resumed'");
  return found.empty() ? "" : found.at(0).at(0);
}

}  // namespace wechatpay::bonus_commit::outbox
