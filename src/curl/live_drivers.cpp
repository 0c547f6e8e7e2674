#include "src/curl/live_drivers.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <utility>

WECHATPAY_BONUS_COMMIT_BEGIN

namespace curl {

LiveDrivers& LiveDrivers::get() {
  // Never destroyed: threads may use it until the process ends.
  static std::atomic<LiveDrivers*> current{nullptr};
  LiveDrivers* found = current;
  while (found == nullptr || found->process_ != stages::this_process()) {
    // A child process has a new one: another thread may have held the parent's lock at the time of the fork.
    std::unique_ptr<LiveDrivers> fresh(new LiveDrivers(found));
    if (current.compare_exchange_strong(found, fresh.get())) return *fresh.release();
  }
  return *found;
}

bool LiveDrivers::watch_process() noexcept {
  static const bool watched = std::atexit([] { LiveDrivers::shut_down_all(); }) == 0;
  return watched;
}

bool LiveDrivers::add(const std::shared_ptr<Driver>& driver) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (exiting_) return false;
  join_ended();
  const auto expired = [](const std::weak_ptr<Driver>& one) { return one.expired(); };
  drivers_.erase(std::remove_if(drivers_.begin(), drivers_.end(), expired), drivers_.end());
  drivers_.push_back(driver);
  return true;
}

void LiveDrivers::join_later(std::thread thread, std::weak_ptr<Driver> driver) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  try {
    ending_.push_back({std::move(thread), std::move(driver)});
  } catch (const std::bad_alloc&) {
    thread.detach();
  }
}

void LiveDrivers::join_ended() {
  for (Ending& one : ending_) {
    if (one.driver.expired()) one.thread.join();
  }
  const auto joined = [](const Ending& one) { return !one.thread.joinable(); };
  ending_.erase(std::remove_if(ending_.begin(), ending_.end(), joined), ending_.end());
}

void LiveDrivers::shut_down_all() noexcept {
  LiveDrivers& all = get();
  std::vector<std::weak_ptr<Driver>> drivers;
  {
    const std::lock_guard<std::mutex> lock(all.mutex_);
    all.exiting_ = true;
    drivers.swap(all.drivers_);
  }
  for (const std::weak_ptr<Driver>& one : drivers) {
    if (const auto driver = one.lock()) driver->shut_down_at_exit();
  }
  std::vector<Ending> ending;
  {
    const std::lock_guard<std::mutex> lock(all.mutex_);
    ending.swap(all.ending_);
  }
  for (Ending& one : ending) {
    if (one.thread.get_id() != std::this_thread::get_id()) {
      one.thread.join();
    } else {
      all.join_later(std::move(one.thread), std::move(one.driver));  // it called exit(), so it does not return
    }
  }
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END
