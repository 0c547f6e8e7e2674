// Standard error as a place for lines, with a bar below them on a terminal.
#ifndef WECHATPAY_SRC_TOOL_SCREEN_HPP
#define WECHATPAY_SRC_TOOL_SCREEN_HPP

#include <mutex>
#include <string>

namespace wechatpay::bonus_commit::tool {

/// Thread-safe.
class Screen {
 public:
  /// A line above the bar.
  void say(const std::string& line);

  /// Draws the bar, in place of the one before; `last`: it stays.
  void show_bar(const std::string& bar, bool last);

  /// The terminal's columns; 0: standard error is none, and has no bar.
  static int width();

 private:
  std::mutex mutex_;
  std::string bar_;  ///< what is drawn; empty: nothing
};

}  // namespace wechatpay::bonus_commit::tool

#endif
