#include "database_options.hpp"

#include <cstdlib>
#include <fstream>

#include "arguments.hpp"
#include "src/outbox/session.hpp"

namespace wechatpay::bonus_commit::tool {

void DatabaseOptions::add_to(CLI::App& command) {
  command
      .add_option(
          "--database", argument,
          "URL of the database, postgresql://user@host/name or mysql://user@host/name, without a password; give the "
          "password in PGPASSWORD, ~/.pgpass or MYSQL_PWD, or give the URL with password in "
          "--database-file or WECHATPAY_DATABASE")
      ->type_name("URL")
      ->group("The database")
      ->check(
          [](const std::string& url) {
            std::string fault = outbox::fault_of_url(url);
            if (fault.empty() && outbox::has_password(url)) {
              fault =
                  "contains a password, which other users can see in the process list: put the URL into a file "
                  "and use --database-file, or into WECHATPAY_DATABASE";
            }
            return fault;
          },
          "");
  takes_file_name(
      command.add_option("--database-file", file, "file whose first line is the URL, with or without a password"))
      ->type_name("FILE")
      ->group("The database");
}

Result<std::string> DatabaseOptions::url() const {
  if (!argument.empty() && !file.empty()) {
    return configuration_error("--database and --database-file cannot be used together");
  }
  if (!argument.empty()) return argument;
  std::string url;
  if (!file.empty()) {
    std::ifstream in(file);
    if (!std::getline(in, url)) return configuration_error("the file of --database-file cannot be read, or is empty");
    if (!url.empty() && url.back() == '\r') url.pop_back();
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet
  } else if (const char* const variable = std::getenv("WECHATPAY_DATABASE")) {
    url = variable;
  }
  if (url.empty()) {
    return configuration_error("the database is missing: give --database, --database-file or WECHATPAY_DATABASE");
  }
  if (const std::string fault = outbox::fault_of_url(url); !fault.empty()) {
    return configuration_error("the database's URL " + fault);
  }
  return url;
}

}  // namespace wechatpay::bonus_commit::tool
