#include <wechatpay/bonus_commit.hpp>

#include <chrono>
#include <ctime>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "connection.hpp"
#include "wording.hpp"

using namespace wechatpay;

namespace {

struct Options {
  Connection connection;
  bool offline = false;
};

std::string as_date(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[] = "2000-01-01";
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

/// Prints each step's finding, and remembers whether one was bad.
class Findings {
 public:
  void good(std::string_view step, const std::string& what) { print("ok  ", step, what); }
  void doubtful(std::string_view step, const std::string& what) { print("look", step, what); }
  void bad(std::string_view step, const std::string& what) {
    print("BAD ", step, what);
    ++bad_;
  }
  void open(std::string_view step, const std::string& what) { print("  ? ", step, what); }

  int bad_steps() const { return bad_; }

 private:
  static void print(std::string_view verdict, std::string_view step, const std::string& what) {
    const std::size_t width = 20;
    std::cout << verdict << "  " << step << std::string(step.size() < width ? width - step.size() : 1, ' ')
              << in_words_of_the_tool(what) << "\n"
              << std::flush;
  }

  int bad_ = 0;
};

void look_at_credentials(const Result<Credentials>& credentials, Findings& findings) {
  if (!credentials) {
    findings.bad("merchant's key", credentials.error().message);
    return;
  }
  findings.good("merchant's key", "merchant " + credentials->mchid() + ", serial_no " + credentials->serial_no());
  const auto probe = credentials->signer().sign("doctor");
  if (!probe) findings.bad("signing", probe.error().message);
  const auto not_after = credentials->not_after();
  if (!not_after) {
    findings.open("its certificate", "not given, so neither its dates nor whether the key belongs to it can be seen");
    return;
  }
  const auto warnings = credentials->warnings();
  if (warnings.empty()) {
    findings.good("its certificate", "the key belongs to it; valid until " + as_date(*not_after));
  } else if (*not_after < std::chrono::system_clock::now()) {
    findings.bad("its certificate", warnings.front());
  } else {
    findings.doubtful("its certificate", warnings.front());
  }
}

void look_at_platform_keys(const Result<std::shared_ptr<PlatformKeys>>& keys, Findings& findings) {
  if (!keys) {
    findings.bad("platform keys", keys.error().message);
    return;
  }
  std::string serials;
  for (const std::string& serial : (*keys)->serials()) serials += (serials.empty() ? "" : ", ") + serial;
  findings.good("platform keys", serials + "; requests announce " + (*keys)->announced());
  for (const std::string& warning : (*keys)->warnings()) findings.doubtful("platform keys", warning);
}

std::string milliseconds(std::chrono::microseconds time) { return std::to_string(time.count() / 1000) + " ms"; }

/// How far a try came over the network; true where an answer came. Through a proxy, it is the proxy that is looked up.
bool look_at_the_way(const Try& made, bool through_proxy, const std::string& message, Findings& findings) {
  const TransferInfo& transfer = made.transfer;
  const TransportFault fault = made.transport_fault;
  const std::string_view name_lookup = through_proxy ? "proxy's name lookup" : "name lookup";
  const std::string_view connection = through_proxy ? "connection to proxy" : "connection";
  if (fault == TransportFault::name_lookup) {
    findings.bad(name_lookup, message);
    return false;
  }
  if (transfer.name_lookup.count() > 0) findings.good(name_lookup, milliseconds(transfer.name_lookup));
  if (fault == TransportFault::connect || (fault == TransportFault::timeout && transfer.connect.count() == 0)) {
    findings.bad(connection, message);
    return false;
  }
  const bool tls_failed = fault == TransportFault::tls || fault == TransportFault::tls_verification;
  if (transfer.connect.count() > 0) {
    findings.good(connection, "after " + milliseconds(transfer.connect));
  } else if (tls_failed) {
    findings.good(connection, "stands");  // libcurl does not tell when, if TLS fails
  }
  if (tls_failed || (fault == TransportFault::timeout && transfer.tls.count() == 0)) {
    findings.bad("TLS", message);
    return false;
  }
  if (transfer.tls.count() > 0) {
    findings.good("TLS", "the host's certificate is trusted; after " + milliseconds(transfer.tls));
  }
  if (fault != TransportFault::none) {
    findings.bad("answer", message);
    return false;
  }
  return true;
}

void look_at_the_clock(std::optional<std::chrono::seconds> offset, Findings& findings) {
  const auto minute = std::chrono::seconds(60);
  if (!offset) {
    findings.open("clock", "the answer does not tell WeChat Pay's");
    return;
  }
  const std::string seconds = std::to_string(offset->count()) + " s from WeChat Pay's";
  if (*offset > std::chrono::minutes(5) || *offset < -std::chrono::minutes(5)) {
    findings.bad("clock", seconds + ": beyond 300 s no request and no answer is taken; set it by NTP");
  } else if (*offset > minute || *offset < -minute) {
    findings.doubtful("clock", seconds + ": set it by NTP before it is 300 s");
  } else {
    findings.good("clock", seconds);
  }
}

/// What the answer says of our signature, and of its own.
void look_at_the_answer(const CommitResult& result, Findings& findings) {
  if (result) {
    findings.good("signed request", "understood, and answered 204: this host takes any order, as a sandbox does");
    findings.good("signed answer", "verified with " + result->serial);
    return;
  }
  const Error& error = result.error();
  const int status = error.http_status;
  const std::string said = std::to_string(status) + (error.code.empty() ? "" : " " + error.code);
  if (error.kind == ErrorKind::unverified_answer) {
    findings.good("signed request", "understood: answered " + said);
    findings.bad("signed answer", error.message);
    return;
  }
  if (error.kind != ErrorKind::api_error || status == 401 || status == 429 || status >= 500) {
    findings.bad("signed request", error.message);
    return;
  }
  if (!error.verified) {
    findings.open("signed request", "answered " + said + ", but by whom is not known");
    findings.bad("signed answer", "WeChat Pay signs this answer, and it does not verify: " +
                                      std::string(to_string(error.verification_fault)) +
                                      "; look at the platform keys, the host, and proxies that strip headers");
    return;
  }
  if (status == 403) {
    findings.bad("permission", error.message);
  } else {
    findings.good("signed request", "understood: refused with " + said + ", as an order that does not exist should be");
  }
  findings.good("signed answer", "verified");
}

void look_at_host(const Options& options, const std::string& origin, const Credentials& credentials,
                  const std::shared_ptr<PlatformKeys>& keys, Findings& findings) {
  std::cout << "\n" << origin << "\n";
  const auto transport = options.connection.transport();
  if (!transport) {
    findings.bad("network options", transport.error().message);
    return;
  }
  std::optional<Try> made;
  ClientOptions client_options;
  client_options.origins = {origin};
  client_options.retry.max_tries = 1;
  client_options.hooks.on_try = [&made](const TryEvent& event) { made = event.result; };
  const auto client = BonusCommitClient::create(credentials, keys, *transport, std::move(client_options));
  if (!client) {
    findings.bad("options", client.error().message);
    return;
  }
  // Nobody's: WeChat Pay looks at the signature first, and then finds no such card.
  BonusCommitRequest request;
  request.card_id = "doctor";
  request.code = "doctor";
  request.out_trade_no = "doctor";
  request.mchid = credentials.mchid();
  request.bonus_value = 1;
  request.merchant_mode = MerchantMode::direct;
  const CommitResult result = client->commit(request);
  if (!made) {
    findings.bad("request", result ? "nothing was sent" : result.error().message);
    return;
  }
  const bool through_proxy = !options.connection.proxy.empty();
  if (!look_at_the_way(*made, through_proxy, result ? "" : result.error().message, findings)) return;
  look_at_the_clock(result ? std::optional(result->clock_offset) : result.error().clock_offset, findings);
  look_at_the_answer(result, findings);
}

int run(const Options& options) {
  Findings findings;
  const auto credentials = options.connection.credentials();
  look_at_credentials(credentials, findings);
  const auto keys = options.connection.platform_keys();
  look_at_platform_keys(keys, findings);
  if (!options.offline && credentials && keys) {
    for (const std::string& origin : options.connection.origins) {
      look_at_host(options, origin, *credentials, *keys, findings);
    }
  } else if (!options.offline) {
    std::cout << "\nThe hosts are looked at when the files are in order.\n";
  }
  if (findings.bad_steps() == 0) {
    std::cout << "\nNothing wrong was found.\n";
    return ExitStatus::success;
  }
  std::cout << "\nWrong: " << findings.bad_steps() << "; begin with the first BAD.\n";
  return ExitStatus::refused;
}

}  // namespace

void add_doctor(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App& command =
      *app.add_subcommand("doctor", "Looks at a set of keys and the hosts, step by step, and says what is wrong.");
  command.footer(
      "Files, key and certificate, dates, serial numbers, name lookup, connection, TLS, clock, and whether a signed "
      "request is understood. For that it commits one point to an order, a card and a member called `doctor`, which "
      "WeChat Pay refuses, since there are none; that it says so is the proof.");
  command.add_flag("--offline", options->offline, "look at the files alone, and send nothing");
  options->connection.add_to(command);
  command.callback([options, &status] { status = run(*options); });
}
