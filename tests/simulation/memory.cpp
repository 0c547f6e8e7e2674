// Counts allocations, so that a run can check for leaks.
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
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

#if !defined(SIMULATION_IS_SANITIZED)

/// Small blocks come from chunks of equal blocks. That is several times as fast as malloc(), which would take a large
/// part of the simulation's time.
class Arena {
 public:
  static constexpr std::size_t largest_block = 1024;

  void* take(std::size_t size) {
    const std::size_t kind = (size + step - 1) / step;
    if (free_[kind] == nullptr) add_chunk(kind);
    Free* const block = free_[kind];
    if (block != nullptr) free_[kind] = block->next;
    return block;
  }

  bool holds(const void* block) const {
    const auto place = reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(begin_);
    return begin_ != nullptr && place < arena_size;
  }

  void give_back(void* block) {
    const auto place = static_cast<std::size_t>(static_cast<char*>(block) - begin_);
    const std::size_t kind = kinds_[place / chunk_size];
    free_[kind] = new (block) Free{free_[kind]};
  }

 private:
  struct Free {
    Free* next;
  };
  static constexpr std::size_t step = 16;
  static constexpr std::size_t chunk_size = 65536;
  static constexpr std::size_t arena_size = std::size_t{1} << 28U;

  void add_chunk(std::size_t kind) {
    if (begin_ == nullptr) reserve();
    const std::size_t size = std::max<std::size_t>(kind, 1) * step;
    if (begin_ == nullptr || chunks_ == arena_size / chunk_size) return;
    kinds_[chunks_] = static_cast<unsigned char>(kind);
    char* const chunk = begin_ + chunks_++ * chunk_size;
    for (std::size_t at = chunk_size / size; at-- > 0;) free_[kind] = new (chunk + at * size) Free{free_[kind]};
  }

  /// Pages that are never used take no memory.
  void reserve() {
    void* const memory =
        ::mmap(nullptr, arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) begin_ = static_cast<char*>(memory);
  }

  char* begin_ = nullptr;
  std::size_t chunks_ = 0;
  Free* free_[largest_block / step + 1] = {};
  unsigned char kinds_[arena_size / chunk_size] = {};  ///< of the blocks in each chunk
};

Arena arena;  // zero-initialized, so that it works before main()

#endif

}  // namespace

std::int64_t wechatpay::bonus_commit::simulation::allocated_blocks() { return blocks; }

#if !defined(SIMULATION_IS_SANITIZED)
void* operator new(std::size_t size) {
  void* block = size <= Arena::largest_block ? arena.take(size) : nullptr;
  if (block == nullptr) block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  ++blocks;
  return block;
}

void operator delete(void* block) noexcept {
  if (block == nullptr) return;
  --blocks;
  arena.holds(block) ? arena.give_back(block) : std::free(block);
}

void operator delete(void* block, std::size_t /*size*/) noexcept { operator delete(block); }
#endif
