/// Checks each call against the library's promises.
#ifndef WECHATPAY_TESTS_SIMULATION_AUDITOR_HPP
#define WECHATPAY_TESTS_SIMULATION_AUDITOR_HPP

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/figures.hpp"
#include "tests/simulation/judgement.hpp"
#include "tests/simulation/models.hpp"
#include "tests/simulation/world.hpp"
#include "wechatpay/bonus_commit/client.hpp"

namespace wechatpay::bonus_commit::simulation {

/// An answer from WeChat Pay, or from a party that answers in its place. The answer's number is in Request-ID.
struct Answered {
  unsigned order = 0;
  const Reply* reply = nullptr;
  Wall time{};                           ///< when it was signed
  bool receipt = false;                  ///< a 204 which proves that its order was committed
  std::string echoed{};                  ///< the request's signature, if the answer repeats it
  std::optional<seconds> retry_after{};  ///< Retry-After in seconds,
  std::optional<Wall> retry_at{};        ///< or as a date
};

/// A client and its copies.
struct ClientAccount {
  explicit ClientAccount(const ClientOptions& options)
      : timeout(options.timeout),
        retry(options.retry),
        origins(options.origins),
        hosts(options.origins.size(), options.retry.cool_down),
        rate(options.rate_limit) {}

  const milliseconds timeout;
  const RetryOptions retry;
  const std::vector<std::string> origins;
  HostModel hosts;
  RateModel rate;
  bool exact = true;            ///< each try is sent at the moment of its decision, before anything else happens
  bool punctual = true;         ///< its transport ends each request in time
  bool odd_user = false;        ///< its clock, nonce, signer or transport fail
  bool keys_change = false;     ///< it is not known whether an answer verifies
  bool wastes_places = false;   ///< a call was stopped, which may have had a place in the rate limit for a further try
  bool heeds_stops = true;      ///< its transport ends a request as soon as it is asked to
  bool keeps_requests = false;  ///< its transport never ends some requests
  bool tells_tries = false;     ///< has on_try
  bool tells_calls = false;     ///< has on_call
  bool closed = false;
  const char* serial_no = "01AB";  ///< of the credentials that it uses from now on
};

/// One try.
struct Sent {
  Steady moment;  ///< the earliest moment to send it
  std::size_t host = 0;
  bool ended = false;
  Steady ended_at{};
  int status = 0;
  TransportFault fault = TransportFault::none;
  bool stale = false;  ///< its keep-alive connection had been closed by the server
  const Answered* answer = nullptr;
  std::optional<seconds> retry_after{};
  Judgement judgement{};             ///< of a try that has ended, if good signatures verify
  bool foreign = false;              ///< answered by another order's answer
  std::array<char, 24> signature{};  ///< its first characters
  std::array<char, 8> nonce{};       ///< its last characters, in which a user's nonces differ
};

/// One call.
struct Call {
  explicit Call(ClientAccount& client_) : client(client_) {}

  ClientAccount& client;
  Steady begun{};
  Steady deadline{};
  std::vector<Sent> tries{};
  int committed = 0;  ///< how many times at WeChat Pay
  int told_tries = 0;
  int told_ends = 0;
  int ends = 0;
  bool stop_asked = false;
  Steady stop_asked_at{};
  std::optional<Steady> place{};         ///< commit_all() waited until then for its place in the rate limit
  bool unheard = false;                  ///< its future was destroyed
  bool wrong_request = false;            ///< the request or its options are refused
  bool stopped_before = false;           ///< its stop was requested before it began
  const char* serial_no = "";            ///< of the client's credentials when it began
  std::optional<unsigned> settled_by{};  ///< the number of the answer that is its receipt
  std::optional<Outcome> claim{};        ///< the reported outcome, if the result was an error
};

/// How long to wait according to an answer that is read at `now`.
std::optional<seconds> asked_by(const Answered& answer, Wall now);

/// The first try of a call that finds its keep-alive connection closed does not count.
bool first_stale(const Call& call, const Sent& sent);

/// The worst outcome of these tries.
Outcome worst_outcome(std::vector<Sent>::const_iterator begin, std::vector<Sent>::const_iterator end);

constexpr milliseconds tick{1};  ///< tolerance for rounding to milliseconds

class Auditor {
 public:
  explicit Auditor(World& world) : world_(world) {}

  ClientAccount& add_client(const ClientOptions& options) { return clients_.emplace_back(options); }

  /// Begins a call. Its order number is "T" followed by the returned number.
  unsigned begin(ClientAccount& client, milliseconds timeout);
  Call& call(unsigned number) { return calls_[number]; }
  std::size_t calls() const { return calls_.size(); }

  /// Called before the transport receives the request.
  void sent(unsigned number, const HttpRequest& request, const SendOptions& options);

  /// Called before the client receives the result.
  void ended(unsigned number, std::size_t which, const Result<HttpResponse>& response);

  void told(const TryEvent& event);
  void told(const CallEvent& event);
  void result(unsigned number, const CommitResult& result);

  /// The user requests a stop of the call.
  void stop(unsigned number);

  /// Called when no more events are scheduled, while clients still exist.
  void when_quiet() const;

  /// Called when no more events are scheduled, and all clients are destroyed.
  void at_end(Figures& figures) const;

  unsigned add_answer(Answered answer) {
    answers_.push_back(answer);
    return static_cast<unsigned>(answers_.size()) - 1;
  }
  Answered& answer(unsigned number) { return answers_[number]; }

  /// The answer with this Request-ID.
  static unsigned number_with(std::string_view request_id);
  const Answered& answer_with(std::string_view request_id) const { return answers_[number_with(request_id)]; }

  static unsigned number_of(std::string_view out_trade_no);
  static unsigned number_in(const std::string& body);

 private:
  void check_may_go(const Call& call, unsigned number) const;
  void note_authorization(const Call& call, unsigned number, const HttpRequest& request, Sent& next) const;
  void note_answer(unsigned number, Sent& sent, const HttpResponse& response);
  static void note_failure(Sent& sent, const Error& error);
  void check_limits(const Call& call, const SendOptions& options, Steady moment) const;
  void check_pause(const Call& call, Steady moment) const;
  void check_receipt(unsigned number, const CommitReceipt& receipt);
  void check_error(unsigned number, const Error& error);
  void check_hooks(unsigned number) const;
  void check_rates() const;
  void check_secret(unsigned number, const std::string& text) const;
  void check_secrets(unsigned number, const Try& made) const;
  void check_kind(const Call& call, const Error& error) const;
  void check_wrong_call(unsigned number, const Error& error) const;
  void check_outcome(unsigned number, const Error& error) const;
  void check_remedy(unsigned number, const Error& error) const;
  void check_effort(unsigned number, const Error& error) const;
  bool exact(const ClientAccount& client) const { return client.exact && !world_.late_since(Steady()); }
  /// Whether answers with good signatures verify.
  bool verifies(const ClientAccount& client) const {
    return !client.keys_change && !client.odd_user && !world_.wall_jumped;
  }
  bool exact(const Call& call) const { return call.client.exact && !world_.late_since(call.begun); }
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
