#include "tests/simulation/run.hpp"

#include <deque>

#include "tests/simulation/auditor.hpp"
#include "tests/simulation/curl_network.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/relays.hpp"
#include "tests/simulation/users.hpp"
#include "tests/simulation/wechat_pay.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

Manners draw_manners(Tape& tape) {
  Manners manners;
  if (!tape.chance(250)) return manners;
  manners.within_send = tape.chance(200);
  manners.sometimes_within_send = tape.chance(200);
  manners.twice = tape.chance(300);
  manners.drops = tape.chance(100);
  manners.never = tape.chance(100);
  manners.throws = tape.chance(100);
  manners.ignores_stops = tape.chance(200);
  return manners;
}

}  // namespace

bool has_relays(Tape& tape) {
  constexpr std::uint32_t one_in = 16;
  return tape.below(one_in) == one_in - 1;
}

void run(Tape& tape, Finding& finding, Figures& figures, bool logs) {
  World world(tape, finding, logs);
  if (has_relays(tape)) return run_relays(world, figures);
  Auditor auditor(world);
  world.shuffles = tape.chance(250);
  const bool real_keys = tape.below(1000) == 999;
  WechatPay wechat_pay(world, auditor, real_keys);
  Weather weather(world);
  std::deque<Network> networks;
  std::deque<CurlNetwork> curl_networks;
  std::deque<User> users;
  const std::uint32_t programs = tape.one_of({1U, 2U});
  const std::uint32_t calls = real_keys ? 5 : tape.one_of({1U, 5U, 20U, 100U, 400U});
  for (std::uint32_t i = 0; i < programs; ++i) {
    if (tape.chance(400)) {
      CurlNetwork& network = curl_networks.emplace_back(world, auditor, wechat_pay, weather);
      users.emplace_back(world, auditor, wechat_pay, network, Manners(), calls);
      continue;
    }
    const Manners manners = draw_manners(tape);
    Network& network = networks.emplace_back(world, auditor, wechat_pay, weather, manners);
    users.emplace_back(world, auditor, wechat_pay, network, manners, calls);
  }
  while (world.step()) {
  }
  auditor.when_quiet();
  for (User& user : users) user.leave();
  while (world.step()) {
  }
  auditor.at_end(figures);
}

}  // namespace wechatpay::bonus_commit::simulation
