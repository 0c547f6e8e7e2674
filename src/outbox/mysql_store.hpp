// The outbox in MySQL and MariaDB.
#ifndef WECHATPAY_SRC_OUTBOX_MYSQL_STORE_HPP
#define WECHATPAY_SRC_OUTBOX_MYSQL_STORE_HPP

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/outbox/paced_store.hpp"
#include "src/outbox/store.hpp"

namespace wechatpay::bonus_commit::outbox {

class MysqlStore : public PacedStore {
 public:
  explicit MysqlStore(std::unique_ptr<Session> session) : session_(std::move(session)) {}

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
  std::map<std::string, std::string> candidates(const Claim& claim);
  Settled write(const std::vector<const Settlement*>& live);

  const std::unique_ptr<Session> session_;
};

class MysqlAdministration : public Administration {
 public:
  explicit MysqlAdministration(std::unique_ptr<Session> session) : session_(std::move(session)) {}

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
  std::uint64_t take_dead(DeadRows which, bool commit_again);
  std::uint64_t repeat(const std::string& statement);

  const std::unique_ptr<Session> session_;
};

/// The condition for a pace whose merchant is halted. No halt is as long as 6 minutes: such a one was written before
/// the database's clock was set back.
inline constexpr const char* mysql_is_halted = "(halted_until > NOW(6) AND halted_until <= NOW(6) + INTERVAL 6 MINUTE)";

/// The statements that create the tables.
std::string mysql_schema();

}  // namespace wechatpay::bonus_commit::outbox

#endif
