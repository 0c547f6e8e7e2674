// A file of orders, row by row: CSV with a header, or JSON Lines.
#ifndef WECHATPAY_BONUS_COMMIT_CLI_ORDER_FILE_HPP
#define WECHATPAY_BONUS_COMMIT_CLI_ORDER_FILE_HPP

#include <wechatpay/bonus_commit/request.hpp>
#include <wechatpay/bonus_commit/result.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// One order of a file, or why it is none.
struct OrderRow {
  std::uint64_t line = 0;  ///< of its first line, from 1
  std::string text;        ///< as it stands in the file, without the line's end
  wechatpay::BonusCommitRequest request;
  std::string fault;  ///< empty, or what is wrong with it
};

/// `text` as a number of points: decimal digits alone; nothing where it is none.
std::optional<std::int64_t> parse_points(std::string_view text);

/// The fields of a line of CSV (RFC 4180); nothing where its quotes are not closed or stand in the wrong place.
std::optional<std::vector<std::string>> split_csv(std::string_view text, char delimiter);

/// `value` as a field of CSV.
std::string csv_field(std::string_view value);

/// Reads orders one after the other, in bounded memory, from a file or from standard input.
///
/// CSV has a header with the fields' names, in any order; other columns are passed over, and commas may be semicolons
/// or tabs. JSON Lines has one object on each line. Fields that are absent, or empty, are taken from `defaults`. A row
/// that cannot be read is given with its fault, and reading goes on behind it; where quotes go wrong, behind its first
/// line, so that none of the following rows is swallowed. RFC 4180 lets the last line of CSV go without its end; here
/// that is a fault, since whoever writes or copies the file may be in the middle of a value.
class OrderFile {
 public:
  /// Opens `name`, "-" for standard input, and reads the header. Fails with an error that names the file. While it
  /// waits for standard input, something to read on the descriptor `wake` ends the file; -1: nothing does.
  static wechatpay::Result<OrderFile> open(const std::string& name, wechatpay::BonusCommitRequest defaults,
                                           int wake = -1);
  /// The next row; nothing at the end, or where reading fails: see error().
  std::optional<OrderRow> next();

  /// What went wrong while the file was read, empty where nothing did.
  const std::string& error() const noexcept { return error_; }

  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  std::uint64_t bytes_in_all() const noexcept { return bytes_in_all_; }  ///< 0 where that is not known

  /// The header for a file of rows of this one, with a column `error`; empty for JSON Lines.
  std::string header_with_error() const;

  /// A row's text with `error` in that column or member; where the row cannot be read, the text as it is.
  std::string with_error(const std::string& text, const std::string& error) const;

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

  struct Line {
    std::string text;
    std::uint64_t number;
    bool too_long;
    bool ended;  ///< by a newline
  };

  OrderFile(std::string name, int descriptor, wechatpay::BonusCommitRequest defaults, int wake);

  std::optional<wechatpay::Error> read_header();
  std::optional<Line> next_line();
  std::optional<Line> read_line();
  bool fill();
  void read_csv_row(OrderRow& row);
  void read_json_row(OrderRow& row);
  void check_row(OrderRow& row);

  std::string name_;
  Descriptor descriptor_;
  int wake_;
  wechatpay::BonusCommitRequest defaults_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::deque<Line> put_back_;
  std::uint64_t lines_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_in_all_ = 0;
  std::string error_;
  bool woken_ = false;
  bool json_ = false;
  char delimiter_ = ',';
  std::string header_;
  std::vector<std::string> columns_;
  std::size_t error_at_ = 0;  ///< the column `error`; their number, where there is none
};

#endif
