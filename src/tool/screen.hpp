// Writes lines to standard error, with a bar below them on a terminal.
#ifndef WECHATPAY_SRC_TOOL_SCREEN_HPP
#define WECHATPAY_SRC_TOOL_SCREEN_HPP

#include <mutex>
#include <string>

namespace wechatpay::bonus_commit::tool {

/// Thread-safe.
class Screen {
 public:
  /// Prints a line above the bar.
  void say(const std::string& line);

  /// Draws the bar in place of the previous one. `last`: it stays on the screen.
  void show_bar(const std::string& bar, bool last);

  /// The columns of the terminal; 0: standard error is not a terminal, and no bar is shown.
  static int width();

 private:
  std::mutex mutex_;
  std::string bar_;  ///< the bar on the screen; empty: none
};

}  // namespace wechatpay::bonus_commit::tool

#endif
