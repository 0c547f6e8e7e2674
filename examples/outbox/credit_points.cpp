// A merchant's program that credits points and inserts the order to commit, in one transaction of its own database.
//   credit_points DATABASE_URL FIRST LAST     for the orders of these numbers
#include <libpq-fe.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

class Database {
 public:
  explicit Database(const char* url) : connection_(PQconnectdb(url), PQfinish) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
  }

  template <std::size_t Count>
  void run(const char* statement, const std::array<const char*, Count>& values) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(
        PQexecParams(connection_.get(), statement, static_cast<int>(Count), nullptr, values.data(), nullptr, nullptr,
                     0),
        PQclear);
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
  void run(const char* statement) { run(statement, std::array<const char*, 0>()); }

 private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

/// Writes both or neither.
void credit(Database& database, const std::string& out_trade_no, const std::string& points) {
  database.run("BEGIN");
  database.run("UPDATE members SET points = points + $1 WHERE card_code = '478515832665'",
               std::array<const char*, 1>{points.c_str()});
  database.run(
      "INSERT INTO wechatpay_bonus_outbox (card_id, code, out_trade_no, mchid, sub_mchid, bonus_value) "
      "VALUES ('478515832665', '478515832665', $1, '1230000109', '1900000109', $2)",
      std::array<const char*, 2>{out_trade_no.c_str(), points.c_str()});
  database.run("COMMIT");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "credit_points DATABASE_URL FIRST LAST\n";
    return 2;
  }
  try {
    Database database(arguments[1]);
    for (int i = std::atoi(arguments[2]); i <= std::atoi(arguments[3]); ++i) {
      credit(database, "order-" + std::to_string(i), "30");
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
