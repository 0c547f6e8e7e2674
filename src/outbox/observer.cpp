#include "src/outbox/observer.hpp"

#include <exception>
#include <utility>

namespace wechatpay::bonus_commit::outbox {

Observer::Observer(Open open, std::chrono::milliseconds pause)
    : open_(std::move(open)), pause_(pause), thread_([this] { run(); }) {}

Observer::~Observer() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
    if (administration_ != nullptr) administration_->interrupt();
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<Observation> Observer::latest() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return latest_;
}

void Observer::run() {
  while (true) {
    look();
    std::unique_lock<std::mutex> lock(mutex_);
    if (changed_.wait_for(lock, pause_, [this] { return ending_; })) return;
  }
}

/// If an observation fails, the previous one is kept. Health and metrics show that it gets old.
void Observer::look() {
  try {
    auto administration = open_();
    Administration& used = *administration;
    if (use(std::move(administration))) observe(used);
  } catch (const std::exception&) {
  }
  use(nullptr);
}

void Observer::observe(Administration& administration) {
  Observation observation;
  observation.time = Observation::Clock::now();
  observation.status = administration.status();
  observation.health = administration.health();
  const std::lock_guard<std::mutex> lock(mutex_);
  latest_ = std::move(observation);
}

/// From here on, the destructor can interrupt it. Returns false if the destructor has already begun.
bool Observer::use(std::unique_ptr<Administration> administration) {
  const std::lock_guard<std::mutex> lock(mutex_);
  administration_.swap(administration);
  return !ending_;
}

}  // namespace wechatpay::bonus_commit::outbox
