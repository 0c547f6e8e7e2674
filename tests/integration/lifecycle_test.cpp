// Calls that are cancelled, calls whose client is destroyed, and calls in a process that forks.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/support/raw_server.hpp"
#include "tests/support/support.hpp"
#include "tests/support/thread_exit.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

/// The client of the sandbox's merchant.
BonusCommitClient merchants_client(Sandbox& sandbox) {
  CurlOptions curl_options;
  curl_options.ca_bundle_file = sandbox.files().ca;
  ClientOptions options;
  options.origins = {sandbox.origin()};
  return BonusCommitClient::create(sandbox.wechat_pay().credentials(), sandbox.wechat_pay().platform_keys(),
                                   CurlTransport::create(curl_options).value(), options)
      .value();
}

class Lifecycle : public ::testing::Test {
 protected:
  BonusCommitClient client_of(const std::string& origin, const std::string& ca, std::size_t max_connections = 64) {
    CurlOptions curl_options;
    curl_options.ca_bundle_file = ca;
    curl_options.max_connections = max_connections;
    options_.origins = {origin};
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(),
                                     CurlTransport::create(curl_options).value(), options_)
        .value();
  }

  FakeWechatPay wechat_pay_;
  ClientOptions options_;
};

/// Takes requests and never answers.
class SilentServer {
 public:
  SilentServer()
      : server_([this](RawServer::Connection& connection, int) {
          connection.read_request();
          if (++requests_ == 1) reached_.set_value();
          connection.read_request();
        }) {}

  std::string origin() const { return server_.origin(); }
  void wait_for_the_request() { reached_.get_future().wait(); }
  int requests() const { return requests_; }

 private:
  std::promise<void> reached_;
  std::atomic<int> requests_{0};
  RawServer server_;
};

void expect_cancelled(CommitFuture& future, Outcome outcome) {
  const CommitResult result = future.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(to_string(result.error().kind), to_string(ErrorKind::cancelled)) << result.error().message;
  EXPECT_EQ(result.error().transport_fault, TransportFault::cancelled);
  EXPECT_EQ(to_string(result.error().outcome), to_string(outcome)) << result.error().message;
}

TEST_F(Lifecycle, CancelsACallThatIsUnderWay) {
  SilentServer server;
  const auto client = client_of(server.origin(), RawServer::ca_file());
  CommitFuture future = client.commit_async(seed_request());
  server.wait_for_the_request();
  future.request_stop();
  expect_cancelled(future, Outcome::unknown);
}

TEST_F(Lifecycle, CancelsACallThatWaitsForAConnection) {
  SilentServer server;
  const auto client = client_of(server.origin(), RawServer::ca_file(), 1);
  CommitFuture running = client.commit_async(seed_request());
  server.wait_for_the_request();
  CommitFuture waiting = client.commit_async(seed_request());
  waiting.request_stop();
  expect_cancelled(waiting, Outcome::not_sent);
  EXPECT_FALSE(running.ready()) << "the other one goes on";
}

TEST_F(Lifecycle, CancelsACallInItsPause) {
  const auto sandbox = Sandbox::start().value();
  options_.rate_limit = {0.05, 1};
  const auto client = client_of(sandbox->origin(), sandbox->files().ca);
  CommitFuture first = client.commit_async(seed_request());
  CommitFuture paused = client.commit_async(seed_request());
  paused.request_stop();
  expect_cancelled(paused, Outcome::not_sent);
  EXPECT_FALSE(first.get()) << "another fake's keys";
}

TEST_F(Lifecycle, StopsBlockingCallsAndFuturesByOneToken) {
  SilentServer server;
  const auto client = client_of(server.origin(), RawServer::ca_file());
  const StopSource shutdown;
  CallOptions options;
  options.stop = shutdown.get_token();
  std::thread blocked([&] {
    const Error error = client.commit(seed_request(), options).error();
    EXPECT_EQ(to_string(error.kind), to_string(ErrorKind::cancelled)) << error.message;
    EXPECT_EQ(to_string(error.outcome), to_string(Outcome::unknown)) << error.message;
  });
  server.wait_for_the_request();
  std::vector<CommitFuture> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(client.commit_async(seed_request(), options));
  const CommitFuture goes_on = client.commit_async(seed_request());
  shutdown.request_stop();
  blocked.join();
  for (CommitFuture& future : futures) {
    const Error error = future.get().error();
    EXPECT_EQ(to_string(error.kind), to_string(ErrorKind::cancelled)) << error.message;
  }
  EXPECT_FALSE(goes_on.ready()) << "it has no token";
}

TEST_F(Lifecycle, HoldsTheTimeoutOfOneCall) {
  SilentServer server;
  const auto client = client_of(server.origin(), RawServer::ca_file());
  CallOptions options;
  options.timeout = std::chrono::milliseconds(200);
  const Error error = client.commit(seed_request(), options).error();
  EXPECT_EQ(error.transport_fault, TransportFault::timeout) << error.message;
  EXPECT_EQ(error.tries.size(), 1U) << "the client's deadline leaves time for three";
  options.timeout = std::chrono::minutes(5);
  EXPECT_EQ(client.commit(seed_request(), options).error().kind, ErrorKind::misuse);
}

TEST_F(Lifecycle, CancelsManyCallsFromSeveralThreads) {
  SilentServer server;
  const auto client = client_of(server.origin(), RawServer::ca_file(), 1);
  CommitFuture running = client.commit_async(seed_request());
  server.wait_for_the_request();
  std::atomic<int> cancelled{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      std::vector<CommitFuture> futures;
      for (int j = 0; j < 100; ++j) futures.push_back(client.commit_async(seed_request()));
      for (const CommitFuture& future : futures) future.request_stop();
      for (CommitFuture& future : futures) cancelled += future.get().error().kind == ErrorKind::cancelled ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cancelled, 400);
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(Lifecycle, EndsEveryCallOfClientsThatAreDestroyedUnderWay) {
  const auto sandbox = Sandbox::start().value();
  std::atomic<int> credited{0};
  std::atomic<int> shut_down{0};
  std::atomic<int> other{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 10; ++j) {
        const auto client = merchants_client(*sandbox);
        for (int k = 0; k < 8; ++k) {
          client.commit_async(seed_request(), [&](const CommitResult& result) {
            ++(result ? credited : result.error().transport_fault == TransportFault::shut_down ? shut_down : other);
          });
        }
        if (i % 2 == 0) {
          EXPECT_TRUE(client.commit(seed_request()));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(credited + shut_down, 4 * 10 * 8);
  EXPECT_EQ(other, 0);
}

TEST_F(Lifecycle, EndsABlockingCallWhenTheClientIsDestroyedUnderIt) {
  SilentServer server;
  auto client = std::make_unique<BonusCommitClient>(client_of(server.origin(), RawServer::ca_file()));
  std::atomic<bool> ended{false};
  std::thread blocked([&, commits = client.get()] {
    const CommitResult result = commits->commit(seed_request());
    EXPECT_EQ(result.error().transport_fault, TransportFault::shut_down) << result.error().message;
  });
  server.wait_for_the_request();
  client->commit_async(seed_request(), [&](const CommitResult&) { ended = true; });
  client.reset();
  EXPECT_TRUE(ended) << "no callback runs after the end of the client";
  blocked.join();
}

TEST_F(Lifecycle, RunsNoCallbackAfterAClientIsDestroyedAmongItsRetries) {
  SandboxOptions sandbox_options;
  sandbox_options.faults = {500};
  sandbox_options.fault_rate = 1;
  const auto sandbox = Sandbox::start(sandbox_options).value();
  options_.retry.max_tries = 10;
  options_.retry.first_backoff = std::chrono::milliseconds(0);
  options_.retry.longest_backoff = std::chrono::milliseconds(0);
  for (int i = 0; i < 30; ++i) {
    std::atomic<bool> tried_again{false};
    options_.hooks.on_try = [&](const TryEvent& event) { tried_again = tried_again || event.number > 2; };
    std::atomic<int> ended{0};
    {
      const auto client = client_of(sandbox->origin(), sandbox->files().ca);
      for (int j = 0; j < 4; ++j) client.commit_async(seed_request(), [&](const CommitResult&) { ++ended; });
      while (!tried_again) std::this_thread::yield();
    }
    ASSERT_EQ(ended, 4) << "in round " << i;
  }
}

TEST_F(Lifecycle, LetsACallbackDestroyTheClient) {
  const auto sandbox = Sandbox::start().value();
  auto holder = std::make_shared<std::optional<BonusCommitClient>>(merchants_client(*sandbox));
  std::promise<void> destroyed;
  bool credited = false;
  (*holder)->commit_async(seed_request(), [&destroyed, &credited, holder](const CommitResult& result) {
    credited = result.has_value();
    holder->reset();
    set_at_thread_exit(destroyed);  // so that the thread has ended before the next test
  });
  destroyed.get_future().wait();
  EXPECT_TRUE(credited);
}

/// Runs `body` in a child process and returns its exit status. Returns -1 if it did not end by itself within a minute.
template <typename Body>
int in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Lifecycle, RefusesItsServiceInAChildProcessAndGoesOnInTheParent) {
  const auto sandbox = Sandbox::start().value();
  std::optional<BonusCommitClient> client(merchants_client(*sandbox));
  ASSERT_TRUE(client->commit(seed_request()));

  EXPECT_EQ(in_child([&] {
              const CommitResult result = client->commit(seed_request());
              if (result || result.error().kind != ErrorKind::misuse) return 1;
              if (result.error().outcome != Outcome::not_sent) return 2;
              if (!contains(result.error().message, "fork")) return 3;
              client.reset();  // must not wait for a thread that does not exist
              // The child's own client works.
              return merchants_client(*sandbox).commit(seed_request()) ? 0 : 4;
            }),
            0);

  const CommitResult after = client->commit(seed_request());
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->tries, 1) << "the child has not touched the parent's connections";
  EXPECT_EQ(sandbox->wechat_pay().times_committed(seed_request().out_trade_no), 3U);
}

TEST_F(Lifecycle, LetsAChildProcessGoThatHoldsAnUnusedClient) {
  const auto sandbox = Sandbox::start().value();
  std::optional<BonusCommitClient> client(client_of(sandbox->origin(), sandbox->files().ca));
  EXPECT_EQ(in_child([&] {
              client.reset();
              return 0;
            }),
            0);
}

}  // namespace
}  // namespace wechatpay::bonus_commit
