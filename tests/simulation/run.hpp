/// One run: a world from beginning to end.
#ifndef WECHATPAY_TESTS_SIMULATION_RUN_HPP
#define WECHATPAY_TESTS_SIMULATION_RUN_HPP

#include <cstdint>

#include "tests/simulation/figures.hpp"
#include "tests/simulation/tape.hpp"
#include "tests/simulation/world.hpp"

namespace wechatpay::bonus_commit::simulation {

/// Whether the world has workers of the relay, which is its first choice.
bool has_relays(Tape& tape);

/// Runs a world to its end, and adds to the figures. Ends the process if an invariant does not hold.
void run(Tape& tape, Finding& finding, Figures& figures, bool logs);

/// The number of blocks allocated by `new`. Always 0 in a build with sanitizers, which check for leaks themselves.
std::int64_t allocated_blocks();

}  // namespace wechatpay::bonus_commit::simulation

#endif
