#ifndef WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_ATTEMPTS_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_COMMIT_ATTEMPTS_IPP

#include "wechatpay/bonus_commit/stages/commit_attempts.hpp"

#include <algorithm>
#include <new>

#include "wechatpay/bonus_commit/curl_transport.hpp"
#include "wechatpay/bonus_commit/impl/check_options.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"
#include "wechatpay/bonus_commit/stages/body.hpp"
#include "wechatpay/bonus_commit/stages/check.hpp"
#include "wechatpay/bonus_commit/stages/redaction.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/stages/verification.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

WECHATPAY_BONUS_COMMIT_DECL std::int64_t unix_time(std::chrono::system_clock::time_point time) {
  return duration_cast<seconds>(time.time_since_epoch()).count();
}

WECHATPAY_BONUS_COMMIT_DECL Error stopped_before_it_began() {
  Error error;
  error.kind = ErrorKind::cancelled;
  error.transport_fault = TransportFault::cancelled;
  error.outcome = Outcome::not_sent;
  error.message = "not sent: the stop had been requested before the call";
  return error;
}

/// How a try was transferred, as far as the transport reports.
WECHATPAY_BONUS_COMMIT_DECL TransferInfo transfer_of(const Result<HttpResponse>& response) {
  if (response) return response->transfer;
  const std::vector<Try>& tries = response.error().tries;
  return tries.empty() ? TransferInfo() : tries.back().transfer;
}

WECHATPAY_BONUS_COMMIT_DECL Error failure_of_transport(const Error& reported) {
  const bool cancelled = reported.kind == ErrorKind::cancelled || reported.transport_fault == TransportFault::cancelled;
  const bool misuse = reported.kind == ErrorKind::misuse;
  Error error;
  error.kind = misuse ? ErrorKind::misuse : ErrorKind::transport_failed;
  if (misuse || reported.kind == ErrorKind::transport_failed) {
    error.outcome = reported.outcome == Outcome::not_sent ? Outcome::not_sent : Outcome::unknown;
  }
  error.transport_fault = reported.transport_fault;
  if (cancelled) error.transport_fault = TransportFault::cancelled;
  if (!misuse && error.transport_fault == TransportFault::none) error.transport_fault = TransportFault::other;
  error.remedy = misuse                                   ? Remedy::correct_the_program
                 : reported.remedy != Remedy::retry_later ? reported.remedy
                                                          : remedy_of(error.transport_fault);
  error.message = printable(without_signatures(reported.message), 1000);
  return error;
}

WECHATPAY_BONUS_COMMIT_DECL CommitStep CommitAttempts::begin(const BonusCommitRequest& request, Moment now,
                                                             bool has_place) {
  out_trade_no_ = request.out_trade_no;
  if (auto checked = check_options(options_); !checked) return CommitResult(std::move(checked).error());
  deadline_ = now.steady + (options_.timeout.count() > 0 ? options_.timeout : setup_->options.timeout);
  if (auto faults = request.check(); !faults.empty()) return CommitResult(invalid_request(std::move(faults)));
  auto body = serialize(request);
  if (!body) return CommitResult(std::move(body).error());
  if (options_.stop.stop_requested()) return CommitResult(stopped_before_it_began());
  path_ = request_path(request);
  body_ = *std::move(body);
  const auto pause = has_place ? milliseconds(0) : place(milliseconds(0), now);
  if (!pause) return CommitResult(rate_limited());
  return prepare(*pause, now);
}

WECHATPAY_BONUS_COMMIT_DECL CommitStep CommitAttempts::on_response(const Result<HttpResponse>& response, Moment now) {
  if (auto result = conclude(response, now)) return *std::move(result);
  return next_try(now);
}

WECHATPAY_BONUS_COMMIT_DECL std::optional<CommitResult> CommitAttempts::conclude(const Result<HttpResponse>& response,
                                                                                 Moment now) {
  CommitResult result = read(response, now);
  record(result, transfer_of(response), now);
  update_host_health(result, now);
  const Decision next = result ? Decision{} : decide(result.error(), now);
  notify(next);
  if (next.again) {
    sent_ = now.steady + next.pause;
    error_ = std::make_unique<Error>(std::move(result).error());
    return std::nullopt;
  }
  if (!result) finish(result.error(), next.why_not);
  return result;
}

WECHATPAY_BONUS_COMMIT_DECL CommitStep CommitAttempts::next_try(Moment now) {
  if (options_.stop.stop_requested()) {
    cancel(*error_);
    return without_next_try("cancelled");
  }
  if (left(now) <= milliseconds(0)) return without_next_try("the deadline passed before the next try was signed");
  return prepare((std::max)(duration_cast<milliseconds>(sent_ - now.steady), milliseconds(0)), now);
}

WECHATPAY_BONUS_COMMIT_DECL CommitResult CommitAttempts::without_next_try(std::string_view why) {
  finish(*error_, why);
  return std::move(*error_);
}

WECHATPAY_BONUS_COMMIT_DECL CommitResult CommitAttempts::too_late() {
  tries_.pop_back();
  latest_ = Latest::ended;
  if (!tries_.empty()) return without_next_try("the deadline passed while the next try was signed");
  Error error = transport_error(TransportFault::timeout, Outcome::not_sent,
                                "not sent: the deadline passed while the request was signed");
  error.remedy = remedy_of(error.transport_fault);
  return error;
}

WECHATPAY_BONUS_COMMIT_DECL CommitResult CommitAttempts::give_up(Error error) {
  redact(error, SentSignatures(signatures_));
  const bool sent = latest_ == Latest::handed_over;
  if (latest_ == Latest::prepared) tries_.pop_back();
  if (sent) tries_.back().transport_fault = error.transport_fault;
  latest_ = Latest::ended;
  error.outcome = sent ? Outcome::unknown : Outcome::not_sent;
  outcome_ = worse(outcome_, error.outcome);
  finish(error, "");
  return error;
}

/// The time until the deadline.
WECHATPAY_BONUS_COMMIT_DECL milliseconds CommitAttempts::left(Moment now) const {
  return duration_cast<milliseconds>(deadline_ - now.steady);
}

/// The pause until the rate limit allows a request that is ready after `pause`; empty if that is after the deadline.
WECHATPAY_BONUS_COMMIT_DECL std::optional<milliseconds> CommitAttempts::place(milliseconds pause, Moment now) {
  const auto latest = deadline_ - milliseconds(1);
  const double spread = setup_->rate_limiter.paused(now.steady) ? random() : 0;
  const auto moment = setup_->rate_limiter.reserve(now.steady, now.steady + pause, latest, spread);
  if (!moment) return std::nullopt;
  return std::chrono::ceil<milliseconds>(*moment - now.steady);
}

WECHATPAY_BONUS_COMMIT_DECL Result<std::string> CommitAttempts::nonce() const {
  Error error;
  try {
    auto nonce = setup_->options.nonce();
    if (nonce && is_nonce(*nonce)) return nonce;
    error =
        nonce ? configuration_error("ClientOptions::nonce must give 32 letters and digits") : std::move(nonce).error();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    error.message = words_of_exception("ClientOptions::nonce");
  }
  error.kind = ErrorKind::signing_failed;
  error.outcome = Outcome::not_sent;
  return error;
}

/// The signed request for one try: a new timestamp (the time of sending) and a new nonce; the same path and body.
WECHATPAY_BONUS_COMMIT_DECL CommitStep CommitAttempts::prepare(milliseconds pause, Moment now) {
  auto fresh_nonce = nonce();
  if (!fresh_nonce) return give_up(std::move(fresh_nonce).error());
  nonce_str_ = *std::move(fresh_nonce);
  timestamp_ = unix_time(now.wall + pause);
  std::string announced = setup_->platform_keys.announced();
  if (announced.empty()) {
    return give_up(configuration_error("there are no platform keys left, so no answer could be verified: add one"));
  }
  const auto signature = sign(*credentials_, parts());
  if (!signature) return give_up(signature.error());
  signatures_.reserve(signatures_.size() + signature->size() + 1);
  signatures_.append(*signature).append(1, '\n');

  host_ = setup_->hosts.choose(now.steady, host_);
  Try next;
  next.origin = setup_->hosts.origin(host_);
  next.pause = pause;
  tries_.push_back(std::move(next));
  latest_ = Latest::prepared;
  sent_ = now.steady + pause;
  return SignedTry{request(authorization(*credentials_, parts(), *signature), std::move(announced)),
                   send_options(pause, now)};
}

WECHATPAY_BONUS_COMMIT_DECL HttpRequest CommitAttempts::request(std::string authorization,
                                                                std::string announced) const {
  const ClientOptions& options = setup_->options;
  HttpRequest request;
  request.method = method;
  request.origin = tries_.back().origin;
  request.path = path_;
  request.body = body_;
  request.headers.reserve(options.accept_language.empty() ? 5 : 6);
  request.headers.push_back({"Authorization", std::move(authorization)});
  request.headers.push_back({"Accept", "application/json"});
  request.headers.push_back({"Content-Type", "application/json"});
  request.headers.push_back({"User-Agent", user_agent()});
  request.headers.push_back({"Wechatpay-Serial", std::move(announced)});
  if (!options.accept_language.empty()) request.headers.push_back({"Accept-Language", options.accept_language});
  return request;
}

WECHATPAY_BONUS_COMMIT_DECL SendOptions CommitAttempts::send_options(milliseconds pause, Moment now) const {
  SendOptions options;
  options.delay = pause;
  options.deadline = (std::max)(left(now) - pause, milliseconds(1));
  options.timeout = (std::min)(setup_->options.retry.try_timeout, options.deadline);
  options.fresh_connection = fresh_connection_;
  options.stop = options_.stop;
  return options;
}

/// Interprets the answer. No text of the result repeats a part of a signature that was sent.
WECHATPAY_BONUS_COMMIT_DECL CommitResult CommitAttempts::read(const Result<HttpResponse>& response, Moment now) {
  CommitResult result = response ? read_answer(*response, verify(*response, now), parts(), now.wall, outcome_)
                                 : CommitResult(failure_of_transport(response.error()));
  redact(result, signatures_);
  return result;
}

/// Whether the answer is WeChat Pay's own and has not settled a commit before.
WECHATPAY_BONUS_COMMIT_DECL Result<Verification> CommitAttempts::verify(const HttpResponse& response, Moment now) {
  auto verification = stages::verify(response, setup_->platform_keys, now.wall);
  if (!verification || !setup_->options.refuse_repeated_nonces) return verification;
  const std::string_view nonce = header_value(response.headers, "Wechatpay-Nonce");
  const std::int64_t oldest = unix_time(now.wall) - greatest_clock_difference.count();
  if (setup_->nonces.first_time(nonce, verification->timestamp, oldest)) return verification;
  return unverified(VerificationFault::nonce_repeated,
                    "Wechatpay-Nonce has come before, so this answer belongs to another request: it was replayed, or "
                    "was left over on the connection",
                    verification->clock_offset);
}

/// Records how the latest try ended.
WECHATPAY_BONUS_COMMIT_DECL void CommitAttempts::record(CommitResult& result, const TransferInfo& transfer,
                                                        Moment now) {
  // outcome_ is set first and latest_ last: if memory runs out in between, give_up() must not report `not_sent`.
  if (!result) outcome_ = worse(outcome_, result.error().outcome);
  Try& latest = tries_.back();
  // Negative if the try ended during its pause.
  latest.duration = (std::max)(duration_cast<milliseconds>(now.steady - sent_), milliseconds(0));
  latest.transfer = transfer;
  if (result) {
    latest.credited = true;
    Answer& answer = latest.answer.emplace();
    answer.http_status = 204;
    answer.verification_fault = VerificationFault::none;
    answer.request_id = result->request_id;
    answer.clock_offset = result->clock_offset;
    result->tries = tries();
    latest_ = Latest::ended;
    return;
  }
  const Error& error = result.error();
  latest.outcome = error.outcome;
  latest.transport_fault = error.transport_fault;
  if (const Answer* const answer = error.answer()) latest.answer = *answer;
  not_counted_ = !stale_connection_ && met_stale_connection(latest);
  stale_connection_ = stale_connection_ || not_counted_;
  fresh_connection_ = fresh_connection_ || speaks_against_connection(error);
  latest_ = Latest::ended;
}

WECHATPAY_BONUS_COMMIT_DECL void CommitAttempts::update_host_health(const CommitResult& result, Moment now) {
  if (result) return setup_->hosts.succeeded(host_);
  const Error& error = result.error();
  if (error.http_status() == 429) {
    setup_->rate_limiter.pause(now.steady + pause_after_429(error, setup_->options.rate_limit));
  }
  if (not_counted_) return;
  if (speaks_against_host(error)) {
    setup_->hosts.failed(host_, now.steady);
  } else if (error.http_status() != 0) {
    setup_->hosts.succeeded(host_);
  }
}

/// Whether there will be another try. The error of a stopped call becomes `cancelled`.
WECHATPAY_BONUS_COMMIT_DECL Decision CommitAttempts::decide(Error& error, Moment now) {
  Decision next =
      stages::decide(error, tries() - (stale_connection_ ? 1 : 0), left(now), random(), setup_->options.retry);
  if (not_counted_ && left(now) > milliseconds(0)) next = {true, milliseconds(0), ""};
  if (error.transport_fault == TransportFault::cancelled || (next.again && options_.stop.stop_requested())) {
    cancel(error);
    return {false, milliseconds(0), "cancelled"};
  }
  if (!next.again) return next;
  const auto pause = place(next.pause, now);
  if (!pause) return {false, milliseconds(0), "the rate limit leaves no room for another try before the deadline"};
  next.pause = *pause;
  return next;
}

WECHATPAY_BONUS_COMMIT_DECL void CommitAttempts::cancel(Error& error) noexcept {
  error.kind = ErrorKind::cancelled;
  error.transport_fault = TransportFault::cancelled;
}

/// Calls the hook with the latest try.
WECHATPAY_BONUS_COMMIT_DECL void CommitAttempts::notify(const Decision& next) const {
  const auto& on_try = setup_->options.hooks.on_try;
  if (on_try) run_users_code([&] { on_try({out_trade_no_, tries(), tries_.back(), next}); });
}

/// Turns the error of the latest try into the error of the whole call.
WECHATPAY_BONUS_COMMIT_DECL void CommitAttempts::finish(Error& error, std::string_view why_no_more) {
  if (tries_.size() > 1) error.message += "; tried " + std::to_string(tries_.size()) + " times: " + list_of_tries();
  if (error.outcome != outcome_ && outcome_ == Outcome::unknown) {
    error.message += "; an earlier try may have been done, so commit again with the same values";
  }
  if (!why_no_more.empty()) error.message.append("; ").append(why_no_more);
  error.outcome = outcome_;
  error.tries = std::move(tries_);
}

/// "https://a timeout (2 times), https://b 503".
WECHATPAY_BONUS_COMMIT_DECL std::string CommitAttempts::list_of_tries() const {
  std::vector<std::pair<std::string, int>> kinds;
  for (const Try& one : tries_) {
    std::string kind = one.origin + " " +
                       (one.answer ? std::to_string(one.http_status()) : std::string(to_string(one.transport_fault)));
    const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const auto& each) { return each.first == kind; });
    if (known == kinds.end()) {
      kinds.emplace_back(std::move(kind), 1);
    } else {
      ++known->second;
    }
  }
  std::string list;
  for (const auto& [kind, times] : kinds) {
    list += (list.empty() ? "" : ", ") + kind + (times > 1 ? " (" + std::to_string(times) + " times)" : "");
  }
  return list;
}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif
