#include "tests/simulation/wechat_pay.hpp"

#include <algorithm>
#include <ctime>

#include "wechatpay/bonus_commit/stages/base64.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"
#include "wechatpay/bonus_commit/stages/verification.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

constexpr const char* parameter_error = R"({"code":"PARAM_ERROR","message":"no","detail":{"field":"/bonus_value"}})";
constexpr const char* system_error = R"({"code":"SYSTEM_ERROR","message":"again, please"})";
constexpr const char* too_fast = R"({"code":"FREQUENCY_LIMITED","message":"slow down"})";
constexpr const char* unavailable = R"({"code":"SERVICE_UNAVAILABLE","message":"later"})";
constexpr const char* half = R"({"code":"PARAM_ERROR","mess)";
constexpr const char* no_auth = R"({"code":"NO_AUTH","message":"not yours"})";
constexpr const char* missing = R"({"code":"RESOURCE_NOT_EXISTS","message":"no such card"})";
constexpr const char* others_card = R"({"code":"INVALID_REQUEST","message":"会员卡的创建商户号不等于调用方商户号"})";
constexpr const char* others_id =
    R"({"code":"INVALID_REQUEST","message":"http header中的mchid与post payload中的mchid不匹配"})";
constexpr const char* no_route = R"({"code":"NOT_FOUND","message":"no route"})";
constexpr const char* page = "<html>Bad gateway</html>";

// Answers that repeat the request's signature: in a page, in WeChat Pay's form, or in Request-ID.
constexpr const char* echo_page = "echo page";
constexpr const char* echo_fields = "echo fields";
constexpr const char* echo_id = "echo id";

constexpr Reply credited{"credited", 204, Signed::well, true, ""};

constexpr Reply replies[] = {
    {"credited, unsigned", 204, Signed::not_at_all, true, ""},
    {"a forged success without a signature", 204, Signed::not_at_all, false, ""},
    {"a forged success", 204, Signed::wrongly, false, ""},
    {"credited, signed by an unknown key", 204, Signed::by_an_unknown_key, true, ""},
    {"a signature probe", 204, Signed::as_a_probe, true, ""},
    {"an old success", 204, Signed::long_ago, false, ""},
    {"credited, with a header twice", 204, Signed::twice, true, ""},
    {"credited, with a broken signature", 204, Signed::not_in_base64, true, ""},
    {"another order's success, a second time", 204, Signed::before, false, ""},
    {"another order's success, a second time, after the commit", 204, Signed::before, true, ""},
    {"200", 200, Signed::well, true, "{}"},
    {"200, unsigned", 200, Signed::not_at_all, true, "{}"},
    {"accepted", 202, Signed::well, false, ""},
    {"accepted, unsigned", 202, Signed::not_at_all, true, ""},
    {"a redirect", 302, Signed::not_at_all, false, ""},
    {"a redirect, signed", 302, Signed::well, false, ""},
    {"refused", 400, Signed::well, false, parameter_error},
    {"refused, unsigned", 400, Signed::not_at_all, false, parameter_error},
    {"a gateway's 400 after the commit", 400, Signed::not_at_all, true, R"({"code":"GATEWAY","message":"no"})"},
    {"a gateway's 403 after the commit", 403, Signed::not_at_all, true, R"({"code":""})"},
    {"a gateway's 404 in WeChat Pay's form, after the commit", 404, Signed::not_at_all, true, no_route},
    {"a gateway's 400 of a system error, after the commit", 400, Signed::not_at_all, true, system_error},
    {"another merchant's card", 400, Signed::well, false, others_card},
    {"another merchant's id", 400, Signed::well, false, others_id},
    {"a refusal that does not verify, after the commit", 400, Signed::wrongly, true, parameter_error},
    {"half of a refusal", 400, Signed::well, false, half},
    {"half of a refusal, unsigned, after the commit", 400, Signed::not_at_all, true, half},
    {"a bad signature", 401, Signed::not_at_all, false, R"({"code":"SIGN_ERROR","message":"no"})"},
    {"a bad signature, signed", 401, Signed::well, false, R"({"code":"SIGN_ERROR","message":"no"})"},
    {"forbidden", 403, Signed::well, false, no_auth},
    {"a page that repeats the signature", 403, Signed::not_at_all, true, echo_page},
    {"a refusal that repeats the signature", 400, Signed::well, false, echo_fields},
    {"a gateway's error that repeats the signature", 502, Signed::not_at_all, true, echo_fields},
    {"credited, and Request-ID repeats the signature", 204, Signed::well, true, echo_id},
    {"not found", 404, Signed::not_at_all, false, ""},
    {"not found, signed", 404, Signed::well, false, missing},
    {"a gateway's 404 after the commit", 404, Signed::not_at_all, true, page},
    {"a conflict after the commit, unsigned", 409, Signed::not_at_all, true, page},
    {"too large, by a gateway, after the commit", 413, Signed::not_at_all, true, ""},
    {"a signed 422", 422, Signed::well, false, parameter_error},
    {"a gateway's 408 after the commit", 408, Signed::not_at_all, true, parameter_error},
    {"a signed 408", 408, Signed::well, false, parameter_error},
    {"a gateway's 499 after the commit", 499, Signed::not_at_all, true, parameter_error},
    {"too fast", 429, Signed::well, false, too_fast},
    {"too fast, unsigned", 429, Signed::not_at_all, false, too_fast},
    {"a gateway's 429 after the commit", 429, Signed::not_at_all, true, page},
    {"a system error", 500, Signed::well, false, system_error},
    {"a system error after the commit", 500, Signed::well, true, system_error},
    {"a system error after the commit, unsigned", 500, Signed::not_at_all, true, system_error},
    {"a system error that does not verify, after the commit", 500, Signed::wrongly, true, system_error},
    {"an unknown error after the commit", 507, Signed::not_at_all, true, page},
    {"a bad gateway", 502, Signed::not_at_all, false, page},
    {"a bad gateway, signed", 502, Signed::well, false, page},
    {"a bad gateway after the commit", 502, Signed::not_at_all, true, page},
    {"unavailable", 503, Signed::well, false, unavailable},
    {"unavailable after the commit, unsigned", 503, Signed::not_at_all, true, unavailable},
    {"unavailable, not verified", 503, Signed::wrongly, true, unavailable},
    {"a gateway's timeout after the commit", 504, Signed::not_at_all, true, page},
    {"a timeout, signed", 504, Signed::well, true, unavailable},
    {"teapot", 418, Signed::well, false, "short and stout"},
};

/// The value of this name in Authorization.
std::string authorized(const HttpRequest& request, const std::string& name) {
  const std::string& authorization = request.headers.front().value;
  const std::size_t begin = authorization.find(name + "=\"") + name.size() + 2;
  return authorization.substr(begin, authorization.find('"', begin) - begin);
}

bool is_echo(std::string_view body) { return body.substr(0, 4) == "echo"; }

/// In one of the three forms that RFC 9110, section 5.6.7, names.
std::string http_date(Wall time, const char* form) {
  const std::time_t unix = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&unix, &parts);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, form, &parts);
  return {text, size};
}

}  // namespace

std::string hex(unsigned number, std::size_t digits) {
  std::string text(std::max<std::size_t>(digits, 8), '0');
  std::size_t begin = text.size();
  for (; number > 0; number >>= 4U) text[--begin] = "0123456789ABCDEF"[number & 0xFU];
  return text.substr(std::min(begin, text.size() - digits));
}

WechatPay::WechatPay(World& world, Auditor& auditor, bool real) : world_(world), auditor_(auditor) {
  for (unsigned i = 0; i < known_keys; ++i) {
    keys_.push_back(real ? real_key(i) : cheap_key(i));
    key_ids_.push_back(key_id(i));
  }
  faults_per_mille_ = world.tape.one_of({0U, 50U, 300U, 1000U});
  const auto share = world.tape.one_of({100U, 1000U, 30U});
  const bool echoes = world.tape.chance(100);  // seldom, since to look for pieces of signatures takes long
  for (const Reply& reply : replies) {
    if (!echoes && is_echo(reply.body)) continue;
    if (faults_per_mille_ > 0 && world.tape.chance(share)) enabled_.push_back(&reply);
  }
  for (const Reply* const reply : enabled_) replays_ = replays_ || reply->is_signed == Signed::before;
}

std::string WechatPay::key_id(unsigned number) {
  return "PUB_KEY_ID_011423213491241000000000000" + std::to_string(number);
}

void WechatPay::add_key_to(const PlatformKeys& keys, unsigned number) const {
  PlatformKeysFactory::add_public_key(keys, key_id(number), keys_[number].verifier);
}

const Reply& WechatPay::next_reply() {
  if (enabled_.empty() || !world_.tape.chance(faults_per_mille_)) return credited;
  return *enabled_[world_.tape.below(static_cast<std::uint32_t>(enabled_.size()))];
}

HttpResponse WechatPay::arrive(const HttpRequest& request, const Reply& reply) {
  const unsigned order = Auditor::number_in(request.body);
  if (order % 16 == 0) check(request, auditor_.call(order));
  if (reply.commits) ++auditor_.call(order).committed;
  const HttpResponse* const old = reply.is_signed == Signed::before ? settled_before(order) : nullptr;
  if (old != nullptr) return *old;
  Answered answered;
  answered.order = order;
  answered.reply = &reply;
  answered.time = world_.true_time();
  answered.receipt = reply.status == 204 && reply.is_signed == Signed::well;
  HttpResponse response;
  response.status = reply.status;
  response.body = reply.body;
  response.headers.reserve(7);
  if (reply.status >= 300 || reply.status == 202) add_retry_after(response, answered);
  const bool echoes = is_echo(response.body);
  if (echoes) answered.echoed = authorized(request, "signature");
  const unsigned number = auditor_.add_answer(answered);
  response.headers.push_back({"Request-ID", hex(number)});
  if (echoes) echo(response, answered.echoed);
  sign(response, request, reply.is_signed);
  if (replays_ && answered.receipt) receipts_.push_back(response);
  return response;
}

/// Repeats the signature in the place that the body names, whole or in pieces.
void WechatPay::echo(HttpResponse& response, const std::string& signature) {
  const std::size_t width = world_.tape.one_of({std::size_t{344}, std::size_t{76}, std::size_t{12}});
  const bool in_json = response.body == echo_fields;
  const bool in_page = response.body == echo_page;
  const std::string between = in_json   ? world_.tape.one_of({"\\n", " ", "<br>"})
                              : in_page ? world_.tape.one_of({"<br>", "\n", "&#10;"})
                                        : " ";
  std::string pieces;
  for (std::size_t at = 0; at < signature.size(); at += width) pieces += signature.substr(at, width) + between;
  if (in_json) {
    response.body = R"({"code":"PARAM_ERROR","message":")" + pieces + R"(","detail":{"field":"/)" + pieces +
                    R"(","value":")" + pieces + R"(","more":[")" + pieces + R"("]}})";
  } else if (in_page) {
    response.body = "<html>" + pieces + "</html>";
  } else {
    response.body.clear();
    response.headers.back().value += " " + pieces;
  }
}

HttpResponse WechatPay::timeout_of_idle_connection() {
  HttpResponse response;
  response.status = 408;
  response.body = page;
  return response;
}

/// An answer that has settled another order of the same client.
const HttpResponse* WechatPay::settled_before(unsigned number) const {
  for (auto at = receipts_.rbegin(); at != receipts_.rend(); ++at) {
    const unsigned id =
        static_cast<unsigned>(std::stoul(std::string(header_value(at->headers, "Request-ID")), nullptr, 16));
    const Call& settled = auditor_.call(auditor_.answer(id).order);
    const bool same_client = &settled.client == &auditor_.call(number).client;
    if (same_client && settled.settled_by == id && auditor_.answer(id).order != number) return &*at;
  }
  return nullptr;
}

void WechatPay::add_retry_after(HttpResponse& response, Answered& answered) {
  if (!world_.tape.chance(300)) return;
  const seconds wait = world_.tape.one_of({seconds(0), seconds(1), seconds(3), seconds(60), seconds(86399)});
  std::string value;
  switch (world_.tape.below(6)) {
    case 0:
      answered.retry_after = wait;
      value = std::to_string(wait.count());
      break;
    case 1:
      answered.retry_after = seconds(86400);
      value = "99999999999999999999";
      break;
    case 2:
      answered.retry_at = world_.wall() + wait * world_.tape.one_of({1, -1});
      value = http_date(*answered.retry_at, world_.tape.one_of({"%a, %d %b %Y %H:%M:%S GMT",
                                                                "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}));
      break;
    case 3: value = "-5"; break;
    case 4:  // the first of two counts
      answered.retry_after = wait;
      response.headers.push_back({"Retry-After", std::to_string(wait.count())});
      value = "7";
      break;
    default: value = "1e9"; break;
  }
  response.headers.push_back({"Retry-After", std::move(value)});
}

void WechatPay::sign(HttpResponse& response, const HttpRequest& request, Signed how) {
  if (how == Signed::not_at_all || how == Signed::before) return;
  const std::string_view announced = header_value(request.headers, "Wechatpay-Serial");
  unsigned key = announced == key_ids_[2] ? 2 : 1;
  if (how == Signed::by_an_unknown_key) key = 0;
  Wall time = world_.true_time();
  if (how == Signed::long_ago) time -= stages::greatest_clock_difference + seconds(400);
  HttpHeaders& headers = response.headers;
  std::string timestamp = std::to_string(std::chrono::duration_cast<seconds>(time.time_since_epoch()).count());
  std::string fresh = hex(++nonces_, 32);
  const std::string message = stages::verification_message(timestamp, fresh, response.body);
  std::string signature = stages::encode_base64(*keys_[key].signer->sign(message));
  if (how == Signed::wrongly) signature[10] = signature[10] == 'A' ? 'B' : 'A';
  if (how == Signed::not_in_base64) signature[10] = '*';
  if (how == Signed::as_a_probe) signature.insert(0, "WECHATPAY/SIGNTEST/");
  headers.push_back({"Wechatpay-Timestamp", std::move(timestamp)});
  headers.push_back({"Wechatpay-Nonce", std::move(fresh)});
  headers.push_back({"Wechatpay-Signature", std::move(signature)});
  headers.push_back({"Wechatpay-Serial", key_ids_[how == Signed::by_an_unknown_key ? 0 : key]});
  if (how == Signed::twice) headers.push_back({"wechatpay-nonce", "again"});
}

/// The client's signature must cover the request that arrived.
void WechatPay::check(const HttpRequest& request, const Call& call) const {
  const std::string message = request.method + "\n" + request.path + "\n" + authorized(request, "timestamp") + "\n" +
                              authorized(request, "nonce_str") + "\n" + request.body + "\n";
  const auto signature = stages::decode_base64(authorized(request, "signature"));
  world_.expect(signature && merchant().verifier->verify(message, *signature), "signature",
                "a request is signed wrongly");
  // A call goes on with the credentials with which it began.
  const std::string serial_no = authorized(request, "serial_no");
  world_.expect(serial_no == call.serial_no || serial_no == call.client.serial_no, "renewal",
                "a request names credentials that are not used any more");
}

}  // namespace wechatpay::bonus_commit::simulation
