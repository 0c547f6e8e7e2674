// A transport in the user's own event loop, and callers that wait for a transport with its own thread.
#include "wechatpay/bonus_commit/event_loop.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio.hpp>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <set>
#include <string>
#include <thread>

#include "examples/event_loop/asio_event_loop.hpp"
#include "tests/support/polling_loop.hpp"
#include "tests/support/raw_server.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

using std::chrono::milliseconds;

class OwnLoop : public ::testing::Test {
 protected:
  BonusCommitClient client_of(const std::string& origin, const std::string& ca, std::shared_ptr<EventLoop> loop) {
    curl_options_.ca_bundle_file = ca;
    curl_options_.event_loop = std::move(loop);
    options_.origins = {origin};
    return BonusCommitClient::create(wechat_pay().credentials(), wechat_pay().platform_keys(),
                                     CurlTransport::create(curl_options_).value(), options_)
        .value();
  }

  BonusCommitClient client() { return client_of(sandbox_->origin(), sandbox_->files().ca, loop_); }

  FakeWechatPay& wechat_pay() { return sandbox_->wechat_pay(); }

  const std::shared_ptr<Sandbox> sandbox_ = Sandbox::start().value();
  const std::shared_ptr<PollingLoop> loop_ = std::make_shared<PollingLoop>();
  CurlOptions curl_options_;
  ClientOptions options_;
};

TEST_F(OwnLoop, ServesCallsOnItsThreadAlone) {
  const auto running = client();
  int credited = 0;
  int elsewhere = 0;
  for (int i = 0; i < 100; ++i) {
    running.commit_async(seed_request(), [&, self = std::this_thread::get_id()](const CommitResult& result) {
      credited += result ? 1 : 0;
      elsewhere += std::this_thread::get_id() == self ? 0 : 1;
    });
  }
  loop_->run_until([&] { return credited == 100; });
  EXPECT_EQ(elsewhere, 0);
  EXPECT_EQ(wechat_pay().times_committed("1217752501201407033233368018"), 100U);
}

TEST(OwnLoopAlone, NeedsNoThread) {
  const auto loop = std::make_shared<PollingLoop>();
  CurlOptions curl_options;
  curl_options.event_loop = loop;
  const auto transport = CurlTransport::create(curl_options).value();
  HttpRequest request;
  request.method = "POST";
  request.origin = nobody;
  const auto before = threads_of_this_process();
  bool ended = false;
  std::set<std::string> during;
  transport->send(request, {}, [&](const Result<HttpResponse>& result) {
    EXPECT_EQ(result.error().transport_fault, TransportFault::connect);
    during = threads_of_this_process();
    ended = true;
  });
  loop->run_until([&] { return ended; });
  for (const std::string& old : before) during.erase(old);  // threads of an earlier test may still have been ending
  EXPECT_EQ(during, std::set<std::string>{});
}

TEST_F(OwnLoop, KeepsPausesAndTimeoutsByItsTimer) {
  RawServer silent([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.read_request();
  });
  options_.retry.max_tries = 2;
  options_.retry.try_timeout = milliseconds(50);
  options_.retry.first_backoff = milliseconds(20);
  const auto running = client_of(silent.origin(), RawServer::ca_file(), loop_);
  auto future = running.commit_async(seed_request());
  loop_->run_until([&] { return future.ready(); });
  const Error error = future.get().error();
  EXPECT_EQ(error.transport_fault, TransportFault::timeout) << error.message;
  EXPECT_EQ(error.tries.size(), 2U);
}

TEST_F(OwnLoop, IsLeftAloneAfterACallThatFailed) {
  curl_options_.idle_timeout = milliseconds(1000);
  options_.retry.max_tries = 1;
  options_.retry.try_timeout = milliseconds(50);
  RawServer silent([](RawServer::Connection& connection, int) { connection.read_request(); });
  for (const std::string& origin : {silent.origin(), std::string(nobody)}) {
    const auto running = client_of(origin, RawServer::ca_file(), loop_);
    auto future = running.commit_async(seed_request());
    loop_->run_until([&] { return future.ready(); });
    EXPECT_FALSE(future.get());
    const std::size_t before = loop_->rounds();
    loop_->run_until([&] { return !loop_->has_timer(); });
    EXPECT_LE(loop_->rounds() - before, 5U) << origin;
  }
}

TEST_F(OwnLoop, IsLeftAloneWhenAllIsDone) {
  curl_options_.idle_timeout = milliseconds(1000);
  {
    const auto running = client();
    auto future = running.commit_async(seed_request());
    loop_->run_until([&] { return future.ready(); });
    EXPECT_TRUE(future.get());
    EXPECT_TRUE(loop_->has_timer()) << "which closes the idle connection";
    loop_->run_until([&] { return !loop_->has_timer(); });
    EXPECT_EQ(loop_->watched(), 0U);
  }
  EXPECT_FALSE(loop_->has_timer());
}

TEST_F(OwnLoop, TakesCallsAndStopsFromOtherThreads) {
  std::promise<void> reached;
  RawServer silent([&](RawServer::Connection& connection, int) {
    connection.read_request();
    reached.set_value();
    connection.read_request();
  });
  const auto running = client_of(silent.origin(), RawServer::ca_file(), loop_);
  std::atomic<bool> ended{false};
  ErrorKind kind = ErrorKind::internal_error;
  std::thread other([&] {
    const StopSource stop;
    const auto note = [&](const CommitResult& result) {
      kind = result.error().kind;
      ended = true;
    };
    running.commit_async(seed_request(), note, {std::chrono::seconds(0), stop.get_token()});
    reached.get_future().wait();
    stop.request_stop();
  });
  loop_->run_until([&] { return ended.load(); });
  other.join();
  EXPECT_EQ(kind, ErrorKind::cancelled);
}

TEST_F(OwnLoop, LetsOtherThreadsWaitForACommit) {
  const auto running = client();
  std::atomic<bool> ended{false};
  std::thread other([&] {
    EXPECT_TRUE(running.commit(seed_request()));
    ended = true;
    loop_->post([] {});
  });
  loop_->run_until([&] { return ended.load(); });
  other.join();
}

TEST_F(OwnLoop, EndsCallsThatAreUnderWayWhenTheClientGoes) {
  std::atomic<int> requests{0};
  RawServer silent([&](RawServer::Connection& connection, int) {
    connection.read_request();
    ++requests;
    loop_->post([] {});
    connection.read_request();
  });
  int shut_down = 0;
  {
    const auto running = client_of(silent.origin(), RawServer::ca_file(), loop_);
    for (int i = 0; i < 3; ++i) {
      running.commit_async(seed_request(), [&](const CommitResult& result) {
        shut_down += result.error().transport_fault == TransportFault::shut_down ? 1 : 0;
      });
    }
    loop_->run_until([&] { return requests == 3; });
    running.commit_async(seed_request(), [&](const CommitResult& result) {  // the loop does not know this call yet
      shut_down += result.error().transport_fault == TransportFault::shut_down ? 1 : 0;
      EXPECT_EQ(result.error().outcome, Outcome::not_sent);
    });
  }
  EXPECT_EQ(shut_down, 4);
  EXPECT_EQ(loop_->watched(), 0U);
  EXPECT_FALSE(loop_->has_timer());
}

TEST_F(OwnLoop, LetsACallbackDestroyTheClient) {
  auto running = std::make_unique<BonusCommitClient>(client());
  int ended = 0;
  for (int i = 0; i < 5; ++i) {
    running->commit_async(seed_request(), [&](const CommitResult&) {
      ++ended;
      running.reset();
    });
  }
  loop_->run_until([&] { return ended == 5; });
  EXPECT_EQ(running, nullptr);
  EXPECT_EQ(loop_->watched(), 0U);
}

/// A loop whose members fail as often as the test sets.
class FailingLoop final : public EventLoop {
 public:
  explicit FailingLoop(std::shared_ptr<PollingLoop> base) : base_(std::move(base)) {}

  void post(std::function<void()> task) override {
    fail(posts);
    base_->post(std::move(task));
  }
  void watch(Socket socket, bool reading, bool writing, Ready ready) override {
    if (reading || writing) fail(watches);
    base_->watch(socket, reading, writing, std::move(ready));
  }
  void set_timer(milliseconds delay, std::function<void()> expired) override {
    base_->set_timer(delay, nullptr);
    if (expired == nullptr) return;
    fail(timers);
    base_->set_timer(delay, std::move(expired));
  }

  int posts = 0;
  int watches = 0;
  int timers = 0;

 private:
  static void fail(int& times) {
    if (times-- > 0) throw std::runtime_error("no");
  }

  std::shared_ptr<PollingLoop> base_;
};

TEST_F(OwnLoop, ThatFailsEndsTheCallWithAnError) {
  options_.retry.max_tries = 1;
  for (int FailingLoop::*failing : {&FailingLoop::posts, &FailingLoop::watches, &FailingLoop::timers}) {
    const auto loop = std::make_shared<FailingLoop>(loop_);
    const auto running = client_of(sandbox_->origin(), sandbox_->files().ca, loop);
    (*loop).*failing = 1000;
    auto future = running.commit_async(seed_request());
    loop_->run_until([&] { return future.ready(); });
    const CommitResult result = future.get();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::transport_failed) << result.error().message;

    (*loop).*failing = 0;
    auto again = running.commit_async(seed_request());
    loop_->run_until([&] { return again.ready(); });
    EXPECT_TRUE(again.get()) << "it goes on";
  }
}

TEST_F(OwnLoop, ThatSetsNoTimerEndsWhatWaitsForIt) {
  options_.rate_limit = {0.1, 1};
  const auto loop = std::make_shared<FailingLoop>(loop_);
  const auto running = client_of(sandbox_->origin(), sandbox_->files().ca, loop);
  loop->timers = 1;
  std::vector<Error> errors;
  for (int i = 0; i < 2; ++i) {
    running.commit_async(seed_request(), [&](const CommitResult& result) { errors.push_back(result.error()); });
  }
  loop_->run_until([&] { return errors.size() == 2; });
  for (const Error& error : errors) {
    EXPECT_EQ(error.transport_fault, TransportFault::other);
    EXPECT_TRUE(contains(error.message, "EventLoop::set_timer() failed")) << error.message;
  }
  EXPECT_TRUE(errors[0].outcome == Outcome::not_sent || errors[1].outcome == Outcome::not_sent) << "one had to wait";
}

TEST_F(OwnLoop, IsLeftToTheParentByAChildProcess) {
  std::promise<void> reached;
  std::promise<void> child_has_ended;
  RawServer server([&](RawServer::Connection& connection, int) {
    connection.read_request();
    reached.set_value();
    loop_->post([] {});
    child_has_ended.get_future().wait();
    connection.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    connection.read_request();
  });
  auto running = std::make_unique<BonusCommitClient>(client_of(server.origin(), RawServer::ca_file(), loop_));
  int ended = 0;
  int status = 0;
  running->commit_async(seed_request(), [&](const CommitResult& result) {
    ++ended;
    status = result.error().http_status();
  });
  auto under_way = reached.get_future();
  loop_->run_until([&] { return under_way.wait_for(milliseconds(0)) == std::future_status::ready; });
  const pid_t child = fork();
  if (child == 0) {
    ::alarm(30);
    running.reset();
    _exit(ended);
  }
  int child_status = -1;
  waitpid(child, &child_status, 0);
  EXPECT_EQ(child_status, 0) << "the callback is the parent's alone";
  child_has_ended.set_value();
  loop_->run_until([&] { return ended == 1; });
  EXPECT_EQ(status, 404) << "the connection is the parent's alone";
}

TEST(AsioEventLoop, DoesNotCallForATimerThatIsReplacedAfterItsTime) {
  asio::io_context io;
  AsioEventLoop loop(io);
  std::string expired;
  loop.set_timer(milliseconds(0), [&] { expired += "first "; });
  // Runs after Asio has seen that the timer has expired, and before it has called the handler.
  loop.post([&] { loop.set_timer(milliseconds(1), [&] { expired += "second"; }); });
  io.run();
  EXPECT_EQ(expired, "second");
}

/// A transport with its own thread, and callers that wait.
class BlockingCall : public OwnLoop {};

TEST_F(BlockingCall, TriesAgain) {
  RawServer server([&](RawServer::Connection& connection, int) {
    while (!connection.read_request().empty()) {
      connection.write("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    }
  });
  options_.retry.first_backoff = milliseconds(1);
  const auto running = client_of(server.origin(), RawServer::ca_file(), nullptr);
  EXPECT_EQ(running.commit(seed_request()).error().tries.size(), 3U);
}

TEST_F(BlockingCall, LeavesNoIdleConnectionOpen) {
  std::promise<void> closed[2];
  RawServer server([&](RawServer::Connection& connection, int number) {
    connection.read_request();
    connection.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    connection.read_request();
    closed[number - 1].set_value();
  });
  curl_options_.idle_timeout = milliseconds(50);
  const auto running = client_of(server.origin(), RawServer::ca_file(), nullptr);
  for (std::promise<void>& one : closed) {
    EXPECT_FALSE(running.commit(seed_request()));
    one.get_future().wait();
    // Before the second commit, this normally lets the thread fall asleep. If it is still awake, the test passes as
    // well.
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(wechat_pay().credentials().signer().sign("other work"));
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit
