// The transport as a part of its process: descriptors, signals, threads, forks, exit.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <optional>
#include <thread>

#include "tests/support/sanitizers.hpp"
#include "tests/support/sending.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

using std::chrono::milliseconds;

/// While it exists, this process can open at most `spare` further descriptors.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t spare) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::open("/dev/null", O_RDONLY);
    ::close(lowest_free);
    const rlimit few{static_cast<rlim_t>(lowest_free) + spare, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(Process, WithoutDescriptorsForAMomentGoesOnAfterwards) {
  if (with_address_sanitizer) {
    GTEST_SKIP() << "the undefined one, which comes with it, needs descriptors itself; shown by the other builds";
  }
  for (const rlim_t spare : {rlim_t{0}, rlim_t{1}, rlim_t{2}}) {
    const RawServer server(answer_all);
    const auto curl = trusting_transport();
    {
      const FewDescriptors few(spare);
      for (int i = 0; i < 3; ++i) {
        const Error error = send(*curl, request_to(server.origin())).error();
        EXPECT_EQ(error.transport_fault, TransportFault::connect) << error.message;
        EXPECT_EQ(error.outcome, Outcome::not_sent);
        EXPECT_TRUE(spare > 1 || contains(error.message, "file descriptors")) << error.message;
      }
    }
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(send(*curl, request_to(server.origin())));
  }
}

TEST(Process, RunsCrashHandlersOnTheTransportsThread) {
  const RawServer server(answer_all);
  const auto curl = trusting_transport();
  std::promise<std::string> blocked;
  curl->send(request_to(server.origin()), {}, [&](const Result<HttpResponse>&) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    std::string names;
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
      if (sigismember(&mask, number) == 1) names += std::string(" ") + strsignal(number);
    }
    blocked.set_value(names);
  });
  EXPECT_EQ(blocked.get_future().get(), "");
}

std::atomic<bool> handled{false};

TEST(Process, HandlesAFaultOfACompletionWhereItHappens) {
  struct sigaction handler {};
  struct sigaction before {};
  handler.sa_handler = [](int) { handled = true; };
  sigaction(SIGSEGV, &handler, &before);
  const RawServer server(answer_all);
  const auto curl = trusting_transport();
  std::promise<void> done;
  curl->send(request_to(server.origin()), {}, [&](const Result<HttpResponse>&) {
    pthread_kill(pthread_self(), SIGSEGV);
    done.set_value();
  });
  done.get_future().wait();
  EXPECT_TRUE(handled);
  sigaction(SIGSEGV, &before, nullptr);
}

TEST(Process, CancelsAThreadOnlyAfterItsWorkForTheLibrary) {
  const auto sandbox = Sandbox::start().value();
  CurlOptions curl_options;
  curl_options.ca_bundle_file = sandbox->files().ca;
  ClientOptions options;
  options.origins = {sandbox->origin()};
  const auto make = [&] {
    return BonusCommitClient::create(sandbox->wechat_pay().credentials(), sandbox->wechat_pay().platform_keys(),
                                     CurlTransport::create(curl_options).value(), options)
        .value();
  };
  std::optional<BonusCommitClient> client(make());
  std::atomic<bool> credited{false};
  std::atomic<bool> ended{false};
  std::atomic<int> steps{0};
  std::function<void()> work = [&] {
    pthread_cancel(pthread_self());
    client->commit_async(seed_request(), [&](const CommitResult& result) {
      credited = result.has_value();
      ended = true;
    });
    ++steps;
    if (client->commit(seed_request())) ++steps;
    while (!ended) std::this_thread::yield();  // otherwise destroying the client could end the first call
    client.reset();
    ++steps;
    pthread_testcancel();
    ++steps;
  };
  pthread_t thread{};
  const auto run_work = [](void* function) -> void* {
    (*static_cast<std::function<void()>*>(function))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, nullptr, run_work, &work), 0);
  void* status = nullptr;
  pthread_join(thread, &status);
  EXPECT_EQ(status, PTHREAD_CANCELED);
  EXPECT_EQ(steps, 3);
  EXPECT_TRUE(credited);
}

/// A loop that never runs anything, and whose post() blocks until `release` is set.
class StuckLoop final : public EventLoop {
 public:
  void post(std::function<void()>) override {
    posting.set_value();
    release.get_future().wait();
  }
  void watch(Socket, bool, bool, Ready) override {}
  void set_timer(milliseconds, std::function<void()>) override {}

  std::promise<void> posting;
  std::promise<void> release;
};

TEST(Process, GoesOnInAForkedChildWhateverTheParentsThreadsHold) {
  const auto loop = std::make_shared<StuckLoop>();
  CurlOptions options;
  options.event_loop = loop;
  auto curl = trusting_transport(options);
  HttpRequest request = request_to(nobody);
  std::future<Result<HttpResponse>> call;
  std::thread sender([&] { call = start(*curl, request); });
  loop->posting.get_future().wait();  // within send(), which holds a lock that is never released in the child

  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    ErrorKind kind = ErrorKind::internal_error;
    curl->send(request, {}, [&kind](const Result<HttpResponse>& result) { kind = result.error().kind; });
    curl->shutdown();
    curl.reset();
    const bool own_works = send(*trusting_transport(), request_to(nobody)).error().kind == ErrorKind::transport_failed;
    ::_exit(kind == ErrorKind::misuse && own_works ? 7 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  loop->release.set_value();
  sender.join();
  curl.reset();
  EXPECT_EQ(call.get().error().transport_fault, TransportFault::shut_down);
}

TEST(Shutdown, EndsWhatIsUnderWayAndRefusesTheRest) {
  const RawServer server(hang);
  const auto curl = trusting_transport();
  std::vector<std::future<Result<HttpResponse>>> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(start(*curl, request_to(server.origin())));
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      curl->shutdown();
      for (auto& call : calls) EXPECT_EQ(call.wait_for(milliseconds(0)), std::future_status::ready);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& call : calls) EXPECT_EQ(call.get().error().transport_fault, TransportFault::shut_down);
  const Error late = send(*curl, request_to(server.origin())).error();
  EXPECT_EQ(late.transport_fault, TransportFault::shut_down);
  EXPECT_EQ(late.outcome, Outcome::not_sent);
}

TEST(Shutdown, MayComeBeforeTheFirstCall) {
  const auto curl = trusting_transport();
  curl->shutdown();
  EXPECT_EQ(send(*curl, request_to(nobody)).error().transport_fault, TransportFault::shut_down);
}

TEST(Shutdown, MayComeFromACompletion) {
  const RawServer server(answer_all);
  const RawServer silent(hang);
  const auto curl = trusting_transport();
  auto hanging = start(*curl, request_to(silent.origin()));
  std::promise<void> returned;
  curl->send(request_to(server.origin()), {}, [&](const Result<HttpResponse>&) {
    curl->shutdown();
    returned.set_value();
  });
  returned.get_future().wait();
  EXPECT_EQ(hanging.get().error().transport_fault, TransportFault::shut_down);
  curl->shutdown();
}

}  // namespace
}  // namespace wechatpay::bonus_commit
