// What the statements of both kinds of database have in common.
#ifndef WECHATPAY_SRC_OUTBOX_TABLES_HPP
#define WECHATPAY_SRC_OUTBOX_TABLES_HPP

#include <string>
#include <string_view>
#include <vector>

#include "src/outbox/store.hpp"

namespace wechatpay::bonus_commit::outbox {

/// Whether the tables are of this program's version. Throws where they are of a newer one.
bool is_current(const std::string& version);

/// Throws where the tables are of a version that this program does not work with. Empty: there are none.
void check_version(const std::string& version);

/// Throws where the tables are another merchant's, or of other hosts.
void check_owner(const Owner& found, const Owner& owner);

/// A row from the columns id, card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, attempts, claims, due, age
/// and contradicted.
Row row_of(const std::vector<std::string>& columns);

/// A dead row from the columns id, card_id, code, out_trade_no, mchid, sub_mchid, bonus_value, attempts, dead_at, kind,
/// code, message and request_id.
DeadRow dead_row_of(const std::vector<std::string>& columns);

/// Whether an SQLSTATE is of a class that refuses rows: too long, out of range, constraints, triggers.
bool refuses_rows(std::string_view sqlstate);

/// What a database says, for a message or a log: one line, of characters that can be seen.
std::string shown(const std::string& text);

/// What a statement's condition for dead rows is given: the kind or an empty text, the id or an empty text, and the id
/// that they are above.
std::vector<std::string> parameters_of(const DeadRows& which);

/// The number in the first column of the first line.
std::uint64_t count_in(const Table& table);

/// A number that a database wrote; 0 where it wrote none.
std::int64_t number_of(const std::string& text);

}  // namespace wechatpay::bonus_commit::outbox

#endif
