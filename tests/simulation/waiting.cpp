#include "tests/simulation/waiting.hpp"

#include <condition_variable>
#include <mutex>

namespace wechatpay::bonus_commit::simulation {

namespace {

thread_local World* waiting = nullptr;

/// In place of a wait. False if the thread must wait in fact.
bool go_on(std::unique_lock<std::mutex>& lock) {
  World* const world = std::exchange(waiting, nullptr);  // what happens in the world waits in fact
  if (world == nullptr) return false;
  lock.unlock();
  world->expect(world->step(), "ends once", "commit() waits for ever");
  lock.lock();
  waiting = world;
  return true;
}

}  // namespace

WorldGoesOn::WorldGoesOn(World& world) {
  world.waits = true;
  waiting = &world;
}

WorldGoesOn::~WorldGoesOn() {
  waiting->waits = false;
  waiting = nullptr;
}

}  // namespace wechatpay::bonus_commit::simulation

#ifdef __GLIBCXX__
// The linker's names for std::condition_variable::wait(): the library's, and the one that is called in its place.
extern "C" {
void __real__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(  // NOLINT(bugprone-reserved-identifier)
    std::condition_variable& changed, std::unique_lock<std::mutex>& lock);
void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(  // NOLINT(bugprone-reserved-identifier)
    std::condition_variable& changed, std::unique_lock<std::mutex>& lock);
}

void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(  // NOLINT(bugprone-reserved-identifier)
    std::condition_variable& changed, std::unique_lock<std::mutex>& lock) {
  if (wechatpay::bonus_commit::simulation::go_on(lock)) return;
  __real__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(changed, lock);
}
#endif
