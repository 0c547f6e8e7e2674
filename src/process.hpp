/// Parents and children.
#ifndef WECHATPAY_SRC_PROCESS_HPP
#define WECHATPAY_SRC_PROCESS_HPP

namespace wechatpay {

/// Which process this is: changes with each fork(). What an object remembers at its making differs in a child, where a
/// mutex of the parent's may be held by a thread that is not there. Costs no system call.
unsigned this_process() noexcept;

}  // namespace wechatpay

#endif
