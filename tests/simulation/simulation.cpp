// The simulation: random worlds, one after the other. Each can be repeated with its seed.
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>

#include "tests/simulation/run.hpp"
#include "tests/simulation/shrinking.hpp"

namespace {

using namespace wechatpay::bonus_commit::simulation;
using RealClock = std::chrono::steady_clock;

constexpr const char* usage =
    "simulation [--seed SEED] [--worlds COUNT | --seconds COUNT | --calls COUNT] [--shrink SECONDS]\n"
    "           [--only relays]\n"
    "  runs worlds with the seeds SEED, SEED + 1 … until there were so many worlds, seconds or calls; a random SEED\n"
    "  where none is given; what fails is made simpler for so many seconds, usually 20, and its log is shown;\n"
    "  with --only, just those of these worlds that have workers of the relay\n"
    "simulation --show SEED\n"
    "  runs one world, with a log of all that happens in it\n";

struct Arguments {
  std::uint64_t seed = 0;
  std::uint64_t worlds = 0;
  std::uint64_t calls = 0;
  long seconds = 0;
  long shrinking = 20;
  bool shows = false;
  bool only_relays = false;
};

std::uint64_t number_in(const std::string& name, const std::string& value) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failure != std::errc() || end != value.data() + value.size()) throw std::invalid_argument(name + " " + value);
  return number;
}

void take(Arguments& arguments, const std::string& name, const std::string& value) {
  if (name == "--only") {
    if (value != "relays") throw std::invalid_argument(name + " " + value);
    arguments.only_relays = true;
    return;
  }
  const std::uint64_t number = number_in(name, value);
  if (name == "--seed") {
    arguments.seed = number;
  } else if (name == "--show") {
    arguments.seed = number;
    arguments.shows = true;
    arguments.worlds = 1;
  } else if (name == "--worlds") {
    arguments.worlds = number;
  } else if (name == "--calls") {
    arguments.calls = number;
  } else if (name == "--shrink") {
    arguments.shrinking = static_cast<long>(number);
  } else if (name == "--seconds") {
    arguments.seconds = static_cast<long>(number);
  } else {
    throw std::invalid_argument("there is no option " + name);
  }
}

Arguments parse(int count, char** values) {
  Arguments arguments;
  std::random_device device;
  arguments.seed = device();
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) throw std::invalid_argument(std::string(values[i]) + " has no value");
    take(arguments, values[i], values[i + 1]);
  }
  if (arguments.worlds == 0 && arguments.calls == 0 && arguments.seconds == 0) {
    throw std::invalid_argument("how many worlds, seconds or calls?");
  }
  return arguments;
}

double cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

void run_world(Shared& shared, bool logs) {
  Figures& figures = shared.figures;
  const double begun = cpu_seconds();
  const std::uint64_t relay_worlds = figures.relay_worlds;
  const std::int64_t before = allocated_blocks();
  {
    Tape tape(shared.seed, shared.recording);
    run(tape, shared.finding, figures, logs);
  }
  check_memory(shared, before);
  (figures.relay_worlds > relay_worlds ? figures.relay_seconds : figures.seconds) += cpu_seconds() - begun;
}

bool has_relays(Shared& shared) {
  Tape tape(shared.seed, shared.recording);
  return has_relays(tape);
}

void run_worlds(Shared& shared, const Arguments& arguments) {
  constexpr unsigned most_seconds_of_a_world = 20;  // a tenth of a second is enough unless a world hangs
  const auto until = RealClock::now() + std::chrono::seconds(arguments.seconds);
  const auto over = [&](std::uint64_t worlds) {
    if (arguments.worlds > 0) return worlds == arguments.worlds;
    if (arguments.calls > 0) return shared.figures.calls + shared.figures.relay_calls >= arguments.calls;
    return RealClock::now() >= until;
  };
  for (std::uint64_t worlds = 0; !over(worlds); ++worlds) {
    ::alarm(most_seconds_of_a_world);
    shared.seed = arguments.seed + worlds;
    if (arguments.only_relays && !has_relays(shared)) continue;
    run_world(shared, arguments.shows);
  }
}

unsigned long long number(std::uint64_t value) { return value; }

double rate(std::uint64_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

void print(const Figures& figures) {
  std::printf(
      "%llu worlds of clients: %llu calls, %llu tries, of which %llu without an answer; WeChat Pay has committed "
      "%llu times; %llu calls credited, %llu unknown; %.0f calls a second of CPU time\n",
      number(figures.worlds), number(figures.calls), number(figures.tries), number(figures.unanswered),
      number(figures.commits), number(figures.credited), number(figures.unknown), rate(figures.calls, figures.seconds));
  std::printf("%llu worlds of relays: %llu rows, %llu calls, %llu processes; %.0f calls a second of CPU time\n",
              number(figures.relay_worlds), number(figures.rows), number(figures.relay_calls),
              number(figures.processes), rate(figures.relay_calls, figures.relay_seconds));
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
  try {
    const Arguments arguments = parse(count, values);
    Shared& shared = shared_memory();
    std::printf("from seed %llu\n", static_cast<unsigned long long>(arguments.seed));
    const std::string failure = in_a_child(
        shared, [&] { run_worlds(shared, arguments); }, std::chrono::seconds(20), false);
    print(shared.figures);
    return failure.empty() ? 0 : explain(shared, failure, std::chrono::seconds(arguments.shrinking));
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "%s\n%s", exception.what(), usage);
    return 2;
  }
}
