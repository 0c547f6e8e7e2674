#include "outbox_verdicts.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

#include "src/outbox/tables.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

void judge_rights(const std::vector<std::string>& missing, Findings& findings) {
  if (missing.empty()) {
    findings.good("rights", "all that a relay needs");
    return;
  }
  std::string all;
  for (const std::string& right : missing) all += (all.empty() ? "" : ", ") + right;
  findings.bad("rights", "missing: " + all);
}

void judge_oldest_transaction(const outbox::Health& health, Findings& findings) {
  constexpr std::string_view step = "oldest transaction";
  if (!health.oldest_transaction_seconds) {
    findings.open(step, "this user cannot see it: grant " + health.right_to_see_transactions +
                            ", which the metric oldest_transaction_seconds and its alert need, too");
    return;
  }
  const std::string open_for = "open for " + std::to_string(*health.oldest_transaction_seconds) + " s";
  if (*health.oldest_transaction_seconds > 300) {
    findings.doubtful(step, open_for + ": meanwhile the database cannot clean up settled rows");
  } else {
    findings.good(step, open_for);
  }
}

}  // namespace

void judge_server(const outbox::Health& health, Findings& findings) {
  findings.good("server", outbox::shown(health.server));
  const std::string seconds = std::to_string(health.clock_offset_seconds) + " s from this machine's";
  if (std::abs(health.clock_offset_seconds) > 60) {
    findings.doubtful(
        "its clock", seconds + ": the outbox uses the database's clock, and requests to WeChat Pay use this machine's");
  } else {
    findings.good("its clock", seconds);
  }
}

void judge_tables(const outbox::Status& status, Findings& findings) {
  std::string about = "version " + std::to_string(status.version);
  if (!status.merchant.empty()) about += ", of merchant " + outbox::shown(status.merchant);
  findings.good("tables", about);
  if (status.halted_seconds > 0) {
    findings.doubtful("halt",
                      "for " + std::to_string(status.halted_seconds) + " s: " + outbox::shown(status.why_halted));
  }
}

void judge_use(const outbox::Health& health, Findings& findings) {
  judge_rights(health.missing_rights, findings);
  judge_oldest_transaction(health, findings);
}

}  // namespace wechatpay::bonus_commit::tool
