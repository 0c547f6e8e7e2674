/// What worlds have simulated, in numbers.
#ifndef WECHATPAY_TESTS_SIMULATION_FIGURES_HPP
#define WECHATPAY_TESTS_SIMULATION_FIGURES_HPP

#include <cstdint>

namespace wechatpay::bonus_commit::simulation {

struct Figures {
  std::uint64_t worlds = 0;
  std::uint64_t calls = 0;
  std::uint64_t tries = 0;
  std::uint64_t unanswered = 0;  ///< tries that ended without an HTTP answer
  std::uint64_t commits = 0;     ///< at WeChat Pay; one order may have several
  std::uint64_t credited = 0;    ///< calls
  std::uint64_t unknown = 0;     ///< calls with this outcome
  double seconds = 0;            ///< CPU time

  // Of the worlds of the relay.
  std::uint64_t relay_worlds = 0;
  std::uint64_t rows = 0;
  std::uint64_t relay_calls = 0;
  std::uint64_t processes = 0;  ///< of workers, each until it was stopped or crashed
  double relay_seconds = 0;     ///< CPU time
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
