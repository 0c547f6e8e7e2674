#include "tests/simulation/world.hpp"

#include <unistd.h>

#include <cstdio>

namespace wechatpay::bonus_commit::simulation {

void World::log(const std::string& line) const {
  if (!logs_) return;
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now_ - Steady(beginning)).count();
  std::printf("%14.3f ms  %s\n", static_cast<double>(since) / 1000, line.c_str());
}

void World::fail(const char* invariant, const std::string& what) {
  std::snprintf(finding_.text, sizeof finding_.text, "%s: %s", invariant, what.c_str());
  log("FAILED " + std::string(finding_.text));
  std::fflush(stdout);
  ::_exit(1);
}

}  // namespace wechatpay::bonus_commit::simulation
