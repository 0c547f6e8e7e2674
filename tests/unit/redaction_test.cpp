// However a server or proxy changes an echoed signature, an error never contains a piece of it.
#include "wechatpay/bonus_commit/stages/redaction.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/stages/answer.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

/// In Base64: 344 characters, including + and /, with = at the end.
const std::string signature = [] {
  std::string made;
  unsigned state = 1;
  for (int i = 0; i < 342; ++i) {
    state = state * 1103515245U + 12345U;
    made += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state >> 16U) % 64U];
  }
  return made + "==";
}();

std::string without_pieces(const std::string& text, const std::string& signatures) {
  return stages::without_pieces(text, SentSignatures(signatures));
}

std::string json_without_pieces(const std::string& json, const std::string& signatures) {
  return stages::json_without_pieces(json, SentSignatures(signatures));
}

std::string wrapped(const std::string& text, std::size_t width, const std::string& by) {
  std::string lines;
  for (std::size_t at = 0; at < text.size(); at += width) lines += (at == 0 ? "" : by) + text.substr(at, width);
  return lines;
}

/// Whether `text`, without blanks, tags and escapes, contains 16 characters of the signature in a row.
bool holds_a_piece(std::string text) {
  for (const char* wrapping : {"<br>", "<br/>", "&nbsp;", "\\r\\n", "\\n", "\\x0A", "%0D%0A", " ", "\n", "\r", "\t",
                               "\"", ",", "[", "]", "\\"}) {
    text = replaced(text, wrapping, "");
  }
  text = replaced(replaced(replaced(text, "%2B", "+"), "%2F", "/"), "&#43;", "+");
  text = replaced(replaced(text, "u002b", "+"), "&#x2F;", "/");
  for (std::size_t at = 0; at + 16 <= signature.size(); ++at) {
    if (contains(text, signature.substr(at, 16))) return true;
  }
  return false;
}

const std::vector<std::pair<const char*, std::function<std::string(const std::string&)>>> disguises = {
    {"as it is", [](const std::string& s) { return s; }},
    {"in lines of 76", [](const std::string& s) { return wrapped(s, 76, "\n"); }},
    {"in lines with indentation", [](const std::string& s) { return wrapped(s, 64, "\r\n        "); }},
    {"by <br>", [](const std::string& s) { return wrapped(s, 76, "<br>"); }},
    {"by <br /> and blanks", [](const std::string& s) { return wrapped(s, 20, "<br />\n  "); }},
    {"by an escaped tag", [](const std::string& s) { return wrapped(s, 20, "&lt;br class=x&gt;"); }},
    {"in pieces of 4", [](const std::string& s) { return wrapped(s, 4, " "); }},
    {"in single characters", [](const std::string& s) { return wrapped(s, 1, " "); }},
    {"in JSON strings", [](const std::string& s) { return "[\"" + wrapped(s, 16, "\", \"") + "\"]"; }},
    {"with JSON's line breaks", [](const std::string& s) { return wrapped(s, 40, "\\r\\n"); }},
    {"percent-encoded", [](const std::string& s) { return replaced(replaced(s, "+", "%2B"), "/", "%2F"); }},
    {"percent-encoded twice", [](const std::string& s) { return replaced(replaced(s, "+", "%252B"), "/", "%252f"); }},
    {"in HTML", [](const std::string& s) { return replaced(replaced(s, "+", "&#43;"), "/", "&#x2F;"); }},
    {"in HTML within HTML", [](const std::string& s) { return replaced(s, "+", "&amp;#43;"); }},
    {"in JSON", [](const std::string& s) { return replaced(replaced(s, "+", "\\u002b"), "/", "\\/"); }},
    {"in JSON within JSON", [](const std::string& s) { return replaced(s, "/", "\\\\\\/"); }},
    {"in the alphabet of URLs", [](const std::string& s) { return replaced(replaced(s, "+", "-"), "/", "_"); }},
    {"with hyphens", [](const std::string& s) { return wrapped(s, 6, "-\n"); }},
    {"as if it were a tag", [](const std::string& s) { return "<" + wrapped(s, 60, "><") + ">"; }},
    {"as if it were an entity", [](const std::string& s) { return "&" + wrapped(s, 18, ";&") + ";"; }},
};

TEST(Redaction, FindsAPieceInWhateverWrapping) {
  for (const auto& [name, disguise] : disguises) {
    for (const auto& [begin, size] : {std::pair<std::size_t, std::size_t>{0, 344}, {0, 99}, {100, 200}, {17, 16}}) {
      const std::string text = "X-Echo: '" + disguise(signature.substr(begin, size)) + "' (end)";
      const std::string clean = without_pieces(text, signature);
      EXPECT_FALSE(holds_a_piece(clean)) << name << ": " << clean;
      EXPECT_TRUE(contains(clean, "[redacted]")) << name << ": " << clean;
      EXPECT_EQ(clean.substr(0, 9), "X-Echo: '") << clean;
      EXPECT_EQ(clean.substr(clean.size() - 7), "' (end)") << clean;
    }
  }
}

TEST(Redaction, ReadsOverATagWhoseLastCharacterIsAtMostAHundredAfterItsFirst) {
  const auto around_tag = [](std::size_t letters) {
    return signature.substr(40, 6) + "<" + std::string(letters, 'x') + ">" + signature.substr(46, 6);
  };
  EXPECT_EQ(without_pieces(around_tag(99), signature), "[redacted]");
  EXPECT_EQ(without_pieces(around_tag(100), signature), around_tag(100));
}

TEST(Redaction, FindsThePiecesOfEachSignatureThatWasSent) {
  const std::string other(342, 'q');
  EXPECT_EQ(without_pieces("a " + signature.substr(40, 30) + " b qqqqqqqqqqqqqqqq c", other + "\n" + signature),
            "a [redacted] b [redacted] c");
}

TEST(Redaction, LeavesEverythingElseAsItIs) {
  for (const char* text :
       {"", "short", "WeChat Pay answered 400 PARAM_ERROR: 参数错误 (/bonus_value: must be positive, given: 0)",
        "<html><body>502 Bad Gateway &nbsp; %zz &; \\ \\u12 <",
        "08CFCBF1930610C20518C6B5C05520DC9A012898E905-269546525",
        "POST\\n/v3/marketing/membercard-open/cards/478515832665/codes/478515832665/bonus/commit\\n1554208460\\n"}) {
    EXPECT_EQ(without_pieces(text, signature), text);
    EXPECT_EQ(without_pieces(text, ""), text);
  }
}

TEST(Redaction, KeepsJsonJson) {
  const std::string pieces = "[\"" + wrapped(signature, 10, "\",\"") + "\"]";
  for (const std::string& json :
       {R"({"a":)" + pieces + R"(,"b":"kept \" \\"})",
        R"({"a":{")" + signature.substr(0, 50) + R"(":"x"},"b":"kept \" \\"})",
        R"({"b":"kept \" \\","a":")" + replaced(replaced(signature, "/", "\\/"), "+", "\\u002B") + "\"}"}) {
    const std::string clean = json_without_pieces(json, signature);
    EXPECT_TRUE(nlohmann::json::accept(clean)) << clean;
    EXPECT_FALSE(holds_a_piece(clean)) << clean;
    EXPECT_TRUE(contains(clean, R"("b":"kept \" \\")")) << clean;
  }
  const std::string digits(20, '7');
  EXPECT_EQ(json_without_pieces("{\"n\":" + digits + "}", digits), "\"[redacted]\"");
  EXPECT_EQ(json_without_pieces("", signature), "");
}

/// The message of an error after redact().
std::string redacted(const std::string& message, const std::string& signatures) {
  Error error;
  error.message = message;
  redact(error, SentSignatures(signatures));
  return error.message;
}

/// A second signature, sent by an earlier try. It has the same pairs of characters in another order.
const std::string earlier_signature(signature.rbegin(), signature.rend());
const std::string both_signatures = earlier_signature + "\n" + signature + "\n";

TEST(Redaction, RemovesAnyPieceOfEightCharactersFromAnErrorAndNoneOfSeven) {
  for (const std::string& sent : {earlier_signature, signature}) {
    for (std::size_t at = 0; at + 8 <= sent.size(); ++at) {
      const std::string piece = sent.substr(at, 8);
      EXPECT_EQ(redacted("(" + piece + ")", both_signatures), "([redacted])") << piece;
      EXPECT_EQ(redacted(piece, both_signatures), "[redacted]");
      EXPECT_EQ(redacted("(" + piece.substr(1) + ")", both_signatures), "(" + piece.substr(1) + ")");
    }
  }
}

TEST(Redaction, TakesTheEndOfOneSignatureAndTheBeginningOfTheNextForNoPiece) {
  const std::string across = earlier_signature.substr(337) + signature.substr(0, 7);
  EXPECT_EQ(redacted(across, both_signatures), across);
}

TEST(Redaction, RemovesPiecesOfEightCharactersWhateverIsBetweenThem) {
  const auto find_between = [](std::string_view characters) {
    return signature.substr(signature.find_first_of(characters, 4) - 4, 8);
  };
  const std::string with_plus = find_between("+");
  const std::string with_slash = find_between("/");
  for (const char* between :
       {" ", "\n", "\t",   "\r\n  ", "\"",     "\", \"", "'",   ",",     "-",      "_",     "-\n",
        ".", "参", "\x80", "<br>",   "< br >", "&nbsp;", "\\n", "\\x0A", "%0D%0A", "%250A", "&lt;br&gt;"}) {
    for (const std::string& piece : {signature.substr(0, 8), with_plus, with_slash, signature.substr(336)}) {
      EXPECT_EQ(redacted("(" + wrapped(piece, 1, between) + ")", both_signatures), "([redacted])") << between;
      EXPECT_EQ(redacted("(" + wrapped(piece, 3, between) + ")", both_signatures), "([redacted])") << between;
    }
  }
  for (const char* plus :
       {"-", "%2B", "%2b", "%252B", "&#43;", "&#x2B;", "&plus;", "&amp;plus;", "\\+", "\\u002B", "\\x2B"}) {
    EXPECT_EQ(redacted("(" + replaced(with_plus, "+", plus) + ")", both_signatures), "([redacted])") << plus;
  }
  for (const char* slash :
       {"_", "%2F", "%2f", "%252F", "&#47;", "&#x2f;", "&sol;", "\\/", "\\\\\\/", "\\u002f", "\\x2f"}) {
    EXPECT_EQ(redacted("(" + replaced(with_slash, "/", slash) + ")", both_signatures), "([redacted])") << slash;
  }
}

TEST(Redaction, SearchesNoUsualTextForPieces) {
  const CharacterPairs pairs(both_signatures);
  for (const char* text :
       {"WeChat Pay answered 400 PARAM_ERROR: 参数错误 (/bonus_value: must be positive, given: 0)",
        "the answer is not WeChat Pay's: it has no Wechatpay-Signature",
        "no answer within 10000 ms; Request-ID 08CFCBF1930610C20518C6B5C05520DC9A012898E905-269546525",
        R"({"field":"/bonus_value","value":"0","issue":"must be positive","location":"body"})"}) {
    EXPECT_FALSE(may_repeat_piece(text, pairs)) << text;
  }
}

/// Texts in which pieces of both signatures, what can be between their characters, and other characters alternate.
class MadeText {
 public:
  std::string next() {
    std::string text;
    const bool has_escapes = below(4) == 0;
    for (std::size_t parts = 1 + below(8); parts > 0; --parts) text += part(has_escapes);
    return text;
  }

 private:
  std::size_t below(std::size_t count) { return random_() % count; }

  std::string between(bool has_escapes) {
    static const std::vector<std::string> plain = {"",     "",  "",  " ",  "\n", "\"", ",",
                                                   "', '", "-", "_", "--", ">",  "参", "\xFF"};
    static const std::vector<std::string> escapes = {"<br>", "<",   "%0A", "%",       "&nbsp;",
                                                     "&",    "\\n", "\\",  "\\u000a", "&lt;p&gt;"};
    const auto& all = has_escapes && below(2) == 0 ? escapes : plain;
    return all[below(all.size())];
  }

  std::string part(bool has_escapes) {
    if (below(4) == 0) return std::string(1, static_cast<char>(1 + below(255))) + between(has_escapes);
    std::string piece = both_signatures.substr(below(both_signatures.size()), 1 + below(12));
    if (below(4) == 0) piece = replaced(replaced(piece, "+", "-"), "/", "_");
    if (has_escapes && below(2) == 0) piece = replaced(replaced(piece, "+", "%2B"), "/", "\\/");
    if (below(3) == 0) piece = wrapped(piece, 1 + below(4), between(has_escapes));
    return piece + between(has_escapes);
  }

  std::mt19937 random_{20240805};
};

TEST(Redaction, OfAnErrorRemovesWhatASearchOfEachTextFinds) {
  const CharacterPairs pairs(both_signatures);
  MadeText texts;
  int clean = 0;
  int found_without_escapes = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = texts.next();
    const bool may_repeat = may_repeat_piece(text, pairs);
    const bool repeats = !pieces_of_signatures(text, SentSignatures(both_signatures)).empty();
    ASSERT_TRUE(may_repeat || !repeats) << text;
    ASSERT_EQ(redacted(text, both_signatures), without_pieces(text, both_signatures)) << text;
    clean += may_repeat ? 0 : 1;
    found_without_escapes += repeats && text.find_first_of("%&\\<") == std::string::npos ? 1 : 0;
  }
  EXPECT_GT(clean, 200);
  EXPECT_GT(found_without_escapes, 200);
}

/// The places where a server can put a piece of the request's signature.
class EchoedSignature : public ::testing::Test {
 protected:
  EchoedSignature() : transport_(std::make_shared<MockTransport>()) {
    options_.retry.max_tries = 2;
    options_.retry.first_backoff = options_.retry.longest_backoff = std::chrono::milliseconds(0);
    options_.hooks.on_try = [this](const TryEvent& event) { check(event.result); };
  }

  static std::string signature_of(const HttpRequest& request) {
    const std::string authorization(header_value(request.headers, "Authorization"));
    return authorization.substr(authorization.find("signature=\"") + 11, 344);
  }

  void check(const Try& one) {
    if (!one.answer) return;
    for (const std::string& text :
         {one.answer->code, one.answer->message, one.answer->detail, one.answer->request_id}) {
      check(text);
    }
  }

  void check(const std::string& text) {
    for (const HttpRequest& request : transport_->requests()) {
      const std::string sent = signature_of(request);
      const std::string bare = replaced(replaced(replaced(text, " ", ""), "\\x0A", ""), "\",\"", "");
      for (std::size_t at = 0; at + 16 <= sent.size(); ++at) {
        ASSERT_FALSE(contains(bare, sent.substr(at, 16))) << text;
      }
    }
  }

  CommitResult commit() {
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), transport_, options_)
        .value()
        .commit(seed_request());
  }

  void expect_clean(const CommitResult& result) {
    if (result) return check(result->request_id);
    const Error& error = result.error();
    check(error.message);
    check(error.to_string());
    for (const Fault& fault : error.faults) {
      for (const std::string& text : {fault.field, fault.value, fault.issue, fault.location}) check(text);
    }
    for (const Try& one : error.tries) check(one);
  }

  FakeWechatPay wechat_pay_;
  std::shared_ptr<MockTransport> transport_;
  ClientOptions options_;
};

TEST_F(EchoedSignature, StandsInNoTextOfAnErrorOrReceipt) {
  using Echo = std::function<HttpResponse(const std::string&, const HttpRequest&)>;
  const Echo echoes[] = {
      [](const std::string& s, const HttpRequest&) {
        return HttpResponse{502, {}, "<pre>signature=\"" + s + "..."};
      },
      [](const std::string& s, const HttpRequest&) {
        return HttpResponse{302, {{"Location", "/?s=" + s}}, ""};
      },
      [](const std::string& s, const HttpRequest&) {
        return HttpResponse{500, {{"Request-ID", s}}, ""};
      },
      [](const std::string& s, const HttpRequest&) {
        return HttpResponse{502, {{"Content-Encoding", s.substr(0, 30)}}, "x"};
      },
      [](const std::string& s, const HttpRequest&) {
        return HttpResponse{400, {}, R"({"code":")" + s.substr(0, 40) + R"(","message":")" + s + "\"}"};
      },
      [](const std::string& s, const HttpRequest&) {
        return HttpResponse{400, {}, R"({"code":"E","message":"m","detail":["a","")" + wrapped(s, 8, "\",\"") + "\"]}"};
      },
      [](const std::string& s, const HttpRequest&) {
        return HttpResponse{400,
                            {},
                            R"({"code":"E","message":"m","detail":{"field":")" + s + R"(","value":{"x":[")" + s +
                                R"("]},"issue":")" + s + R"(","location":")" + s + R"(","sign_information":{)" +
                                R"("truncated_sign_message":")" + s + R"("}}})"};
      },
      [this](const std::string& s, const HttpRequest& request) {
        HttpResponse response = wechat_pay_.answer(request);
        response.headers.insert(response.headers.begin(), {"Request-ID", s.substr(0, 90)});
        return response;
      },
      [this](const std::string& s, const HttpRequest& request) {
        HttpResponse response = wechat_pay_.answer(request);
        for (HttpHeader& header : response.headers) {
          if (header.name == "Wechatpay-Serial") header.value = s.substr(0, 60);
        }
        return response;
      },
      [this](const std::string& s, const HttpRequest& request) {
        HttpResponse response = wechat_pay_.answer(request);
        for (HttpHeader& header : response.headers) {
          if (header.name == "Wechatpay-Nonce") header.value = s.substr(0, 60) + "\n";
        }
        return response;
      },
  };
  for (const Echo& echo : echoes) {
    for (const auto& [begin, size] : {std::pair<std::size_t, std::size_t>{0, 344}, {0, 99}, {200, 50}, {31, 16}}) {
      transport_->otherwise([&, from = begin, length = size](const HttpRequest& request) {
        return echo(signature_of(request).substr(from, length), request);
      });
      expect_clean(commit());
    }
  }
}

TEST_F(EchoedSignature, OfAnEarlierTryStandsInNoTextEither) {
  transport_->otherwise([this](const HttpRequest&) {
    return HttpResponse{502, {}, "cached: " + signature_of(transport_->requests().front()).substr(0, 80)};
  });
  const CommitResult result = commit();
  expect_clean(result);
  EXPECT_EQ(result.error().tries.size(), 2U);
}

TEST_F(EchoedSignature, InATransportsErrorIsTakenOut) {
  transport_->otherwise([](const HttpRequest& request) -> Result<HttpResponse> {
    return transport_error(TransportFault::other, Outcome::unknown,
                           "could not send " + signature_of(request) + "\x1B[31m");
  });
  const CommitResult result = commit();
  expect_clean(result);
  EXPECT_TRUE(contains(result.error().message, "could not send [redacted]\\x1B[31m")) << result.error().message;
}

}  // namespace
}  // namespace wechatpay::bonus_commit
