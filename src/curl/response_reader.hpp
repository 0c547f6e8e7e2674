/// Builds an HttpResponse from an answer's header lines and bytes.
#ifndef WECHATPAY_SRC_CURL_RESPONSE_READER_HPP
#define WECHATPAY_SRC_CURL_RESPONSE_READER_HPP

#include <string>
#include <string_view>

#include "wechatpay/bonus_commit/http.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace curl {

/// Takes the header lines one by one, as libcurl passes them, and the body. Keeps only the headers of the final answer:
/// it drops those of interim answers (1xx) and trailers.
class ResponseReader {
 public:
  static constexpr std::size_t most_header_bytes = 64U << 10U;
  static constexpr std::size_t most_body_bytes = 1U << 20U;

  /// False if the headers are too large. Throws std::bad_alloc.
  bool add_header_line(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > most_header_bytes) return false;
    const bool starts_answer = part_ == Part::nothing || (part_ == Part::whole && interim_);
    if (starts_answer && line.substr(0, 5) == "HTTP/") {
      part_ = Part::headers;
      interim_ = line.substr(line.find(' ') + 1, 1) == "1";
      response_.headers.clear();
      folds_into_last_ = false;
    } else if (part_ == Part::headers) {
      add_field_line(line);
    }
    return true;
  }

  /// False if the body is too large. Throws std::bad_alloc.
  bool add_body(std::string_view bytes) {
    if (response_.body.size() + bytes.size() > most_body_bytes) return false;
    response_.body.append(bytes);
    return true;
  }

  /// Whether the headers are complete. libcurl treats an answer without a body as complete even before that.
  bool headers_whole() const noexcept { return part_ == Part::whole; }

  bool has_body() const noexcept { return !response_.body.empty(); }

  /// Returns the answer so far. The reader is then as new and holds no memory.
  HttpResponse take() noexcept {
    ResponseReader fresh;
    std::swap(*this, fresh);
    return std::move(fresh.response_);
  }

 private:
  enum class Part { nothing, headers, whole };

  void add_field_line(std::string_view line) {
    if (line == "\r\n" || line == "\n") {
      part_ = Part::whole;
      return;
    }
    HttpHeaders& headers = response_.headers;
    if (line.front() == ' ' || line.front() == '\t') {  // a folded line (RFC 9112, section 5.2)
      if (!folds_into_last_ || trimmed(line).empty()) return;
      std::string& value = headers.back().value;
      if (!value.empty()) value += ' ';
      value.append(trimmed(line));
      return;
    }
    const std::size_t colon = line.find(':');
    folds_into_last_ = colon != std::string_view::npos;
    if (!folds_into_last_) return;
    if (headers.capacity() == 0) headers.reserve(16);
    headers.push_back({std::string(trimmed(line.substr(0, colon))), std::string(trimmed(line.substr(colon + 1)))});
  }

  static std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view white_space = " \t\r\n";
    const std::size_t first = text.find_first_not_of(white_space);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(white_space) - first + 1);
  }

  HttpResponse response_;
  std::size_t header_bytes_ = 0;
  Part part_ = Part::nothing;  ///< of the latest answer, interim or final
  bool interim_ = false;
  bool folds_into_last_ = false;  ///< a folded line belongs to the last header
};

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END

#endif
