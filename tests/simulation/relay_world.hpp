/// A world of workers that commit a merchant's orders from its outbox.
#ifndef WECHATPAY_TESTS_SIMULATION_RELAY_WORLD_HPP
#define WECHATPAY_TESTS_SIMULATION_RELAY_WORLD_HPP

#include <deque>
#include <vector>

#include "src/outbox/relay.hpp"
#include "tests/simulation/auditor.hpp"
#include "tests/simulation/figures.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/outbox_tables.hpp"
#include "tests/simulation/relay_auditor.hpp"
#include "tests/simulation/relay_process.hpp"
#include "tests/simulation/wechat_pay.hpp"
#include "tests/simulation/world.hpp"

namespace wechatpay::bonus_commit::simulation {

class RelayWorld {
 public:
  explicit RelayWorld(World& world_);

  void run(Figures& figures);

  World& world;
  Auditor orders;
  WechatPay wechat_pay;
  Weather weather;
  RelayAuditor auditor;
  Database database;
  outbox::RelayOptions options;
  ClientOptions client_options;

  void start(std::size_t worker);
  /// The process of `worker` has ended: a supervisor starts another.
  void restart(std::size_t worker);
  bool finishing() const { return finishing_; }

 private:
  void draw_options();
  void insert_orders(seconds window);
  void insert(std::uint32_t kind);
  void plan_fault(seconds window);
  void recover();
  bool all_settled() const;
  void check_rows() const;
  Run& run_of(std::uint32_t worker) { return *running_[worker % running_.size()]; }

  ClientAccount* account_ = nullptr;
  std::deque<Run> runs_;
  std::vector<Run*> running_;
  std::uint32_t to_insert_ = 0;
  bool recovered_ = false;
  bool finishing_ = false;
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
