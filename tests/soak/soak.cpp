// Hours of use in minutes: many commits from several threads, through two sandboxes. A tenth of the answers is faulty,
// and one sandbox is killed now and then. The sandboxes record what really happened. At the end, each call's result is
// compared with that record, and the resources of the process are compared with those before.
//
// The short form is one of the tests. The long form is run by hand, with an optimized build:
//
//   cmake -S . -B build/soak -DCMAKE_BUILD_TYPE=Release
//   cmake --build build/soak --target soak
//   build/soak/tests/soak --commits 200000
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "tests/soak/load.hpp"
#include "tests/soak/orders.hpp"
#include "tests/soak/process.hpp"
#include "tests/soak/sandboxes.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

constexpr const char* usage =
    "usage: soak [--commits NUMBER] [--seed NUMBER] [--threads NUMBER] [--seconds-between-kills SECONDS]\n"
    "  --commits NUMBER                 5000 or more (default 15000)\n"
    "  --seed NUMBER                    for the same orders, faults and kills again, as far as threads allow\n"
    "                                   (default: another one each time)\n"
    "  --threads NUMBER                 that commit, 3 or more: a third of them waits for each result, a third takes\n"
    "                                   futures, a third callbacks (default 6)\n"
    "  --seconds-between-kills SECONDS  of one of the sandboxes, on the average (default 3)\n";

struct Settings {
  std::uint32_t commits = 15000;
  std::uint64_t seed = std::random_device()();
  unsigned threads = 6;
  double seconds_between_kills = 3;  ///< rare enough that some answers are delayed beyond a deadline
};

template <typename Number>
bool read_number(const char* text, Number& number) {
  std::istringstream in(text);
  return in >> number && in.peek() == std::char_traits<char>::eof();
}

std::optional<Settings> read_arguments(int count, char** arguments) {
  Settings settings;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    const char* const value = arguments[i + 1];
    const bool read = (name == "--commits" && read_number(value, settings.commits)) ||
                      (name == "--seed" && read_number(value, settings.seed)) ||
                      (name == "--threads" && read_number(value, settings.threads)) ||
                      (name == "--seconds-between-kills" && read_number(value, settings.seconds_between_kills));
    if (!read) return std::nullopt;
  }
  // With fewer commits, some faults might not occur at all.
  const bool possible = settings.commits >= 5000 && settings.threads >= 3 && settings.threads <= 1000 &&
                        settings.seconds_between_kills >= 0.01 && settings.seconds_between_kills <= 3600;
  return count % 2 == 1 && possible ? std::optional<Settings>(settings) : std::nullopt;
}

/// The files and keys that all sandboxes share. They come from a sandbox that has already ended, with all its threads.
struct CommonGround {
  TemporaryFolder folder;
  std::shared_ptr<FakeWechatPay> wechat_pay = std::make_shared<FakeWechatPay>();
  std::string ca;

  CommonGround() {
    SandboxOptions options;
    options.folder = folder.path("common");
    options.wechat_pay = wechat_pay;
    ca = Sandbox::start(options).value()->files().ca;
    std::signal(SIGPIPE, SIG_DFL);  // a server ignores it; the client must live in a process that does not
  }
};

constexpr double fault_rate = 0.1;
constexpr std::chrono::seconds deadline(5);
constexpr std::chrono::seconds idle_timeout(2);

Clients make_clients(const CommonGround& ground, const Sandboxes& sandboxes, Load& load) {
  CurlOptions curl_options;
  curl_options.ca_bundle_file = ground.ca;
  curl_options.idle_timeout = idle_timeout;

  ClientOptions options;
  options.origins = sandboxes.origins();
  options.hooks = load.hooks();
  // All times are short, so that their effects occur often. The timeout of a try is shorter than a "delay:3000". Three
  // tries that time out do not fit into the deadline. A failed host is soon used again. Otherwise, with a tenth of
  // faulty answers, both hosts would be avoided all the time.
  options.timeout = deadline;
  options.retry.try_timeout = std::chrono::seconds(2);
  options.retry.first_backoff = std::chrono::milliseconds(20);
  options.retry.longest_backoff = std::chrono::milliseconds(200);
  options.retry.cool_down = std::chrono::milliseconds(50);
  options.rate_limit.longest_pause = std::chrono::milliseconds(50);

  const auto transport = CurlTransport::create(curl_options).value();
  const auto make = [&] {
    return BonusCommitClient::create(ground.wechat_pay->credentials(), ground.wechat_pay->platform_keys(), transport,
                                     options)
        .value();
  };
  BonusCommitClient trying_again = make();
  options.retry.max_tries = 1;
  return {std::move(trying_again), make()};
}

/// What the process holds at different stages.
struct Stages {
  Holdings before;      ///< without clients, after the first clients were destroyed
  Holdings early_rest;  ///< with idle clients without connections, after a ninth of their calls
  Holdings late_rest;   ///< the same, after all of their calls
  Holdings after;       ///< when the clients are destroyed
};

/// An idle transport closes its connections and frees their resources after its idle time.
Holdings holdings_at_rest() {
  std::this_thread::sleep_for(idle_timeout + std::chrono::seconds(1));
  return holdings_when([](const Holdings& now) { return now.connections == 0; });
}

Holdings holdings_without_client() {
  return holdings_when([](const Holdings& now) { return now.threads == 1; });
}

Stages soak(const Settings& settings, const CommonGround& ground, const Sandboxes& sandboxes, Load& load) {
  Stages stages;
  {
    // The first clients cause allocations that the process keeps: libcurl's and OpenSSL's set-up, the threads' stacks
    // and malloc()'s heaps.
    const auto clients = make_clients(ground, sandboxes, load);
    load.run(clients, settings.commits / 10);
  }
  stages.before = holdings_without_client();
  {
    const auto clients = make_clients(ground, sandboxes, load);
    load.run(clients, settings.commits / 5);
    stages.early_rest = holdings_at_rest();
    load.run(clients, settings.commits);
    stages.late_rest = holdings_at_rest();
  }
  stages.after = holdings_without_client();
  return stages;
}

/// Prints the checks, one line each, and remembers whether all passed.
class Report {
 public:
  template <typename... Values>
  void check(bool holds, const char* format, Values... values) {
    std::printf(holds ? "ok      " : "FAILED  ");
    if constexpr (sizeof...(values) == 0) {
      std::printf("%s", format);
    } else {
      std::printf(format, values...);
    }
    std::printf("\n");
    all_hold_ = all_hold_ && holds;
  }

  bool all_hold() const { return all_hold_; }

 private:
  bool all_hold_ = true;
};

/// How many calls of one kind ended in each way.
struct Distribution {
  unsigned long calls = 0;
  unsigned long credited_after[4] = {};  ///< index: the number of tries
  unsigned long refused = 0;
  unsigned long unknown = 0;
  unsigned long unknown_but_committed = 0;
  unsigned long not_sent = 0;
  unsigned long cancelled = 0;
};

/// How many of all calls were wrong in each way.
struct Tally {
  unsigned long without_one_result = 0;
  unsigned long without_one_event = 0;
  unsigned long credited_falsely = 0;
  unsigned long refused_falsely = 0;
  unsigned long not_sent_falsely = 0;
  unsigned long strange = 0;
  Distribution trying_again;
  Distribution trying_once;
};

/// Prints an order whose result differs from what really happened, so that it can be investigated.
void accuse(std::uint32_t number, const char* what, const Truth& truth) {
  std::fprintf(stderr, "soak: order %lu: %s, and it was committed %lu times as sent, %lu times otherwise\n",
               static_cast<unsigned long>(number), what, static_cast<unsigned long>(truth.commits),
               static_cast<unsigned long>(truth.strange));
}

Tally judge(const Load& load, const Sandboxes& sandboxes) {
  Tally tally;
  std::uint32_t number = 0;
  for (const Call& call : load.calls()) {
    const Truth& truth = sandboxes.truth(number);
    const auto count_false = [&](unsigned long& count, const char* what) {
      if (++count <= 5) accuse(number, what, truth);
    };
    Distribution& kind = Clients::tries_once(number) ? tally.trying_once : tally.trying_again;
    ++kind.calls;
    const bool committed = truth.commits + truth.strange > 0;
    if (call.results != 1) ++tally.without_one_result;
    if (call.events != 1) ++tally.without_one_event;
    if (truth.strange > 0) count_false(tally.strange, "its fields are not those that were sent");
    if (call.cancelled) ++kind.cancelled;
    switch (call.verdict) {
      case Verdict::none: break;
      case Verdict::credited:
        ++kind.credited_after[std::min<unsigned>(call.tries, 3)];
        if (truth.commits == 0) count_false(tally.credited_falsely, "the call said success");
        break;
      case Verdict::refused:
        ++kind.refused;
        if (committed) count_false(tally.refused_falsely, "the call said refused");
        break;
      case Verdict::not_sent:
        ++kind.not_sent;
        if (committed) count_false(tally.not_sent_falsely, "the call said not_sent");
        break;
      case Verdict::unknown:
        ++kind.unknown;
        if (committed) ++kind.unknown_but_committed;
        break;
    }
    ++number;
  }
  return tally;
}

void check_results(Report& report, const Tally& tally, const Load& load, const Sandboxes& sandboxes) {
  report.check(tally.without_one_result == 0 && tally.without_one_event == 0,
               "every one of %zu calls has one result (all but %lu) and one event (all but %lu)", load.calls().size(),
               tally.without_one_result, tally.without_one_event);
  report.check(tally.credited_falsely == 0, "no success of an order that was not committed: %lu",
               tally.credited_falsely);
  report.check(tally.refused_falsely == 0, "no refused of an order that was committed: %lu", tally.refused_falsely);
  report.check(tally.not_sent_falsely == 0, "no not_sent of an order that was committed: %lu", tally.not_sent_falsely);
  report.check(tally.strange == 0 && sandboxes.deeds().nobodys == 0,
               "no commit of other fields than were sent: %lu, of no order: %lu", tally.strange,
               static_cast<unsigned long>(sandboxes.deeds().nobodys));
  report.check(load.unexplained() == 0, "no error that neither a fault nor a kill explains: %lu",
               static_cast<unsigned long>(load.unexplained()));
  // The tolerance is for a busy machine.
  report.check(load.longest() <= deadline + std::chrono::seconds(5), "no call beyond its deadline of 5 s: %.2f s",
               std::chrono::duration<double>(load.longest()).count());
}

/// Checks that all faults have occurred in the soak.
void check_faults(Report& report, const Tally& tally, const Sandboxes& sandboxes) {
  const Deeds& deeds = sandboxes.deeds();
  const auto times = [&deeds](const SandboxFault& fault) {
    unsigned long sum = 0;
    for (std::size_t i = 0; i < std::size(soak_faults); ++i) {
      if (to_string(soak_faults[i]) == to_string(fault)) sum += deeds.faults[i];
    }
    return sum;
  };
  unsigned long faults = 0;
  for (const auto& count : deeds.faults) faults += count;
  std::string missing;
  for (const SandboxFault& fault : soak_faults) {
    if (times(fault) == 0) missing.append(" ").append(to_string(fault));
  }
  for (int kind = 1; kind <= static_cast<int>(SandboxFault::Kind::large_body); ++kind) {
    const SandboxFault fault(static_cast<SandboxFault::Kind>(kind));
    if (fault.kind != SandboxFault::Kind::http_status && times(fault) == 0) {
      missing.append(" ").append(to_string(fault));
    }
  }
  const double share = static_cast<double>(faults) / static_cast<double>(deeds.requests);
  report.check(share > 0.85 * fault_rate && share < 1.15 * fault_rate, "a tenth of the answers was faulty: %lu of %lu",
               faults, static_cast<unsigned long>(deeds.requests));
  report.check(missing.empty(), "every fault came%s%s", missing.empty() ? "" : " but", missing.c_str());
  report.check(deeds.forged > 0, "somebody forged answers: %lu", static_cast<unsigned long>(deeds.forged));
  report.check(deeds.kills > 0, "a sandbox was killed: %lu times", static_cast<unsigned long>(deeds.kills));
  const Distribution& seen = tally.trying_again;
  report.check(seen.credited_after[1] > 0 && seen.credited_after[2] > 0 && seen.credited_after[3] > 0 &&
                   seen.refused > 0 && seen.not_sent > 0 && seen.unknown > 0 && seen.cancelled > 0,
               "every outcome came");
}

/// `late` must not exceed `early`, except for memory that an allocator happens to keep.
void check_memory(Report& report, const char* when, const Holdings& early, const Holdings& late) {
  // The caches of a running thread (glibc's tcache) hold up to about 230 KiB that count as allocated. In the short
  // form, this is about 20 bytes per call.
  constexpr std::size_t most_allocated = 256U << 10U;
  // Freed memory is returned to the system only in whole pages. The memory in use may be spread over more or fewer
  // pages.
  constexpr std::size_t most_resident = 4U << 20U;
  report.check(late.allocated <= early.allocated + most_allocated, "memory allocated %s: %zu KiB, then %zu KiB", when,
               early.allocated >> 10U, late.allocated >> 10U);
  report.check(late.resident <= early.resident + most_resident, "memory resident %s: %zu KiB, then %zu KiB", when,
               early.resident >> 10U, late.resident >> 10U);
}

void check_holdings(Report& report, const Stages& stages) {
  if (memory_tells) {
    check_memory(report, "by clients at rest", stages.early_rest, stages.late_rest);
    check_memory(report, "before clients and after them", stages.before, stages.after);
  } else {
    std::printf("        memory is the sanitizer's business here\n");
  }
  const auto check_count = [&report](const char* what, std::size_t Holdings::*count, const Stages& of) {
    report.check(of.early_rest.*count == of.late_rest.*count && of.before.*count == of.after.*count,
                 "%s by clients at rest: %zu, then %zu; without them: %zu, then %zu", what, of.early_rest.*count,
                 of.late_rest.*count, of.before.*count, of.after.*count);
  };
  check_count("files", &Holdings::files, stages);
  check_count("connections", &Holdings::connections, stages);
  check_count("threads", &Holdings::threads, stages);
}

void print_distribution(const char* kind, const Distribution& of) {
  std::printf(
      "%lu calls with %s: credited %lu at the first, %lu at the second, %lu at the third; refused %lu;\n"
      "  unknown %lu, of which %lu were committed; not sent %lu; of all these, cancelled %lu\n",
      of.calls, kind, of.credited_after[1], of.credited_after[2], of.credited_after[3], of.refused, of.unknown,
      of.unknown_but_committed, of.not_sent, of.cancelled);
}

void print_figures(const Tally& tally, const Load& load, const Sandboxes& sandboxes) {
  const auto commits = static_cast<double>(load.calls().size());
  const double took = std::chrono::duration<double>(load.time()).count();
  const double processor = std::chrono::duration<double, std::milli>(load.processor()).count();
  print_distribution("up to three tries", tally.trying_again);
  print_distribution("one try alone", tally.trying_once);
  std::printf("tries: %lu\n", static_cast<unsigned long>(load.tries()));
  std::printf("faults:");
  const Deeds& deeds = sandboxes.deeds();
  for (std::size_t i = 0; i < std::size(soak_faults); ++i) {
    const std::string name = to_string(soak_faults[i]);
    if (deeds.faults[i] > 0) std::printf(" %s %lu", name.c_str(), static_cast<unsigned long>(deeds.faults[i]));
  }
  std::printf("; forged %lu\n", static_cast<unsigned long>(deeds.forged));
  std::printf("%.0f commits in %.1f s: %.0f in a second, %.2f ms of the processor's time for each in the client\n",
              commits, took, commits / took, processor / commits);
}

/// For the signal handler.
std::atomic<const Load*> watched{nullptr};

/// Without this, the soak would wait forever for a call that never ends. The sandboxes end with this process.
extern "C" void end_it(int /*signal*/) {
  constexpr const char begin[] = "soak: FAILED: not over in its time; calls that ended: ";
  char number[12];
  char* const end = std::to_chars(number, number + sizeof number - 1, watched.load()->ended()).ptr;
  *end = '\n';
  const bool told = write(STDERR_FILENO, begin, sizeof begin - 1) > 0 &&
                    write(STDERR_FILENO, number, static_cast<std::size_t>(end - number) + 1) > 0;
  _exit(told ? 3 : 4);
}

void end_in_time(const Settings& settings, const Load& load) {
  watched = &load;
  std::signal(SIGALRM, end_it);
  alarm(60 + settings.commits / 100);
}

int run_soak(const Settings& settings) {
  std::printf("%lu commits from %u threads, seed %llu\n", static_cast<unsigned long>(settings.commits),
              settings.threads, static_cast<unsigned long long>(settings.seed));
  std::fflush(stdout);
  const CommonGround ground;
  const Orders orders(settings.seed);
  const std::chrono::milliseconds between_kills(static_cast<int>(settings.seconds_between_kills * 1000));
  Load load(orders, settings.commits, settings.seed, settings.threads);
  end_in_time(settings, load);
  Sandboxes sandboxes({orders, settings.commits, settings.seed, fault_rate, between_kills,
                       ground.folder.path("serving"), ground.wechat_pay});
  const Stages stages = soak(settings, ground, sandboxes, load);

  Report report;
  report.check(sandboxes.end(), "the sandboxes did what they were told");
  const Tally tally = judge(load, sandboxes);
  check_results(report, tally, load, sandboxes);
  check_faults(report, tally, sandboxes);
  check_holdings(report, stages);
  print_figures(tally, load, sandboxes);
  return report.all_hold() ? 0 : 1;
}

}  // namespace
}  // namespace wechatpay::bonus_commit

int main(int count, char** arguments) {
  const auto settings = wechatpay::bonus_commit::read_arguments(count, arguments);
  if (!settings) {
    std::fputs(wechatpay::bonus_commit::usage, stderr);
    return 2;
  }
  try {
    return wechatpay::bonus_commit::run_soak(*settings);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "soak: %s\n", exception.what());
    return 1;
  }
}
