#include "screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

namespace wechatpay::bonus_commit::tool {

namespace {

constexpr const char* clear_line = "\r\33[K";

}  // namespace

void Screen::say(const std::string& line) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::cerr << (bar_.empty() ? "" : clear_line) << line << "\n" << bar_ << std::flush;
}

void Screen::show_bar(const std::string& bar, bool last) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::cerr << clear_line << bar << (last ? "\n" : "") << std::flush;
  bar_ = bar;
  if (last) bar_.clear();
}

int Screen::width() {
  if (::isatty(STDERR_FILENO) != 1) return 0;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace wechatpay::bonus_commit::tool
