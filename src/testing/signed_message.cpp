#include "src/testing/signed_message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <stdexcept>

#include "src/openssl/handles.hpp"
#include "src/testing/replaced.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

constexpr std::string_view upper_hex_digits = "0123456789ABCDEF";

std::string in_case(std::string text, bool upper) {
  for (char& c : text) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string percent_decoded(const std::string& text, bool plus_is_blank) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned int byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += plus_is_blank && text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

/// `text` with all bytes percent-encoded, except unreserved ones and those in `plain`.
std::string percent_encoded(const std::string& text, std::string_view plain) {
  std::string encoded;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || std::string_view("-._~").find(c) != std::string_view::npos ||
        plain.find(c) != std::string_view::npos) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += upper_hex_digits[byte >> 4U];
    encoded += upper_hex_digits[byte & 15U];
  }
  return encoded;
}

/// `text` with the hex digits of its percent-encoding in the given case.
std::string escapes_in_case(std::string text, bool upper) {
  for (std::size_t at = text.find('%'); at != std::string::npos && at + 2 < text.size(); at = text.find('%', at + 1)) {
    text.replace(at + 1, 2, in_case(text.substr(at + 1, 2), upper));
  }
  return text;
}

using Variants = std::vector<Variant>;

Variants methods(const std::string& method) {
  Variants all = {{in_case(method, false), "The client signed the method in lower case: sign it in upper case."}};
  for (const char* other : {"GET", "POST", "PUT", ""}) {
    all.push_back({other, "The client signed another method than it sent: sign the method of the request."});
  }
  return all;
}

constexpr const char* as_sent = ": sign path and query exactly as they are sent.";

void add_hosts(const std::string& url, const std::string& host, Variants& all) {
  for (const std::string& name : {host, host.substr(0, host.rfind(':')), std::string("api.mch.weixin.qq.com"),
                                  std::string("api2.mch.weixin.qq.com"), std::string("api.wechatpay.cn")}) {
    if (name.empty()) continue;
    for (const char* scheme : {"https://", "http://", "//", ""}) {
      std::string whole(scheme);
      whole.append(name);
      const std::string advice = "The client signed the URL with its host: sign only the part that begins with /v3/.";
      all.push_back({whole + url, advice});
      all.push_back(
          {whole, "The client signed the host in the place of the path: sign the part that begins with /v3/."});
    }
  }
}

Variants urls(const std::string& url, const std::string& host) {
  const std::string decoded = percent_decoded(url, false);
  Variants all;
  const auto add = [&all](std::string text, const std::string& advice) { all.push_back({std::move(text), advice}); };
  add_hosts(url, host, all);
  add(decoded, std::string("The client signed the path decoded, and sent it percent-encoded") + as_sent);
  add(percent_decoded(url, true),
      std::string("The client signed the path decoded, and sent it percent-encoded") + as_sent);
  add(percent_encoded(decoded, "/?=&"),
      std::string("The client signed the path percent-encoded, and sent it otherwise") + as_sent);
  add(percent_encoded(url, "/?=&"), std::string("The client signed the path percent-encoded twice") + as_sent);
  add(percent_encoded(url, ""),
      std::string("The client percent-encoded the slashes of the path that it signed") + as_sent);
  add(escapes_in_case(url, false),
      std::string("The client signed %xx in lower-case hex, and sent upper case") + as_sent);
  add(escapes_in_case(url, true),
      std::string("The client signed %xx in upper-case hex, and sent lower case") + as_sent);
  add(replaced(url, "%20", "+"), std::string("The client signed + for a blank, and sent %20") + as_sent);
  add("", "The client signed an empty line in the place of the path: sign path and query as they are sent.");
  add("/", "The client signed / in the place of the path: sign path and query as they are sent.");
  add(url.substr(0, url.find('?')), "The client sent a query string that it did not sign: sign path and query.");
  add(url + "?", std::string("The client signed a question mark at the URL's end that it did not send") + as_sent);
  add(url + "/", std::string("The client signed a slash at the path's end that it did not send") + as_sent);
  if (url.size() > 1) add(url.substr(1), "The client signed the path without the slash at its beginning: sign /v3/...");
  if (url.compare(0, 3, "/v3") == 0) {
    add(url.substr(3), "The client signed the path without /v3: sign the whole path, as it is sent.");
  }
  add("/v3/marketing/membercard-open/cards/{card_id}/codes/{code}/bonus/commit",
      "The client signed the path with {card_id} and {code} in it: put the values in before it is signed.");
  add(in_case(url, false), std::string("The client signed the path in lower case") + as_sent);
  return all;
}

/// Advice for a timestamp offset in seconds, which is too large to be a delay.
std::string advice_on_offset(std::int64_t offset) {
  return "The client signed a timestamp " + std::to_string(offset < 0 ? -offset : offset) + " s " +
         (offset < 0 ? "earlier" : "later") +
         " than the one in Authorization: take the time once, and use it in both places.";
}

Variants timestamps(const std::string& timestamp) {
  Variants all = {{"", "The client signed an empty line in the place of the timestamp."}};
  std::int64_t seconds = 0;
  const char* const end = timestamp.data() + timestamp.size();
  if (timestamp.size() > 15 || std::from_chars(timestamp.data(), end, seconds).ptr != end) return all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back({std::to_string(seconds * 1000 + i),
                   "The client signed the timestamp in milliseconds: sign seconds, the same as in Authorization."});
  }
  if (seconds > 99999999999) {
    all.push_back(
        {std::to_string(seconds / 1000),
         "The client signed the timestamp in seconds, but sent milliseconds in Authorization: send seconds."});
  }
  for (std::int64_t offset = 1; offset <= 600; ++offset) {
    all.push_back({std::to_string(seconds + offset), advice_on_offset(offset)});
    all.push_back({std::to_string(seconds - offset), advice_on_offset(-offset)});
  }
  for (const std::int64_t zone : {-8 * 3600, 8 * 3600}) {
    all.push_back({std::to_string(seconds + zone), "The client signed local time: Unix time has no time zone."});
  }
  return all;
}

Variants nonces(const MessageParts& parts, const MessageContext& context) {
  const std::string& nonce = parts.nonce_str;
  Variants all = {{"", "The client signed an empty line in the place of nonce_str."},
                  {in_case(nonce, true), "The client signed nonce_str in upper case, and sent it otherwise."},
                  {in_case(nonce, false), "The client signed nonce_str in lower case, and sent it otherwise."},
                  {replaced(nonce, "-", ""), "The client signed nonce_str without its hyphens, and sent them."}};
  if (nonce.size() == 32) {
    std::string uuid = nonce;
    for (const std::size_t at : {20U, 16U, 12U, 8U}) uuid.insert(at, "-");
    all.push_back({uuid, "The client signed nonce_str with hyphens, and sent it without."});
  }
  all.push_back({context.mchid, "The client signed mchid in the place of nonce_str: its values are swapped."});
  all.push_back({context.serial_no, "The client signed serial_no in the place of nonce_str: its values are swapped."});
  for (const std::string& other : context.other_nonces) {
    all.push_back({other,
                   "The client signed the nonce of another request: make one nonce for each request, and use it in the "
                   "message and in Authorization."});
  }
  return all;
}

/// Wrong forms of the whole message.
Variants forms(const MessageParts& parts) {
  const std::string message = message_of(parts);
  const std::string end_of_line = ": end each of the five lines, the last one too, with one LF.";
  const std::string head = parts.method + "\n" + parts.url + "\n" + parts.timestamp + "\n" + parts.nonce_str + "\n";
  return {
      {message.substr(0, message.size() - 1),
       parts.body.empty() || parts.body.back() != '\n'
           ? "The client signed no line feed after the body" + end_of_line
           : "The client sent a line break at the body's end that it did not sign: sign the body as it is sent."},
      {message + "\n",
       "The client signed one line feed too many at the end: after the body as it is sent, there is one LF."},
      {replaced(message, "\n", "\r\n"), "The client signed lines that end in CR LF" + end_of_line},
      {replaced(message, "\n", "\r"), "The client signed lines that end in CR" + end_of_line},
      {replaced(message, "\n", "\\n"),
       "The client signed a backslash and an n in the place of each line feed: in single "
       "quotes, PHP and shells make two characters of \\n."},
      {replaced(message, "\n", ""), "The client signed the five values without line feeds" + end_of_line},
      {replaced(message, "\n", "&"), "The client signed the five values with & between them" + end_of_line},
      {"\n" + message, "The client signed an empty line before the method: begin with the method."},
      {head, "The client signed four lines, without the body: the body, or an empty line, is the fifth."},
      {head + parts.body + "\r\n", "The client signed CR LF after the body" + end_of_line},
      {parts.timestamp + "\n" + parts.nonce_str + "\n" + parts.body + "\n",
       "The client signed the three lines of an answer: a request has five, method and URL first."},
      {parts.body, "The client signed only the body: sign the five lines."},
  };
}

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += upper_hex_digits[byte >> 4U];
    hex += upper_hex_digits[byte & 15U];
  }
  return hex;
}

/// Mistakes that are not combined with others: the hash of a hash, and other orders of the lines.
std::string mistake_in_whole(const MessageParts& parts, std::string_view digest) {
  const std::string once = sha256(message_of(parts));
  for (const std::string& text : {once, hex_of(once), in_case(hex_of(once), false)}) {
    if (sha256(text) == digest) {
      return "The client signed a SHA-256 hash of the message: it was hashed twice. Give the message itself to the "
             "function that signs with SHA256withRSA.";
    }
  }
  std::array<std::string, 5> lines = {parts.method, parts.url, parts.timestamp, parts.nonce_str, parts.body};
  std::sort(lines.begin(), lines.end());
  do {
    std::string message;
    for (const std::string& line : lines) message.append(line).append("\n");
    if (sha256(message) == digest) {
      return "The client signed the lines in another order: method, URL, timestamp, nonce_str, body.";
    }
  } while (std::next_permutation(lines.begin(), lines.end()));
  return {};
}

struct Part {
  std::string MessageParts::*member;
  Variants variants;
  std::size_t for_pairs;  ///< this many are tried together with a mistake in another part
};

/// One mistake, in one part or in the form of the whole message.
std::string single_mistake(const MessageParts& parts, const std::vector<Part>& all, std::string_view digest) {
  for (const Variant& form : forms(parts)) {
    if (sha256(form.text) == digest) return form.advice;
  }
  MessageParts changed = parts;
  for (const Part& part : all) {
    for (const Variant& variant : part.variants) {
      changed.*part.member = variant.text;
      if (sha256(message_of(changed)) == digest) return variant.advice;
    }
    changed.*part.member = parts.*part.member;
  }
  return mistake_in_whole(parts, digest);
}

/// Two mistakes at once, one of which may be in the form.
std::string pair_of_mistakes(const MessageParts& parts, const std::vector<Part>& all, std::string_view digest) {
  for (auto first = all.begin(); first != all.end(); ++first) {
    for (std::size_t i = 0; i < std::min(first->for_pairs, first->variants.size()); ++i) {
      MessageParts changed = parts;
      changed.*first->member = first->variants[i].text;
      for (const Variant& form : forms(changed)) {
        if (sha256(form.text) == digest) return first->variants[i].advice + " " + form.advice;
      }
      for (auto second = first + 1; second != all.end(); ++second) {
        for (std::size_t j = 0; j < std::min(second->for_pairs, second->variants.size()); ++j) {
          changed.*second->member = second->variants[j].text;
          if (sha256(message_of(changed)) == digest) {
            return first->variants[i].advice + " " + second->variants[j].advice;
          }
        }
        changed.*second->member = parts.*second->member;
      }
    }
  }
  return {};
}

}  // namespace

std::string message_of(const MessageParts& parts) {
  return parts.method + "\n" + parts.url + "\n" + parts.timestamp + "\n" + parts.nonce_str + "\n" + parts.body + "\n";
}

std::string sha256(std::string_view text) {
  std::string digest(32, '\0');
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha256(),
                 nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-256");
  }
  return digest;
}

std::string mistake_in_message(const MessageParts& parts, const MessageContext& context, std::string_view digest) {
  constexpr std::size_t most_bytes = 65536;  // for texts that are hashed thousands of times
  if (parts.body.size() + parts.url.size() > most_bytes) {
    return single_mistake(parts,
                          {{&MessageParts::body,
                            {{"", "The client signed an empty body: sign the body byte for byte as it is sent."}},
                            0}},
                          digest);
  }
  const std::vector<Part> all = {{&MessageParts::method, methods(parts.method), 2},
                                 {&MessageParts::url, urls(parts.url, context.host), 60},
                                 {&MessageParts::timestamp, timestamps(parts.timestamp), 1},
                                 {&MessageParts::nonce_str, nonces(parts, context), 5},
                                 {&MessageParts::body, variants_of_body(parts.body), 60}};
  std::string mistake = single_mistake(parts, all, digest);
  return mistake.empty() && parts.body.size() < 4096 ? pair_of_mistakes(parts, all, digest) : mistake;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
