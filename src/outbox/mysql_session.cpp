#include "src/outbox/mysql_session.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string_view>

#include "src/outbox/tables.hpp"

namespace wechatpay::bonus_commit::outbox {

namespace {

struct Address {
  std::string user;
  std::string password;
  std::string host;
  unsigned port = 0;
  std::string database;
  std::map<std::string, std::string> options;
};

[[noreturn]] void refuse(const std::string& why) { throw DatabaseError("the database's URL " + why, "", false); }

std::string decoded(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      made += text[i];
      continue;
    }
    const std::string digits(text.substr(std::min(i + 1, text.size()), 2));
    char* end = nullptr;
    made += static_cast<char>(std::strtol(digits.c_str(), &end, 16));
    if (digits.size() != 2 || end != digits.c_str() + 2) refuse("has a percent sign without two hex digits behind it");
    i += 2;
  }
  return made;
}

/// A URL mysql://user:password@host:port/database?socket=/path&ssl-ca=/file. Errors quote no part of it.
Address address_of(const std::string& url) {
  Address address;
  std::string_view rest = std::string_view(url).substr(url.find("://") + 3);
  std::string_view query;
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size()) refuse("names no database");
  address.database = decoded(rest.substr(slash + 1));
  std::string_view authority = rest.substr(0, slash);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    const std::size_t colon = user.find(':');
    address.user = decoded(user.substr(0, colon));
    if (colon != std::string_view::npos) address.password = decoded(user.substr(colon + 1));
    authority = authority.substr(at + 1);
  }
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    const std::string port(authority.substr(colon + 1));
    char* end = nullptr;
    const long number = std::strtol(port.c_str(), &end, 10);
    if (port.empty() || *end != '\0' || number < 1 || number > 65535) refuse("has a port that is none");
    address.port = static_cast<unsigned>(number);
    authority = authority.substr(0, colon);
  }
  if (!authority.empty() && authority.front() == '[') authority = authority.substr(1, authority.size() - 2);
  address.host = decoded(authority);
  while (!query.empty()) {
    const std::string_view option = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), option.size() + 1));
    const std::size_t equals = option.find('=');
    const std::string name(option.substr(0, equals));
    if (equals == std::string_view::npos || (name != "socket" && name != "ssl-ca")) {
      refuse("has an option that is neither socket nor ssl-ca");
    }
    address.options[name] = decoded(option.substr(equals + 1));
  }
  return address;
}

/// Errors that a later try cannot fix: rights, passwords, names, syntax.
bool passes(unsigned number) {
  constexpr std::array<unsigned, 11> lasting = {1044, 1045, 1049, 1054, 1064, 1142, 1143, 1146, 1227, 1370, 1698};
  return std::find(lasting.begin(), lasting.end(), number) == lasting.end();
}

std::string quoted(const std::string& text) {
  std::string made = "'";
  for (const char c : text) made.append(c == '\'' ? 2 : 1, c);
  return made + "'";
}

}  // namespace

MysqlSession::MysqlSession(const std::string& url, std::chrono::seconds longest)
    : connection_(mysql_init(nullptr), mysql_close) {
  if (connection_ == nullptr) throw DatabaseError("out of memory", "", true);
  Address address = address_of(url);
  if (address.password.empty()) {
    const char* const variable = std::getenv("MYSQL_PWD");  // NOLINT(concurrency-mt-unsafe): nothing here sets it
    if (variable != nullptr) address.password = variable;
  }
  password_ = address.password;
  const unsigned connect_timeout = 5;
  const auto answer_timeout = static_cast<unsigned>(longest.count());
  mysql_options(connection_.get(), MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout);
  mysql_options(connection_.get(), MYSQL_OPT_READ_TIMEOUT, &answer_timeout);
  mysql_options(connection_.get(), MYSQL_OPT_WRITE_TIMEOUT, &answer_timeout);
  mysql_options(connection_.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (address.options.count("ssl-ca") == 1) {
    const my_bool verify = 1;
    mysql_ssl_set(connection_.get(), nullptr, nullptr, address.options["ssl-ca"].c_str(), nullptr, nullptr);
    mysql_options(connection_.get(), MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
  }
  const std::string socket = address.options["socket"];
  if (mysql_real_connect(connection_.get(), address.host.empty() ? nullptr : address.host.c_str(), address.user.c_str(),
                         address.password.c_str(), address.database.c_str(), address.port,
                         socket.empty() ? nullptr : socket.c_str(), CLIENT_MULTI_STATEMENTS) == nullptr) {
    fail();
  }
  socket_.set(static_cast<int>(mysql_get_socket(connection_.get())));
  run("SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES', time_zone = "
      "'+00:00', autocommit = 1, sql_safe_updates = 0");
  run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  const Table server = run("SELECT @@read_only, @@log_bin, @@binlog_format");
  if (server.at(0).at(0) != "0") {
    throw DatabaseError("the server is read-only: it is a replica, most likely; the outbox is on the primary", "1290",
                        true);
  }
  if (server.at(0).at(1) != "0" && server.at(0).at(2) == "STATEMENT") {
    throw DatabaseError(
        "the server has binlog_format=STATEMENT, with which READ COMMITTED does not work: set ROW or "
        "MIXED",
        "", false);
  }
}

Table MysqlSession::query(const std::string& statement, const std::vector<std::string>& parameters) {
  if (parameters.empty()) return run(statement);  // here a dollar sign in the statement is part of a value
  std::string made;
  std::size_t begin = 0;
  for (std::size_t mark = statement.find('$'); mark != std::string::npos; mark = statement.find('$', begin)) {
    char* end = nullptr;
    const auto number = std::strtoul(statement.c_str() + mark + 1, &end, 10);
    made.append(statement, begin, mark - begin).append(quoted(parameters.at(number - 1)));
    begin = static_cast<std::size_t>(end - statement.c_str());
  }
  return run(made.append(statement, begin, std::string::npos));
}

void MysqlSession::execute(const std::string& statements) { run(statements); }

Table MysqlSession::run(const std::string& statement) {
  MYSQL* const connection = connection_.get();
  if (mysql_real_query(connection, statement.data(), statement.size()) != 0) fail();
  Table table;
  while (true) {
    const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> result(mysql_store_result(connection),
                                                                          mysql_free_result);
    if (result == nullptr && mysql_errno(connection) != 0) fail();
    if (result != nullptr) {
      table.clear();
      const unsigned columns = mysql_num_fields(result.get());
      while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
        const unsigned long* const lengths = mysql_fetch_lengths(result.get());
        std::vector<std::string>& line = table.emplace_back();
        for (unsigned i = 0; i < columns; ++i) line.emplace_back(row[i] == nullptr ? "" : row[i], lengths[i]);
      }
    }
    const int more = mysql_next_result(connection);
    if (more > 0) fail();
    if (more < 0) return table;
  }
}

void MysqlSession::fail() const {
  std::string message = mysql_error(connection_.get());
  const unsigned number = mysql_errno(connection_.get());
  for (std::size_t at = 0; !password_.empty() && (at = message.find(password_, at)) != std::string::npos; at += 10) {
    message.replace(at, password_.size(), "[password]");
  }
  throw DatabaseError(shown(message), std::to_string(number), passes(number),
                      refuses_rows(mysql_sqlstate(connection_.get())));
}

}  // namespace wechatpay::bonus_commit::outbox
