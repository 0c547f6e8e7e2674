#include "src/outbox/tables.hpp"

#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <sstream>

namespace wechatpay::bonus_commit::outbox {

namespace {

BonusCommitRequest order_of(const std::vector<std::string>& columns) {
  BonusCommitRequest order;
  order.card_id = columns.at(1);
  order.code = columns.at(2);
  order.out_trade_no = columns.at(3);
  order.mchid = columns.at(4);
  order.sub_mchid = columns.at(5);
  order.bonus_value = number_of(columns.at(6));
  return order;
}

[[noreturn]] void refuse(const char* what, const std::string& found, const std::string& ours) {
  throw DatabaseError(std::string("the outbox is of another ")
                          .append(what)
                          .append(": ")
                          .append(shown(found))
                          .append(", and not of ")
                          .append(ours)
                          .append("; give each an outbox of its own, in a schema or database of its own, or, after a "
                                  "trial, delete the rows merchant and host of wechatpay_bonus_outbox_about"),
                      "", false);
}

/// A row's count, limited to a range that is safe for arithmetic: a merchant may insert any value.
int count_of(const std::string& text) {
  return static_cast<int>(std::clamp<std::int64_t>(number_of(text), 0, 1000000000));
}

std::set<std::string> parts_of(const std::string& host) {
  std::set<std::string> parts;
  std::istringstream text(host);
  for (std::string part; std::getline(text, part, ',');) parts.insert(part);
  return parts;
}

}  // namespace

std::string shown(const std::string& text) { return stages::printable(text, 500); }

std::vector<std::string> parameters_of(const DeadRows& which) {
  return {which.kind.value_or(""), which.id ? std::to_string(*which.id) : "", std::to_string(which.after)};
}

std::uint64_t count_in(const Table& table) { return static_cast<std::uint64_t>(number_of(table.at(0).at(0))); }

std::int64_t number_of(const std::string& text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool refuses_rows(std::string_view sqlstate) {
  constexpr std::array<std::string_view, 7> classes = {"22", "23", "27", "44", "45", "54", "P0"};
  return std::find(classes.begin(), classes.end(), sqlstate.substr(0, 2)) != classes.end();
}

std::string host_of(std::vector<std::string> origins) {
  for (std::string& origin : origins) {
    while (!origin.empty() && origin.back() == '/') origin.pop_back();
    std::transform(origin.begin(), origin.end(), origin.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  }
  std::sort(origins.begin(), origins.end());
  std::string host;
  for (const std::string& origin : origins) host.append(host.empty() ? "" : ",").append(origin);
  return host;
}

bool is_current(const std::string& version) {
  const std::int64_t number = number_of(version);
  if (number > schema_version) {
    throw DatabaseError("the outbox's tables are of version " + shown(version) +
                            ", which is newer than this program knows (" + std::to_string(schema_version) +
                            "): install a newer wechatpay-bonus-commit",
                        "", false);
  }
  return number == schema_version;
}

void check_version(const std::string& version) {
  if (version.empty()) throw DatabaseError("there is no outbox here: run `outbox install` first", "", false);
  if (!is_current(version) && number_of(version) < oldest_version) {
    throw DatabaseError(
        "the outbox's tables are of version " + shown(version) + ", which is too old: run `outbox upgrade`", "", false);
  }
}

void check_owner(const Owner& found, const Owner& owner) {
  if (found.merchant != owner.merchant) refuse("merchant", found.merchant, owner.merchant);
  const std::set<std::string> theirs = parts_of(found.host);
  const std::set<std::string> ours = parts_of(owner.host);
  const bool in_common =
      std::any_of(ours.begin(), ours.end(), [&theirs](const std::string& one) { return theirs.count(one) > 0; });
  if (!in_common) refuse("host", found.host, owner.host);
}

Row row_of(const std::vector<std::string>& columns) {
  Row row;
  row.id = number_of(columns.at(0));
  row.order = order_of(columns);
  row.attempts = count_of(columns.at(7));
  row.claims = count_of(columns.at(8));
  row.due = number_of(columns.at(9));
  row.age = std::chrono::seconds(number_of(columns.at(10)));
  row.contradicted = columns.at(11) == "t" || columns.at(11) == "1";
  return row;
}

DeadRow dead_row_of(const std::vector<std::string>& columns) {
  DeadRow row;
  row.id = number_of(columns.at(0));
  row.order = order_of(columns);
  row.attempts = count_of(columns.at(7));
  row.dead_at = columns.at(8);
  row.kind = columns.at(9);
  row.code = columns.at(10);
  row.message = columns.at(11);
  row.request_id = columns.at(12);
  return row;
}

}  // namespace wechatpay::bonus_commit::outbox
