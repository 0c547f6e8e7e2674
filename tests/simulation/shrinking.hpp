/// Runs worlds in processes of their own, so that crashes and endless loops are findings, too; and makes what fails as
/// simple as it can be.
#ifndef WECHATPAY_TESTS_SIMULATION_SHRINKING_HPP
#define WECHATPAY_TESTS_SIMULATION_SHRINKING_HPP

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/simulation/tape.hpp"
#include "tests/simulation/world.hpp"

namespace wechatpay::bonus_commit::simulation {

/// Memory that all of these processes share.
struct Shared {
  Recording recording;
  Finding finding;
  std::uint64_t seed = 0;  ///< of the world that runs
  std::uint64_t worlds = 0;
  std::uint64_t calls = 0;
};

/// Throws std::runtime_error.
Shared& shared_memory();

/// Runs `work` in a child. Returns what went wrong there: an invariant's name and a colon, a signal, or nothing. A
/// child that takes longer than `limit` is ended. `quiet`: what it prints is not seen.
std::string in_a_child(Shared& shared, const std::function<void()>& work, std::chrono::seconds limit, bool quiet);

/// Plays `choices` in a child.
std::string play(Shared& shared, const Choices& choices, bool logs);

/// The simplest choices found within `time` that go wrong as `failure` does.
Choices simplest(Shared& shared, Choices choices, const std::string& failure, std::chrono::seconds time);

}  // namespace wechatpay::bonus_commit::simulation

#endif
