// How the tool ends, for scripts. The manual page has the same table.
#ifndef WECHATPAY_SRC_TOOL_EXIT_STATUS_HPP
#define WECHATPAY_SRC_TOOL_EXIT_STATUS_HPP

namespace wechatpay::bonus_commit::tool {

enum ExitStatus {
  success = 0,        ///< credited; of several, all; nothing wrong
  refused = 1,        ///< WeChat Pay says no; or something is wrong that `check` or `doctor` found
  usage = 2,          ///< arguments, a key file or an option cannot work: nothing was sent
  unknown = 3,        ///< it may have been done: start again with the same values
  not_sent = 4,       ///< nothing was sent
  interrupted = 130,  ///< Ctrl-C, SIGTERM or SIGHUP, as shells count
};

}  // namespace wechatpay::bonus_commit::tool

#endif
