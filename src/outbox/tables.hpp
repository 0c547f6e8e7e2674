// Code that the statements of both kinds of database share.
#ifndef WECHATPAY_SRC_OUTBOX_TABLES_HPP
#define WECHATPAY_SRC_OUTBOX_TABLES_HPP

#include <string>
#include <string_view>
#include <vector>

#include "src/outbox/store.hpp"

namespace wechatpay::bonus_commit::outbox {

/// Whether the tables have this program's version. Throws if their version is newer.
bool is_current(const std::string& version);

/// Throws if this program does not work with the tables' version. An empty version means that there are no tables.
void check_version(const std::string& version);

/// Throws if the tables belong to another merchant or to other hosts.
void check_owner(const Owner& found, const Owner& owner);

/// Makes a row from the columns id, card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, attempts, claims, due,
/// age and contradicted.
Row row_of(const std::vector<std::string>& columns);

/// Makes a dead row from the columns id, card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, attempts, dead_at,
/// kind, code, message and request_id.
DeadRow dead_row_of(const std::vector<std::string>& columns);

/// Whether a SQLSTATE is of a class that refuses the data: too long, out of range, constraints, triggers.
bool refuses_rows(std::string_view sqlstate);

/// A database's text for a message or a log: one line of printable characters.
std::string shown(const std::string& text);

/// The parameters of the condition for dead rows: the kind or an empty text, the id or an empty text, and the id above
/// which rows are selected.
std::vector<std::string> parameters_of(const DeadRows& which);

/// The number in the first column of the first row.
std::uint64_t count_in(const Table& table);

/// The number in a database's text; 0 if there is none.
std::int64_t number_of(const std::string& text);

}  // namespace wechatpay::bonus_commit::outbox

#endif
