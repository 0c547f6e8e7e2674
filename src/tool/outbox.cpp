#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "database_options.hpp"
#include "json_output.hpp"
#include "outbox_verdicts.hpp"
#include "src/outbox/store.hpp"
#include "src/outbox/tables.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

struct OutboxArguments {
  DatabaseOptions database;
  std::string action;
  std::string kind;
  std::optional<std::int64_t> id;
  bool all = false;
  bool json = false;
  bool sql = false;
  unsigned days = 30;
  bool days_given = false;
};

/// The options of each action.
const std::map<std::string, std::set<std::string>>& options_of_actions() {
  static const std::map<std::string, std::set<std::string>> options = {{"install", {"--sql"}},
                                                                       {"upgrade", {"--sql"}},
                                                                       {"status", {"--json"}},
                                                                       {"dead", {"--kind", "--id", "--json"}},
                                                                       {"retry", {"--kind", "--id", "--all"}},
                                                                       {"discard", {"--kind", "--id", "--all"}},
                                                                       {"prune", {"--days"}},
                                                                       {"resume", {}},
                                                                       {"doctor", {"--json"}}};
  return options;
}

std::vector<std::string> actions() {
  std::vector<std::string> names;
  for (const auto& [action, options] : options_of_actions()) names.push_back(action);
  return names;
}

/// Why the options do not fit the action; empty if they do.
std::string fault_of(const OutboxArguments& options) {
  const std::map<std::string, bool> given = {{"--sql", options.sql},           {"--json", options.json},
                                             {"--all", options.all},           {"--kind", !options.kind.empty()},
                                             {"--id", options.id.has_value()}, {"--days", options.days_given}};
  const auto& taken = options_of_actions().at(options.action);
  for (const auto& [option, is_given] : given) {
    if (is_given && taken.count(option) == 0) return "outbox " + options.action + " has no option " + option;
  }
  const bool changes_dead_rows = taken.count("--all") == 1;
  const int chosen = (options.all ? 1 : 0) + (options.id ? 1 : 0) + (options.kind.empty() ? 0 : 1);
  if (changes_dead_rows && chosen != 1) {
    return "outbox " + options.action + " needs one of --kind, --id and --all";
  }
  return "";
}

std::string rows(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " row" : " rows"); }

void print_status(const outbox::Status& status, bool json) {
  if (json) {
    nlohmann::ordered_json document = {{"version", status.version},
                                       {"due", status.due},
                                       {"waiting", status.waiting},
                                       {"claimed", status.claimed},
                                       {"oldest_due_seconds", status.oldest_due_seconds},
                                       {"oldest_unsettled_seconds", status.oldest_unsettled_seconds},
                                       {"done_in_last_hour", status.done_in_last_hour},
                                       {"dead", nlohmann::ordered_json::object()},
                                       {"halted_seconds", status.halted_seconds}};
    for (const auto& [kind, count] : status.dead) document["dead"][kind] = count;
    if (!status.merchant.empty()) document["merchant"] = status.merchant;
    if (!status.host.empty()) document["host"] = status.host;
    if (!status.why_halted.empty()) document["why_halted"] = status.why_halted;
    print(document);
    return;
  }
  std::cout << "due " << status.due;
  if (status.due > 0) std::cout << ", the oldest for " << status.oldest_due_seconds << " s";
  std::cout << "\nwaiting " << status.waiting << "\nclaimed " << status.claimed << "\ncredited in the last hour "
            << status.done_in_last_hour << "\n";
  for (const auto& [kind, count] : status.dead) std::cout << "dead, " << outbox::shown(kind) << " " << count << "\n";
  if (status.halted_seconds > 0) {
    std::cout << "halted for " << status.halted_seconds << " s: " << outbox::shown(status.why_halted) << "\n";
  }
}

nlohmann::ordered_json json_of(const outbox::DeadRow& row) {
  return {{"id", row.id},
          {"card_id", row.order.card_id},
          {"code", row.order.code},
          {"out_trade_no", row.order.out_trade_no},
          {"mchid", row.order.mchid},
          {"sub_mchid", row.order.sub_mchid},
          {"bonus_value", row.order.bonus_value},
          {"attempts", row.attempts},
          {"dead_at", row.dead_at},
          {"kind", row.kind},
          {"error_code", row.code},
          {"message", row.message},
          {"request_id", row.request_id}};
}

void print_dead(outbox::Administration& administration, outbox::DeadRows which, bool json) {
  constexpr std::size_t page = 10000;
  nlohmann::ordered_json document = nlohmann::ordered_json::array();
  std::vector<outbox::DeadRow> found;
  do {
    found = administration.dead(which, page);
    for (const outbox::DeadRow& row : found) {
      if (json) document.push_back(json_of(row));
      if (!json) std::cout << json_text(json_of(row)) << "\n";
      which.after = row.id;
    }
  } while (found.size() == page);
  if (json) print(document);
}

int look_at_health(const std::string& url, bool json) {
  Findings findings(json);
  try {
    const auto administration = outbox::open_administration(url);
    findings.good("connection", "established, and writable");
    const outbox::Health health = administration->health();
    judge_server(health, findings);
    judge_tables(administration->status(), findings);
    judge_use(health, findings);
  } catch (const outbox::DatabaseError& error) {
    findings.bad("database", error.what());
  }
  if (json) print(findings.as_json());
  return findings.bad_steps() == 0 ? ExitStatus::success : ExitStatus::refused;
}

int act(const OutboxArguments& options, const std::string& url) {
  if (options.action == "doctor") return look_at_health(url, options.json);
  if (options.sql) {
    std::cout << outbox::schema_for(url);
    return ExitStatus::success;
  }
  const auto administration = outbox::open_administration(url);
  outbox::DeadRows which;
  which.id = options.id;
  if (!options.kind.empty()) which.kind = options.kind;
  if (options.action == "install" || options.action == "upgrade") {
    administration->install();
    std::cout << "the outbox tables have version " << administration->status().version << "\n";
  } else if (options.action == "status") {
    print_status(administration->status(), options.json);
  } else if (options.action == "dead") {
    print_dead(*administration, which, options.json);
  } else if (options.action == "retry") {
    std::cout << rows(administration->retry(which)) << " to be committed again\n";
  } else if (options.action == "discard") {
    std::cout << rows(administration->discard(which)) << " discarded\n";
  } else if (options.action == "prune") {
    std::cout << rows(administration->prune(std::chrono::hours(24) * options.days)) << " deleted\n";
  } else {
    std::cout << "no halt; " << rows(administration->resume()) << " due now\n";
  }
  return ExitStatus::success;
}

int run(const OutboxArguments& options) {
  const auto refuse = [&options](const std::string& fault) {
    report_error(configuration_error(fault), options.json);
    return static_cast<int>(ExitStatus::usage);
  };
  if (const std::string fault = fault_of(options); !fault.empty()) return refuse(fault);
  const auto url = options.database.url();
  if (!url) return refuse(url.error().message);
  try {
    const int status = act(options, *url);
    return output_is_written() ? status : static_cast<int>(ExitStatus::usage);
  } catch (const outbox::DatabaseError& error) {
    const bool no_tables = error.state() == "42P01" || error.state() == "1146";
    return refuse(std::string("database: ")
                      .append(error.what())
                      .append(no_tables ? "; create the tables with `outbox install`" : ""));
  }
}

}  // namespace

std::string outbox_actions() {
  std::string all;
  for (const std::string& action : actions()) all += (all.empty() ? "" : " ") + action;
  return all;
}

void add_outbox(CLI::App& app, int& status) {
  auto options = std::make_shared<OutboxArguments>();
  CLI::App& command = *app.add_subcommand("outbox", "Creates and manages the outbox tables in your database.");
  command.footer(
      "install and upgrade create the tables (--sql prints the statements instead). status counts due, waiting, "
      "claimed and dead rows; dead lists the dead rows. retry commits dead rows again, discard deletes them. "
      "prune deletes old credited rows. resume, after an outage, ends the halt and makes all waiting rows due. "
      "doctor checks connection, tables, rights and clock.");
  takes_one_of(command.add_option("ACTION", options->action, "action"), actions())->required();
  command.add_flag("--sql", options->sql, "print the statements without running them");
  command.add_flag("--json", options->json, "print the result as JSON on standard output");
  takes_one_of(command.add_option("--kind", options->kind, "only dead rows of this kind"),
               {"invalid", "refused", "exhausted", "conflict", "poison"})
      ->type_name("KIND");
  takes_whole_number(command.add_option("--id", options->id, "only the dead row with this id"), 1, INT64_MAX)
      ->type_name("NUMBER");
  command.add_flag("--all", options->all, "all dead rows");
  takes_whole_number(command.add_option("--days", options->days,
                                        "for prune: delete rows that were credited more than this many days ago"),
                     0, 36500)
      ->capture_default_str();
  options->database.add_to(command);
  command.callback([options, &command, &status] {
    options->days_given = command.get_option("--days")->count() > 0;
    status = run(*options);
  });
}

}  // namespace wechatpay::bonus_commit::tool
