#include "line_reader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wechatpay/bonus_commit/stages/file_name.hpp>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>

namespace wechatpay::bonus_commit::tool {

using namespace stages;

Result<LineReader> LineReader::open(const std::string& name, int wake) {
  const bool standard_input = name == "-";
  std::string shown = "standard input";
  if (!standard_input) {
    if (const std::string fault = file_name_fault(name); !fault.empty()) return configuration_error("FILE " + fault);
    shown = file_in_message(name, "FILE");
  }
  const int descriptor = standard_input ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return configuration_error(shown + ": cannot be opened: " + std::generic_category().message(errno));
  }
  LineReader reader(shown, descriptor, wake);
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
    reader.bytes_in_all_ = static_cast<std::uint64_t>(status.st_size);
  }
  return reader;
}

LineReader::LineReader(std::string name, int descriptor, int wake)
    : name_(std::move(name)), descriptor_(descriptor), wake_(wake) {}

LineReader::Descriptor::~Descriptor() {
  if (number_ > STDIN_FILENO) ::close(number_);
}

std::optional<LineReader::Line> LineReader::next() {
  if (put_back_.empty()) return read_line();
  Line line = std::move(put_back_.front());
  put_back_.pop_front();
  return line;
}

void LineReader::put_back(std::deque<Line> lines) {
  put_back_.insert(put_back_.begin(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
}

std::optional<LineReader::Line> LineReader::read_line() {
  Line line;
  line.number = lines_ + 1;
  bool any = false;
  while (at_ < buffer_.size() || fill()) {
    any = true;
    const std::size_t end = std::min(buffer_.find('\n', at_), buffer_.size());
    const std::size_t room = longest_line - line.text.size();
    line.too_long = line.too_long || end - at_ > room;
    line.text.append(buffer_, at_, std::min(end - at_, room));
    line.ended = end < buffer_.size();
    bytes_read_ += end - at_ + (line.ended ? 1 : 0);
    at_ = end + (line.ended ? 1 : 0);
    if (line.ended) break;
  }
  if (!any || woken_ || !error_.empty()) return std::nullopt;
  ++lines_;
  while (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();  // CR CR LF: converted twice
  return line;
}

/// Reads more bytes into the empty buffer. False at the end of the file.
bool LineReader::fill() {
  pollfd descriptors[] = {{descriptor_.number(), POLLIN, 0}, {wake_, POLLIN, 0}};
  ssize_t count = -1;
  do {
    if (::poll(descriptors, 2, -1) < 0) continue;
    woken_ = (descriptors[1].revents & POLLIN) != 0;
    if (woken_) return false;
    buffer_.resize(longest_line);
    count = ::read(descriptor_.number(), buffer_.data(), buffer_.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) error_ = name_ + ": cannot be read: " + std::generic_category().message(errno);
  buffer_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  at_ = 0;
  return count > 0;
}

}  // namespace wechatpay::bonus_commit::tool
