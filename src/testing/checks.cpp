#include "src/testing/checks.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "src/testing/pki.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view auth_scheme = "WECHATPAY2-SHA256-RSA2048";

/// ASCII letters in lower case.
std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::vector<std::string_view> values_of(const HttpRequest& request, std::string_view lower_case_name) {
  std::vector<std::string_view> values;
  for (const HttpHeader& header : request.headers) {
    if (lower_case(header.name) == lower_case_name) values.push_back(header.value);
  }
  return values;
}

std::string_view value_of(const HttpRequest& request, std::string_view lower_case_name) {
  const auto values = values_of(request, lower_case_name);
  return values.empty() ? std::string_view() : values.front();
}

std::optional<std::string> percent_decoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const std::string pair = lower_case(text.substr(i + 1, 2));
    if (pair.size() != 2 || pair.find_first_not_of(digits) != std::string::npos) return std::nullopt;
    decoded += static_cast<char>(digits.find(pair[0]) * 16 + digits.find(pair[1]));
    i += 2;
  }
  return decoded;
}

/// The decoded segments of a path without its query; empty if one cannot be decoded.
std::vector<std::string> segments_of(std::string_view path) {
  path = path.substr(0, path.find('?'));
  std::vector<std::string> segments;
  if (path.substr(0, 1) != "/") return segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view encoded = path.substr(0, path.find('/'));
    const auto segment = percent_decoded(encoded);
    if (!segment) return {};
    segments.push_back(*segment);
    path.remove_prefix(encoded.size());
  }
  return segments;
}

/// The two values of a commit's path.
struct PathValues {
  std::string card_id;
  std::string code;
};

std::optional<PathValues> values_of_path(std::string_view path) {
  const std::vector<std::string> segments = segments_of(path);
  if (segments.size() != 9) return std::nullopt;
  const std::vector<std::string> of_a_commit = {"v3",    "marketing", "membercard-open", "cards", segments[4],
                                                "codes", segments[6], "bonus",           "commit"};
  if (segments != of_a_commit) return std::nullopt;
  return PathValues{segments[4], segments[6]};
}

/// What is wrong with a text's form; empty if nothing is.
std::string text_fault(const std::string& text) {
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
  return {};
}

std::string mchid_fault_of(const std::string& text) {
  std::string fault = text_fault(text);
  if (fault.empty() && text.find_first_not_of("0123456789") != std::string::npos) fault = "is not a merchant's id";
  return fault;
}

Refusal refuse_header(const std::string& issue) { return {error_response(400, "INVALID_REQUEST", issue)}; }

Refusal refuse_signature(const std::string& message, const ordered_json& detail) {
  return {error_response(401, "SIGN_ERROR", message, detail), false};
}

/// A refusal that names a part of Authorization.
Refusal refuse_part(const std::string& part, const std::string& value, const std::string& issue) {
  std::string message = "Authorization: ";
  if (part != "Authorization") message.append(part).append(" ");
  return refuse_signature(message.append(issue),
                          {{"field", part}, {"value", value}, {"issue", issue}, {"location", "authorization"}});
}

/// A refusal that names a value of path or body. At most 64 bytes of the value are shown.
Refusal refuse_value(const std::string& field, const std::string& value, const std::string& issue,
                     const char* location = "body") {
  return {error_response(400, "PARAM_ERROR", "parameter error",
                         {{"field", field}, {"value", value.substr(0, 64)}, {"issue", issue}, {"location", location}})};
}

/// Whether one element of Accept allows JSON (RFC 9110, section 12.5.1). Java's HttpURLConnection sends a single `*`.
bool takes_json(std::string_view element) {
  const auto part = [&element] {
    std::string text = lower_case(element.substr(0, element.find(';')));
    element.remove_prefix((std::min)(element.size(), text.size() + 1));
    text.erase(0, text.find_first_not_of(" \t"));
    text.erase(text.find_last_not_of(" \t") + 1);
    return text;
  };
  const std::string range = part();
  if (range != "application/json" && range != "application/*" && range != "*/*" && range != "*") return false;
  while (!element.empty()) {
    const std::string parameter = part();
    if (parameter.compare(0, 2, "q=") == 0 && parameter.find_first_of("123456789") == std::string::npos) return false;
  }
  return true;
}

bool accepts_json(const HttpRequest& request) {
  for (std::string_view list : values_of(request, "accept")) {
    while (!list.empty()) {
      const std::string_view element = list.substr(0, list.find(','));
      if (takes_json(element)) return true;
      list.remove_prefix((std::min)(list.size(), element.size() + 1));
    }
  }
  return false;
}

/// The key-value pairs of an Authorization header, or what is wrong with its form.
struct Authorization {
  std::map<std::string, std::string, std::less<>> pairs;
  std::string fault;
};

Authorization parse_authorization(std::string_view value) {
  Authorization read;
  const auto bad = [&read](std::string fault) {
    read.fault = std::move(fault);
    return read;
  };
  if (value.substr(0, auth_scheme.size() + 1) != std::string(auth_scheme) + " ") {
    return bad("must begin with WECHATPAY2-SHA256-RSA2048 and one space");
  }
  value.remove_prefix(auth_scheme.size() + 1);
  while (true) {
    const std::size_t equals = value.find("=\"");
    const std::size_t end = equals == std::string_view::npos ? equals : value.find('"', equals + 2);
    if (end == std::string_view::npos) return bad("must be pairs of key=\"value\"");
    const std::string key(value.substr(0, equals));
    if (key.find_first_of(" \t") != std::string::npos) return bad("must have no blanks around its keys");
    if (!read.pairs.emplace(key, value.substr(equals + 2, end - equals - 2)).second) {
      return bad(key + " is there twice");
    }
    value.remove_prefix(end + 1);
    if (value.empty()) break;
    if (value.front() != ',') return bad("must have only commas between its pairs");
    value.remove_prefix(1);
  }
  for (const char* key : {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}) {
    if (read.pairs.count(key) == 0) return bad(std::string(key) + " is missing");
  }
  if (read.pairs.size() != 5) return bad("must have five pairs");
  return read;
}

std::optional<Refusal> check_timestamp(const std::string& timestamp, std::int64_t now) {
  if (timestamp.empty() || timestamp.size() > 11 || timestamp.find_first_not_of("0123456789") != std::string::npos) {
    return refuse_part("timestamp", timestamp, "must be Unix time in seconds");
  }
  const std::int64_t difference = now - std::stoll(timestamp);
  if (difference <= 300 && difference >= -300) return std::nullopt;
  return refuse_part("timestamp", timestamp, "is more than 5 minutes from WeChat Pay's clock");
}

std::optional<Refusal> check_signature(const HttpRequest& request, const Authorization& authorization,
                                       const Merchant& merchant) {
  const auto& pairs = authorization.pairs;
  const MessageParts parts{request.method, request.path, pairs.at("timestamp"), pairs.at("nonce_str"), request.body};
  const std::string message = message_of(parts);
  if (is_signed_with(merchant.key, message, pairs.at("signature"))) return std::nullopt;
  const MessageContext context{std::string(value_of(request, "host")), merchant.mchid, merchant.serial_no,
                               merchant.nonces->latest()};
  return refuse_signature(
      "the signature does not match the request",
      {{"detail", {{"issue", "sign not match"}}},
       {"field", "signature"},
       {"location", "authorization"},
       {"explanation", explain_signature(parts, context, pairs.at("signature"), merchant.key, merchant.other_keys)},
       {"sign_information",
        {{"method", request.method},
         {"url", request.path},
         {"sign_message_length", message.size()},
         {"truncated_sign_message", message.substr(0, 512)}}}});
}

std::optional<Refusal> read_path(std::string_view path, BonusCommitRequest& commit) {
  const PathValues values = values_of_path(path).value();
  commit.card_id = values.card_id;
  commit.code = values.code;
  for (const auto& [name, value] : {std::pair("card_id", &commit.card_id), std::pair("code", &commit.code)}) {
    if (*value == "." || *value == "..") return refuse_value(name, *value, "must not be a dot segment", "path");
    if (const std::string issue = text_fault(*value); !issue.empty()) return refuse_value(name, *value, issue, "path");
  }
  return std::nullopt;
}

bool holds_four_byte_characters(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xF0; });
}

/// Reads JSON as WeChat Pay accepts it: without a byte order mark, null and four-byte characters. Nesting deeper than
/// any API needs is refused, since it would exhaust the stack.
std::optional<Refusal> parse_body(const std::string& text, json& body) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") return refuse_value("", "", "must not begin with a byte order mark");
  constexpr int deepest = 64;
  std::string member;
  std::optional<Refusal> refusal;
  const auto look = [&](int depth, json::parse_event_t event, const json& parsed) {
    const auto refuse = [&](const std::string& value, const char* issue) {
      if (refusal) return;
      std::string field;
      if (depth > 0) field.append("/").append(member);
      refusal = refuse_value(field, value, issue);
    };
    if (depth > deepest) refuse("", "is nested too deeply");
    if (event != json::parse_event_t::key && event != json::parse_event_t::value) return true;
    if (event == json::parse_event_t::key && depth == 1) member = parsed.get<std::string>();
    if (parsed.is_null()) refuse("null", "must not be null");
    if (parsed.is_string() && holds_four_byte_characters(parsed.get_ref<const std::string&>())) {
      refuse(parsed.get<std::string>(), "must not hold characters of four bytes in UTF-8");
    }
    return true;
  };
  body = json::parse(text, look, false);
  if (refusal) return refusal;
  if (!body.is_object()) return refuse_value("", text, "must be a JSON object");
  return std::nullopt;
}

/// Reads a text of the body. If it is optional and missing, it stays empty.
std::optional<Refusal> read_text(const json& body, const std::string& name, bool is_mchid, std::string& value) {
  const std::string field = "/" + name;
  const auto found = body.find(name);
  if (found == body.end()) {
    if (is_mchid) return std::nullopt;
    return refuse_value(field, "", "is missing");
  }
  if (!found->is_string()) return refuse_value(field, found->dump(), "must be a string");
  value = found->get<std::string>();
  const std::string issue = is_mchid ? mchid_fault_of(value) : text_fault(value);
  if (!issue.empty()) return refuse_value(field, value, issue);
  return std::nullopt;
}

std::optional<Refusal> read_points(const json& body, std::int64_t& points) {
  const auto found = body.find("bonus_value");
  if (found == body.end()) return refuse_value("/bonus_value", "", "is missing");
  constexpr auto largest = static_cast<std::uint64_t>((std::numeric_limits<std::int64_t>::max)());
  if (!found->is_number_integer() || (found->is_number_unsigned() && found->get<std::uint64_t>() > largest)) {
    return refuse_value("/bonus_value", found->dump(), "must be an integer of 64 bits");
  }
  points = found->get<std::int64_t>();
  if (points < 1) return refuse_value("/bonus_value", found->dump(), "must be positive");
  return std::nullopt;
}

}  // namespace

HttpResponse error_response(int status, std::string_view code, std::string_view message, const ordered_json& detail) {
  ordered_json body = {{"code", code}, {"message", message}};
  if (!detail.is_null()) body["detail"] = detail;
  HttpResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  response.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return response;
}

Target target_of(const HttpRequest& request) {
  if (values_of_path(request.path)) return Target::commit;
  if (segments_of(request.path) == std::vector<std::string>{"v3", "certificates"}) return Target::certificates;
  return Target::none;
}

std::optional<Refusal> check_target(const HttpRequest& request) {
  const Target target = target_of(request);
  if (target == Target::none) return Refusal{{404, {}, ""}, false};
  const char* const method = target == Target::commit ? "POST" : "GET";
  if (request.method != method) return Refusal{{405, {{"Allow", method}}, ""}, false};
  return std::nullopt;
}

std::optional<Refusal> check_headers(const HttpRequest& request, const std::vector<std::string>& keys) {
  if (value_of(request, "user-agent").empty()) return refuse_header("User-Agent is missing");
  if (!accepts_json(request)) return refuse_header("Accept must be application/json");
  const std::string announced(value_of(request, "wechatpay-serial"));
  const bool is_known = std::find(keys.begin(), keys.end(), announced) != keys.end();
  if (!announced.empty() && !is_known) {
    return Refusal{error_response(400, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误")};
  }
  if (target_of(request) != Target::commit) return std::nullopt;
  std::string_view type = value_of(request, "content-type");
  type = type.substr(0, type.find(';'));
  if (lower_case(type.substr(0, type.find_last_not_of(" \t") + 1)) != "application/json") {
    return refuse_header("Content-Type must be application/json");
  }
  return std::nullopt;
}

std::optional<Refusal> check_authorization(const HttpRequest& request, const Merchant& merchant, std::int64_t now) {
  const auto values = values_of(request, "authorization");
  if (values.size() != 1) return refuse_part("Authorization", "", "must be there exactly once");
  const Authorization authorization = parse_authorization(values.front());
  if (!authorization.fault.empty()) return refuse_part("Authorization", "", authorization.fault);
  const auto value = [&authorization](const char* key) -> const std::string& { return authorization.pairs.at(key); };
  if (auto refusal = check_timestamp(value("timestamp"), now)) return refusal;
  if (value("mchid") != merchant.mchid) {
    return refuse_part("mchid", value("mchid"), "is not the mchid in the subject of the merchant's certificate");
  }
  if (value("serial_no") != merchant.serial_no) {
    return refuse_part("serial_no", value("serial_no"), "is not a serial number of this merchant's certificates");
  }
  if (value("nonce_str").empty() || value("nonce_str").size() > 32) {
    return refuse_part("nonce_str", value("nonce_str"), "must have 1 to 32 characters");
  }
  if (auto refusal = check_signature(request, authorization, merchant)) return refusal;
  if (merchant.nonces->is_new(value("nonce_str"), now)) return std::nullopt;
  return refuse_part("nonce_str", value("nonce_str"),
                     "was used before; each request needs a new one, and so does each that is repeated");
}

std::optional<Refusal> read_commit(const HttpRequest& request, const Merchant& merchant, BonusCommitRequest& commit) {
  if (auto refusal = read_path(request.path, commit)) return refusal;
  json body;
  if (auto refusal = parse_body(request.body, body)) return refusal;
  if (auto refusal = read_text(body, "out_trade_no", false, commit.out_trade_no)) return refusal;
  if (auto refusal = read_text(body, "mchid", true, commit.mchid)) return refusal;
  if (auto refusal = read_text(body, "sub_mchid", true, commit.sub_mchid)) return refusal;
  if (commit.mchid.empty() && commit.sub_mchid.empty()) {
    return refuse_value("/mchid", "", "mchid or sub_mchid must be given");
  }
  if (auto refusal = read_points(body, commit.bonus_value)) return refusal;
  commit.merchant_mode = commit.sub_mchid.empty() ? MerchantMode::direct
                         : commit.mchid.empty()   ? MerchantMode::partner
                                                  : MerchantMode::both;
  if (commit.merchant_mode == MerchantMode::direct && commit.mchid != merchant.mchid) {
    return Refusal{error_response(400, "PARAM_ERROR", "http header中的mchid与post payload中的mchid不匹配")};
  }
  return std::nullopt;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
