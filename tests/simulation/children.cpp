// Child processes after fork(), at any step of the parent's calls. They come back to nobody: the child ends here.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>

#include "tests/simulation/users.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

std::optional<BonusCommitRequest> no_request() { return std::nullopt; }

/// Answers each request at once.
class AtOnce final : public Transport {
 public:
  explicit AtOnce(WechatPay& wechat_pay) : wechat_pay_(wechat_pay) {}
  void send(HttpRequest request, SendOptions /*options*/, Completion done) override {
    done(wechat_pay_.arrive(request, wechat_pay_.next_reply()));
  }

 private:
  WechatPay& wechat_pay_;
};

}  // namespace

void User::fork_a_child() {
  if (copies_.empty()) return;
  world_.log("the program forks");
  std::fflush(stdout);
  const pid_t child = ::fork();
  world_.expect(child >= 0, "fork", "no further process");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(10);
    live_in_a_child();
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1) ::_exit(1);  // it has reported what it found
  world_.expect(status == 0, "fork", "a child process crashes or hangs");
}

void User::live_in_a_child() {
  constexpr int most_steps = 300;
  world_.forked = true;
  use_parents_client();
  // What the parent waits for happens here, too: answers, tasks and timers.
  for (int i = 0; i < most_steps && world_.step(); ++i) {
  }
  leave();
  for (int i = 0; i < most_steps && world_.step(); ++i) {
  }
  use_childs_own_client();
}

void User::use_parents_client() {
  int refused = 0;
  const auto take = [&refused](const CommitResult& result) {
    const bool right =
        !result && result.error().kind == ErrorKind::misuse && result.error().outcome == Outcome::not_sent;
    refused += right ? 1 : 100;
  };
  client().commit_async(request(0), take);
  take(client().commit(request(0)));
  take(client().commit_async(request(0)).get());
  const auto summary = commit_all(client(), no_request, [](const auto&, const auto&) { return true; });
  const auto renewed = client().renew_credentials(credentials("02CD"));
  const bool misuse =
      !summary && summary.error().kind == ErrorKind::misuse && !renewed && renewed.error().kind == ErrorKind::misuse;
  world_.expect(refused == 3 && misuse, "fork", "a child process uses its parent's client");
  bool heard = false;
  const auto hear = [&heard] { heard = true; };
  std::optional<StopCallback<decltype(hear)>> hears;
  if (world_.tape.chance(500)) hears.emplace(stop_.get_token(), hear);
  stop_.request_stop();
  world_.expect(heard == hears.has_value(), "fork", "a stop in a child process is not heard there");
}

void User::use_childs_own_client() {
  wechat_pay_.recover();
  world_.wall_offset = seconds(0);
  ClientOptions options;
  options.clock = [this] { return world_.wall(); };
  options.steady_clock = [this] { return world_.now(); };
  options.random = [] { return 0.0; };
  options.nonce = []() -> Result<std::string> { return std::string(32, 'A'); };
  const PlatformKeys keys;
  wechat_pay_.add_key_to(keys, 1);
  const auto own =
      BonusCommitClient::create(Credentials::from_signer("1900000001", "01AB", wechat_pay_.merchant().signer).value(),
                                keys, std::make_shared<AtOnce>(wechat_pay_), options);
  world_.expect(own.has_value(), "options", "good ones are refused");
  bool credited = false;
  const unsigned number = auditor_.begin(auditor_.add_client(options), milliseconds(0));
  own->commit_async(request(number), [&credited](const CommitResult& result) { credited = result.has_value(); });
  world_.expect(credited, "fork", "a client that a child process makes does not work");
}

}  // namespace wechatpay::bonus_commit::simulation
