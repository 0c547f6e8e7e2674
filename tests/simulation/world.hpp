/// Virtual time and random choices: runs all events of a run, one after the other.
#ifndef WECHATPAY_TESTS_SIMULATION_WORLD_HPP
#define WECHATPAY_TESTS_SIMULATION_WORLD_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/tape.hpp"

namespace wechatpay::bonus_commit::simulation {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock::time_point;
using Wall = std::chrono::system_clock::time_point;

/// The failure that a run found, in memory that outlives the process.
struct Finding {
  char text[2000] = {};  ///< the invariant's name, a colon, and the details
};

class World {
 public:
  using Action = std::function<void()>;

  World(Tape& tape_, Finding& finding, bool logs) : tape(tape_), finding_(finding), logs_(logs) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Tape& tape;

  Steady now() const { return now_; }

  /// WeChat Pay's clock, which is always correct.
  Wall true_time() const { return Wall(seconds(1750000000)) + (now_ - Steady(beginning)); }

  /// The users' wall clock, which may jump.
  Wall wall() const { return true_time() + wall_offset; }

  /// Runs the event at `time`, or now if that has passed.
  void at(Steady time, Action action) {
    const std::uint64_t turn = shuffles ? tape.below(16) : 0;
    events_.push_back({time, turn << 60U | ++scheduled_, std::move(action)});
    std::push_heap(events_.begin(), events_.end(), later);
  }
  void after(std::chrono::nanoseconds time, Action action) { at(now_ + time, std::move(action)); }

  /// Lets time pass within an event.
  void spend(std::chrono::nanoseconds time) {
    now_ += time;
    if (time.count() > 0) late_at_ = now_;
  }

  /// Whether time has passed within an event since `moment`, so that others may have happened too late.
  bool late_since(Steady moment) const { return late_at_ >= moment; }

  /// Runs the next event. False if there is none.
  bool step() {
    if (events_.empty()) return false;
    std::pop_heap(events_.begin(), events_.end(), later);
    const Event event = std::move(events_.back());
    events_.pop_back();
    if (event.time < now_) late_at_ = now_;
    now_ = std::max(now_, event.time);
    ++happened_;
    if (happened_ > most_events) fail("ends", "more than " + std::to_string(most_events) + " events");
    event.action();
    return true;
  }

  /// Runs the next event if its time is `until` or earlier. Otherwise lets the time pass until then. False if both
  /// would take for ever.
  bool step_until(Steady until) {
    if (!events_.empty() && events_.front().time <= until) return step();
    if (until == Steady::max()) return false;
    now_ = std::max(now_, until);
    return true;
  }

  /// Reports that an invariant does not hold, and ends the process at once.
  [[noreturn]] void fail(const char* invariant, const std::string& what);

  void expect(bool holds, const char* invariant, const char* what) {
    if (!holds) fail(invariant, what);
  }

  bool logs() const { return logs_; }
  void log(const std::string& line) const;

  seconds wall_offset{0};
  bool wall_jumped = false;
  bool shuffles = false;  ///< events of the same moment happen in any order, not in that in which they were scheduled
  bool waits = false;     ///< a program waits in commit()
  bool forked = false;    ///< this is a child process of the program

 private:
  struct Event {
    Steady time;
    std::uint64_t number;
    Action action;
  };
  static bool later(const Event& a, const Event& b) { return a.time != b.time ? a.time > b.time : a.number > b.number; }

  static constexpr std::chrono::hours beginning{1000};
  static constexpr std::uint64_t most_events = 2000000;

  Finding& finding_;
  const bool logs_;
  Steady now_{beginning};
  Steady late_at_ = Steady::min();
  std::vector<Event> events_;
  std::uint64_t scheduled_ = 0;
  std::uint64_t happened_ = 0;
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
