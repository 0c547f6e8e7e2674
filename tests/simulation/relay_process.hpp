/// One process of a worker of the relay.
#ifndef WECHATPAY_TESTS_SIMULATION_RELAY_PROCESS_HPP
#define WECHATPAY_TESTS_SIMULATION_RELAY_PROCESS_HPP

#include <map>
#include <memory>
#include <optional>

#include "src/outbox/relay.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/relay_auditor.hpp"
#include "tests/simulation/world.hpp"
#include "wechatpay/bonus_commit/client.hpp"

namespace wechatpay::bonus_commit::simulation {

class RelayWorld;

/// One process of a worker: a relay, its client, and its connections to WeChat
/// Pay. It stays until the end of the world, because events refer to it.
class Run {
 public:
  Run(RelayWorld& relays, std::size_t worker, unsigned number);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { crash(); }

  /// Ends the process at once.
  void crash();

  /// Asks the relay to stop.
  void stop();

  /// The process does nothing for some time. If its machine sleeps, its steady
  /// clock stops, too.
  void pause(std::chrono::nanoseconds time, bool sleeps);

  /// The database has ended its connection, for instance while its machine slept.
  void lose_connection();

  bool gone() const { return process_.gone; }

  void send(HttpRequest request, const SendOptions& options, Transport::Completion done);
  void end_requests();

 private:
  struct Stopped {
    Run* run;
    std::uint64_t number;
    void operator()() const { run->stop_request(number); }
  };
  struct Pending {
    Transport::Completion done{};
    std::optional<StopCallback<Stopped>> stop{};
    unsigned order = 0;
    bool left = false;
  };

  Steady now() const;
  Steady steady_now() const { return now() + clocks_apart_ - process_.slept; }
  Steady boot_now() const { return now() + clocks_apart_; }
  Wall wall() const { return world_.true_time() + (now() - world_.now()) + wall_apart_; }
  void make_client();
  void make_relay();
  void wake(Steady at);
  void round();
  void finish(outbox::RelayEnd end);
  void note_call(const CallEvent& event);
  void leave(std::uint64_t number, const HttpRequest& request, milliseconds limit);
  void arrive_later(std::chrono::nanoseconds time, const HttpRequest& request, std::uint64_t answered);
  void complete(std::uint64_t number, Result<HttpResponse> result);
  void note_answer(unsigned order, const Result<HttpResponse>& result);
  void complete_later(std::chrono::nanoseconds time, std::uint64_t number, const Fate& fate);
  void stop_request(std::uint64_t number);
  std::size_t host_of(const HttpRequest& request) const;
  Result<std::string> nonce();

  RelayWorld& relays_;
  World& world_;
  const std::size_t worker_;
  const unsigned number_;  ///< of this process
  Process& process_;
  const std::chrono::hours clocks_apart_;
  const seconds wall_apart_;
  std::chrono::nanoseconds spent_{0};  ///< on slow statements of this round. Their answers come together at its end,
                                       ///< because the rest of the world waits during a round
  Steady busy_until_{};                ///< the process is busy, stopped or asleep until then
  PlatformKeys keys_;
  std::optional<BonusCommitClient> client_;
  std::unique_ptr<outbox::Relay> relay_;
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t requests_ = 0;
  unsigned nonces_ = 0;
  Steady wakes_at_ = Steady::max();
  bool at_work_ = false;
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
