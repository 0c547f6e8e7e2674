/// Passes arbitrary answers from a server, a proxy or an attacker through verify() and read_answer().
///
/// An input has a line `MODE STATUS AHEAD`, headers, an empty line and the body. MODE is `received` for an unchanged
/// answer, `signed` for an answer that FakeWechatPay signs, `changed` for a signed answer whose body grew afterwards.
/// AHEAD is how many seconds the local clock is ahead. In headers and body, {signature} and {authorization} are
/// replaced by the request's values. {piece BEGIN SIZE WIDTH WRAPPING} is replaced by a piece of the signature, in
/// lines of WIDTH characters with WRAPPING between them.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/fuzz/fuzz_support.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/stages/answer.hpp"
#include "wechatpay/bonus_commit/stages/redaction.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

constexpr std::int64_t now = 1722850421;  // from WeChat Pay's published answer, which is one of the seeds
constexpr const char* published_id = "PUB_KEY_ID_1";
constexpr const char* published_message =
    "1722850421\nd824f2e086d3c1df967785d13fcd22ef\n{\"code_url\":\"weixin://wxpay/bizpayurl?pr=JyC91EIz1\"}\n";

const SignedParts sent{"POST", seed_path, now, "593BEC0C930BF1AFEB40B4A08C8FB242", seed_body};

/// One merchant and one WeChat Pay for the whole run.
struct World {
  FakeWechatPay fake{{"1900000001", [] { return at(now); }, MerchantStage::switching}};
  PlatformKeys keys = fake.platform_keys();
  std::string authorization = wechatpay::bonus_commit::authorization(fake.credentials(), sent).value();
  std::string signature = [this] {
    std::string_view rest = authorization;
    rest.remove_prefix(rest.find("signature=\"") + 11);
    return std::string(take(rest, '"'));
  }();

  World() {
    const std::string pem = read_text(std::string(WECHATPAY_TEST_VECTORS) + "/verify_platform_public_key.pem");
    static_cast<void>(keys.add_public_key(published_id, pem).value());
  }
};

const World& world() {
  static const World made;
  return made;
}

/// The piece of the signature that "BEGIN SIZE WIDTH WRAPPING" describes.
std::string piece_of_signature(std::string_view what) {
  const std::size_t begin = std::min<std::size_t>(number_of<unsigned>(take(what, ' ')), world().signature.size());
  const std::string_view piece =
      std::string_view(world().signature).substr(begin, number_of<unsigned>(take(what, ' ')));
  const std::size_t width = std::clamp<std::size_t>(number_of<unsigned>(take(what, ' ')), 1, 400);
  std::string wrapped;
  for (std::size_t at = 0; at < piece.size(); at += width) {
    if (at != 0) wrapped += what.substr(0, 20);
    wrapped += piece.substr(at, width);
  }
  return wrapped;
}

std::string filled_in(std::string_view text) {
  std::string filled;
  while (!text.empty()) {
    const std::string_view plain = text.substr(0, text.find('{'));
    filled += plain;
    text.remove_prefix(plain.size());
    const std::string_view mark = text.substr(0, text.find('}') + (text.find('}') == std::string_view::npos ? 0 : 1));
    if (mark == "{signature}") {
      filled += world().signature;
    } else if (mark == "{authorization}") {
      filled += world().authorization;
    } else if (mark.substr(0, 7) == "{piece ") {
      filled += piece_of_signature(mark.substr(7, mark.size() - 8));
    } else {
      filled += text.substr(0, 1);
      text.remove_prefix(text.empty() ? 0 : 1);
      continue;
    }
    text.remove_prefix(mark.size());
  }
  return filled;
}

/// The three lines that an answer's signature covers. If a header occurs twice, the last one is FakeWechatPay's.
std::string signed_message(const HttpResponse& response) {
  std::string message;
  for (const char* name : {"Wechatpay-Timestamp", "Wechatpay-Nonce"}) {
    const auto values = header_values(response.headers, name);
    if (!values.empty()) message += values.back();
    message += '\n';
  }
  return message + response.body + "\n";
}

struct Received {
  HttpResponse response;
  std::int64_t ahead = 0;
  std::string signed_here;  ///< the signed message, empty if none was signed
  bool must_verify = false;
};

Received answer_of(std::string_view input) {
  Received answer;
  std::string_view first = take(input, '\n');
  const std::string_view mode = take(first, ' ');
  answer.response.status = number_of<int>(take(first, ' '));
  answer.ahead = std::clamp<std::int64_t>(number_of<std::int64_t>(first), -now, now);
  bool headers_of_signature = false;
  while (!input.empty() && input.front() != '\n') {
    std::string_view line = take(input, '\n');
    const std::string_view name = take(line, ':');
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    headers_of_signature = headers_of_signature || same_token(name.substr(0, 10), "Wechatpay-");
    answer.response.headers.push_back({std::string(name), filled_in(line)});
  }
  take(input, '\n');
  answer.response.body = filled_in(input);
  if (mode == "signed" || mode == "changed") {
    HttpRequest request;
    if (answer.ahead % 2 == 0) request.headers = {{"Wechatpay-Serial", world().fake.public_key_id()}};
    answer.response = world().fake.sign(std::move(answer.response), request);
    answer.must_verify = mode == "signed" && !headers_of_signature && answer.ahead >= -300 && answer.ahead <= 300;
    answer.signed_here = signed_message(answer.response);
    if (mode == "changed") answer.response.body += ' ';
  }
  return answer;
}

/// Whether `text` contains 16 characters of the signature in a row. Line breaks and other separators are skipped.
bool holds_a_piece(std::string text) {
  for (const std::string_view skipped :
       {"<br>", "<br/>", "\\x0A", "\\x0D", "\\x09", "\\n", "\\r", "\\t", " ", "\"", "'", ",", "[", "]"}) {
    for (std::size_t at = 0; (at = text.find(skipped, at)) != std::string::npos;) text.erase(at, skipped.size());
  }
  for (std::size_t at = 0; at + 16 <= world().signature.size(); ++at) {
    if (contains(text, std::string_view(world().signature).substr(at, 16))) return true;
  }
  return false;
}

void check_text(const std::string& text) {
  require(is_one_safe_line(text), "a text is one line of UTF-8 without control characters", text);
  require(!holds_a_piece(text), "no text holds a piece of the request's signature", text);
}

/// Whether `holds` is true for any of the texts that the error has from the answer, its message aside.
template <typename Holds>
bool any_text_of(const Error& error, Holds holds) {
  const Answer& answer = *error.answer();
  if (holds(answer.code) || holds(answer.message) || holds(answer.request_id)) return true;
  return std::any_of(error.faults.begin(), error.faults.end(), [&](const Fault& fault) {
    return holds(fault.field) || holds(fault.value) || holds(fault.issue) || holds(fault.location);
  });
}

/// `input` is what the answer was made of: an answer may contain the words of our advice, and the message quotes it.
void check_error(const Error& error, int status, std::string_view input) {
  check_text(error.message);
  require(error.answer() != nullptr, "an answer is told", error.message);
  const Answer& answer = *error.answer();
  static_cast<void>(any_text_of(error, [](const std::string& text) {
    check_text(text);
    return false;
  }));
  require(!error.message.empty(), "an error has a message");
  require(answer.detail.empty() || nlohmann::json::accept(answer.detail), "detail is JSON", answer.detail);
  require(answer.detail.size() <= 4096, "detail has 4 KiB at most", answer.detail);
  require(is_one_safe_line(answer.detail), "detail can be logged", answer.detail);
  require(!holds_a_piece(answer.detail), "detail holds no piece of the request's signature", answer.detail);

  const bool success = status >= 200 && status < 300;
  const bool client_error = status >= 400 && status < 500;
  require(answer.http_status == status, "the error has the answer's status", error.message);
  require(error.outcome != Outcome::not_sent, "what was answered was sent", error.message);
  if (error.outcome == Outcome::refused) {
    const bool gave_up_waiting = status == 408 || status == 499;
    const bool gateway = status == 502 || status == 503;
    require((client_error && !gave_up_waiting) || ((gave_up_waiting || gateway) && error.verified()),
            "refused is only what surely was not done", error.message);
    require(error.verified() || is_documented_refusal(answer.code), "an unsigned refusal has WeChat Pay's code",
            error.message);
    constexpr std::string_view advice = "may have been done";
    const bool quoted = contains(input, advice) || any_text_of(error, [&](const std::string& text) {
                          return contains(text, advice);  // the input may have it in JSON's escapes
                        });
    require(!contains(error.message, advice) || quoted, "advice fits a refusal", error.message);
  } else {
    require(error.remedy == Remedy::retry_later || error.remedy == Remedy::correct_setup,
            "what may have been done is not told to be wrong", error.message);
  }
  if (success && !error.verified()) {
    require(error.kind == ErrorKind::unverified_answer, "success without a signature is told as that", error.message);
  }
  if (error.retry_after) {
    require(error.retry_after->count() >= 0 && error.retry_after->count() <= 86400, "a pause of a day at most");
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wechatpay::bonus_commit;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Received answer = answer_of(input);
  const HttpResponse& response = answer.response;
  const auto clock = at(now + answer.ahead);
  const auto verification = verify(response, world().keys, clock);
  CommitResult result = read_answer(response, verification, sent, clock);
  redact(result, world().signature);

  if (verification) {
    const std::string message = signed_message(response);
    require(message == published_message || message == answer.signed_here, "only what was signed verifies", message);
    require(answer.ahead >= -300 && answer.ahead <= 300, "nothing verifies beyond five minutes");
  } else {
    require(!answer.must_verify, "what was signed verifies", verification.error().message);
  }
  require(result.has_value() == (verification && response.status == 204), "a verified 204, and that alone, succeeds");
  if (result) {
    check_text(result->request_id);
    check_text(result->warning);
  } else {
    require(result.error().verified() == verification.has_value(), "verified is what was verified");
    check_error(result.error(), response.status, input);
  }
  return 0;
}
