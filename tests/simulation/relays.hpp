/// A world of workers that commit a merchant's orders from its outbox.
#ifndef WECHATPAY_TESTS_SIMULATION_RELAYS_HPP
#define WECHATPAY_TESTS_SIMULATION_RELAYS_HPP

#include "tests/simulation/figures.hpp"
#include "tests/simulation/world.hpp"

namespace wechatpay::bonus_commit::simulation {

/// Runs such a world to its end.
void run_relays(World& world, Figures& figures);

}  // namespace wechatpay::bonus_commit::simulation

#endif
