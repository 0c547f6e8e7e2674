#include "tests/simulation/shrinking.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "tests/simulation/run.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

using RealClock = std::chrono::steady_clock;

/// The name of the invariant, without the details.
std::string invariant_of(const std::string& failure) { return failure.substr(0, failure.find(':')); }

Choices recorded(const Shared& shared) {
  const Recording& recording = shared.recording;
  return {recording.choices, recording.choices + recording.size};
}

void run_once(Shared& shared, const Choices& choices, bool logs) {
  Tape tape(choices, shared.recording);
  Figures none;
  run(tape, shared.finding, none, logs);
}

class Shrinker {
 public:
  Shrinker(Shared& shared, Choices choices, std::string invariant, RealClock::time_point until)
      : shared_(shared), best_(std::move(choices)), invariant_(std::move(invariant)), until_(until) {}

  Choices run() {
    std::size_t before = 0;
    do {
      before = weight();
      for (std::size_t size = std::max<std::size_t>(best_.size() / 2, 1); size > 0;
           size = size > 16 ? size / 2 : size - 1) {
        make_plain(size);
        remove(size);
      }
      lower();
    } while (weight() < before && RealClock::now() < until_);
    return best_;
  }

 private:
  std::size_t weight() const {
    std::size_t sum = best_.size();
    for (const std::uint32_t choice : best_) sum += choice;
    return sum;
  }

  /// Keeps `simpler` if it still fails, and drops choices that it does not use.
  bool keep(const Choices& simpler) {
    if (RealClock::now() > until_ || invariant_of(play(shared_, simpler, false)) != invariant_) return false;
    const Choices used = recorded(shared_);
    best_ = used.size() < simpler.size() ? used : simpler;
    while (!best_.empty() && best_.back() == 0) best_.pop_back();
    return true;
  }

  /// Sets blocks of choices to 0, so that nothing special happens there. Later choices keep their positions.
  void make_plain(std::size_t size) {
    for (std::size_t at = 0; at + size <= best_.size(); at += size) {
      Choices simpler = best_;
      const auto begin = simpler.begin() + static_cast<std::ptrdiff_t>(at);
      std::fill(begin, begin + static_cast<std::ptrdiff_t>(size), 0U);
      if (simpler != best_) keep(simpler);
    }
  }

  void remove(std::size_t size) {
    for (std::size_t at = 0; at + size <= best_.size();) {
      Choices simpler = best_;
      const auto begin = simpler.begin() + static_cast<std::ptrdiff_t>(at);
      simpler.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
      if (!keep(simpler)) at += size;
    }
  }

  void lower() {
    for (std::size_t at = 0; at < best_.size(); ++at) {
      for (const std::uint32_t part : {0U, 2U}) {
        if (at >= best_.size() || best_[at] == 0) break;
        Choices simpler = best_;
        simpler[at] = part == 0 ? 0 : best_[at] / part;
        if (keep(simpler)) break;
      }
    }
  }

  Shared& shared_;
  Choices best_;
  const std::string invariant_;
  const RealClock::time_point until_;
};

}  // namespace

Shared& shared_memory() {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no shared memory");
  return *new (memory) Shared();
}

// A run that leaks memory does so each time. A run that fills one of the library's caches does so only once.
void check_memory(Shared& shared, std::int64_t before) {
  if (allocated_blocks() == before) return;
  const Choices choices = recorded(shared);
  const std::int64_t again = allocated_blocks();
  run_once(shared, choices, false);
  if (allocated_blocks() == again) return;
  std::snprintf(shared.finding.text, sizeof shared.finding.text, "memory: %ld blocks are left when all have gone",
                static_cast<long>(allocated_blocks() - again));
  ::_exit(1);
}

std::string in_a_child(Shared& shared, const std::function<void()>& work, std::chrono::seconds limit, bool quiet) {
  shared.finding.text[0] = '\0';
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no further process");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (quiet) {
      const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
      ::dup2(nowhere, STDOUT_FILENO);
      ::dup2(nowhere, STDERR_FILENO);
    }
    ::alarm(static_cast<unsigned>(limit.count()));
    work();
    std::exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
  }
  if (shared.finding.text[0] != '\0') return shared.finding.text;
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == SIGALRM ? "hangs: it did not end in time"
                                       : "crashes: by signal " + std::to_string(WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0 ? "" : "crashes: with status " + std::to_string(WEXITSTATUS(status));
}

std::string play(Shared& shared, const Choices& choices, bool logs) {
  const auto work = [&] {
    const std::int64_t before = allocated_blocks();
    run_once(shared, choices, logs);
    check_memory(shared, before);
  };
  return in_a_child(shared, work, std::chrono::seconds(5), !logs);
}

Choices simplest(Shared& shared, Choices choices, const std::string& failure, std::chrono::seconds time) {
  return Shrinker(shared, std::move(choices), invariant_of(failure), RealClock::now() + time).run();
}

}  // namespace wechatpay::bonus_commit::simulation
