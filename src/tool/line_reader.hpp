// Reads lines from a file or from standard input.
#ifndef WECHATPAY_SRC_TOOL_LINE_READER_HPP
#define WECHATPAY_SRC_TOOL_LINE_READER_HPP

#include <wechatpay/bonus_commit/result.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace wechatpay::bonus_commit::tool {

/// Reads one line after another with bounded memory. Lines end with LF or CR LF. Not thread-safe.
class LineReader {
 public:
  static constexpr std::size_t longest_line = 65536;  ///< longer lines are cut here

  struct Line {
    std::string text;          ///< without the line end
    std::uint64_t number = 0;  ///< from 1
    bool too_long = false;     ///< the rest of the line was dropped
    bool ended = false;        ///< a newline followed the text
  };

  /// Opens `name`; "-" is standard input. Fails with an error that names the file. `wake`: a descriptor; while next()
  /// waits for standard input, the file ends as soon as `wake` is readable. -1: none.
  static Result<LineReader> open(const std::string& name, int wake);

  /// The next line. Nothing at the end, or if reading fails: see error().
  std::optional<Line> next();

  /// Makes next() return `lines` again; they must be the last lines that it returned.
  void put_back(std::deque<Line> lines);

  const std::string& name() const noexcept { return name_; }    ///< for messages
  const std::string& error() const noexcept { return error_; }  ///< empty, or what went wrong
  bool woken() const noexcept { return woken_; }                ///< the input ended because of `wake`
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  std::uint64_t bytes_in_all() const noexcept { return bytes_in_all_; }  ///< 0 if not known

 private:
  /// Closes a file, but not standard input.
  class Descriptor {
   public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor();
    int number() const { return number_; }

   private:
    int number_;
  };

  LineReader(std::string name, int descriptor, int wake);

  std::optional<Line> read_line();
  bool fill();

  std::string name_;
  Descriptor descriptor_;
  int wake_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::deque<Line> put_back_;
  std::uint64_t lines_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_in_all_ = 0;
  std::string error_;
  bool woken_ = false;
};

}  // namespace wechatpay::bonus_commit::tool

#endif
