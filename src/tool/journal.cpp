#include "journal.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <wechatpay/bonus_commit/stages/file_name.hpp>

#include "wording.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

/// The application id in SQLite's header. It distinguishes a journal from other databases.
constexpr int application_id = 0x57504243;  // "WPBC"
constexpr int layout = 1;                   // version of the tables

constexpr const char* tables = R"(
  CREATE TABLE about (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE orders (
    card_id TEXT, code TEXT, out_trade_no TEXT, mchid TEXT, sub_mchid TEXT,
    bonus_value INTEGER,
    outcome TEXT,     -- pending, credited, refused, unknown, not sent
    settled INTEGER,  -- 1: not committed again
    run INTEGER, line INTEGER,
    label TEXT, message TEXT, request_id TEXT,
    row TEXT,         -- as it stands in the file; empty once credited
    PRIMARY KEY (out_trade_no, code, card_id, mchid, sub_mchid)) WITHOUT ROWID;
  CREATE TABLE bad_rows (line INTEGER PRIMARY KEY, run INTEGER, message TEXT, row TEXT);
)";

std::string column(sqlite3_stmt* statement, int at) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, at));
  if (text == nullptr) return "";
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement, at))};
}

}  // namespace

Journal::Journal(const std::string& file, const std::string& about)
    : file_(file.empty() ? "the journal" : file_in_message(file, "--journal")) {
  // The journal contains orders, so only its owner may read it. SQLite gives the same mode to its auxiliary files. If
  // the file cannot be created here, SQLite reports the error.
  if (const int made = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); made >= 0) ::close(made);
  sqlite3* database = nullptr;
  const int opened = sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  database_.reset(database);
  if (opened != SQLITE_OK) fail();
  run("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE");
  const std::string id = text_of("PRAGMA application_id");
  const bool fresh = id == "0" && text_of("SELECT count(*) FROM sqlite_schema") == "0";
  if (fresh) {
    run(("PRAGMA application_id = " + std::to_string(application_id) +
         "; PRAGMA user_version = " + std::to_string(layout))
            .c_str());
    run(tables);
    const Statement insert = prepare("INSERT INTO about VALUES ('about', ?), ('run', 0), ('failed', '')");
    bind(insert, 1, about);
    step(insert);
  } else if (id != std::to_string(application_id)) {
    throw JournalError(file_ + " is a database, but not a journal: choose another file with --journal");
  }
  if (text_of("PRAGMA user_version") != std::to_string(layout)) {
    throw JournalError(file_ + " was written by a newer version of this tool: use that version");
  }
  require_about(about);
  run("UPDATE about SET value = value + 1 WHERE key = 'run'; COMMIT");
  run_ = std::stoll(text_of("SELECT value FROM about WHERE key = 'run'"));

  find_ = prepare(
      "SELECT bonus_value, outcome, settled, run, line FROM orders "
      "WHERE out_trade_no = ?3 AND code = ?2 AND card_id = ?1 AND mchid = ?4 AND sub_mchid = ?5");
  note_ = prepare(
      "INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', 0, ?7, ?8, '', '', '', ?9) "
      "ON CONFLICT DO UPDATE SET run = ?7, line = ?8, row = ?9, bonus_value = ?6, "
      "outcome = iif(bonus_value = ?6 AND NOT ?10, outcome, 'pending'), "
      "settled = iif(bonus_value = ?6 AND NOT ?10, settled, 0)");
  note_fault_ = prepare("INSERT OR REPLACE INTO bad_rows VALUES (?, ?, ?, ?)");
  record_ = prepare(
      "UPDATE orders SET outcome = ?6, settled = ?7, label = ?8, message = ?9, request_id = ?10, "
      "row = iif(?6 = 'credited', '', row) "
      "WHERE out_trade_no = ?3 AND code = ?2 AND card_id = ?1 AND mchid = ?4 AND sub_mchid = ?5");
}

Journal::Lookup Journal::look_up(OrderRow& row, bool again) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (row.fault.empty()) {
    bind_order(find_, row.request);
    const bool known = step(find_);
    const bool same_points = sqlite3_column_int64(find_.get(), 0) == row.request.bonus_value;
    const std::string points = column(find_.get(), 0);
    const bool credited = column(find_.get(), 1) == "credited";
    const bool settled = sqlite3_column_int(find_.get(), 2) != 0;
    const bool of_this_run = sqlite3_column_int64(find_.get(), 3) == run_;
    const std::string line = column(find_.get(), 4);
    sqlite3_reset(find_.get());

    if (known && of_this_run && !same_points) {
      row.fault = "out_trade_no " + row.request.out_trade_no + " is on line " + line + " with bonus_value " + points +
                  ", here with " + std::to_string(row.request.bonus_value) + ": which one is right?";
    } else if (known && credited && !same_points) {
      row.fault = "out_trade_no " + row.request.out_trade_no + " was credited with bonus_value " + points +
                  " before, and has here " + std::to_string(row.request.bonus_value) +
                  ": if this is intended, use `commit`";
    } else if (known && of_this_run) {
      return Lookup::repeated;
    } else if (known && credited) {
      return Lookup::settled;
    } else {
      bind_order(note_, row.request);
      bind(note_, 6, row.request.bonus_value);
      bind(note_, 7, run_);
      bind(note_, 8, static_cast<std::int64_t>(row.line));
      bind(note_, 9, row.text);
      bind(note_, 10, settled && again ? 1 : 0);
      execute(note_);
      return known && settled && same_points && !again ? Lookup::refused : Lookup::commit;
    }
  }
  bind(note_fault_, 1, static_cast<std::int64_t>(row.line));
  bind(note_fault_, 2, run_);
  bind(note_fault_, 3, std::string(row.in_doubt ? std::string_view() : not_an_order).append(row.fault));
  bind(note_fault_, 4, row.text);
  execute(note_fault_);
  return Lookup::fault;
}

void Journal::record(const BonusCommitRequest& request, const CommitResult& result, bool settled) {
  const std::lock_guard<std::mutex> lock(mutex_);
  bind_order(record_, request);
  bind(record_, 6, result ? "credited" : to_string(result.error().outcome));
  bind(record_, 7, settled ? 1 : 0);
  if (result) {
    bind(record_, 8, "");
    bind(record_, 9, "");
    bind(record_, 10, result->request_id);
  } else {
    const Error& error = result.error();
    const Answer* const answer = error.answer();
    bind(record_, 8, label(error));
    bind(record_, 9, in_words_of_the_tool(error.message));
    bind(record_, 10, answer == nullptr ? std::string_view("") : answer->request_id);
  }
  execute(record_);
}

void Journal::for_each_kind_of_failure(const std::function<void(const Failures&)>& take) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // In SQLite, the other columns come from the row that min() selected.
  const Statement kinds = prepare(
      "SELECT label || ' (' || outcome || ')', count(*), min(line), message FROM orders "
      "WHERE run = ? AND outcome NOT IN ('credited', 'pending') GROUP BY 1 ORDER BY 2 DESC, 1");
  bind(kinds, 1, run_);
  while (step(kinds)) {
    take({column(kinds.get(), 0), static_cast<std::uint64_t>(sqlite3_column_int64(kinds.get(), 1)),
          static_cast<std::uint64_t>(sqlite3_column_int64(kinds.get(), 2)), column(kinds.get(), 3)});
  }
}

void Journal::for_each_failed_row(std::int64_t last,
                                  const std::function<void(const std::string& text, const std::string& error)>& take) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Statement rows = prepare(
      "SELECT line, row, outcome || ': ' || message FROM orders "
      "WHERE (run = ?1 OR line > ?2) AND outcome NOT IN ('credited', 'pending') "
      "UNION ALL SELECT line, row, message FROM bad_rows WHERE run = ?1 OR line > ?2 ORDER BY line");
  bind(rows, 1, run_);
  bind(rows, 2, last);
  while (step(rows)) take(column(rows.get(), 1), column(rows.get(), 2));
}

bool Journal::owns(const std::string& file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return text_of("SELECT value FROM about WHERE key = 'failed'") == file;
}

void Journal::own(const std::string& file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Statement update = prepare("UPDATE about SET value = ? WHERE key = 'failed'");
  bind(update, 1, file);
  step(update);
}

void Journal::run(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

Journal::Statement Journal::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) != SQLITE_OK) fail();
  return Statement(statement);
}

void Journal::bind(const Statement& statement, int at, std::string_view text) {
  const int size = static_cast<int>(text.size());
  if (sqlite3_bind_text(statement.get(), at, text.data(), size, SQLITE_TRANSIENT) != SQLITE_OK) fail();
}

void Journal::bind(const Statement& statement, int at, std::int64_t number) {
  if (sqlite3_bind_int64(statement.get(), at, number) != SQLITE_OK) fail();
}

void Journal::bind_order(const Statement& statement, const BonusCommitRequest& request) {
  bind(statement, 1, request.card_id);
  bind(statement, 2, request.code);
  bind(statement, 3, request.out_trade_no);
  bind(statement, 4, request.mchid);
  bind(statement, 5, request.sub_mchid);
}

bool Journal::step(const Statement& statement) {
  const int result = sqlite3_step(statement.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  sqlite3_reset(statement.get());
  fail();
}

void Journal::execute(const Statement& statement) {
  step(statement);
  sqlite3_reset(statement.get());
}

std::string Journal::text_of(const char* query) {
  const Statement statement = prepare(query);
  step(statement);
  return column(statement.get(), 0);
}

void Journal::require_about(const std::string& about) {
  const std::string had = text_of("SELECT value FROM about WHERE key = 'about'");
  if (had == about) return;
  throw JournalError(file_ + " is about " + had + ", not " + about +
                     ": results of one host do not apply to another; give another file with --journal");
}

void Journal::fail() const {
  const int code = sqlite3_errcode(database_.get());
  std::string message = file_ + ": " + sqlite3_errmsg(database_.get());
  if (code == SQLITE_BUSY) message = file_ + " is in use by another process, such as a backfill of the same file";
  if (code == SQLITE_NOTADB) message = file_ + " is not a journal: choose another file with --journal";
  if (code == SQLITE_CANTOPEN) message += "; check that its folder is writable, or choose another file with --journal";
  if (code == SQLITE_FULL) message += "; free some space and run the same command again to resume";
  throw JournalError(message);
}

}  // namespace wechatpay::bonus_commit::tool
