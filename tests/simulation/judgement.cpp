#include "tests/simulation/judgement.hpp"

#include <algorithm>
#include <string_view>

namespace wechatpay::bonus_commit::simulation {

namespace {

/// Codes of refusals in WeChat Pay's documents, as far as answers here have them.
constexpr std::string_view documented[] = {"PARAM_ERROR", "INVALID_REQUEST",     "SIGN_ERROR",
                                           "NO_AUTH",     "RESOURCE_NOT_EXISTS", "FREQUENCY_LIMITED"};

/// The text of this name in a body in WeChat Pay's form; empty in any other body.
std::string_view text_of(std::string_view body, std::string_view before) {
  const std::size_t at = body.find(before);
  if (body.empty() || body.back() != '}' || at == std::string_view::npos) return {};
  const std::string_view rest = body.substr(at + before.size());
  return rest.substr(0, rest.find('"'));
}

bool is_documented(std::string_view body) {
  const std::string_view code = text_of(body, "\"code\":\"");
  const bool listed = std::find(std::begin(documented), std::end(documented), code) != std::end(documented);
  return listed && !text_of(body, "\"message\":\"").empty();
}

Judgement judge_2xx(const Reply& reply, bool verified) {
  if (verified) {
    if (reply.status == 204) return {Says::credited, Outcome::unknown, true, true};
    return {Says::nothing, Outcome::unknown, reply.status != 202, true};
  }
  const bool wrong_keys = reply.is_signed == Signed::by_an_unknown_key || reply.is_signed == Signed::long_ago;
  return {wrong_keys ? Says::setup_wrong : Says::nothing, Outcome::unknown, false, false};
}

Judgement judge_4xx(const Reply& reply, bool verified) {
  const bool gave_up_waiting = reply.status == 408 || reply.status == 499;
  const bool plain = reply.is_signed == Signed::not_at_all && !gave_up_waiting && is_documented(reply.body);
  Judgement judgement{Says::nothing, Outcome::unknown, true, verified};
  if (verified || plain) judgement.outcome = Outcome::refused;
  judgement.final = reply.status != 429 && (reply.status != 408 || verified);
  if (judgement.outcome == Outcome::unknown || gave_up_waiting || reply.status == 429) return judgement;
  if (reply.status == 401) {
    judgement.says = Says::setup_wrong;
  } else if (reply.status == 403) {
    judgement.says = Says::merchant_not_permitted;
  } else {
    const auto has = [&reply](std::string_view text) { return std::string_view(reply.body).find(text) != text.npos; };
    judgement.says = has("http header") ? Says::merchant_doubted
                     : has("商户")      ? Says::card_not_permitted
                                        : Says::refused;
  }
  return judgement;
}

Judgement judge_5xx(const Reply& reply, bool verified) {
  const bool not_done = verified && (reply.status == 502 || reply.status == 503);
  return {Says::nothing, not_done ? Outcome::refused : Outcome::unknown, !asks_for_another(reply.status), verified};
}

}  // namespace

Judgement judge(const Reply& reply) {
  const bool verified = reply.is_signed == Signed::well;
  if (reply.status < 300) return judge_2xx(reply, verified);
  if (reply.status < 400) return {Says::nothing, Outcome::unknown, true, verified};
  return reply.status < 500 ? judge_4xx(reply, verified) : judge_5xx(reply, verified);
}

Judgement judge(const Error& of_transport) {
  const bool in_form = of_transport.kind == ErrorKind::transport_failed || of_transport.kind == ErrorKind::misuse;
  Judgement judgement;
  if (in_form && of_transport.outcome == Outcome::not_sent) judgement.outcome = Outcome::not_sent;
  if (of_transport.transport_fault == TransportFault::tls_verification) judgement.says = Says::setup_wrong;
  judgement.final = !counts(of_transport.transport_fault);
  return judgement;
}

bool counts(TransportFault fault) {
  switch (fault) {
    case TransportFault::name_lookup:
    case TransportFault::connect:
    case TransportFault::tls:
    case TransportFault::timeout:
    case TransportFault::connection_closed:
    case TransportFault::answer_too_large:
    case TransportFault::answer_malformed: return true;
    default: return false;
  }
}

bool asks_for_another(int status) {
  return status == 202 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

}  // namespace wechatpay::bonus_commit::simulation
