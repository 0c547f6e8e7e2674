/// Removes a request's own signature from texts in which a server or a proxy repeats it.
#ifndef WECHATPAY_BONUS_COMMIT_STAGES_REDACTION_HPP
#define WECHATPAY_BONUS_COMMIT_STAGES_REDACTION_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/error.hpp"
#include "wechatpay/bonus_commit/receipt.hpp"
#include "wechatpay/bonus_commit/stages/base64.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace stages {

/// \addtogroup stages
/// @{

/// One character of a text, in any notation: plain, percent-encoded, or as an escape of HTML, JSON or C.
struct WrittenCharacter {
  char value{};         ///< 0 if it is not ASCII
  std::size_t begin{};  ///< the offset of its first byte in the text
  std::size_t end{};    ///< the offset after its last byte
};

/// The number that `digits` represent in `base`, 10 or 16; -1 if they are not digits, or if it exceeds two bytes.
constexpr int number_in(std::string_view digits, int base) noexcept {
  int number = digits.empty() ? -1 : 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : base;
    if (digit >= base || number > 0xFFFF) return -1;
    number = number * base + digit;
  }
  return number;
}

/// The character for the text after `&` in HTML, without the semicolon: "#43", "#x2B" or "plus". A line feed, which is
/// never part of a signature, for the names of blanks; -1 for any other name.
constexpr int html_entity(std::string_view name) noexcept {
  if (name.substr(0, 2) == "#x" || name.substr(0, 2) == "#X") return number_in(name.substr(2), 16);
  if (name.substr(0, 1) == "#") return number_in(name.substr(1), 10);
  constexpr std::pair<std::string_view, char> names[] = {
      {"plus", '+'},    {"sol", '/'},    {"equals", '='}, {"amp", '&'},  {"lt", '<'},       {"gt", '>'},
      {"bsol", '\\'},   {"percnt", '%'}, {"nbsp", '\n'},  {"shy", '\n'}, {"ensp", '\n'},    {"emsp", '\n'},
      {"thinsp", '\n'}, {"zwj", '\n'},   {"zwnj", '\n'},  {"Tab", '\n'}, {"NewLine", '\n'}, {"quot", '"'}};
  for (const auto& [known, value] : names) {
    if (name == known) return value;
  }
  return -1;
}

/// The escaped character at the beginning of `text`, and its length in characters; 0 if there is none.
inline std::pair<int, std::size_t> escaped_character(std::string_view text) {
  const auto hex = [text](std::size_t begin, std::size_t digits) -> std::pair<int, std::size_t> {
    if (text.size() < begin + digits) return {0, 0};
    const int value = number_in(text.substr(begin, digits), 16);
    return value < 0 ? std::pair<int, std::size_t>{0, 0} : std::pair{value, begin + digits};
  };
  if (text.front() == '%') return hex(1, 2);
  if (text.front() == '&') {
    const std::size_t end = text.substr(0, 12).find(';');  // the longest is "&#x0000002B;"
    const int value = end == std::string_view::npos ? -1 : html_entity(text.substr(1, end - 1));
    return value < 0 ? std::pair<int, std::size_t>{0, 0} : std::pair{value, end + 1};
  }
  if (text.front() != '\\' || text.size() < 2) return {0, 0};
  if (text[1] == 'u') return hex(2, 4);
  if (text[1] == 'x') return hex(2, 2);
  const bool stands_for_itself = std::string_view("nrtbf").find(text[1]) == std::string_view::npos;
  return {stands_for_itself ? text[1] : '\n', 2};
}

/// `text` character by character, with the escapes of URLs, HTML and JSON decoded, up to three levels deep.
inline std::vector<WrittenCharacter> undo_escapes(std::string_view text) {
  std::string plain(text);
  std::vector<WrittenCharacter> written(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) written[i] = {text[i], i, i + 1};
  for (int layer = 0; layer < 3 && plain.find_first_of("%&\\") != std::string::npos; ++layer) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < plain.size();) {
      const bool may_escape = plain[i] == '%' || plain[i] == '&' || plain[i] == '\\';
      auto [value, size] =
          may_escape ? escaped_character(std::string_view(plain).substr(i)) : std::pair<int, std::size_t>{};
      if (size == 0) {
        value = static_cast<unsigned char>(plain[i]);
        size = 1;
      }
      const char c = value > 0 && value < 0x80 ? static_cast<char>(value) : '\0';
      written[kept] = {c, written[i].begin, written[i + size - 1].end};
      plain[kept++] = c;
      i += size;
    }
    plain.resize(kept);
    written.resize(kept);
  }
  return written;
}

/// How to read a text that may contain a signature in pieces.
struct ReadingOfPieces {
  bool through_tags{};  ///< `<br>` and other tags are skipped, so that the text around them is joined
  bool url_alphabet{};  ///< - and _ mean + and /; otherwise they separate pieces, like other punctuation
};

inline constexpr std::uint8_t of_urls = 66;     ///< in base64_values: - and _, which mean + and / in URLs
inline constexpr std::uint8_t of_escapes = 67;  ///< in base64_values: what begins an escape or a tag

/// What each byte of a text may mean if the text repeats a signature: 1 to 65 for the characters of Base64, of_urls,
/// of_escapes, and 0 for all others.
inline constexpr auto base64_values = [] {
  std::array<std::uint8_t, 256> values{};
  std::uint8_t value = 0;
  for (const char c : base64_characters) values[static_cast<unsigned char>(c)] = ++value;
  for (const char c : std::string_view("-_")) values[static_cast<unsigned char>(c)] = of_urls;
  for (const char c : std::string_view("%&\\<")) values[static_cast<unsigned char>(c)] = of_escapes;
  return values;
}();

/// The Base64 character that `c` means; 0 if it is none, so that it separates pieces.
constexpr char base64_character(char c, bool url_alphabet) noexcept {
  if (url_alphabet && c == '-') return '+';
  if (url_alphabet && c == '_') return '/';
  const std::uint8_t value = base64_values[static_cast<unsigned char>(c)];
  return value > 0 && value < of_urls ? c : '\0';
}

/// The positions in `written` of all Base64 characters, and those characters joined.
inline std::pair<std::vector<std::size_t>, std::string> base64_row(const std::vector<WrittenCharacter>& written,
                                                                   ReadingOfPieces reading) {
  std::vector<std::size_t> places;
  std::string row;
  places.reserve(written.size());
  row.reserve(written.size());
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i].value == '<' && reading.through_tags) {
      std::size_t end = i;
      while (end < written.size() && end - i < 100 && written[end].value != '>') ++end;
      if (end < written.size() && written[end].value == '>') i = end;
      continue;
    }
    if (const char c = base64_character(written[i].value, reading.url_alphabet); c != '\0') {
      places.push_back(i);
      row += c;
    }
  }
  return {std::move(places), std::move(row)};
}

/// The set of character pairs in a text of Base64. It shows quickly that most strings are not part of that text,
/// without a search.
class CharacterPairs {
 public:
  /// The pairs of `text`.
  explicit CharacterPairs(std::string_view text) noexcept {
    for (std::size_t i = 1; i < text.size(); ++i) {
      followers_[value(text[i - 1]) % 64U] |= std::uint64_t{1} << value(text[i]) % 64U;
    }
  }

  /// Whether the text may contain a character of the value `a` followed by one of `b` (see base64_values). Of Base64's
  /// characters, only `A` and `=` count as the same.
  bool has(std::uint8_t a, std::uint8_t b) const noexcept { return (followers_[a % 64U] >> b % 64U & 1U) != 0; }

  /// Whether the text may contain `piece`.
  bool may_hold(std::string_view piece) const noexcept {
    for (std::size_t i = 1; i < piece.size(); ++i) {
      if (!has(value(piece[i - 1]), value(piece[i]))) return false;
    }
    return true;
  }

 private:
  static std::uint8_t value(char c) noexcept { return base64_values[static_cast<unsigned char>(c)]; }

  std::array<std::uint64_t, 64> followers_{};
};

/// What is to be removed from texts: the signatures of a call's tries. It refers to their text.
class SentSignatures {
 public:
  /// Of signatures in Base64, separated by line breaks.
  explicit SentSignatures(std::string_view text) noexcept : text_(text), pairs_(text) {}

  /// Whether one of them contains `piece`.
  bool contain(std::string_view piece) const {
    return pairs_.may_hold(piece) && text_.find(piece) != std::string_view::npos;
  }

  /// The pairs of characters in all of them.
  const CharacterPairs& pairs() const noexcept { return pairs_; }

 private:
  std::string_view text_;
  CharacterPairs pairs_;
};

/// The number of characters of the shortest piece of a signature that is removed.
inline constexpr std::size_t shortest_piece = 8;

/// Whether `text` may repeat a piece of the signatures whose pairs are `pairs`. Usually false, without a decoded copy
/// of the text. Always true for a text that may contain escapes or tags.
inline bool may_repeat_piece(std::string_view text, const CharacterPairs& pairs) noexcept {
  std::size_t run = 0;  // the latest characters that may be a piece
  std::uint8_t last = 0;
  for (const char c : text) {
    const std::uint8_t value = base64_values[static_cast<unsigned char>(c)];
    if (value == 0) continue;
    if (value == of_escapes) return true;
    // - and _ separate pieces or are part of one, so each character may come before and after them.
    const bool may_follow = value == of_urls || last == of_urls || pairs.has(last, value);
    run = may_follow ? run + 1 : 1;
    if (run == shortest_piece) return true;
    last = value;
  }
  return false;
}

/// A run of characters in a text that belong to a piece of a signature. Characters that wrap the signature are between
/// runs.
using SignaturePiece = std::vector<WrittenCharacter>;

/// Finds what `text` repeats of `signatures`: every piece of 8 or more characters. It finds pieces with tags, white
/// space, quotes or commas between their characters, and pieces that are escaped.
inline std::vector<SignaturePiece> pieces_of_signatures(std::string_view text, const SentSignatures& signatures) {
  std::vector<SignaturePiece> pieces;
  enum Mark : char { none, first, further };
  const std::vector<WrittenCharacter> written = undo_escapes(text);
  std::vector<Mark> marks(written.size(), none);
  const auto has = [&written](char c) {
    return std::any_of(written.begin(), written.end(), [c](const WrittenCharacter& one) { return one.value == c; });
  };
  const bool has_tags = has('<');
  const bool has_url_alphabet = has('-') || has('_');
  for (const ReadingOfPieces reading : {ReadingOfPieces{true, true}, {true, false}, {false, true}, {false, false}}) {
    // Such a reading finds the same pieces as a plain one.
    if ((reading.through_tags && !has_tags) || (reading.url_alphabet && !has_url_alphabet)) continue;
    const auto [places, row] = base64_row(written, reading);
    for (std::size_t i = 0; i + shortest_piece <= row.size(); ++i) {
      const std::string_view piece = std::string_view(row).substr(i, shortest_piece);
      if (!signatures.contain(piece)) continue;
      if (marks[places[i]] == none) marks[places[i]] = first;
      for (std::size_t j = i + 1; j < i + shortest_piece; ++j) marks[places[j]] = further;
    }
  }
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (marks[i] == first || (marks[i] == further && pieces.empty())) pieces.emplace_back();
    if (marks[i] != none) pieces.back().push_back(written[i]);
  }
  return pieces;
}

/// `text` with each piece of `signatures` that it repeats replaced by `[redacted]`: see pieces_of_signatures().
inline std::string without_pieces(std::string_view text, const SentSignatures& signatures) {
  std::string out;
  std::size_t copied = 0;
  for (const SignaturePiece& piece : pieces_of_signatures(text, signatures)) {
    out.append(text.substr(copied, piece.front().begin - copied)).append("[redacted]");
    copied = piece.back().end;
  }
  return out.append(text.substr(copied));
}

/// The same for a JSON text, which stays valid JSON: each character of a piece is replaced by `*`. If a signature is
/// repeated outside of strings, the whole text is dropped.
inline std::string json_without_pieces(std::string_view json, const SentSignatures& signatures) {
  const auto pieces = pieces_of_signatures(json, signatures);
  std::string out;
  std::size_t copied = 0;
  bool in_string = false;
  const auto copy_until = [&](std::size_t end) {
    for (; copied < end; ++copied) {
      out += json[copied];
      if (json[copied] == '\\' && copied + 1 < end) {
        out += json[++copied];
      } else if (json[copied] == '"') {
        in_string = !in_string;
      }
    }
  };
  for (const SignaturePiece& piece : pieces) {
    for (const WrittenCharacter& character : piece) {
      copy_until(character.begin);
      if (!in_string) return "\"[redacted]\"";
      out += '*';
      copied = character.end;
    }
  }
  copy_until(json.size());
  return out;
}

/// Removes `signatures` from every text of `error`, including its tries.
inline void redact(Error& error, const SentSignatures& signatures) {
  const CharacterPairs& pairs = signatures.pairs();
  const auto clean = [&](std::string& text) {
    if (may_repeat_piece(text, pairs)) text = without_pieces(text, signatures);
  };
  clean(error.message);
  for (Fault& fault : error.faults) {
    for (std::string* text : {&fault.field, &fault.value, &fault.issue, &fault.location}) clean(*text);
  }
  for (Try& one : error.tries) {
    if (!one.answer) continue;
    for (std::string* text : {&one.answer->code, &one.answer->message, &one.answer->request_id}) clean(*text);
    std::string& detail = one.answer->detail;
    if (may_repeat_piece(detail, pairs)) detail = json_without_pieces(detail, signatures);
  }
}

/// Removes `signatures`, in Base64 and separated by line breaks, from every text of a result.
inline void redact(CommitResult& result, std::string_view signatures) {
  if (!result) return redact(result.error(), SentSignatures(signatures));
  // What an id in WeChat Pay's form, which is hexadecimal, can repeat of a signature is too little to be of any use. So
  // most successes need no search.
  std::string& request_id = result->request_id;
  const bool usual = request_id.find_first_not_of("0123456789ABCDEF-") == std::string::npos;
  if (!usual) request_id = without_pieces(request_id, SentSignatures(signatures));
}

/// @}

}  // namespace stages
WECHATPAY_BONUS_COMMIT_END

#endif
