/// Transports without sockets: what happens to a request on the network, and how its result is reported.
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

/// What may happen to a request.
struct Fate {
  const char* what;
  bool arrives;  ///< WeChat Pay receives it
  TransportFault fault;
  Outcome outcome;  ///< as the transport reports it
  bool kept_connection;
  ErrorKind kind;
};

/// Network conditions: which faults occur, how often, and how long an answer takes.
class Weather {
 public:
  explicit Weather(World& world);

  /// Null if the request meets no fault.
  const Fate* next_fate();

  /// The time from sending to the answer. Often close to `limit`, at which the transport gives up.
  std::chrono::nanoseconds latency(milliseconds limit);

  /// Whether a host refuses requests at this moment, and whether it accepts them but never answers.
  bool refuses(std::size_t host) const { return hosts_[host] == Health::refuses; }
  bool hangs(std::size_t host) const { return hosts_[host] == Health::hangs; }

  /// From now on no request meets a fault.
  void recover();

 private:
  enum class Health { well, refuses, hangs };

  void change(std::size_t host, int times);

  World& world_;
  std::vector<const Fate*> enabled_;
  std::uint32_t faults_per_mille_ = 0;
  std::uint32_t edges_per_mille_ = 0;
  Health hosts_[2] = {Health::well, Health::well};
  bool recovered_ = false;
};

/// How a transport written by a user behaves.
struct Manners {
  bool within_send = false;  ///< completes before send() returns, as a mock or a circuit breaker does
  bool sometimes_within_send = false;
  bool twice = false;          ///< completes some requests twice
  bool drops = false;          ///< destroys some completions without calling them
  bool never = false;          ///< keeps some completions until it is destroyed
  bool throws = false;         ///< some calls of send() throw
  bool ignores_stops = false;  ///< continues when it is asked to stop
};

/// The base of a client's transport. It outlives the client, because events refer to it.
class Wire {
 public:
  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  virtual ~Wire() = default;

  virtual void send(HttpRequest request, SendOptions options, Transport::Completion done) = 0;

  /// Called when the transport is destroyed.
  virtual void end() = 0;
};

/// Completes each request according to the network conditions.
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
    std::uint64_t number = 0;  ///< of the request in this slot; 0 if there is none
    bool left = false;
  };

  std::size_t place(HttpRequest&& request, Completion&& done);
  void leave(std::size_t slot, milliseconds limit);
  void fail_later(std::size_t slot, const Fate& fate, milliseconds limit);
  void give_up(std::size_t slot, const Fate& fate);
  void arrive_after(std::chrono::nanoseconds time, std::shared_ptr<const HttpRequest> request);
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

/// The transport that a client uses. Reports each request and its end to the auditor.
class Witness final : public Transport {
 public:
  Witness(Auditor& auditor, Wire& wire) : auditor_(auditor), wire_(wire) {}
  ~Witness() override { wire_.end(); }

  void send(HttpRequest request, SendOptions options, Completion done) override;

 private:
  Auditor& auditor_;
  Wire& wire_;
};

/// The error that a transport reports for `fate`.
Error told_of(const Fate& fate);

}  // namespace wechatpay::bonus_commit::simulation

#endif
