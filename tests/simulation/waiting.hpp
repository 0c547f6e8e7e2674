/// Threads that wait: while the only thread waits for a condition variable, the world goes on.
#ifndef WECHATPAY_TESTS_SIMULATION_WAITING_HPP
#define WECHATPAY_TESTS_SIMULATION_WAITING_HPP

#include "tests/simulation/world.hpp"

namespace wechatpay::bonus_commit::simulation {

/// As long as it lives, a wait of this thread lets the world do its next event, and ends. Only with GNU's C++ library,
/// whose function the linker replaces; see CMakeLists.txt.
class WorldGoesOn {
 public:
#ifdef __GLIBCXX__
  static constexpr bool possible = true;
#else
  static constexpr bool possible = false;
#endif

  explicit WorldGoesOn(World& world);
  WorldGoesOn(const WorldGoesOn&) = delete;
  WorldGoesOn& operator=(const WorldGoesOn&) = delete;
  ~WorldGoesOn();
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
