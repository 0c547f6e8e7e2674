/// One run: a world from its beginning to its end.
#ifndef WECHATPAY_TESTS_SIMULATION_RUN_HPP
#define WECHATPAY_TESTS_SIMULATION_RUN_HPP

#include <cstdint>

#include "tests/simulation/tape.hpp"
#include "tests/simulation/world.hpp"

namespace wechatpay::bonus_commit::simulation {

/// Plays a world through. Ends the process where an invariant does not hold. Returns how many calls there were.
std::uint64_t run(Tape& tape, Finding& finding, bool logs);

/// How many blocks of memory there are that `new` gave. Always 0 in a build with sanitizers, which look themselves.
std::int64_t allocated_blocks();

}  // namespace wechatpay::bonus_commit::simulation

#endif
