#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <limits>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "src/testing/pki.hpp"
#include "wechatpay/bonus_commit/signature.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {
namespace {

using nlohmann::json;
using MessageDigestHandle = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;

constexpr std::string_view scheme = "WECHATPAY2-SHA256-RSA2048";

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

/// One RSA key for each role, once per process: making one takes a while.
struct Keys {
  PkeyHandle merchant = make_rsa_key();
  PkeyHandle platform_public_key = make_rsa_key();
  PkeyHandle platform_certificate = make_rsa_key();
};

Keys& keys() {
  static Keys made;
  return made;
}

std::string signature_under(EVP_PKEY* key, std::string_view message) {
  const MessageDigestHandle context(EVP_MD_CTX_new());
  std::string raw(static_cast<std::size_t>(EVP_PKEY_get_size(key)), '\0');
  std::size_t size = raw.size();
  if (context == nullptr || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(raw.data()), &size, bytes_of(message),
                     message.size()) != 1) {
    return {};
  }
  std::string text((size + 2) / 3 * 4 + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes_of(raw), static_cast<int>(size));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

bool valid_under(EVP_PKEY* key, std::string_view message, std::string_view signature) {
  if (signature.size() != 344 || signature.substr(342) != "==") return false;
  std::string raw(258, '\0');
  const MessageDigestHandle context(EVP_MD_CTX_new());
  return EVP_DecodeBlock(reinterpret_cast<unsigned char*>(raw.data()), bytes_of(signature), 344) == 258 &&
         context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(raw), 256, bytes_of(message), message.size()) == 1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    const std::size_t at = std::string_view("0123456789ABCDEF").find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
  };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
    decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return decoded;
}

struct PathValues {
  std::string card_id;
  std::string code;
};

std::optional<PathValues> values_of_path(std::string_view path) {
  const auto take = [&path](std::string_view fixed) {
    if (path.substr(0, fixed.size()) != fixed) return false;
    path.remove_prefix(fixed.size());
    return true;
  };
  const auto segment = [&path] {
    const std::string_view value = path.substr(0, path.find('/'));
    path.remove_prefix(value.size());
    return percent_decoded(value);
  };
  if (!take("/v3/marketing/membercard-open/cards/")) return std::nullopt;
  const auto card_id = segment();
  if (!card_id || !take("/codes/")) return std::nullopt;
  const auto code = segment();
  if (!code || path != "/bonus/commit") return std::nullopt;
  return PathValues{*card_id, *code};
}

/// What WeChat Pay's documents rule out in a text; empty where they rule out nothing. It shares no code with the
/// library's check(), so that a wrong rule there does not hide itself. What the documents do not speak of (blanks at
/// the ends, characters that cannot be seen) is taken.
std::string text_fault(const std::string& text, bool is_mchid) {
  if (text.empty()) return "must not be empty";
  try {
    static_cast<void>(json(text).dump());
  } catch (const json::type_error&) {
    return "must be valid UTF-8";
  }
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 = byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F || c1) return "must not hold control characters";
    if (byte >= 0xF0) return "must not hold characters of four bytes in UTF-8";
    if ((byte & 0xC0U) != 0x80U) ++characters;
  }
  if (characters > 32) return "must be at most 32 characters long";
  if (is_mchid && text.find_first_not_of("0123456789") != std::string::npos) return "is not a merchant's id";
  return {};
}

/// The five pairs of an Authorization header, or what is wrong with its form.
struct Authorization {
  std::map<std::string, std::string> pairs;
  std::string fault;
};

Authorization parse_authorization(std::string_view value) {
  Authorization read;
  if (value.substr(0, scheme.size() + 1) != std::string(scheme) + " ") {
    read.fault = "must begin with WECHATPAY2-SHA256-RSA2048 and one space";
    return read;
  }
  value.remove_prefix(scheme.size() + 1);
  while (true) {
    const std::size_t equals = value.find("=\"");
    const std::size_t end = equals == std::string_view::npos ? equals : value.find('"', equals + 2);
    if (end == std::string_view::npos) {
      read.fault = "must be pairs of key=\"value\"";
      return read;
    }
    const std::string key(value.substr(0, equals));
    if (!read.pairs.emplace(key, value.substr(equals + 2, end - equals - 2)).second) {
      read.fault = key + " is there twice";
      return read;
    }
    value.remove_prefix(end + 1);
    if (value.empty()) break;
    if (value.front() != ',') {
      read.fault = "must have commas alone between its pairs";
      return read;
    }
    value.remove_prefix(1);
  }
  for (const char* key : {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}) {
    if (read.pairs.count(key) == 0) read.fault = std::string(key) + " is missing";
  }
  if (read.fault.empty() && read.pairs.size() != 5) read.fault = "must have five pairs";
  return read;
}

}  // namespace

struct FakeWechatPay::State {
  FakeWechatPayOptions options;
  std::string merchant_serial;
  std::string merchant_key_pem;
  std::string merchant_certificate_pem;
  std::string merchant_p12;
  std::string public_key_pem;
  std::string public_key_id = "PUB_KEY_ID_0119000000012026112300000000000001";
  std::string certificate_pem;
  std::string certificate_serial;

  mutable std::atomic<std::uint64_t> answers{0};
  mutable std::mutex mutex;
  std::map<std::tuple<std::string, std::string, std::string>, CommittedOrder> orders;

  std::int64_t now() const {
    return std::chrono::duration_cast<std::chrono::seconds>(options.clock().time_since_epoch()).count();
  }
};

FakeWechatPay::FakeWechatPay(FakeWechatPayOptions options) : state_(std::make_unique<State>()) {
  State& state = *state_;
  Keys& own = keys();
  const auto merchant = make_certificate({options.mchid, "", {}, false}, own.merchant.get());
  const auto platform = make_certificate({"Tenpay.com sign", "", {}, false}, own.platform_certificate.get());
  state.merchant_key_pem = private_key_pem(own.merchant.get());
  state.merchant_certificate_pem = wechatpay::certificate_pem(merchant.get());
  state.merchant_p12 = pkcs12(own.merchant.get(), merchant.get(), options.mchid);
  state.public_key_pem = wechatpay::public_key_pem(own.platform_public_key.get());
  state.certificate_pem = wechatpay::certificate_pem(platform.get());
  state.merchant_serial = credentials().serial_no();
  state.certificate_serial = PlatformKeys().add_certificate(state.certificate_pem).value();
  state.options = std::move(options);
}

FakeWechatPay::~FakeWechatPay() = default;

Credentials FakeWechatPay::credentials() const {
  return Credentials::from_pem(state_->merchant_certificate_pem, state_->merchant_key_pem).value();
}

std::shared_ptr<PlatformKeys> FakeWechatPay::platform_keys() const {
  auto store = std::make_shared<PlatformKeys>();
  static_cast<void>(store->add_certificate(state_->certificate_pem).value());
  static_cast<void>(store->add_public_key(state_->public_key_id, state_->public_key_pem).value());
  return store;
}

const std::string& FakeWechatPay::merchant_key_pem() const noexcept { return state_->merchant_key_pem; }
const std::string& FakeWechatPay::merchant_certificate_pem() const noexcept { return state_->merchant_certificate_pem; }
const std::string& FakeWechatPay::merchant_p12() const noexcept { return state_->merchant_p12; }
const std::string& FakeWechatPay::public_key_pem() const noexcept { return state_->public_key_pem; }
const std::string& FakeWechatPay::public_key_id() const noexcept { return state_->public_key_id; }
const std::string& FakeWechatPay::certificate_pem() const noexcept { return state_->certificate_pem; }
const std::string& FakeWechatPay::certificate_serial() const noexcept { return state_->certificate_serial; }

HttpResponse FakeWechatPay::sign(HttpResponse response, const HttpRequest& request, std::chrono::seconds ago) const {
  const std::uint64_t number = ++state_->answers;
  char request_id[40];
  static_cast<void>(
      std::snprintf(request_id, sizeof request_id, "08%016llX10EA05-0", static_cast<unsigned long long>(number)));
  const auto random = random_nonce();
  const std::string nonce = random ? *random : std::to_string(number);

  const bool by_public_key = header_value(request.headers, "Wechatpay-Serial") == state_->public_key_id;
  EVP_PKEY* const key = by_public_key ? keys().platform_public_key.get() : keys().platform_certificate.get();
  const std::string timestamp = std::to_string(state_->now() - ago.count());
  const std::string message = timestamp + "\n" + nonce + "\n" + response.body + "\n";

  HttpHeaders& headers = response.headers;
  if (header_value(headers, "Request-ID").empty()) headers.push_back({"Request-ID", request_id});
  headers.push_back({"Wechatpay-Nonce", nonce});
  headers.push_back({"Wechatpay-Serial", by_public_key ? state_->public_key_id : state_->certificate_serial});
  headers.push_back({"Wechatpay-Signature", signature_under(key, message)});
  headers.push_back({"Wechatpay-Signature-Type", std::string(scheme)});
  headers.push_back({"Wechatpay-Timestamp", timestamp});
  return response;
}

HttpResponse FakeWechatPay::error(int status, std::string_view code, std::string_view message,
                                  const HttpRequest& request, std::string_view detail) const {
  nlohmann::ordered_json body = {{"code", code}, {"message", message}};
  if (!detail.empty()) body["detail"] = nlohmann::ordered_json::parse(detail);
  return sign({status,
               {{"Content-Type", "application/json; charset=utf-8"}},
               body.dump(-1, ' ', false, json::error_handler_t::replace)},
              request);
}

HttpResponse FakeWechatPay::answer(const HttpRequest& request) {
  const auto path_values = values_of_path(request.path);
  if (!path_values) return {404, {}, ""};
  if (request.method != "POST") return {405, {{"Allow", "POST"}}, ""};

  const auto refuse_header = [&](const char* name, const char* issue) {
    return error(400, "INVALID_REQUEST", std::string(name) + " " + issue, request);
  };
  if (header_value(request.headers, "User-Agent").empty()) return refuse_header("User-Agent", "is missing");
  const std::string_view accept = header_value(request.headers, "Accept");
  if (accept != "application/json" && accept != "*/*") return refuse_header("Accept", "must be application/json");
  const std::string_view content_type = header_value(request.headers, "Content-Type");
  if (!same_token(content_type.substr(0, content_type.find(';')), "application/json")) {
    return refuse_header("Content-Type", "must be application/json");
  }

  // Failed authentication is answered without a signature.
  const auto refuse_signature = [&](const std::string& message, json detail) {
    const json body = {{"code", "SIGN_ERROR"}, {"message", message}, {"detail", std::move(detail)}};
    return HttpResponse{401,
                        {{"Content-Type", "application/json; charset=utf-8"}},
                        body.dump(-1, ' ', false, json::error_handler_t::replace)};
  };
  const auto refuse_field = [&](const char* field, const std::string& value, const std::string& issue) {
    return refuse_signature("Authorization: " + std::string(field) + " " + issue,
                            {{"field", field}, {"value", value}, {"issue", issue}, {"location", "authorization"}});
  };
  if (header_values(request.headers, "Authorization").size() != 1) {
    return refuse_field("Authorization", "", "must be there exactly once");
  }
  Authorization authorization = parse_authorization(header_value(request.headers, "Authorization"));
  if (!authorization.fault.empty()) return refuse_field("Authorization", "", authorization.fault);
  auto& pairs = authorization.pairs;

  const std::string& timestamp = pairs["timestamp"];
  const bool number =
      !timestamp.empty() && timestamp.size() <= 11 && timestamp.find_first_not_of("0123456789") == std::string::npos;
  if (!number) return refuse_field("timestamp", timestamp, "must be Unix time in seconds");
  const std::int64_t difference = state_->now() - std::stoll(timestamp);
  if (difference > 300 || difference < -300) {
    return refuse_field("timestamp", timestamp, "is more than 5 minutes from WeChat Pay's clock");
  }
  if (pairs["mchid"] != state_->options.mchid) return refuse_field("mchid", pairs["mchid"], "is not a merchant's id");
  if (pairs["serial_no"] != state_->merchant_serial) {
    return refuse_field("serial_no", pairs["serial_no"], "is not a serial number of this merchant's certificates");
  }
  if (pairs["nonce_str"].empty() || pairs["nonce_str"].size() > 32) {
    return refuse_field("nonce_str", pairs["nonce_str"], "must have 1 to 32 characters");
  }
  const std::string message =
      request.method + "\n" + request.path + "\n" + timestamp + "\n" + pairs["nonce_str"] + "\n" + request.body + "\n";
  if (!valid_under(keys().merchant.get(), message, pairs["signature"])) {
    const json detail = {{"detail", {{"issue", "sign not match"}}},
                         {"field", "signature"},
                         {"location", "authorization"},
                         {"sign_information",
                          {{"method", request.method},
                           {"url", request.path},
                           {"sign_message_length", message.size()},
                           {"truncated_sign_message", message.substr(0, 512)}}}};
    return refuse_signature("the signature does not match the request", detail);
  }

  const auto refuse_parameter = [&](const Fault& fault) {
    const json detail = {
        {"field", fault.field}, {"value", fault.value}, {"issue", fault.issue}, {"location", fault.location}};
    return error(400, "PARAM_ERROR", "parameter error", request,
                 detail.dump(-1, ' ', false, json::error_handler_t::replace));
  };
  BonusCommitRequest commit;
  commit.card_id = path_values->card_id;
  commit.code = path_values->code;
  for (const auto& [name, value] : {std::pair("card_id", &commit.card_id), std::pair("code", &commit.code)}) {
    std::string issue = text_fault(*value, false);
    if (*value == "." || *value == "..") issue = "must not be a dot segment";
    if (!issue.empty()) return refuse_parameter({name, printable(*value, 64), issue, "path"});
  }
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) return refuse_parameter({"", printable(request.body, 64), "must be a JSON object", "body"});
  for (const auto& [name, value] : {std::pair("out_trade_no", &commit.out_trade_no), std::pair("mchid", &commit.mchid),
                                    std::pair("sub_mchid", &commit.sub_mchid)}) {
    const std::string field = std::string("/") + name;
    const bool optional = value != &commit.out_trade_no;
    const auto found = body.find(name);
    if (found == body.end() && optional) continue;
    if (found == body.end()) return refuse_parameter({field, "", "is missing", "body"});
    if (!found->is_string()) return refuse_parameter({field, found->dump(), "must be a string", "body"});
    *value = found->get<std::string>();
    if (std::string issue = text_fault(*value, optional); !issue.empty()) {
      return refuse_parameter({field, printable(*value, 64), std::move(issue), "body"});
    }
  }
  if (commit.mchid.empty() && commit.sub_mchid.empty()) {
    return refuse_parameter({"/mchid", "", "mchid or sub_mchid must be given", "body"});
  }
  const auto points = body.find("bonus_value");
  if (points == body.end()) return refuse_parameter({"/bonus_value", "", "is missing", "body"});
  constexpr auto largest = static_cast<std::uint64_t>((std::numeric_limits<std::int64_t>::max)());
  if (!points->is_number_integer() || (points->is_number_unsigned() && points->get<std::uint64_t>() > largest)) {
    return refuse_parameter({"/bonus_value", points->dump(), "must be an integer of 64 bits", "body"});
  }
  if (points->get<std::int64_t>() < 1)
    return refuse_parameter({"/bonus_value", points->dump(), "must be positive", "body"});
  commit.bonus_value = points->get<std::int64_t>();
  commit.merchant_mode = commit.sub_mchid.empty() ? MerchantMode::direct
                         : commit.mchid.empty()   ? MerchantMode::partner
                                                  : MerchantMode::both;
  if (commit.merchant_mode == MerchantMode::direct && commit.mchid != pairs["mchid"]) {
    return error(400, "PARAM_ERROR", "http header中的mchid与post payload中的mchid不匹配", request);
  }

  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    CommittedOrder& order = state_->orders[{commit.out_trade_no, commit.card_id, commit.code}];
    order.request = commit;
    ++order.times;
  }
  return sign({204, {}, ""}, request);
}

std::vector<CommittedOrder> FakeWechatPay::committed() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  std::vector<CommittedOrder> orders;
  orders.reserve(state_->orders.size());
  for (const auto& [key, order] : state_->orders) orders.push_back(order);
  return orders;
}

std::size_t FakeWechatPay::times_committed(std::string_view out_trade_no) const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  std::size_t times = 0;
  for (auto at = state_->orders.lower_bound({std::string(out_trade_no), "", ""});
       at != state_->orders.end() && std::get<0>(at->first) == out_trade_no; ++at) {
    times += at->second.times;
  }
  return times;
}

}  // namespace wechatpay
