// A program may exit at any moment. exit_program exits with calls in progress.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "tests/support/raw_server.hpp"
#include "tests/support/sanitizers.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

class Exit : public ::testing::TestWithParam<const char*> {};

TEST_P(Exit, CrashesNothing) {
  // It forks while the transport's thread may be in free(). The sanitizer does not take the lock of free() for a fork.
  if (with_address_sanitizer && std::string(GetParam()) == "exits_in_a_forked_child") {
    GTEST_SKIP() << "the sanitizer's free() may wait for ever in a forked child; shown by the other builds";
  }
  const RawServer silent([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.read_request();
  });
  const auto keys = Sandbox::start().value();
  ::setenv("LSAN_OPTIONS", "detect_leaks=0", 1);  // LeakSanitizer cannot check the child of a process with threads
  for (int i = 0; i < 12; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      end_with_the_parent();
      ::execl(WECHATPAY_EXIT_PROGRAM, WECHATPAY_EXIT_PROGRAM, GetParam(), silent.origin().c_str(),
              RawServer::ca_file().c_str(), keys->files().folder.c_str(), keys->wechat_pay().public_key_id().c_str(),
              static_cast<char*>(nullptr));
      ::_exit(127);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status) << " in run " << i;
    ASSERT_EQ(WEXITSTATUS(status), 7) << "in run " << i;
  }
}

std::string name_of_program(const ::testing::TestParamInfo<const char*>& one) { return one.param; }

INSTANTIATE_TEST_SUITE_P(OfAProgramThat, Exit,
                         ::testing::Values("leaves_a_call_under_way", "leaves_calls_that_try_again",
                                           "lets_a_callback_destroy_the_client", "exits_in_a_callback",
                                           "exits_in_a_callback_that_destroyed_the_client",
                                           "leaves_a_thread_that_waits", "leaves_threads_that_sign",
                                           "leaves_a_loop_running", "exits_in_a_loop", "exits_in_a_forked_child"),
                         name_of_program);

}  // namespace
}  // namespace wechatpay::bonus_commit
