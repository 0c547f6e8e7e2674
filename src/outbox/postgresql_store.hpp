// The outbox in PostgreSQL.
#ifndef WECHATPAY_SRC_OUTBOX_POSTGRESQL_STORE_HPP
#define WECHATPAY_SRC_OUTBOX_POSTGRESQL_STORE_HPP

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/outbox/paced_store.hpp"
#include "src/outbox/store.hpp"

namespace wechatpay::bonus_commit::outbox {

class PostgresqlStore : public PacedStore {
 public:
  explicit PostgresqlStore(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  void open(const Owner& owner) override;
  std::vector<Merchant> merchants_due(const Claim& claim) override;
  std::vector<HeldRow> renew(const std::vector<HeldRow>& rows, std::chrono::milliseconds lease) override;
  Settled settle(const std::vector<Settlement>& settlements) override;
  void halt(const std::string& merchant, std::chrono::milliseconds time, const std::string& why) override;
  std::string last_resume() override;
  void interrupt() override { session_->interrupt(); }

 private:
  std::map<std::string, std::string> about();
  bool may_claim(const Claim& claim) override;
  std::vector<Row> take(const Claim& claim) override;
  void give_back(const Claim& claim, std::size_t rows) override;

  const std::unique_ptr<Session> session_;
};

class PostgresqlAdministration : public Administration {
 public:
  explicit PostgresqlAdministration(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  std::string schema() const override;
  void install() override;
  Status status() override;
  std::vector<DeadRow> dead(const DeadRows& which, std::size_t most) override;
  std::uint64_t retry(const DeadRows& which) override;
  std::uint64_t discard(const DeadRows& which) override;
  std::uint64_t prune(std::chrono::hours age) override;
  std::uint64_t resume() override;
  Health health() override;
  void interrupt() override { session_->interrupt(); }

 private:
  std::uint64_t take_dead(DeadRows which, const std::string& and_then);

  const std::unique_ptr<Session> session_;
};

/// The condition for a pace whose merchant is halted. No halt is as long as 6 minutes: such a one was written before
/// the database's clock was set back.
inline constexpr const char* postgresql_is_halted =
    "(halted_until > now() AND halted_until <= now() + interval '6 minutes')";

/// Throws if the database's encoding cannot store what WeChat Pay answers.
void check_encoding(Session& session);

/// The statements that create the tables.
std::string postgresql_schema();

}  // namespace wechatpay::bonus_commit::outbox

#endif
