#include "interruption.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "exit_status.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

/// The exit status of a process that does this; minus the number of a signal that ended it.
int status_of(const std::function<void()>& action) {
  const pid_t process = ::fork();
  if (process == 0) {
    std::signal(SIGHUP, SIG_DFL);  // the tests may have been started by nohup
    action();
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(process, &status, 0) < 0) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Interruption, IsNotedAtFirstAndEndsTheProcessAtOnceTheSecondTime) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EQ(status_of([signal] {
                const int descriptor = catch_interruptions();
                if (interrupted_within(descriptor, 0)) ::_exit(10);
                std::raise(signal);
                if (!interrupted_within(descriptor, 0)) ::_exit(11);
              }),
              0)
        << signal;
    EXPECT_EQ(status_of([signal] {
                catch_interruptions();
                std::raise(signal);
                std::raise(signal == SIGINT ? SIGTERM : SIGINT);
              }),
              ExitStatus::interrupted)
        << signal;
  }
}

TEST(Interruption, IsNoHangupThatWasIgnoredBefore) {  // as nohup does
  EXPECT_EQ(status_of([] {
              std::signal(SIGHUP, SIG_IGN);
              const int descriptor = catch_interruptions();
              for (int i = 0; i < 3; ++i) std::raise(SIGHUP);
              if (interrupted_within(descriptor, 0)) ::_exit(10);
            }),
            0);
}

}  // namespace

}  // namespace wechatpay::bonus_commit::tool
