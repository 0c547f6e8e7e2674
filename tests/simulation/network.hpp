/// Transports without sockets: what becomes of a request on its way, and how the answer is told.
#ifndef WECHATPAY_TESTS_SIMULATION_NETWORK_HPP
#define WECHATPAY_TESTS_SIMULATION_NETWORK_HPP

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "tests/simulation/auditor.hpp"
#include "tests/simulation/wechat_pay.hpp"
#include "tests/simulation/world.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

namespace wechatpay::bonus_commit::simulation {

/// What may become of a request.
struct Fate {
  const char* what;
  bool arrives;  ///< WeChat Pay gets it
  TransportFault fault;
  Outcome outcome;  ///< that the transport tells
  bool kept_connection;
  ErrorKind kind;
};

/// What the weather is like: which faults occur, how often, and how long an answer takes.
class Weather {
 public:
  explicit Weather(World& world);

  /// Null: nothing happens to it.
  const Fate* next_fate();

  /// From sending to the answer; often close to `limit`, where the transport gives up.
  std::chrono::nanoseconds latency(milliseconds limit);

  /// Whether a host takes no requests at this moment, and whether it answers none.
  bool refuses(std::size_t host) const { return hosts_[host] == Health::refuses; }
  bool hangs(std::size_t host) const { return hosts_[host] == Health::hangs; }

 private:
  enum class Health { well, refuses, hangs };

  void change(std::size_t host, int times);

  World& world_;
  std::vector<const Fate*> enabled_;
  std::uint32_t faults_per_mille_ = 0;
  std::uint32_t edges_per_mille_ = 0;
  Health hosts_[2] = {Health::well, Health::well};
};

/// How a transport behaves that is not the library's own.
struct Manners {
  bool within_send = false;  ///< completes before send() returns, as a mock or a circuit breaker does
  bool sometimes_within_send = false;
  bool twice = false;          ///< completes some requests twice
  bool drops = false;          ///< lets go of some completions without calling them
  bool never = false;          ///< keeps some completions until its own end
  bool throws = false;         ///< some calls of send() do
  bool ignores_stops = false;  ///< goes on when it is asked to stop
};

/// What the transport of a client stands on. It outlives the client, since events refer to it.
class Wire {
 public:
  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  virtual ~Wire() = default;

  virtual void send(HttpRequest request, SendOptions options, Transport::Completion done) = 0;

  /// The transport is destroyed.
  virtual void end() = 0;
};

/// Completes each request by what the weather brings.
class Network final : public Wire {
 public:
  using Completion = Transport::Completion;

  Network(World& world, Auditor& auditor, WechatPay& wechat_pay, Weather& weather, Manners manners)
      : world_(world), auditor_(auditor), wechat_pay_(wechat_pay), weather_(weather), manners_(manners) {}

  void send(HttpRequest request, SendOptions options, Completion done) override;
  void end() override;

 private:
  struct Stopped {
    Network* network;
    std::size_t slot;
    void operator()() const { network->stop(slot); }
  };
  struct Pending {
    HttpRequest request;
    Completion done;
    std::optional<StopCallback<Stopped>> stop;
    std::uint64_t number = 0;  ///< of the request in this place; 0: none
    bool left = false;
  };

  std::size_t place(HttpRequest&& request, Completion&& done);
  void leave(std::size_t slot, milliseconds limit);
  void fail_later(std::size_t slot, const Fate& fate, milliseconds limit);
  void complete_after(std::chrono::nanoseconds time, std::size_t slot, Result<HttpResponse> result);
  void complete(std::size_t slot, Result<HttpResponse> result);
  void stop(std::size_t slot);
  Result<HttpResponse> at_once(const HttpRequest& request, const SendOptions& options);
  std::size_t host_of(const HttpRequest& request) const;

  World& world_;
  Auditor& auditor_;
  WechatPay& wechat_pay_;
  Weather& weather_;
  const Manners manners_;
  std::deque<Pending> pending_;
  std::vector<std::size_t> free_;
  std::uint64_t sent_ = 0;
};

/// The transport that a client has: shows each request and its end to the auditor.
class Witness final : public Transport {
 public:
  Witness(Auditor& auditor, Wire& wire) : auditor_(auditor), wire_(wire) {}
  ~Witness() override { wire_.end(); }

  void send(HttpRequest request, SendOptions options, Completion done) override;

 private:
  Auditor& auditor_;
  Wire& wire_;
};

/// The error of a transport.
Error told_of(const Fate& fate);

}  // namespace wechatpay::bonus_commit::simulation

#endif
