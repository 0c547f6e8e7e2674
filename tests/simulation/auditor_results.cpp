// The auditor's checks of results.
#include <algorithm>

#include "tests/simulation/auditor.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

milliseconds longest_backoff(std::size_t tries, const RetryOptions& retry) {
  milliseconds pause = retry.first_backoff;
  for (std::size_t i = 1; i < tries; ++i) pause = std::min(pause * 2, retry.longest_backoff);
  return std::min(pause, retry.longest_backoff);
}

Remedy remedy_after(Says says, bool doubt) {
  switch (says) {
    case Says::refused: return doubt ? Remedy::retry_later : Remedy::correct_request;
    case Says::merchant_not_permitted:
    case Says::card_not_permitted: return Remedy::ask_wechat_pay;
    case Says::merchant_doubted:
    case Says::setup_wrong: return Remedy::correct_setup;
    default: return Remedy::retry_later;
  }
}

}  // namespace

Outcome worst_outcome(std::vector<Sent>::const_iterator begin, std::vector<Sent>::const_iterator end) {
  Outcome worst = Outcome::not_sent;
  for (auto each = begin; each != end; ++each) {
    const Outcome outcome = each->ended ? each->judgement.outcome : Outcome::unknown;
    if (outcome == Outcome::unknown) return outcome;
    if (outcome == Outcome::refused) worst = outcome;
  }
  return worst;
}

void Auditor::check_receipt(unsigned number, const CommitReceipt& receipt) {
  Call& call = calls_[number];
  require(call.committed > 0, "success", number, "is credited, and was never committed");
  const Answered& answer = answer_with(receipt.request_id);
  require(answer.order == number, "success", number, "is credited by another order's answer");
  require(answer.receipt, "success", number, "is credited by an answer that proves nothing");
  call.settled_by = number_with(receipt.request_id);
  require(static_cast<std::size_t>(receipt.tries) == call.tries.size(), "tries", number, "has a wrong count of tries");
  check_secret(number, receipt.request_id);
}

void Auditor::check_error(unsigned number, const Error& error) {
  Call& call = calls_[number];
  call.claim = error.outcome;
  require(error.outcome == Outcome::unknown || call.committed == 0, "outcome", number,
          "was committed, and is told otherwise");
  require(error.tries.size() == call.tries.size(), "tries", number, "has a wrong list of tries");
  require(error.message.size() < 6000, "message", number, "has a message of more than 6,000 bytes");
  for (const Sent& each : call.tries) {
    const std::string_view secret(each.signature.data(), each.signature.size());
    require(error.message.find(secret) == std::string::npos, "secrets", number, "tells a signature");
  }
  check_secret(number, error.message);
  for (const Fault& fault : error.faults) {
    for (const std::string* text : {&fault.field, &fault.value, &fault.issue, &fault.location}) {
      check_secret(number, *text);
    }
  }
  for (const Try& made : error.tries) check_secrets(number, made);
  check_kind(call, error);
  check_wrong_call(number, error);
  check_outcome(number, error);
  check_remedy(number, error);
  check_effort(number, error);
}

void Auditor::check_secrets(unsigned number, const Try& made) const {
  if (!made.answer) return;
  for (const std::string* text :
       {&made.answer->code, &made.answer->message, &made.answer->detail, &made.answer->request_id}) {
    check_secret(number, *text);
  }
}

/// No text has 12 characters in a row of a signature of the call's own that an answer has repeated, and most pieces of
/// 8 would be noticed, too.
void Auditor::check_secret(unsigned number, const std::string& text) const {
  constexpr std::size_t piece = 8;
  for (const Sent& each : calls_[number].tries) {
    if (each.answer == nullptr || each.answer->order != number) continue;
    const std::string_view secret = each.answer->echoed;
    for (std::size_t at = 0; at + piece <= secret.size(); at += 5) {
      require(text.find(secret.substr(at, piece)) == std::string::npos, "secrets", number, "tells a signature");
    }
  }
}

/// Each kind of error has a cause.
void Auditor::check_kind(const Call& call, const Error& error) const {
  const ClientAccount& client = call.client;
  const auto because = [this](bool cause, const char* what) { world_.expect(cause, "kind", what); };
  switch (error.kind) {
    case ErrorKind::rate_limited:
      because(client.rate.may_refuse(call.begun), "rate limited without a limit");
      because(!exact(client) || client.keys_change || client.wastes_places || call.place ||
                  client.rate.must_refuse(world_.now(), call.deadline - 2 * tick),
              "rate limited though there was a place");
      return;
    case ErrorKind::cancelled: return because(call.stop_asked || client.odd_user, "cancelled by nobody");
    case ErrorKind::invalid_request: return because(call.wrong_request, "a good request is refused");
    case ErrorKind::invalid_configuration: return because(client.odd_user || client.keys_change, "no keys are left");
    case ErrorKind::signing_failed:
    case ErrorKind::internal_error: return because(client.odd_user, "an internal error");
    case ErrorKind::misuse: return because(client.odd_user || call.wrong_request, "misuse by nobody");
    default: break;
  }
  if (error.transport_fault == TransportFault::shut_down) {
    because(client.closed || client.odd_user, "shut down by nobody");
  }
}

void Auditor::check_wrong_call(unsigned number, const Error& error) const {
  const Call& call = calls_[number];
  if (call.client.odd_user) return;
  const bool refused = error.kind == ErrorKind::invalid_request || error.kind == ErrorKind::misuse;
  require(!call.wrong_request || refused, "kind", number, "is wrong, and ends in another way");
  const bool cancelled = error.kind == ErrorKind::cancelled && error.outcome == Outcome::not_sent;
  require(!call.stopped_before || call.wrong_request || cancelled, "stop", number, "was stopped before it began");
}

/// The outcome is the worst of all tries, and no worse.
void Auditor::check_outcome(unsigned number, const Error& error) const {
  const Call& call = calls_[number];
  if (!verifies(call.client) || call.client.closed) return;
  require(error.outcome == worst_outcome(call.tries.begin(), call.tries.end()), "outcome", number,
          "is told another outcome than that of its tries");
}

/// What to do next follows from the last answer. A refusal settles nothing if an earlier try may have committed.
void Auditor::check_remedy(unsigned number, const Error& error) const {
  const Call& call = calls_[number];
  const bool of_a_try = error.kind == ErrorKind::api_error || error.kind == ErrorKind::unexpected_answer ||
                        error.kind == ErrorKind::unverified_answer || error.kind == ErrorKind::transport_failed;
  if (!of_a_try || !verifies(call.client) || call.client.closed || call.tries.empty()) return;
  const Sent& last = call.tries.back();
  if (last.foreign || !last.ended) return;
  const bool doubt = worst_outcome(call.tries.begin(), call.tries.end() - 1) == Outcome::unknown;
  require(error.remedy == remedy_after(last.judgement.says, doubt), "remedy", number, "has a wrong remedy");
}

/// A call that ends in an error has used all its tries, or had a reason not to.
void Auditor::check_effort(unsigned number, const Error& error) const {
  const Call& call = calls_[number];
  const ClientAccount& client = call.client;
  const bool excused = client.closed || call.stop_asked || client.odd_user || !exact(call) || call.tries.empty() ||
                       !call.tries.back().ended || client.rate.may_refuse(call.begun) ||
                       error.kind == ErrorKind::invalid_configuration;
  if (excused) return;
  const Sent& last = call.tries.back();
  const bool good_answer = last.answer != nullptr && last.answer->receipt && last.answer->order == number;
  require(!good_answer || world_.wall_jumped || client.keys_change, "success", number,
          "has its receipt, and is told an error");
  const bool again = verifies(client) ? !last.judgement.final : counts(last.fault) || asks_for_another(last.status);
  if (!again) return;
  std::size_t counted = 0;
  for (const Sent& each : call.tries) counted += first_stale(call, each) ? 0 : 1;
  const milliseconds left = std::chrono::duration_cast<milliseconds>(call.deadline - world_.now());
  const milliseconds asked = error.retry_after ? milliseconds(*error.retry_after) : milliseconds(0);
  const bool out_of_time =
      left <= std::max(asked, first_stale(call, last) ? milliseconds(0) : longest_backoff(counted, client.retry));
  const bool out_of_tries =
      counted >= static_cast<std::size_t>(client.retry.max_tries) || (client.retry.max_tries == 1 && counted > 0);
  require(out_of_time || out_of_tries, "effort", number, "gives up early");
}

}  // namespace wechatpay::bonus_commit::simulation
