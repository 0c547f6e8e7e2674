#include <wechatpay/bonus_commit.hpp>
#include <wechatpay/bonus_commit/stages/file_name.hpp>
#include <wechatpay/bonus_commit/stages/text.hpp>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "connection.hpp"
#include "json_output.hpp"
#include "src/testing/captured.hpp"
#include "src/testing/signature_explanation.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;
using namespace testing;

namespace {

struct ExplainArguments {
  std::string capture;
  std::string method = "POST";
  std::string url;
  std::string authorization;
  std::string body;
  std::string body_file;
  std::string signed_message;
  Connection connection;  ///< only its files are given
  std::vector<std::string> other_keys;
  bool json = false;
};

/// The content of a file, at most 4 MiB; "-" is standard input.
Result<std::string> read_file(const std::string& name, const char* option) {
  constexpr std::size_t most = 4U << 20U;
  std::ifstream file;
  if (name != "-") file.open(name, std::ios::binary);
  std::istream& stream = name == "-" ? std::cin : file;
  std::string bytes(most + 1, '\0');
  if (stream) stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  if (stream.bad() || (name != "-" && !file.is_open())) {
    return configuration_error(file_in_message(name, option) + " cannot be read");
  }
  if (bytes.size() > most) return configuration_error(file_in_message(name, option) + " has more than 4 MiB");
  return bytes;
}

Result<std::vector<PemText>> read_keys(const std::vector<std::string>& files, const char* option) {
  std::vector<PemText> keys;
  for (const std::string& file : files) {
    auto pem = read_file(file, option);
    if (!pem) return std::move(pem).error();
    keys.push_back({file_in_message(file, option), *std::move(pem)});
  }
  return keys;
}

/// The platform keys, each with its serial.
Result<std::vector<PemText>> read_platform_keys(const Connection& connection) {
  auto texts = read_keys(connection.platform_certificate_files, "--platform-cert-file");
  if (!texts) return texts;
  for (PemText& text : *texts) {
    PlatformKeys one;
    if (auto added = one.add_certificate(text.pem); !added) return std::move(added).error();
    text.name = one.serials().front();
  }
  if (!connection.public_key_file.empty()) {
    auto pem = read_file(connection.public_key_file, "--public-key-file");
    if (!pem) return std::move(pem).error();
    texts->push_back({connection.public_key_id, *std::move(pem)});
  }
  return texts;
}

/// The captured message as one text: the content of the file, or the arguments in the same form.
Result<std::string> capture_of(const ExplainArguments& given) {
  if (given.capture.empty()) {
    if (given.url.empty() || given.authorization.empty()) {
      return configuration_error("the captured request is missing: give FILE, or --url and --authorization");
    }
    if (has_control_character(given.method + given.url + given.authorization)) {
      return configuration_error("--method, --url and --authorization must not hold control characters");
    }
    return given.method + " " + given.url + " HTTP/1.1\nAuthorization: " + given.authorization + "\n\n" + given.body;
  }
  return read_file(given.capture, "FILE");
}

Result<SignatureVerdict> explain_capture(const ExplainArguments& given) {
  auto capture = capture_of(given);
  if (!capture) return std::move(capture).error();
  auto others = read_keys(given.other_keys, "--other-key-file");
  if (!others) return std::move(others).error();
  std::string body = given.body;
  if (!given.body_file.empty()) {
    auto read = read_file(given.body_file, "--body-file");
    if (!read) return std::move(read).error();
    body = *std::move(read);
  }
  const bool body_is_given = !given.body.empty() || !given.body_file.empty();
  const bool merchant_is_given = !given.connection.certificate_file.empty();

  std::vector<PemText> merchant;
  if (merchant_is_given) {
    auto read = read_keys({given.connection.certificate_file}, "--cert-file");
    if (!read) return std::move(read).error();
    merchant = *std::move(read);
  }
  if (is_answer(*capture)) {
    auto answer = read_captured_answer(*capture);
    if (!answer) return std::move(answer).error();
    if (body_is_given) answer->body = body;
    const auto keys = given.connection.platform_keys();
    if (!keys) return keys.error();
    const auto texts = read_platform_keys(given.connection);
    if (!texts) return texts.error();
    for (PemText& one : merchant) others->push_back(std::move(one));
    return explain_answer(*answer, *keys, *texts, *others);
  }
  if (!merchant_is_given) {
    return configuration_error("--cert-file is missing: a request is verified with apiclient_cert.pem");
  }
  auto request = read_captured_request(*capture);
  if (!request) return std::move(request).error();
  if (body_is_given) request->body = body;
  auto platform = read_keys(given.connection.platform_certificate_files, "--platform-cert-file");
  if (!platform) return std::move(platform).error();
  for (PemText& one : *platform) others->push_back(std::move(one));
  if (!given.connection.public_key_file.empty()) {
    auto read = read_keys({given.connection.public_key_file}, "--public-key-file");
    if (!read) return std::move(read).error();
    others->push_back(std::move(read->front()));
  }
  return explain_request(*request, merchant.front(), *others);
}

/// The signed lines, with visible line ends. Each has one.
void print_message(const std::string& message) {
  std::cout << "\nThe message to be signed, " << message.size() << " bytes:\n\n";
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) std::cout << "  " << printable(line, 2000) << "\\n\n";
}

void print_verdict(const SignatureVerdict& verdict, bool json) {
  if (json) {
    print({{"matches", verdict.matches}, {"explanation", verdict.explanation}, {"message", verdict.message}});
    return;
  }
  const std::string finding = verdict.matches ? "The signature matches." : verdict.explanation;
  std::cout << printable(finding, 2000) << "\n";
  if (!verdict.message.empty()) print_message(verdict.message);
}

int run(const ExplainArguments& given) {
  auto verdict = explain_capture(given);
  if (verdict && !given.signed_message.empty()) {
    const auto message = read_file(given.signed_message, "--signed-message");
    if (!message) {
      report_error(message.error(), given.json);
      return ExitStatus::usage;
    }
    const std::string difference = first_difference(*message, verdict->message);
    if (!difference.empty()) verdict->explanation += (verdict->explanation.empty() ? "" : " ") + difference;
    verdict->matches = verdict->matches && difference.empty();
  }
  if (!verdict) {
    report_error(verdict.error(), given.json);
    return ExitStatus::usage;
  }
  print_verdict(*verdict, given.json);
  if (!output_is_written()) return ExitStatus::usage;
  return verdict->matches ? ExitStatus::success : ExitStatus::refused;
}

}  // namespace

void add_explain(CLI::App& app, int& status) {
  auto options = std::make_shared<ExplainArguments>();
  CLI::App& command =
      *app.add_subcommand("explain", "Explains why the signature of a captured request or answer fails.");
  takes_file_name(command.add_option("FILE", options->capture,
                                     "captured request or answer: first line, headers, an empty line, body; - is "
                                     "standard input"));
  const auto add = [&command](const char* name, auto& value, const char* type, const char* help) {
    CLI::Option* const option = command.add_option(name, value, help)->type_name(type);
    return type == std::string_view("FILE") ? takes_file_name(option) : option;
  };
  add("--method", options->method, "METHOD", "without FILE: method of the request")->capture_default_str();
  add("--url", options->url, "URL", "without FILE: URL as it was sent, with or without the host");
  add("--authorization", options->authorization, "TEXT", "without FILE: value of the Authorization header");
  CLI::Option* const body = add("--body", options->body, "TEXT", "body");
  add("--body-file", options->body_file, "FILE", "file with the exact bytes of the body")->excludes(body);
  add("--signed-message", options->signed_message, "FILE",
      "file with the message that your program signed; the line that differs is reported");
  Connection& keys = options->connection;
  add("--cert-file", keys.certificate_file, "FILE", "merchant API certificate, apiclient_cert.pem")
      ->envname("WECHATPAY_CERT_FILE");
  add("--public-key-file", keys.public_key_file, "FILE", "for an answer: WeChat Pay public key, pub_key.pem")
      ->envname("WECHATPAY_PUBLIC_KEY_FILE");
  add("--public-key-id", keys.public_key_id, "ID", "its ID, PUB_KEY_ID_...")->envname("WECHATPAY_PUBLIC_KEY_ID");
  add("--platform-cert-file", keys.platform_certificate_files, "FILE",
      "for an answer: platform certificate, wechatpay_<serial>.pem; may be repeated")
      ->envname("WECHATPAY_PLATFORM_CERT_FILE")
      ->delimiter(',')
      ->allow_extra_args(false);
  add("--other-key-file", options->other_keys, "FILE",
      "another certificate or key that may have been used by mistake, such as an old one; may be repeated")
      ->allow_extra_args(false);
  command.add_flag("--json", options->json, "print the findings as JSON on standard output");
  command.footer(
      "The merchant certificate reveals the hash that was signed. The command tries common mistakes until one produces "
      "that hash. It sends nothing and needs no private key. It does not check the timestamp.");
  command.callback([options, &status] { status = run(*options); });
}

}  // namespace wechatpay::bonus_commit::tool
