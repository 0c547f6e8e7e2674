#include "interruption.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "exit_status.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

int signalled = -1;  // the write end of the pipe
volatile std::sig_atomic_t signals = 0;

void note(int) {
  const int before = errno;
  if (signals != 0) _exit(ExitStatus::interrupted);
  signals = 1;
  static_cast<void>(!::write(signalled, "", 1));
  errno = before;
}

}  // namespace

int catch_interruptions() {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  signalled = ends[1];
  struct sigaction action {};
  action.sa_handler = note;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction hangup {};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // not ignored, as it is under nohup
  return ends[0];
}

bool interrupted_within(int descriptor, int milliseconds) {
  pollfd watched{descriptor, POLLIN, 0};
  return ::poll(&watched, 1, milliseconds) > 0;
}

}  // namespace wechatpay::bonus_commit::tool
