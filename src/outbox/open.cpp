#include <wechatpay/bonus_commit/stages/text.hpp>

#include "src/outbox/store.hpp"
#ifdef WECHATPAY_WITH_POSTGRESQL
#include "src/outbox/postgresql_session.hpp"
#include "src/outbox/postgresql_store.hpp"
#endif
#ifdef WECHATPAY_WITH_MYSQL
#include "src/outbox/mysql_session.hpp"
#include "src/outbox/mysql_store.hpp"
#endif

namespace wechatpay::bonus_commit::outbox {

namespace {

/// The time limit of an operator's queries, which count rows: there may be many millions.
constexpr std::chrono::seconds longest_count{300};

bool is_postgresql(const std::string& url) { return stages::starts_with(url, "postgres"); }

[[noreturn]] void refuse(const std::string& url) {
  throw DatabaseError(
      is_postgresql(url)
          ? "this build has no client for PostgreSQL: install libpq (Debian/Ubuntu: apt-get install libpq-dev; Fedora: "
            "dnf install libpq-devel; Alpine: apk add libpq-dev; Arch: pacman -S postgresql-libs), and build it again"
          : "this build has no client for MySQL and MariaDB: install MariaDB Connector/C (Debian/Ubuntu: apt-get "
            "install libmariadb-dev; Fedora: dnf install mariadb-connector-c-devel; Alpine: apk add "
            "mariadb-connector-c-dev; Arch: pacman -S mariadb-libs), and build it again",
      "", false);
}

}  // namespace

std::unique_ptr<Session> connect(const std::string& url, std::chrono::seconds longest) {
  if (const std::string fault = fault_of_url(url); !fault.empty()) {
    throw DatabaseError("the database's URL " + fault, "", false);
  }
#ifdef WECHATPAY_WITH_POSTGRESQL
  if (is_postgresql(url)) return std::make_unique<PostgresqlSession>(url, longest);
#endif
#ifdef WECHATPAY_WITH_MYSQL
  if (!is_postgresql(url)) return std::make_unique<MysqlSession>(url, longest);
#endif
  refuse(url);
}

std::unique_ptr<Store> open_store(const std::string& url) {
#ifdef WECHATPAY_WITH_POSTGRESQL
  if (is_postgresql(url)) return std::make_unique<PostgresqlStore>(connect(url));
#endif
#ifdef WECHATPAY_WITH_MYSQL
  if (!is_postgresql(url)) return std::make_unique<MysqlStore>(connect(url));
#endif
  refuse(url);
}

std::unique_ptr<Administration> open_administration(const std::string& url) {
#ifdef WECHATPAY_WITH_POSTGRESQL
  if (is_postgresql(url)) return std::make_unique<PostgresqlAdministration>(connect(url, longest_count));
#endif
#ifdef WECHATPAY_WITH_MYSQL
  if (!is_postgresql(url)) return std::make_unique<MysqlAdministration>(connect(url, longest_count));
#endif
  refuse(url);
}

std::string schema_for(const std::string& url) {
#ifdef WECHATPAY_WITH_POSTGRESQL
  if (is_postgresql(url)) return postgresql_schema();
#endif
#ifdef WECHATPAY_WITH_MYSQL
  if (!is_postgresql(url)) return mysql_schema();
#endif
  refuse(url);
}

}  // namespace wechatpay::bonus_commit::outbox
