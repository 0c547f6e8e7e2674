/// Standard input whose reading fails after some text, as on a broken disk or connection.
#ifndef WECHATPAY_TESTS_SUPPORT_FAILING_INPUT_HPP
#define WECHATPAY_TESTS_SUPPORT_FAILING_INPUT_HPP

#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

namespace wechatpay::bonus_commit {

/// While it exists, standard input has this text, and behind it the error ECONNRESET. At most a few KiB.
class FailingInput {
 public:
  explicit FailingInput(const std::string& text) : before_(::dup(STDIN_FILENO)) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::runtime_error("no sockets");
    // The other end is closed while it has unread bytes, which resets the connection.
    const bool prepared = ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                          ::write(ends[0], "x", 1) == 1 && ::close(ends[1]) == 0;
    if (!prepared || ::dup2(ends[0], STDIN_FILENO) != STDIN_FILENO) throw std::runtime_error("no reset");
    ::close(ends[0]);
  }
  FailingInput(const FailingInput&) = delete;
  FailingInput& operator=(const FailingInput&) = delete;
  ~FailingInput() {
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
  }

 private:
  const int before_;
};

}  // namespace wechatpay::bonus_commit

#endif
