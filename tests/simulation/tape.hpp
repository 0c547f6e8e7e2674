/// The choices of a run. A tape reproduces its run exactly.
#ifndef WECHATPAY_TESTS_SIMULATION_TAPE_HPP
#define WECHATPAY_TESTS_SIMULATION_TAPE_HPP

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <vector>

namespace wechatpay::bonus_commit::simulation {

using Choices = std::vector<std::uint32_t>;

/// A record of choices, in memory that outlives the process that made them.
struct Recording {
  static constexpr std::size_t most = 1U << 20U;

  std::size_t size = 0;
  std::uint32_t choices[most] = {};
};

/// In each choice, 0 is the simplest value: nothing fails, nothing takes long. A tape becomes simpler when it is
/// shorter or has smaller numbers.
class Tape {
 public:
  /// Draws choices from the seed. Seeds that follow each other begin far apart in the sequence of random numbers.
  Tape(std::uint64_t seed, Recording& recording) : state_(mixed(seed)), recording_(recording) { recording_.size = 0; }

  /// Plays `given`, then only 0.
  Tape(const Choices& given, Recording& recording) : given_(&given), recording_(recording) { recording_.size = 0; }

  /// From 0 to `count` - 1.
  std::uint32_t below(std::uint32_t count) {
    std::uint32_t choice = 0;
    if (given_ == nullptr) {
      choice = static_cast<std::uint32_t>((next() >> 32U) * count >> 32U);
    } else if (recording_.size < given_->size()) {
      choice = (*given_)[recording_.size] % count;
    }
    if (recording_.size < Recording::most) recording_.choices[recording_.size++] = choice;
    return choice;
  }

  /// True `per_mille` times in a thousand.
  bool chance(std::uint32_t per_mille) { return below(1000) >= 1000 - per_mille; }

  /// One of the values. The first is the simplest.
  template <typename Value>
  Value one_of(std::initializer_list<Value> values) {
    return *std::next(values.begin(), below(static_cast<std::uint32_t>(values.size())));
  }

 private:
  // SplitMix64
  std::uint64_t next() { return mixed(state_ += 0x9E3779B97F4A7C15U); }
  static std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  const Choices* given_ = nullptr;
  std::uint64_t state_ = 0;
  Recording& recording_;
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
