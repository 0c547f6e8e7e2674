// Ctrl-C, SIGTERM and SIGHUP as a readable descriptor.
#ifndef WECHATPAY_SRC_TOOL_INTERRUPTION_HPP
#define WECHATPAY_SRC_TOOL_INTERRUPTION_HPP

namespace wechatpay::bonus_commit::tool {

/// After this call, the first SIGINT, SIGTERM or SIGHUP makes the returned descriptor readable permanently. A second
/// signal ends the process immediately. Returns -1 if no descriptor is available.
int catch_interruptions();

/// Whether a signal has arrived. Waits at most this long for it.
bool interrupted_within(int descriptor, int milliseconds);

}  // namespace wechatpay::bonus_commit::tool

#endif
