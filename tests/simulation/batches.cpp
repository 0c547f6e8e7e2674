// Calls that wait: commit(), and commit_all() with one thread.
#include <unistd.h>

#include <stdexcept>

#include "tests/simulation/users.hpp"
#include "tests/simulation/waiting.hpp"
#include "wechatpay/bonus_commit/impl/batch_run.hpp"

namespace wechatpay::bonus_commit::simulation {

/// commit(), over a transport that completes within send().
void User::wait_for_call() {
  --calls_left_;
  const unsigned number = auditor_.begin(*account_, milliseconds(0));
  auditor_.result(number, client().commit(request(number)));
}

/// commit(), over any other transport. It goes on where the client is destroyed meanwhile.
void User::wait_while_world_goes_on() {
  if (world_.waits || in_batch_) return start_call();
  --calls_left_;
  const unsigned number = auditor_.begin(*account_, milliseconds(0));
  const CommitResult result = [&] {
    const WorldGoesOn while_it_waits(world_);
    return client().commit(request(number));
  }();
  auditor_.result(number, result);
}

/// While it waits, the world goes on.
void User::run_batch() {
  if (in_batch_ || world_.waits || account_->keeps_requests) return;
  in_batch_ = true;
  const StopSource stop;
  if (world_.tape.chance(200)) {
    world_.after(milliseconds(world_.tape.below(3000)), [stop] { stop.request_stop(); });
  }
  BatchOptions options;
  options.max_in_flight = 1 + world_.tape.below(8);
  options.stop = stop.get_token();
  std::uint32_t left = world_.tape.below(20);
  const bool source_throws = world_.tape.chance(100);
  bool source_threw = false;
  std::uint32_t taken = 0;
  BatchSummary expected;
  const auto next = [&]() -> std::optional<BonusCommitRequest> {
    world_.expect(!stop.stop_requested() && !expected.stopped, "batch", "goes on after it was stopped");
    world_.expect(taken - expected.credited - expected.failed < options.max_in_flight, "batch",
                  "has too many under way");
    source_threw = left == 0 && source_throws;
    if (source_threw) throw std::runtime_error("the source's own exception");
    if (left == 0) return std::nullopt;
    --left;
    ++taken;
    const unsigned number = auditor_.begin(*account_, milliseconds(0));
    auditor_.call(number).place = account_->rate.earliest(world_.now());
    return request(number);
  };
  const auto take = [&](const BonusCommitRequest& one, const CommitResult& result) {
    ++(result ? expected.credited : expected.failed);
    auditor_.result(Auditor::number_of(one.out_trade_no), result);
    if (!world_.tape.chance(20)) return true;
    expected.stopped = true;
    if (world_.tape.chance(300)) throw std::runtime_error("the taker's own exception");
    return false;
  };
  stages::BatchTime time;
  time.now = [this] { return world_.now(); };
  time.wait = [this](std::condition_variable& /*changed*/, std::unique_lock<std::mutex>& lock, Steady until) {
    lock.unlock();
    world_.expect(world_.step_until(until), "batch", "waits for ever");
    lock.lock();
  };
  try {
    const auto summary = stages::Batch(client(), next, take, options, time).run();
    world_.expect(summary && summary->credited == expected.credited && summary->failed == expected.failed, "batch",
                  "has a wrong summary");
    world_.expect(summary->stopped ? expected.stopped || stop.stop_requested() : !expected.stopped, "batch",
                  "is told wrongly whether it was stopped");
    world_.expect(summary->stopped || left == 0, "batch", "ends before its source");
    world_.expect(!source_threw, "batch", "does not throw what its source threw");
  } catch (const std::runtime_error&) {
    world_.expect(source_threw, "batch", "throws what its source did not throw");
  }
  world_.expect(taken == expected.credited + expected.failed, "batch", "loses calls");
  in_batch_ = false;
}

/// commit_all() in real time, over a transport that completes within send().
void User::wait_for_batch() {
  std::vector<BonusCommitRequest> requests;
  for (std::uint32_t left = world_.tape.below(5); left > 0; --left) {
    const unsigned number = auditor_.begin(*account_, milliseconds(0));
    auditor_.call(number).place = world_.now();
    requests.push_back(request(number));
  }
  BatchSummary expected;
  const auto take = [&](const BonusCommitRequest& one, const CommitResult& result) {
    ++(result ? expected.credited : expected.failed);
    auditor_.result(Auditor::number_of(one.out_trade_no), result);
    return true;
  };
  in_batch_ = true;
  const unsigned left = ::alarm(10);  // milliseconds are enough unless it waits for ever
  const auto summary = commit_all(client(), requests, take);
  ::alarm(left);
  in_batch_ = false;
  world_.expect(expected.credited + expected.failed == requests.size(), "batch", "loses calls");
  world_.expect(summary && summary->credited == expected.credited && summary->failed == expected.failed, "batch",
                "has a wrong summary");
}

}  // namespace wechatpay::bonus_commit::simulation
