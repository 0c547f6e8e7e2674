// What `outbox doctor` concludes from the state of the database and of the tables.
#ifndef WECHATPAY_SRC_TOOL_OUTBOX_VERDICTS_HPP
#define WECHATPAY_SRC_TOOL_OUTBOX_VERDICTS_HPP

#include "doctor_verdicts.hpp"
#include "src/outbox/store.hpp"

namespace wechatpay::bonus_commit::tool {

/// The server and its clock.
void judge_server(const outbox::Health& health, Findings& findings);

/// The version and the owner of the tables, and whether the merchant is halted.
void judge_tables(const outbox::Status& status, Findings& findings);

/// The rights of the user, and transactions that are open for long. Where the tables are missing, so are the rights.
void judge_use(const outbox::Health& health, Findings& findings);

}  // namespace wechatpay::bonus_commit::tool

#endif
