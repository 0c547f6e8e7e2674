#include "tests/simulation/auditor.hpp"

#include <algorithm>
#include <charconv>

#include "wechatpay/bonus_commit/http.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

unsigned parse(std::string_view text, int base) {
  unsigned number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, base);
  return number;
}

bool host_failed(const Sent& sent) {
  return counts(sent.fault) || sent.status == 502 || sent.status == 503 || sent.status == 504;
}

std::string described(const Result<HttpResponse>& response, const Answered* answer) {
  if (!response) return "\"" + std::string(to_string(response.error().transport_fault)) + "\"";
  return std::to_string(response->status) + (answer == nullptr ? "" : " (" + std::string(answer->reply->what) + ")");
}

}  // namespace

std::optional<seconds> asked_by(const Answered& answer, Wall now) {
  if (!answer.retry_at) return answer.retry_after;
  const auto left = std::chrono::floor<seconds>(*answer.retry_at) - std::chrono::floor<seconds>(now);
  return std::clamp(left, seconds(0), seconds(86400));
}

bool first_stale(const Call& call, const Sent& sent) {
  if (!sent.stale) return false;
  for (const Sent& each : call.tries) {
    if (each.stale) return &each == &sent;
  }
  return false;
}

unsigned Auditor::number_of(std::string_view out_trade_no) { return parse(out_trade_no.substr(1), 10); }

unsigned Auditor::number_in(const std::string& body) {
  constexpr std::string_view before = "{\"out_trade_no\":\"T";
  return parse(std::string_view(body).substr(before.size()), 10);
}

unsigned Auditor::number_with(std::string_view request_id) { return parse(request_id, 16); }

unsigned Auditor::begin(ClientAccount& client, milliseconds timeout) {
  Call& call = calls_.emplace_back(client);
  call.begun = world_.now();
  call.serial_no = client.serial_no;
  call.deadline = world_.now() + (timeout.count() > 0 ? timeout : client.timeout);
  return static_cast<unsigned>(calls_.size()) - 1;
}

void Auditor::sent(unsigned number, const HttpRequest& request, const SendOptions& options) {
  Call& call = calls_[number];
  ClientAccount& client = call.client;
  if (call.place && call.tries.empty()) {  // its deadline starts only now
    call.begun = world_.now();
    call.deadline = world_.now() + client.timeout;
  }
  const Steady moment = world_.now() + options.delay;
  Sent next;
  next.moment = moment;
  next.host = client.origins.size() > 1 && request.origin == client.origins[1] ? 1 : 0;
  if (world_.logs()) {
    world_.log(name(number) + " try " + std::to_string(call.tries.size() + 1) + " to host " +
               std::to_string(next.host) + " after " + std::to_string(options.delay.count()) + " ms" +
               (options.fresh_connection ? ", on a fresh connection" : ""));
  }
  check_may_go(call, number);
  check_limits(call, options, moment);
  check_pause(call, moment);
  const bool doubt = !call.tries.empty() && (call.tries.back().fault != TransportFault::none);
  require(!doubt || options.fresh_connection, "fresh connection", number, "trusts a kept connection after a failure");
  if (exact(client)) {
    const Steady earliest = call.place && call.tries.empty() ? *call.place : client.rate.earliest(world_.now());
    require(moment + tick >= earliest, "rate limit", number, "goes before its place");
    std::optional<std::size_t> last;
    if (!call.tries.empty()) last = call.tries.back().host;
    require(client.hosts.next(world_.now(), last) == next.host, "hosts", number, "goes to the wrong host");
  }
  note_authorization(call, number, request, next);
  call.tries.push_back(next);
}

void Auditor::check_may_go(const Call& call, unsigned number) const {
  require(!world_.forked, "fork", number, "is sent by a child process");
  require(call.ends == 0, "ends once", number, "is sent after its end");
  require(!call.client.closed, "ends once", number, "is sent after its client has gone");
  require(call.tries.empty() || call.tries.back().ended, "one at a time", number, "is sent while its try is under way");
  require(!call.wrong_request, "wrong request", number, "is sent though it is wrong");
  require(!call.stopped_before, "stop", number, "is sent though it was stopped before");
  const bool final = !call.tries.empty() && call.tries.back().judgement.final && verifies(call.client);
  require(!final, "final answer", number, "is sent again after a final answer");
}

void Auditor::note_authorization(const Call& call, unsigned number, const HttpRequest& request, Sent& next) const {
  const std::string& authorization = request.headers.front().value;
  const std::size_t nonce = authorization.find("nonce_str=\"") + 11 + 32;
  const std::size_t signature = authorization.find("signature=\"", nonce) + 11;
  require(signature + next.signature.size() < authorization.size(), "signature", number, "is not signed");
  authorization.copy(next.signature.data(), next.signature.size(), signature);
  authorization.copy(next.nonce.data(), next.nonce.size(), nonce - next.nonce.size());
  for (const Sent& each : call.tries) require(each.nonce != next.nonce, "nonce", number, "uses its nonce again");
  if (!exact(call.client)) return;
  const std::size_t timestamp = authorization.find("timestamp=\"", signature + 340) + 11;
  const seconds said(parse(std::string_view(authorization).substr(timestamp), 10));
  const seconds off =
      std::chrono::floor<seconds>((world_.wall() + (next.moment - world_.now())).time_since_epoch()) - said;
  require(std::chrono::abs(off) <= seconds(2), "timestamp", number, "has not the time of its sending");
}

void Auditor::check_limits(const Call& call, const SendOptions& options, Steady moment) const {
  const RetryOptions& retry = call.client.retry;
  std::size_t counted = 0;
  for (const Sent& each : call.tries) counted += first_stale(call, each) ? 0 : 1;
  const std::size_t most = static_cast<std::size_t>(retry.max_tries) + (call.client.odd_user ? 1 : 0);
  world_.expect(counted < most, "max_tries", "one try too many");
  world_.expect(
      options.timeout > milliseconds(0) && options.timeout <= retry.try_timeout && options.timeout <= options.deadline,
      "try_timeout", "a try may take longer than it should");
  if (call.client.odd_user) return;
  world_.expect(moment < call.deadline, "deadline", "a try after the deadline");
  world_.expect(moment + options.deadline <= call.deadline + tick, "deadline", "a try may end after the deadline");
}

void Auditor::check_pause(const Call& call, Steady moment) const {
  if (call.tries.empty()) return;
  const Sent& last = call.tries.back();
  if (!last.retry_after || first_stale(call, last) || call.client.odd_user) return;
  const bool kept = moment + tick >= last.ended_at + *last.retry_after;
  world_.expect(kept, "Retry-After", "a try before Retry-After");
}

void Auditor::ended(unsigned number, std::size_t which, const Result<HttpResponse>& response) {
  Call& call = calls_[number];
  Sent& sent = call.tries[which];
  if (sent.ended || call.ends > 0) return;
  sent.ended = true;
  sent.ended_at = world_.now();
  response ? note_answer(number, sent, *response) : note_failure(sent, response.error());
  if (world_.logs()) world_.log(name(number) + " is answered " + described(response, sent.answer));
  ClientAccount& client = call.client;
  if (sent.status == 429) {
    client.rate.pause(world_.now(), sent.retry_after.value_or(seconds(1)));
  }
  if (first_stale(call, sent)) return;
  if (host_failed(sent)) {
    client.hosts.failed(sent.host, world_.now());
  } else if (sent.status != 0) {
    client.hosts.served(sent.host);
  }
}

void Auditor::note_answer(unsigned number, Sent& sent, const HttpResponse& response) {
  ClientAccount& client = calls_[number].client;
  sent.status = response.status;
  const std::string_view id = header_value(response.headers, "Request-ID");
  if (!id.empty()) {
    sent.answer = &answer_with(id);
    sent.retry_after = asked_by(*sent.answer, world_.wall());
    sent.foreign = sent.answer->order != number;
    if (!sent.foreign) sent.judgement = judge(*sent.answer->reply);
  }
  const bool is_signed = !header_value(response.headers, "Wechatpay-Signature").empty();
  const bool verifies = is_signed && std::chrono::abs(world_.wall_offset) <= seconds(300);
  const bool may_be_stale = sent.status == 408 && response.transfer.connection_reused;
  sent.stale = may_be_stale && !verifies;
  if (may_be_stale && is_signed && client.keys_change) {
    client.exact = false;
    client.odd_user = true;
  }
}

void Auditor::note_failure(Sent& sent, const Error& error) {
  sent.fault = error.transport_fault == TransportFault::none ? TransportFault::other : error.transport_fault;
  sent.judgement = judge(error);
  const TransferInfo* const transfer = error.tries.empty() ? nullptr : &error.tries.back().transfer;
  sent.stale = sent.fault == TransportFault::connection_closed && transfer != nullptr && transfer->connection_reused &&
               transfer->bytes_received == 0;
}

void Auditor::told(const TryEvent& event) {
  const unsigned number = number_of(event.out_trade_no);
  Call& call = calls_[number];
  ++call.told_tries;
  require(event.number == call.told_tries, "hooks", number, "has tries that on_try misses");
  require(static_cast<std::size_t>(event.number) == call.tries.size(), "hooks", number, "has a try that was not sent");
  require(call.told_ends == 0, "hooks", number, "has a try after on_call");
  check_secrets(number, event.result);
}

void Auditor::told(const CallEvent& event) {
  world_.expect(!event.out_trade_no.empty(), "hooks", "on_call names no order");
  const unsigned number = number_of(event.out_trade_no);
  Call& call = calls_[number];
  ++call.told_ends;
  if (world_.logs()) {
    world_.log(name(number) + " is told to on_call: " + (event.result ? "credited" : event.result.error().to_string()));
  }
  require(call.told_ends == 1, "hooks", number, "is told to on_call twice");
  require(call.ends == 0, "hooks", number, "is told to on_call after its callback");
  require(static_cast<std::size_t>(event.tries) == call.tries.size(), "hooks", number, "has a wrong count of tries");
  const bool lasted = event.duration == std::chrono::floor<milliseconds>(world_.now() - call.begun);
  const bool no_clock = call.client.odd_user && event.duration == milliseconds(0);
  require(lasted || no_clock || call.place, "hooks", number, "is told to on_call with a wrong duration");
  if (!call.unheard) return;
  event.result ? check_receipt(number, *event.result) : check_error(number, event.result.error());
}

/// Each hook is called once for what it tells of.
void Auditor::check_hooks(unsigned number) const {
  const Call& call = calls_[number];
  require(call.told_ends == (call.client.tells_calls ? 1 : 0), "hooks", number, "is not told to on_call");
  if (!call.client.tells_tries || call.client.odd_user || call.unheard) return;
  const auto is_ended = [](const Sent& each) { return each.ended; };
  const auto ended = std::count_if(call.tries.begin(), call.tries.end(), is_ended);
  require(call.told_tries == ended, "hooks", number, "has a try that on_try is not told of");
}

void Auditor::result(unsigned number, const CommitResult& result) {
  Call& call = calls_[number];
  if (world_.logs()) world_.log(name(number) + " ends: " + (result ? "credited" : result.error().to_string()));
  require(!world_.forked, "fork", number, "ends in a child process");
  ++call.ends;
  require(call.ends == 1, "ends once", number, "ends again");
  const bool waited_for_place = call.place && call.tries.empty();
  if (exact(call) && call.client.punctual && !waited_for_place) {
    require(world_.now() <= call.deadline + 2 * tick, "deadline", number, "ends after its deadline");
  }
  if (call.stop_asked && call.client.heeds_stops && exact(call) && !call.client.closed) {
    require(world_.now() <= call.stop_asked_at, "stop", number, "goes on after its stop");
  }
  if (result) return check_receipt(number, *result);
  check_error(number, result.error());
}

void Auditor::stop(unsigned number) {
  Call& call = calls_[number];
  if (call.stop_asked) return;
  call.stop_asked = call.client.wastes_places = true;
  call.stop_asked_at = world_.now();
}

void Auditor::when_quiet() const {
  for (unsigned number = 0; number < calls_.size(); ++number) {
    const Call& call = calls_[number];
    const bool open = call.ends + (call.unheard ? call.told_ends : 0) == 0 && !call.client.keeps_requests;
    require(!open, "ends once", number, "waits for ever");
  }
}

/// First tries, without those of commit_all(), which may use their places late. A further try counts when it is decided
/// on, as ClientOptions::rate_limit says, so more of them may go at once.
void Auditor::check_rates() const {
  for (const ClientAccount& client : clients_) {
    if (!exact(client)) continue;
    std::vector<Steady> moments;
    for (const Call& call : calls_) {
      if (&call.client == &client && !call.tries.empty() && !call.place) moments.push_back(call.tries.front().moment);
    }
    world_.expect(client.rate.holds(std::move(moments), 2 * tick), "rate limit", "more calls go than it allows");
  }
}

void Auditor::at_end(Figures& figures) const {
  check_rates();
  for (unsigned number = 0; number < calls_.size(); ++number) {
    const Call& call = calls_[number];
    require(call.ends == 1 || (call.unheard && call.told_ends == 1), "ends once", number, "never ends");
    check_hooks(number);
    const bool denied = call.claim && *call.claim != Outcome::unknown;
    require(!denied || call.committed == 0, "outcome", number, "was committed later, and is told otherwise");
    figures.tries += call.tries.size();
    for (const Sent& each : call.tries) figures.unanswered += each.status == 0 ? 1 : 0;
    figures.commits += static_cast<std::uint64_t>(call.committed);
    figures.credited += call.settled_by ? 1 : 0;
    figures.unknown += call.claim == Outcome::unknown ? 1 : 0;
  }
  figures.calls += calls_.size();
  ++figures.worlds;
}

}  // namespace wechatpay::bonus_commit::simulation
