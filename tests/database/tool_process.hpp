// The tool as a separate process.
#ifndef WECHATPAY_TESTS_DATABASE_TOOL_PROCESS_HPP
#define WECHATPAY_TESTS_DATABASE_TOOL_PROCESS_HPP

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

namespace wechatpay::bonus_commit {

/// Killed with the test, if it has not ended before. Its output goes to a file.
class ToolProcess {
 public:
  ToolProcess(std::vector<std::string> arguments, const std::string& log, const std::string& program = WECHATPAY_TOOL) {
    arguments.insert(arguments.begin(), program);
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    process_ = ::fork();
    if (process_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ToolProcess(const ToolProcess&) = delete;
  ToolProcess& operator=(const ToolProcess&) = delete;
  ~ToolProcess() {
    if (process_ > 0) end(SIGKILL);
  }

  void signal(int number) const { ::kill(process_, number); }

  /// Sends the signal, waits, and returns the exit status. If a signal ended the process, returns minus its number.
  int end(int number) {
    signal(number);
    return wait();
  }

  int wait() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0) continue;
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t process_ = -1;
};

}  // namespace wechatpay::bonus_commit

#endif
