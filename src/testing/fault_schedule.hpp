/// Decides which commit of a sandbox gets which fault.
#ifndef WECHATPAY_SRC_TESTING_FAULT_SCHEDULE_HPP
#define WECHATPAY_SRC_TESTING_FAULT_SCHEDULE_HPP

#include <cstdint>
#include <deque>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// A script of faults, followed by random faults. Thread-safe.
class FaultSchedule {
 public:
  FaultSchedule(const std::vector<SandboxFault>& script, std::vector<SandboxFault> faults, double rate,
                std::uint64_t seed);

  /// The fault for the next commit.
  SandboxFault next();

  /// Appends a fault to the script.
  void inject(SandboxFault fault);

  void set(std::vector<SandboxFault> faults, double rate);

  /// The random faults.
  struct Active {
    std::string names;  ///< separated by commas; empty: none
    double rate = 0;    ///< 0 if there are none
  };
  Active active() const;

 private:
  mutable std::mutex mutex_;  ///< guards the rest
  std::deque<SandboxFault> script_;
  std::vector<SandboxFault> faults_;
  double rate_;
  std::mt19937_64 random_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
