// Ctrl-C, SIGTERM and SIGHUP, as something to read.
#ifndef WECHATPAY_SRC_TOOL_INTERRUPTION_HPP
#define WECHATPAY_SRC_TOOL_INTERRUPTION_HPP

namespace wechatpay::bonus_commit::tool {

/// From now on the first SIGINT, SIGTERM or SIGHUP makes the returned descriptor readable, for good, and a second one
/// ends the process at once. -1 where there is no descriptor to be had.
int catch_interruptions();

/// Whether that has happened; waits so long for it.
bool interrupted_within(int descriptor, int milliseconds);

}  // namespace wechatpay::bonus_commit::tool

#endif
