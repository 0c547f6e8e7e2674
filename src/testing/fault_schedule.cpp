#include "src/testing/fault_schedule.hpp"

#include <utility>

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

FaultSchedule::FaultSchedule(const std::vector<SandboxFault>& script, std::vector<SandboxFault> faults, double rate,
                             std::uint64_t seed)
    : script_(script.begin(), script.end()), faults_(std::move(faults)), rate_(rate), random_(seed) {}

SandboxFault FaultSchedule::next() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!script_.empty()) {
    SandboxFault next = std::move(script_.front());
    script_.pop_front();
    return next;
  }
  const bool faulty = !faults_.empty() && std::generate_canonical<double, 53>(random_) < rate_;
  return faulty ? faults_[random_() % faults_.size()] : SandboxFault();
}

void FaultSchedule::inject(SandboxFault fault) {
  const std::lock_guard<std::mutex> lock(mutex_);
  script_.push_back(std::move(fault));
}

void FaultSchedule::set(std::vector<SandboxFault> faults, double rate) {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_ = std::move(faults);
  rate_ = rate;
}

FaultSchedule::Active FaultSchedule::active() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (rate_ <= 0) return {};
  Active active;
  for (const SandboxFault& fault : faults_) {
    if (fault.kind != SandboxFault::Kind::none) active.names += (active.names.empty() ? "" : ", ") + to_string(fault);
  }
  if (!active.names.empty()) active.rate = rate_;
  return active;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
