/// The library's own request queue, with simulated connections instead of libcurl.
#ifndef WECHATPAY_TESTS_SIMULATION_CURL_NETWORK_HPP
#define WECHATPAY_TESTS_SIMULATION_CURL_NETWORK_HPP

#include <deque>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/curl/connections.hpp"
#include "src/curl/request_queue.hpp"
#include "tests/simulation/network.hpp"

namespace wechatpay::bonus_commit::simulation {

/// A connection as the server and the network see it. `known` is the library's view of it.
struct Link {
  curl::Connection known;
  std::size_t host = 0;
  unsigned generation = 0;
  curl::Protocol protocol = curl::Protocol::unknown;
  std::size_t users = 0;  ///< requests that run over it, or open it
  bool stands = false;
  bool told = false;                        ///< the queue has been told its protocol
  bool dead = false;                        ///< drops everything without an error
  bool failed = false;                      ///< a request over it has failed
  curl::Arrived arrived{};                  ///< data that arrived while no answer was expected
  std::optional<HttpResponse> left_over{};  ///< the answer that arrived unexpectedly, if any
};

/// A request that libcurl would be running.
struct Running {
  curl::Requests request;
  Link* link = nullptr;
  bool kept = false;   ///< runs over a keep-alive connection
  bool begun = false;  ///< the request may have been sent
  std::uint64_t number = 0;
};

/// Simulates the transfer loop, the multi handle and libcurl: HTTP/1.1 or HTTP/2, keep-alive connections that are
/// closed cleanly, by a reset or not at all, and answers without a request.
class CurlNetwork final : public Wire {
 public:
  CurlNetwork(World& world, Auditor& auditor, WechatPay& wechat_pay, Weather& weather);

  void send(HttpRequest request, SendOptions options, Transport::Completion done) override;
  void end() override;

 private:
  void turn();
  void turn_soon();
  void sleep();
  void start(curl::RequestQueue::Action& action);
  void complete(curl::RequestQueue::Action& action);
  void give_up(Running& running);
  void forget(const curl::QueuedRequest& request);
  void check_order(const curl::QueuedRequest& request, std::size_t host) const;
  void check_waiting() const;
  void run_over_kept(Running& running, Link& link);
  void open(Running& running);
  void stand(Running& running);
  void leave(Running& running);
  void lose(Running& running, const Fate& fate);
  void answer(Running& running);
  void after_answer(Link& link, const HttpRequest& request, const Reply& reply);
  void finish(Running& running, Result<HttpResponse> result, bool connection_failed);
  void stop();
  void forget_links();
  Link* kept_link(const curl::QueuedRequest& request, std::size_t host);
  std::size_t host_of(const HttpRequest& request) const;
  milliseconds time_left(const Running& running) const;
  template <typename Step>
  void later(std::chrono::nanoseconds time, Running& running, Step step);

  World& world_;
  Auditor& auditor_;
  WechatPay& wechat_pay_;
  Weather& weather_;
  const std::size_t most_running_;
  const milliseconds patience_;
  curl::RequestQueue queue_;
  std::list<Running> running_;
  std::list<Link> links_;
  curl::Protocol protocols_[2];
  std::uint32_t surprises_per_mille_ = 0;  ///< on keep-alive connections
  std::uint64_t started_ = 0;
  std::size_t running_at_[2] = {0, 0};
  std::vector<std::pair<Steady, std::uint64_t>> waiting_at_[2];  ///< sorted: when requests may start, and their numbers
  Steady started_at_[2] = {};                                    ///< when a request started last
  std::optional<unsigned> failed_generation_[2];  ///< over HTTP/2, the latest generation with a failed connection
  Steady wakes_at_ = Steady::max();
  bool in_turn_ = false;
  bool turns_soon_ = false;
  bool ended_ = false;
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
