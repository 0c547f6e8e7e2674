/// Runs worlds in child processes, so that crashes and endless loops are found, too. Reduces failing runs to simple
/// ones.
#ifndef WECHATPAY_TESTS_SIMULATION_SHRINKING_HPP
#define WECHATPAY_TESTS_SIMULATION_SHRINKING_HPP

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/simulation/figures.hpp"
#include "tests/simulation/tape.hpp"
#include "tests/simulation/world.hpp"

namespace wechatpay::bonus_commit::simulation {

/// Memory that all these processes share.
struct Shared {
  Recording recording;
  Finding finding;
  std::uint64_t seed = 0;  ///< of the running world
  Figures figures;
};

/// Throws std::runtime_error.
Shared& shared_memory();

/// Ends the process if the world that was just recorded leaks memory. `before`: allocated_blocks() before it.
void check_memory(Shared& shared, std::int64_t before);

/// Runs `work` in a child process. Returns what went wrong: an invariant's name and a colon, a signal, or nothing. Ends
/// a child that takes longer than `limit`. `quiet`: hides its output.
std::string in_a_child(Shared& shared, const std::function<void()>& work, std::chrono::seconds limit, bool quiet);

/// Plays `choices` in a child process.
std::string play(Shared& shared, const Choices& choices, bool logs);

/// The simplest choices found within `time` that fail in the same way as `failure`.
Choices simplest(Shared& shared, Choices choices, const std::string& failure, std::chrono::seconds time);

}  // namespace wechatpay::bonus_commit::simulation

#endif
