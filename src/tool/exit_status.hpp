// The tool's exit statuses, for scripts. The manual page has the same table.
#ifndef WECHATPAY_SRC_TOOL_EXIT_STATUS_HPP
#define WECHATPAY_SRC_TOOL_EXIT_STATUS_HPP

namespace wechatpay::bonus_commit::tool {

enum ExitStatus {
  success = 0,        ///< credited (if there are several orders: all of them), or nothing is wrong
  refused = 1,        ///< WeChat Pay refused it, or `check` or `doctor` found a problem
  usage = 2,          ///< an argument, a key file or an option is wrong: nothing was sent
  unknown = 3,        ///< the commit may have taken effect: run it again with the same values
  not_sent = 4,       ///< nothing was sent
  interrupted = 130,  ///< Ctrl-C, SIGTERM or SIGHUP; the number follows the shells' convention
};

}  // namespace wechatpay::bonus_commit::tool

#endif
