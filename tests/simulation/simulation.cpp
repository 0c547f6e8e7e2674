// The simulation: random worlds, one after the other. Each can be repeated with its seed.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <random>
#include <string>

#include "tests/simulation/run.hpp"
#include "tests/simulation/shrinking.hpp"

namespace {

using namespace wechatpay::bonus_commit::simulation;
using RealClock = std::chrono::steady_clock;

constexpr const char* usage =
    "simulation [--seed SEED] [--worlds COUNT | --seconds COUNT] [--shrink SECONDS]\n"
    "  runs worlds with the seeds SEED, SEED + 1 …; a random SEED where none is given; what fails is made simpler\n"
    "  for so many seconds, usually 20, and its log is shown\n"
    "simulation --show SEED\n"
    "  runs one world, with a log of all that happens in it\n";

struct Arguments {
  std::uint64_t seed = 0;
  std::uint64_t worlds = 0;
  long seconds = 0;
  long shrinking = 20;
  bool shows = false;
};

Arguments parse(int count, char** values) {
  Arguments arguments;
  std::random_device device;
  arguments.seed = device();
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = values[i];
    const std::uint64_t value = std::stoull(values[i + 1]);
    if (name == "--seed" || name == "--show") arguments.seed = value;
    if (name == "--show") arguments.shows = true;
    if (name == "--worlds") arguments.worlds = value;
    if (name == "--shrink") arguments.shrinking = static_cast<long>(value);
    if (name == "--seconds") arguments.seconds = static_cast<long>(value);
  }
  if (arguments.shows) arguments.worlds = 1;
  return arguments;
}

/// A run that leaks memory does so each time. A run that fills one of the library's caches does so only once.
void check_memory(Shared& shared, std::int64_t before) {
  if (allocated_blocks() == before) return;
  const Choices choices(shared.recording.choices, shared.recording.choices + shared.recording.size);
  const std::int64_t again = allocated_blocks();
  {
    Tape tape(choices, shared.recording);
    static_cast<void>(run(tape, shared.finding, false));
  }
  if (allocated_blocks() == again) return;
  std::snprintf(shared.finding.text, sizeof shared.finding.text, "memory: %ld blocks are left when all have gone",
                static_cast<long>(allocated_blocks() - again));
  ::_exit(1);
}

void run_worlds(Shared& shared, const Arguments& arguments) {
  constexpr unsigned most_seconds_of_a_world = 50;  // a tenth of a second is enough unless a world hangs
  const auto until = RealClock::now() + std::chrono::seconds(arguments.seconds);
  for (std::uint64_t i = 0; arguments.worlds == 0 ? RealClock::now() < until : i < arguments.worlds; ++i) {
    ::alarm(most_seconds_of_a_world);
    shared.seed = arguments.seed + i;
    const std::int64_t before = allocated_blocks();
    std::uint64_t calls = 0;
    {
      Tape tape(shared.seed, shared.recording);
      calls = run(tape, shared.finding, arguments.shows);
    }
    check_memory(shared, before);
    shared.calls += calls;
    ++shared.worlds;
  }
}

double children_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int explain(Shared& shared, const std::string& failure, std::chrono::seconds time) {
  const unsigned long long seed = shared.seed;
  std::printf("seed %llu: %s\n", seed, failure.c_str());
  const Choices choices(shared.recording.choices, shared.recording.choices + shared.recording.size);
  if (time == std::chrono::seconds(0)) return 1;
  const Choices simple = simplest(shared, choices, failure, time);
  std::printf("made simpler, from %zu choices to %zu:\n", choices.size(), simple.size());
  const std::string again = play(shared, simple, true);
  std::printf("%s\nthe whole of it: simulation --show %llu\n", again.c_str(), seed);
  return 1;
}

}  // namespace

int main(int count, char** values) {
  if (count % 2 == 0) {
    std::fputs(usage, stderr);
    return 2;
  }
  try {
    const Arguments arguments = parse(count, values);
    Shared& shared = shared_memory();
    std::printf("from seed %llu\n", static_cast<unsigned long long>(arguments.seed));
    const std::string failure = in_a_child(
        shared, [&] { run_worlds(shared, arguments); }, std::chrono::seconds(50), false);
    const double used = children_seconds();
    std::printf("%llu worlds, %llu calls, %.0f calls a second of CPU time\n",
                static_cast<unsigned long long>(shared.worlds), static_cast<unsigned long long>(shared.calls),
                static_cast<double>(shared.calls) / used);
    return failure.empty() ? 0 : explain(shared, failure, std::chrono::seconds(arguments.shrinking));
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "%s\n%s", exception.what(), usage);
    return 2;
  }
}
