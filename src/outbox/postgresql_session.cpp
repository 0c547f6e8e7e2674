#include "src/outbox/postgresql_session.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <tuple>
#include <utility>

#include "src/outbox/tables.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

/// The statement timeout is below the client's own limit, so the server reports a timeout first.
std::string begin_transaction(std::chrono::seconds longest) {
  return "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '" + std::to_string(longest.count() - 5) +
         "s'; SET LOCAL lock_timeout = '5s'";
}

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

std::string password_of(const std::string& url) {
  // The parser's own message may quote a password.
  const Options options(PQconninfoParse(url.c_str(), nullptr), PQconninfoFree);
  if (options == nullptr) {
    throw DatabaseError("the database's URL is malformed: it is not shown here, since it may hold a password", "",
                        false);
  }
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) == "password" && option->val != nullptr) return option->val;
  }
  return "";
}

std::unique_ptr<PGconn, decltype(&PQfinish)> connect_to(const std::string& url) {
  // The options before dbname are defaults, which the URL may change. The URL cannot change those after dbname.
  const std::array<std::pair<const char*, const char*>, 10> options = {{{"connect_timeout", "5"},
                                                                        {"keepalives_idle", "10"},
                                                                        {"keepalives_interval", "5"},
                                                                        {"keepalives_count", "3"},
                                                                        {"tcp_user_timeout", "10000"},
                                                                        {"application_name", "wechatpay-bonus-commit"},
                                                                        {"dbname", url.c_str()},
                                                                        {"target_session_attrs", "read-write"},
                                                                        {"client_encoding", "UTF8"},
                                                                        {nullptr, nullptr}}};
  std::array<const char*, options.size()> names{};
  std::array<const char*, options.size()> values{};
  for (std::size_t i = 0; i < options.size(); ++i) std::tie(names[i], values[i]) = options[i];
  return {PQconnectdbParams(names.data(), values.data(), 1), PQfinish};
}

/// The SQLSTATE classes that a later try cannot fix: rights, passwords, names, and features that the server lacks.
bool passes(std::string_view state) {
  constexpr std::array<std::string_view, 5> lasting = {"28", "3D", "3F", "42", "0A"};
  return std::find(lasting.begin(), lasting.end(), state.substr(0, 2)) == lasting.end();
}

bool succeeded(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

}  // namespace

PostgresqlSession::PostgresqlSession(const std::string& url, std::chrono::seconds longest)
    : longest_(longest), password_(password_of(url)), connection_(connect_to(url)) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) fail(nullptr);
  if (PQsetnonblocking(connection_.get(), 1) != 0) fail(nullptr);
  socket_.set(PQsocket(connection_.get()));
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
}

Table PostgresqlSession::query(const std::string& statement, const std::vector<std::string>& parameters) {
  const auto deadline = Clock::now() + longest_;
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());

  send(PQsendQuery(connection_.get(), begin_transaction(longest_).c_str()) == 1);
  finish(deadline);
  send(PQsendQueryParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                         nullptr, nullptr, 0) == 1);
  const Result result = finish_or_roll_back(deadline);
  send(PQsendQuery(connection_.get(), "COMMIT") == 1);
  finish(deadline);

  Table table(static_cast<std::size_t>(PQntuples(result.get())));
  for (std::size_t row = 0; row < table.size(); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      const int line = static_cast<int>(row);
      table[row].emplace_back(PQgetvalue(result.get(), line, column),
                              static_cast<std::size_t>(PQgetlength(result.get(), line, column)));
    }
  }
  return table;
}

void PostgresqlSession::execute(const std::string& statements) {
  send(PQsendQuery(connection_.get(), statements.c_str()) == 1);
  finish(Clock::now() + std::chrono::minutes(10));
}

void PostgresqlSession::send(bool queued) {
  if (!queued) fail(nullptr);
}

/// The last result of the statements that were sent.
PostgresqlSession::Result PostgresqlSession::finish(Clock::time_point deadline) {
  PGconn* const connection = connection_.get();
  for (int unsent = PQflush(connection); unsent != 0; unsent = PQflush(connection)) {
    if (unsent < 0) fail(nullptr);
    wait(POLLIN | POLLOUT, deadline);
    if (PQconsumeInput(connection) == 0) fail(nullptr);
  }
  Result last(nullptr, PQclear);
  Result failed(nullptr, PQclear);
  while (true) {
    while (PQisBusy(connection) == 1) {
      wait(POLLIN, deadline);
      if (PQconsumeInput(connection) == 0) fail(nullptr);
    }
    Result next(PQgetResult(connection), PQclear);
    if (next == nullptr) break;
    Result& kept = failed == nullptr && !succeeded(next.get()) ? failed : last;
    kept = std::move(next);
  }
  if (failed != nullptr) fail(failed.get());
  if (last == nullptr) fail(nullptr);
  return last;
}

PostgresqlSession::Result PostgresqlSession::finish_or_roll_back(Clock::time_point deadline) {
  try {
    return finish(deadline);
  } catch (const DatabaseError&) {
    if (PQtransactionStatus(connection_.get()) == PQTRANS_INERROR) {
      send(PQsendQuery(connection_.get(), "ROLLBACK") == 1);
      finish(deadline);
    }
    throw;
  }
}

void PostgresqlSession::wait(short events, Clock::time_point deadline) {
  pollfd watched{PQsocket(connection_.get()), events, 0};
  int ready = 0;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    ready = left <= 0 ? 0 : ::poll(&watched, 1, static_cast<int>(left));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) throw DatabaseError("the database did not answer in time", "", true);
}

void PostgresqlSession::fail(const PGresult* result) {
  const char* const state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  // Only the primary message: the details may quote rows.
  const char* const primary = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  std::string message = primary != nullptr ? primary : PQerrorMessage(connection_.get());
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::replace(message.begin(), message.end(), '\n', ' ');
  const std::string known = state == nullptr ? "" : state;
  throw DatabaseError(shown(without_password(std::move(message))), shown(known), passes(known), refuses_rows(known));
}

std::string PostgresqlSession::without_password(std::string message) const {
  if (password_.empty()) return message;
  for (std::size_t at = message.find(password_); at != std::string::npos; at = message.find(password_, at)) {
    message.replace(at, password_.size(), "[password]");
    at += 10;
  }
  return message;
}

std::string array_of(const std::vector<std::string>& texts) {
  std::string array = "{";
  for (const std::string& text : texts) {
    array += array.size() > 1 ? ",\"" : "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  return array + "}";
}

}  // namespace wechatpay::bonus_commit::outbox
