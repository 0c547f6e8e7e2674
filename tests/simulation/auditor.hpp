/// Holds each call against what the library promises.
#ifndef WECHATPAY_TESTS_SIMULATION_AUDITOR_HPP
#define WECHATPAY_TESTS_SIMULATION_AUDITOR_HPP

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/models.hpp"
#include "tests/simulation/world.hpp"
#include "wechatpay/bonus_commit/client.hpp"

namespace wechatpay::bonus_commit::simulation {

/// What is known of an answer of WeChat Pay's, or of who answers in its place. Its number is in Request-ID.
struct Answered {
  unsigned order = 0;
  const char* what = "";
  bool receipt = false;                  ///< a 204 that proves that its order was committed
  std::optional<seconds> retry_after{};  ///< as it asks,
  std::optional<Wall> retry_at{};        ///< or as a date
};

/// A client with its copies.
struct ClientAccount {
  explicit ClientAccount(const ClientOptions& options)
      : deadline(options.deadline),
        retry(options.retry),
        origins(options.origins),
        hosts(options.origins.size(), options.retry.cool_down),
        rate(options.rate_limit) {}

  const milliseconds deadline;
  const RetryOptions retry;
  const std::vector<std::string> origins;
  HostModel hosts;
  RateModel rate;
  bool exact = true;            ///< a try is sent at the moment at which it is decided on, before anything else happens
  bool punctual = true;         ///< its transport ends each request in time
  bool odd_user = false;        ///< its clock, nonce, signer, keys or transport fail
  bool heeds_stops = true;      ///< its transport ends a request as soon as it is asked to
  bool keeps_requests = false;  ///< its transport never ends some
  bool closed = false;
};

/// One try.
struct Sent {
  Steady moment;  ///< when it may leave
  std::size_t host = 0;
  bool ended = false;
  Steady ended_at{};
  int status = 0;
  TransportFault fault = TransportFault::none;
  bool stale = false;  ///< it met a kept connection that the server had closed
  const Answered* answer = nullptr;
  std::optional<seconds> retry_after{};
  std::array<char, 24> signature{};  ///< the beginning of it
};

/// One call.
struct Call {
  explicit Call(ClientAccount& client_) : client(client_) {}

  ClientAccount& client;
  Steady begun{};
  Steady deadline{};
  std::deque<Sent> tries{};
  int committed = 0;  ///< times, at WeChat Pay
  int told_tries = 0;
  int told_ends = 0;
  int ends = 0;
  bool stop_asked = false;
  Steady stop_asked_at{};
  bool batch = false;                    ///< its place in the rate limit was waited for
  bool unheard = false;                  ///< its future was dropped
  bool wrong_request = false;            ///< the check refuses it
  std::optional<unsigned> settled_by{};  ///< the number of the answer that is its receipt
  std::optional<Outcome> claim{};        ///< what the caller was told, where it was an error
};

class Auditor {
 public:
  explicit Auditor(World& world) : world_(world) {}

  ClientAccount& add_client(const ClientOptions& options) { return clients_.emplace_back(options); }

  /// The order number, which is "T" and the returned number.
  unsigned begin(ClientAccount& client, milliseconds timeout);
  Call& call(unsigned number) { return calls_[number]; }
  std::size_t calls() const { return calls_.size(); }

  /// Before the transport has it.
  void sent(unsigned number, const HttpRequest& request, const SendOptions& options);

  /// Before the client has it.
  void ended(unsigned number, std::size_t which, const Result<HttpResponse>& response);

  void told(const TryEvent& event);
  void told(const CallEvent& event);
  void result(unsigned number, const CommitResult& result);

  /// The user asks for the end of a call.
  void stop(unsigned number);

  /// When nothing happens any more, while there are clients.
  void when_quiet() const;

  /// When nothing happens any more, and all clients are gone.
  void at_end() const;

  unsigned add_answer(Answered answer) {
    answers_.push_back(answer);
    return static_cast<unsigned>(answers_.size()) - 1;
  }
  Answered& answer(unsigned number) { return answers_[number]; }

  static unsigned number_of(std::string_view out_trade_no);
  static unsigned number_in(const std::string& body);

 private:
  void check_limits(const Call& call, const SendOptions& options, Steady moment) const;
  void check_pause(const Call& call, Steady moment) const;
  void check_receipt(unsigned number, const CommitReceipt& receipt);
  void check_error(unsigned number, const Error& error);
  void check_kind(const Call& call, const Error& error) const;
  void check_effort(unsigned number, const Error& error) const;
  bool exact(const ClientAccount& client) const { return client.exact && !world_.late; }
  std::string name(unsigned number) const { return "T" + std::to_string(number); }
  void require(bool holds, const char* invariant, unsigned number, const char* what) const {
    if (!holds) world_.fail(invariant, name(number) + " " + what);
  }

  World& world_;
  std::deque<ClientAccount> clients_;
  std::deque<Call> calls_;
  std::deque<Answered> answers_;
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
