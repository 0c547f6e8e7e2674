#include "doctor_verdicts.hpp"

#include <wechatpay/bonus_commit/impl/own_key.hpp>
#include <wechatpay/bonus_commit/stages/text.hpp>

#include <ctime>
#include <iostream>
#include <optional>
#include <utility>

#include "json_output.hpp"
#include "wording.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

std::string as_date(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[] = "2000-01-01";
  static_cast<void>(std::strftime(text, sizeof text, "%Y-%m-%d", &parts));
  return text;
}

std::string milliseconds(std::chrono::microseconds time) { return std::to_string(time.count() / 1000) + " ms"; }

/// True if an answer was received.
bool judge_way(const Try& made, bool through_proxy, const std::string& message, Findings& findings) {
  const TransferInfo& transfer = made.transfer;
  const TransportFault fault = made.transport_fault;
  const bool failed = fault != TransportFault::none;
  const bool tls_failed = fault == TransportFault::tls || fault == TransportFault::tls_verification;
  // libcurl does not report that a connection was established if the tunnel or TLS fails afterwards. Its messages show
  // it.
  const bool in_tunnel = through_proxy && failed && message.find("CONNECT") != std::string::npos;
  const bool in_tls = tls_failed || (failed && message.find("SSL connection timeout") != std::string::npos);
  const bool connected = transfer.connect.count() > 0 || in_tunnel || in_tls;
  const bool resolved = transfer.name_lookup.count() > 0 || connected;

  const std::string_view name_lookup = through_proxy ? "proxy's name lookup" : "name lookup";
  if (fault == TransportFault::name_lookup || (fault == TransportFault::timeout && !resolved)) {
    findings.bad(name_lookup, message);
    return false;
  }
  if (transfer.name_lookup.count() > 0) findings.good(name_lookup, milliseconds(transfer.name_lookup));

  const std::string_view connection = through_proxy ? "connection to proxy" : "connection";
  if (failed && !connected) {
    findings.bad(connection, message);
    return false;
  }
  std::string established = "established";
  if (transfer.connect.count() > 0) established = "after " + milliseconds(transfer.connect);
  findings.good(connection, established);

  if (in_tunnel || fault == TransportFault::connect) {  // connected, so it is the proxy that refuses
    findings.bad("proxy's tunnel", message);
    return false;
  }
  if (failed && transfer.tls.count() == 0) {
    findings.bad("TLS", message);
    return false;
  }
  if (transfer.tls.count() > 0) {
    findings.good("TLS", "the host's certificate is trusted; after " + milliseconds(transfer.tls));
  }
  if (failed) findings.bad("answer", message);
  return !failed;
}

void judge_clock(std::optional<std::chrono::seconds> offset, Findings& findings) {
  if (!offset) {
    findings.open("clock", "the answer does not show WeChat Pay's time");
    return;
  }
  const std::string seconds = std::to_string(offset->count()) + " s from WeChat Pay's clock";
  const auto off_by = std::chrono::abs(*offset);
  if (off_by > std::chrono::minutes(5)) {
    findings.bad(
        "clock",
        seconds + ": beyond 300 s WeChat Pay rejects requests, and answers are not accepted; synchronise it with NTP");
  } else if (off_by > std::chrono::minutes(1)) {
    findings.doubtful("clock", seconds + ": synchronise it with NTP before it reaches 300 s");
  } else {
    findings.good("clock", seconds);
  }
}

bool is_for_now(int status) { return status == 408 || status == 429 || status == 499 || status >= 500; }

/// What WeChat Pay's refusal means. The expected refusal says that there is no such order.
void judge_refusal(const Error& error, const std::string& said, Findings& findings) {
  if (error.remedy == Remedy::ask_wechat_pay || error.http_status() == 403) {
    findings.bad("permission", error.message);
  } else if (upper_case(error.message).find("WECHATPAY-SERIAL") != std::string::npos) {
    findings.bad("announced key", error.message);
  } else if (error.remedy == Remedy::correct_setup) {
    findings.bad("signed request", error.message);
  } else {
    findings.good("signed request",
                  "accepted: refused with " + said + ", as expected for an order that does not exist");
  }
  findings.good("signed answer", "verified");
}

/// What the answer shows about the request's signature and about its own.
void judge_answer(const CommitResult& result, Findings& findings) {
  if (result) {
    findings.good("signed request", "accepted, and answered 204: this host accepts any order, as a sandbox does");
    findings.good("signed answer", "verified with " + result->serial);
    return;
  }
  const Error& error = result.error();
  const std::string said = label(error);
  if (error.kind == ErrorKind::unverified_answer) {
    findings.good("signed request", "accepted: answered " + said);
    findings.bad("signed answer", error.message);
  } else if (error.kind == ErrorKind::unexpected_answer) {
    findings.bad("answer", error.message);
  } else if (error.http_status() == 401) {
    findings.bad("signed request", error.message);
  } else if (is_for_now(error.http_status())) {
    findings.undecided("signed request",
                       "answered " + said +
                           (error.http_status() == 429 ? ": too many requests at the moment"
                                                       : ": WeChat Pay is not available at the moment") +
                           ", so this step could not be checked; try again later");
    if (error.verified()) findings.good("signed answer", "verified");
  } else if (!error.verified()) {
    findings.open("signed request", "answered " + said + ", but the sender could not be verified");
    findings.bad("signed answer", "WeChat Pay signs this answer, but it could not be verified: " +
                                      std::string(to_string(error.verification_fault())) +
                                      "; check the platform keys, the host, and whether a proxy removes headers");
  } else {
    judge_refusal(error, said, findings);
  }
}

}  // namespace

void Findings::begin_host(const std::string& origin) {
  origin_ = origin;
  if (!json_) std::cout << "\n" << origin << "\n";
}

void Findings::undecided(std::string_view step, const std::string& what) {
  ++undecided_;
  open(step, what);
}

void Findings::add(const std::string& verdict, std::string_view step, const std::string& what) {
  if (verdict == "BAD") ++bad_;
  const std::string message = in_words_of_the_tool(what);
  nlohmann::ordered_json found;
  if (!origin_.empty()) found["origin"] = origin_;
  found["step"] = step;
  const bool is_open = verdict == "?";
  found["verdict"] = word(is_open ? "unknown" : verdict.c_str());
  found["message"] = message;
  steps_.push_back(std::move(found));
  if (json_) return;
  const std::size_t width = 20;
  std::string shown = is_open ? "  ?" : verdict.c_str();
  shown.resize(6, ' ');
  std::cout << shown << step << std::string(step.size() < width ? width - step.size() : 1, ' ') << message << "\n"
            << std::flush;
}

nlohmann::ordered_json Findings::as_json() const {
  return {{"wrong", bad_}, {"undecided", undecided_}, {"steps", steps_}};
}

void judge_credentials(const Result<Credentials>& credentials, std::chrono::system_clock::time_point now,
                       Findings& findings) {
  if (!credentials) {
    findings.bad("merchant's key", credentials.error().message);
    return;
  }
  findings.good("merchant's key", "merchant " + credentials->mchid() + ", serial_no " + credentials->serial_no());
  const auto probe = credentials->signer().sign("doctor");
  if (!probe) findings.bad("signing", probe.error().message);
  const auto not_after = credentials->not_after();
  const auto warnings = credentials->warnings(now);
  const bool expired = not_after && *not_after < now;
  if (!not_after) {
    findings.open("its certificate", "not given, so neither its dates nor whether the key belongs to it can be seen");
  } else if (expired) {
    findings.bad("its certificate", "expired on " + as_date(*not_after) + ": get a new one on the merchant platform");
  } else {
    findings.good("its certificate", "the key belongs to it; valid until " + as_date(*not_after));
  }
  for (const std::string& warning : warnings) {
    const bool told = expired && warning.find(" expired ") != std::string::npos;
    if (!told) findings.doubtful("merchant's files", warning);
  }
}

void judge_platform_keys(const Result<PlatformKeys>& keys, Findings& findings) {
  if (!keys) {
    findings.bad("platform keys", keys.error().message);
    return;
  }
  std::string serials;
  for (const std::string& serial : keys->serials()) serials += (serials.empty() ? "" : ", ") + serial;
  findings.good("platform keys", serials + "; requests announce " + keys->announced());
  for (const std::string& warning : keys->warnings()) findings.doubtful("platform keys", warning);
}

bool judge_own_key(const Credentials& credentials, const PlatformKeys& keys, Findings& findings) {
  const std::string serial = serial_of_own_key(credentials, keys);
  if (serial.empty()) return false;
  findings.bad("platform keys", serial +
                                    " is the merchant's own public key, which verifies no answer: give WeChat Pay's "
                                    "pub_key.pem, downloaded from the merchant platform");
  return true;
}

void judge_environment(const std::function<bool(const char*)>& is_set, bool has_proxy, bool has_ca_file,
                       Findings& findings) {
  const auto set_ones = [&is_set](std::initializer_list<const char*> names) {
    std::string all;
    for (const char* name : names) {
      if (is_set(name)) all += (all.empty() ? "" : ", ") + std::string(name);
    }
    return all;
  };
  const std::string proxies = set_ones({"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"});
  if (!proxies.empty() && !has_proxy) {
    findings.doubtful("environment",
                      "set, and not used: " + proxies + "; give --proxy if requests must go through a proxy");
  }
  const std::string authorities = set_ones({"CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"});
  if (!authorities.empty() && !has_ca_file) {
    findings.doubtful("environment", "set, and not used: " + authorities +
                                         "; give --ca-file to trust other authorities than the system's");
  }
  const std::string key_log = set_ones({"SSLKEYLOGFILE"});
  if (!key_log.empty()) {
    findings.doubtful("environment", "set: " + key_log +
                                         "; libcurl may write the keys of TLS connections there, and "
                                         "who has that file can read them: unset it in production");
  }
}

void judge_commit(const Try& made, bool through_proxy, const CommitResult& result, Findings& findings) {
  const std::string message = result ? std::string() : result.error().message;
  if (!judge_way(made, through_proxy, message, findings)) return;
  judge_clock(made.answer ? made.answer->clock_offset : std::nullopt, findings);
  judge_answer(result, findings);
}

}  // namespace wechatpay::bonus_commit::tool
