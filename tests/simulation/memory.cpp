// Counts allocations, so that a run can check for leaks.
#include <cstdlib>
#include <new>

#include "tests/simulation/run.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SIMULATION_IS_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIMULATION_IS_SANITIZED
#endif

namespace {

std::int64_t blocks = 0;  ///< not atomic: there is only one thread

}  // namespace

std::int64_t wechatpay::bonus_commit::simulation::allocated_blocks() { return blocks; }

#if !defined(SIMULATION_IS_SANITIZED)
void* operator new(std::size_t size) {
  void* const block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  ++blocks;
  return block;
}

void operator delete(void* block) noexcept {
  if (block == nullptr) return;
  --blocks;
  std::free(block);
}

void operator delete(void* block, std::size_t /*size*/) noexcept { operator delete(block); }
#endif
