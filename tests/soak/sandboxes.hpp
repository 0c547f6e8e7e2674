/// The soak's two sandboxes, main and backup, and their records. They are separate processes, so that one can be killed
/// like a machine that loses power.
#ifndef WECHATPAY_TESTS_SOAK_SANDBOXES_HPP
#define WECHATPAY_TESTS_SOAK_SANDBOXES_HPP

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "tests/soak/orders.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

/// An array that is shared with all processes that are forked later. It outlives each of them, however they end.
template <typename T>
class SharedArray {
 public:
  explicit SharedArray(std::size_t size) : size_(size) {
    void* const memory = mmap(nullptr, size * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    first_ = static_cast<T*>(memory);
    for (std::size_t i = 0; i < size; ++i) new (first_ + i) T();
  }
  SharedArray(const SharedArray&) = delete;
  SharedArray& operator=(const SharedArray&) = delete;
  ~SharedArray() { munmap(first_, size_ * sizeof(T)); }

  std::size_t size() const { return size_; }
  T& operator[](std::size_t index) const { return first_[index]; }

 private:
  T* first_;
  std::size_t size_;
};

/// What really happened to one order, recorded before the sandbox answers.
struct Truth {
  std::atomic<std::uint32_t> commits{0};  ///< with a valid signature and exactly the fields of the order
  std::atomic<std::uint32_t> strange{0};  ///< with a valid signature and other fields
};

/// Every sandbox fault, with the soak's arguments: delays below and above a try's timeout (2 s) and far beyond a call's
/// deadline (5 s), and a signed 200 that is not committed, because only 204 is success.
inline const SandboxFault soak_faults[] = {
    // late answers
    {SandboxFault::Kind::delay, std::chrono::milliseconds(50)},
    {SandboxFault::Kind::delay, std::chrono::seconds(3)},
    {SandboxFault::Kind::delay, std::chrono::seconds(20)},
    {SandboxFault::Kind::slow, std::chrono::milliseconds(1)},
    // interrupted answers
    SandboxFault::Kind::drop_before,
    SandboxFault::Kind::drop_after,
    SandboxFault::Kind::drop_half,
    SandboxFault::Kind::reset,
    SandboxFault::Kind::early_close,
    SandboxFault::Kind::polite_close,
    SandboxFault::Kind::extra_answer,
    // other statuses
    200,
    202,
    400,
    403,
    429,
    {429, "1"},
    500,
    502,
    503,
    {503, "1"},
    504,
    SandboxFault::Kind::html,
    SandboxFault::Kind::redirect,
    // not verifiable as WeChat Pay's
    SandboxFault::Kind::wrong_signature,
    SandboxFault::Kind::unsigned_answer,
    SandboxFault::Kind::stale_timestamp,
    SandboxFault::Kind::signature_probe,
    SandboxFault::Kind::unknown_serial,
    SandboxFault::Kind::duplicate_header,
    // unreadable answers
    SandboxFault::Kind::garbage,
    SandboxFault::Kind::large_headers,
    SandboxFault::Kind::large_body};

/// One in this many answers is forged.
inline constexpr std::uint64_t one_forged_of = 300;

/// Counters of the sandboxes' work.
struct Deeds {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> nobodys{0};  ///< commits with an unknown order number
  std::atomic<std::uint64_t> forged{0};   ///< 204 answers without a commit
  std::atomic<std::uint64_t> kills{0};
  /// In the order of soak_faults. Faults with the same name are counted at the first one.
  std::array<std::atomic<std::uint64_t>, std::size(soak_faults)> faults{};
};

/// The process that starts and kills the sandboxes must have no threads, and the sandboxes must have the same keys. So
/// that process is forked early, after the keys are made, and it forks the sandboxes.
class Sandboxes {
 public:
  struct Setup {
    Orders orders;
    std::uint32_t commits;
    std::uint64_t seed;
    double fault_rate;
    std::chrono::milliseconds between_kills;
    std::string folder;
    std::shared_ptr<FakeWechatPay> wechat_pay;
  };

  /// Returns when both sandboxes are ready.
  explicit Sandboxes(Setup setup) : setup_(std::move(setup)), random_(setup_.seed), truths_(setup_.commits), deeds_(1) {
    int ends[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    const pid_t soak = getpid();
    keeper_ = fork();
    require(keeper_ >= 0, "fork");
    if (keeper_ == 0) {
      close(ends[0]);
      keep(soak, ends[1]);
    }
    close(ends[1]);
    to_keeper_ = ends[0];
    char ready = 0;
    require(read(to_keeper_, &ready, 1) == 1, "the sandboxes did not start");
  }
  Sandboxes(const Sandboxes&) = delete;
  Sandboxes& operator=(const Sandboxes&) = delete;
  ~Sandboxes() { static_cast<void>(end()); }

  /// Lets both sandboxes finish their work. False if something failed in them, except intended failures.
  bool end() {
    if (keeper_ < 0) return fine_;
    close(to_keeper_);
    fine_ = exit_status(std::exchange(keeper_, -1)) == 0;
    return fine_;
  }

  std::vector<std::string> origins() const {
    return {"https://127.0.0.1:" + std::to_string(ports_[0].number()),
            "https://127.0.0.1:" + std::to_string(ports_[1].number())};
  }

  const Truth& truth(std::size_t order) const { return truths_[order]; }
  const Deeds& deeds() const { return deeds_[0]; }

 private:
  /// A free port, reserved for the sandbox while it is dead. While this socket is bound, the kernel gives the port to
  /// no outgoing connection. The sandbox can still listen on it, because both sockets set SO_REUSEADDR.
  class Port {
   public:
    Port() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
      const int yes = 1;
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      auto* const generic = reinterpret_cast<sockaddr*>(&address);
      socklen_t size = sizeof address;
      require(socket_ >= 0 && setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                  bind(socket_, generic, size) == 0 && getsockname(socket_, generic, &size) == 0,
              "no free port");
      number_ = ntohs(address.sin_port);
    }
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    ~Port() { close(socket_); }

    std::uint16_t number() const { return number_; }

   private:
    int socket_;
    std::uint16_t number_ = 0;
  };

  static void require(bool done, const char* what) {
    if (!done) throw std::system_error(errno, std::generic_category(), what);
  }

  /// Ends a child process with a status that shows its parent that it failed.
  [[noreturn]] static void fail(const std::string& why) {
    std::fprintf(stderr, "soak: %s\n", why.c_str());
    _exit(1);
  }

  static void end_with(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // the parent has already ended
  }

  static int exit_status(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
  }

  // Functions of the keeper process.

  [[noreturn]] void keep(pid_t soak, int to_soak) {
    end_with(soak);
    for (std::size_t which : {0U, 1U}) start(which);
    if (write(to_soak, "", 1) != 1) _exit(1);
    const auto about = [this](std::chrono::milliseconds time) {
      return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(0, 2 * time.count())(random_));
    };
    while (!ends_within(about(setup_.between_kills), to_soak)) {
      // Usually kills one of them. Sometimes kills both, so that no host is left.
      const std::size_t one = random_() % 2;
      const bool both = random_() % 8 == 0;
      kill_sandbox(one);
      if (both) kill_sandbox(1 - one);
      if (ends_within(about(setup_.between_kills / 8), to_soak)) break;
      start(one);
      if (both) start(1 - one);
    }
    for (const pid_t sandbox : sandboxes_) {
      if (sandbox > 0 && (kill(sandbox, SIGTERM) != 0 || exit_status(sandbox) != 0)) fail("a sandbox did not end well");
    }
    _exit(0);
  }

  /// The soak closes its end of the socket when it is finished.
  static bool ends_within(std::chrono::milliseconds time, int to_soak) {
    pollfd end{to_soak, POLLIN, 0};
    return poll(&end, 1, static_cast<int>(time.count())) != 0;
  }

  void kill_sandbox(std::size_t which) {
    const pid_t sandbox = std::exchange(sandboxes_[which], -1);
    if (waitpid(sandbox, nullptr, WNOHANG) != 0) fail("a sandbox ended by itself");
    kill(sandbox, SIGKILL);
    waitpid(sandbox, nullptr, 0);
    ++deeds_[0].kills;
  }

  /// Returns when the sandbox is ready.
  void start(std::size_t which) {
    int ends[2];
    if (pipe(ends) != 0) fail("no pipe");
    const std::uint64_t fault_seed = random_();
    const pid_t keeper = getpid();
    sandboxes_[which] = fork();
    if (sandboxes_[which] < 0) fail("no fork");
    if (sandboxes_[which] == 0) {
      close(ends[0]);
      serve(keeper, which, fault_seed, ends[1]);
    }
    close(ends[1]);
    char ready = 0;
    if (read(ends[0], &ready, 1) != 1) fail("a sandbox did not start");
    close(ends[0]);
  }

  // Functions of a sandbox process.

  [[noreturn]] void serve(pid_t keeper, std::size_t which, std::uint64_t fault_seed, int ready) {
    end_with(keeper);
    sigset_t request_to_end;
    sigemptyset(&request_to_end);
    sigaddset(&request_to_end, SIGTERM);
    sigprocmask(SIG_BLOCK, &request_to_end, nullptr);

    SandboxOptions options;
    options.port = ports_[which].number();
    options.folder = setup_.folder + "/" + std::to_string(which);
    options.wechat_pay = setup_.wechat_pay;
    options.handler = [this](const HttpRequest& request) {
      if (++answers_ % one_forged_of == 0) return forged_answer(request);
      HttpResponse response = setup_.wechat_pay->answer(request);
      if (response.status == 204) note_commit(request);
      return response;
    };
    options.log = [this](const std::string& line) { note_request(line); };
    options.faults.assign(std::begin(soak_faults), std::end(soak_faults));
    options.fault_rate = setup_.fault_rate;
    options.fault_seed = fault_seed;
    auto sandbox = Sandbox::start(std::move(options));
    if (!sandbox) fail(sandbox.error().message);
    if (write(ready, "", 1) != 1) _exit(1);
    close(ready);

    int received = 0;
    sigwait(&request_to_end, &received);
    sandbox->reset();
    _exit(0);
  }

  /// The sandbox's faults commit the order before they spoil the answer. A forged answer is a 204 from an attacker
  /// without a commit: without a signature, with the signature of another answer, or with an old one. It reveals a
  /// client that accepts it.
  HttpResponse forged_answer(const HttpRequest& request) {
    switch (++deeds_[0].forged % 3) {
      case 0: return {204, {}, ""};
      case 1: {
        HttpResponse other = setup_.wechat_pay->sign({204, {}, "other"}, request);
        other.body.clear();
        return other;
      }
      default: return setup_.wechat_pay->sign({204, {}, ""}, request, std::chrono::minutes(10));
    }
  }

  void note_commit(const HttpRequest& request) {
    const auto number = Orders::number_of_body(request.body);
    if (!number || *number >= truths_.size()) {
      ++deeds_[0].nobodys;
    } else if (request.path == setup_.orders.path(*number) && request.body == setup_.orders.body(*number)) {
      ++truths_[*number].commits;
    } else {
      ++truths_[*number].strange;
    }
  }

  /// The log has a request's fault, without its argument, at the end of the line.
  void note_request(const std::string& line) {
    ++deeds_[0].requests;
    const std::size_t found = line.rfind("[fault ");
    if (line.back() != ']' || found == std::string::npos) return;
    const std::string name = line.substr(found + 7, line.size() - found - 8);
    for (std::size_t i = 0; i < std::size(soak_faults); ++i) {
      if (to_string(soak_faults[i]) != name) continue;
      ++deeds_[0].faults[i];
      return;
    }
  }

  const Setup setup_;
  std::mt19937_64 random_;
  const Port ports_[2];
  const SharedArray<Truth> truths_;
  const SharedArray<Deeds> deeds_;
  pid_t keeper_ = -1;
  int to_keeper_ = -1;
  bool fine_ = true;
  pid_t sandboxes_[2] = {-1, -1};          ///< the keeper's
  std::atomic<std::uint64_t> answers_{0};  ///< a sandbox\'s
};

}  // namespace wechatpay::bonus_commit

#endif
