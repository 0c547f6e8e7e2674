// CurlTransport's own promises: connections, queues, its thread, its destruction.
#include "wechatpay/bonus_commit/curl_transport.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sched.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <set>
#include <thread>

#include "tests/support/raw_server.hpp"
#include "tests/support/support.hpp"
#include "tests/support/thread_exit.hpp"
#include "wechatpay/bonus_commit/impl/system.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Curl : public ::testing::Test {
 protected:
  Curl() { options_.ca_bundle_file = RawServer::ca_file(); }

  std::shared_ptr<CurlTransport> transport() const { return CurlTransport::create(options_).value(); }

  static HttpRequest request(const std::string& origin) {
    HttpRequest made;
    made.method = "POST";
    made.origin = origin;
    made.path = "/v3/test";
    made.body = "{}";
    made.headers = {{"Content-Type", "application/json"}};
    return made;
  }

  static SendOptions within(milliseconds timeout) {
    SendOptions options;
    options.timeout = timeout;
    return options;
  }

  static std::future<Result<HttpResponse>> send(Transport& transport, HttpRequest request,
                                                SendOptions options = within(milliseconds(10000))) {
    auto promise = std::make_shared<std::promise<Result<HttpResponse>>>();
    transport.send(std::move(request), std::move(options),
                   [promise](Result<HttpResponse> result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }

  static Error error_of(std::future<Result<HttpResponse>> future) {
    const auto result = future.get();
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  }

  CurlOptions options_;
};

TEST_F(Curl, SendsExactlyWhatItWasGiven) {
  std::promise<std::string> received;
  const RawServer server([&](RawServer::Connection& connection, int) {
    received.set_value(connection.read_request());
    connection.write(empty_answer);
    connection.read_request();
  });
  const auto curl = transport();
  HttpRequest sent = request(server.origin());
  sent.path = "/a/%2E%2E/../b%2F%3F?x=%20#";
  sent.path.pop_back();
  sent.headers = {{"Authorization", "A"},
                  {"Accept", "application/json"},
                  {"Content-Type", "application/json"},
                  {"User-Agent", "U"},
                  {"X-Empty", ""}};
  sent.body = std::string(2000, 'b');
  ASSERT_TRUE(send(*curl, sent).get());
  const std::string got = received.get_future().get();
  EXPECT_EQ(got, "POST /a/%2E%2E/../b%2F%3F?x=%20 HTTP/1.1\r\nHost: " + server.origin().substr(8) +
                     "\r\nAuthorization: A\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
                     "User-Agent: U\r\nX-Empty:\r\nContent-Length: 2000\r\n\r\n" +
                     sent.body)
      << "no Expect, no Cookie, nothing else";
}

TEST_F(Curl, KeepsNoCookies) {
  std::vector<std::string> requests;
  const RawServer server([&](RawServer::Connection& connection, int) {
    for (std::string got = connection.read_request(); !got.empty(); got = connection.read_request()) {
      requests.push_back(got);
      connection.write("HTTP/1.1 204 No Content\r\nSet-Cookie: a=b; Path=/\r\n\r\n");
    }
  });
  {
    const auto curl = transport();
    ASSERT_TRUE(send(*curl, request(server.origin())).get());
    ASSERT_TRUE(send(*curl, request(server.origin())).get());
  }
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0], requests[1]);
}

TEST_F(Curl, RefusesAHeaderThatWouldBreakTheRequest) {
  const RawServer server(answer_all);
  const auto curl = transport();
  HttpRequest bad = request(server.origin());
  bad.headers.push_back({"X-Bad", "a\r\nX-Injected: b"});
  const Error error = error_of(send(*curl, bad));
  EXPECT_EQ(error.outcome, Outcome::not_sent);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(Curl, SpeaksHttpsAlone) {
  const auto curl = transport();
  for (const char* origin : {"http://127.0.0.1:1", "file:///etc/passwd", "https://user:password@127.0.0.1:1"}) {
    const Error error = error_of(send(*curl, request(origin)));
    EXPECT_EQ(error.outcome, Outcome::not_sent) << origin;
    EXPECT_EQ(error.transport_fault, TransportFault::other) << error.message;
  }
}

TEST_F(Curl, ReusesAConnection) {
  const RawServer server(answer_all);
  const auto curl = transport();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(send(*curl, request(server.origin())).get());
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(Curl, SendsNothingAgainByItselfOverAKeptConnectionThatIsClosed) {
  std::atomic<int> requests{0};
  const RawServer server([&requests](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.write(empty_answer);
    while (!connection.read_request().empty() && ++requests > 1) connection.write(empty_answer);
  });
  const auto curl = transport();
  ASSERT_TRUE(send(*curl, request(server.origin())).get());
  const Error error = error_of(send(*curl, request(server.origin())));
  EXPECT_EQ(error.transport_fault, TransportFault::connection_closed);
  EXPECT_EQ(error.outcome, Outcome::unknown) << "the server has read it";
  EXPECT_TRUE(error.tries[0].transfer.connection_reused);
  EXPECT_EQ(error.tries[0].transfer.bytes_received, 0U);
  EXPECT_TRUE(contains(error.message, "a kept one that the server closed")) << error.message;
  EXPECT_EQ(requests, 1);
}

TEST_F(Curl, ClosesAnIdleConnection) {
  std::promise<void> closed;
  const RawServer server([&](RawServer::Connection& connection, int number) {
    connection.read_request();
    connection.write(empty_answer);
    if (connection.read_request().empty() && number == 1) closed.set_value();
  });
  options_.idle_timeout = milliseconds(50);
  const auto curl = transport();
  ASSERT_TRUE(send(*curl, request(server.origin())).get());
  closed.get_future().get();
  ASSERT_TRUE(send(*curl, request(server.origin())).get()) << "and goes on";
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(Curl, LosesNoCallThatArrivesWhileIdleConnectionsAreClosed) {
  const RawServer server(answer_all);
  options_.idle_timeout = milliseconds(1);
  const auto curl = transport();
  for (int i = 0; i < 200; ++i) {
    const auto busy_until = Clock::now() + std::chrono::microseconds(1000 + 5 * i);
    while (Clock::now() < busy_until) std::this_thread::yield();  // to arrive at any moment around the limit
    ASSERT_TRUE(send(*curl, request(server.origin())).get());
  }
}

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__GLIBC__)
TEST_F(Curl, KeepsNoAnswersThatItRefused) {
  const std::string large = "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + std::string(2000000, 'x');
  const RawServer server([&large](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.write(large);
  });
  const auto allocated = [] {
    const auto heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
  };
  const auto curl = transport();
  const auto before = allocated();
  std::vector<std::future<Result<HttpResponse>>> calls;
  for (int i = 0; i < 16; ++i) calls.push_back(send(*curl, request(server.origin())));
  for (auto& call : calls) EXPECT_EQ(error_of(std::move(call)).transport_fault, TransportFault::answer_too_large);
  EXPECT_LT(allocated(), before + (8U << 20U));
}
#endif

TEST_F(Curl, TellsHowEachTransferWent) {
  std::atomic<std::size_t> received{0};
  const RawServer server([&received](RawServer::Connection& connection, int) {
    for (std::string request = connection.read_request(); !request.empty(); request = connection.read_request()) {
      received = request.size();
      connection.write(empty_answer);
    }
  });
  const auto curl = transport();
  const TransferInfo first = send(*curl, request(server.origin())).get().value().transfer;
  EXPECT_FALSE(first.connection_reused);
  EXPECT_GT(first.connect.count(), 0);
  EXPECT_GE(first.connect, first.name_lookup);
  EXPECT_GT(first.tls, first.connect);
  EXPECT_GT(first.first_byte, first.tls);
  EXPECT_GE(first.total, first.first_byte);
  EXPECT_EQ(first.bytes_sent, received);
  EXPECT_EQ(first.bytes_received, std::string_view(empty_answer).size());

  const TransferInfo second = send(*curl, request(server.origin())).get().value().transfer;
  EXPECT_TRUE(second.connection_reused);
  EXPECT_EQ(second.tls.count(), 0);
  EXPECT_EQ(second.bytes_sent, received);

  const Error refused = error_of(send(*curl, request(nobody)));
  EXPECT_FALSE(refused.tries[0].transfer.connection_reused);
  EXPECT_EQ(refused.tries[0].transfer.bytes_sent, 0U);
}

TEST_F(Curl, TellsHowLongARequestWaitedForAConnection) {
  std::promise<void> reached;
  std::promise<void> answer;
  const RawServer server([&](RawServer::Connection& connection, int) {
    connection.read_request();
    reached.set_value();
    answer.get_future().wait();
    connection.write(empty_answer);
    connection.read_request();
    connection.write(empty_answer);
  });
  options_.max_connections = 1;
  const auto curl = transport();
  auto first = send(*curl, request(server.origin()));
  reached.get_future().wait();
  auto second = send(*curl, request(server.origin()));
  const auto sent = Clock::now();
  EXPECT_EQ(error_of(send(*curl, request(nobody))).transport_fault, TransportFault::connect) << "to another host";
  const auto answered = Clock::now();
  answer.set_value();
  ASSERT_TRUE(first.get());
  EXPECT_GE(second.get().value().transfer.waited, std::chrono::floor<std::chrono::microseconds>(answered - sent));
}

TEST_F(Curl, OpensNoMoreConnectionsThanItMay) {
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  const RawServer server([&](RawServer::Connection& connection, int) {
    while (!connection.read_request().empty()) {
      const int now = ++at_once;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      --at_once;
      connection.write(empty_answer);
    }
  });
  options_.max_connections = 3;
  const auto curl = transport();
  std::vector<std::future<Result<HttpResponse>>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(send(*curl, request(server.origin())));
  for (auto& future : futures) EXPECT_TRUE(future.get());
  EXPECT_LE(server.connections(), 3);
  EXPECT_LE(most, 3);
}

TEST_F(Curl, EndsACallThatWaitsForAConnectionUntilItsTimeout) {
  std::promise<void> reached;
  const RawServer server([&](RawServer::Connection& connection, int) {
    connection.read_request();
    reached.set_value();
    connection.read_request();
  });
  options_.max_connections = 1;
  const auto curl = transport();
  auto first = send(*curl, request(server.origin()), within(std::chrono::minutes(1)));
  reached.get_future().wait();
  const Error waiting = error_of(send(*curl, request(server.origin()), within(milliseconds(100))));
  EXPECT_EQ(waiting.transport_fault, TransportFault::no_free_connection);
  EXPECT_EQ(waiting.outcome, Outcome::not_sent);
  EXPECT_TRUE(contains(waiting.message, "CurlOptions::max_connections")) << waiting.message;
  EXPECT_EQ(first.wait_for(milliseconds(0)), std::future_status::timeout) << "which goes on";
}

TEST_F(Curl, HoldsACallsTimeoutWhileAnotherStillConnects) {
  const Listener mute([](int socket, int) {
    char byte = 0;
    while (::recv(socket, &byte, 1, 0) > 0) {
    }
  });
  const std::string origin = "https://127.0.0.1:" + std::to_string(mute.port());
  const auto curl = transport();
  auto patient = send(*curl, request(origin));
  EXPECT_EQ(error_of(send(*curl, request(origin), within(milliseconds(100)))).transport_fault, TransportFault::timeout);
  EXPECT_EQ(patient.wait_for(milliseconds(0)), std::future_status::timeout);
}

TEST_F(Curl, CountsATimeoutFromACallsTurnAndADeadlineFromItsSending) {
  std::promise<void> release;
  auto released = release.get_future().share();
  const RawServer server([&](RawServer::Connection& connection, int) {
    connection.read_request();
    released.get();
    connection.write(empty_answer);
    connection.read_request();
    connection.read_request();  // no answer for the second
  });
  options_.max_connections = 1;
  const auto curl = transport();
  auto first = send(*curl, request(server.origin()));
  SendOptions soon = within(milliseconds(500));
  soon.deadline = std::chrono::minutes(1);
  auto waiting = send(*curl, request(server.origin()), soon);
  const RawServer other(hang);
  EXPECT_EQ(error_of(send(*curl, request(other.origin()), within(milliseconds(600)))).transport_fault,
            TransportFault::timeout);
  EXPECT_EQ(waiting.wait_for(milliseconds(0)), std::future_status::timeout) << "its 500 ms have not begun";
  release.set_value();
  EXPECT_TRUE(first.get());
  const Error error = error_of(std::move(waiting));
  EXPECT_EQ(error.transport_fault, TransportFault::timeout);
  EXPECT_EQ(error.outcome, Outcome::unknown);
}

TEST_F(Curl, DoesNotLetOneHostHoldUpAnother) {
  const RawServer stuck(hang);
  const RawServer good(answer_all);
  options_.max_connections = 1;
  const auto curl = transport();
  auto hanging = send(*curl, request(stuck.origin()));
  EXPECT_TRUE(send(*curl, request(good.origin())).get());
}

TEST_F(Curl, WaitsBeforeItSends) {
  const RawServer server(answer_all);
  const auto curl = transport();
  const auto start = Clock::now();
  SendOptions later = within(milliseconds(10000));
  later.delay = milliseconds(120);
  auto delayed = send(*curl, request(server.origin()), later);
  EXPECT_TRUE(send(*curl, request(server.origin())).get()) << "others do not wait with it";
  EXPECT_TRUE(delayed.get());
  EXPECT_GE(Clock::now() - start, milliseconds(120));
}

TEST_F(Curl, GivesARequestWithoutATimeoutTimeUntilItsDeadline) {
  const RawServer answers(answer_all);
  const RawServer hangs(hang);
  const auto curl = transport();
  SendOptions without = within(milliseconds(0));
  EXPECT_TRUE(send(*curl, request(answers.origin()), without).get());
  without.deadline = milliseconds(100);
  EXPECT_EQ(error_of(send(*curl, request(hangs.origin()), without)).transport_fault, TransportFault::timeout);
}

TEST_F(Curl, SendsNothingWhereTheStopWasRequestedBefore) {
  const RawServer server(hang);
  const auto curl = transport();
  const StopSource stop;
  stop.request_stop();
  for (int i = 0; i < 100; ++i) {
    SendOptions stopped = within(milliseconds(10000));
    stopped.stop = stop.get_token();
    const Error error = error_of(send(*curl, request(server.origin()), stopped));
    EXPECT_EQ(error.transport_fault, TransportFault::cancelled);
    EXPECT_EQ(error.outcome, Outcome::not_sent);
  }
}

TEST_F(Curl, CompletesEverythingWhenItIsDestroyed) {
  std::promise<void> reached;
  const RawServer server([&](RawServer::Connection& connection, int) {
    connection.read_request();
    reached.set_value();
    connection.read_request();
  });
  options_.max_connections = 1;
  auto curl = transport();
  auto running = send(*curl, request(server.origin()));
  reached.get_future().get();
  auto waiting = send(*curl, request(server.origin()));
  SendOptions later;
  later.delay = std::chrono::hours(1);
  auto delayed = send(*curl, request(server.origin()), later);
  curl.reset();
  for (auto* future : {&running, &waiting, &delayed}) {
    ASSERT_EQ(future->wait_for(milliseconds(0)), std::future_status::ready)
        << "completed before the destructor returned";
  }
  const Error sent = error_of(std::move(running));
  EXPECT_EQ(sent.transport_fault, TransportFault::shut_down);
  EXPECT_EQ(sent.outcome, Outcome::unknown);
  EXPECT_EQ(error_of(std::move(waiting)).outcome, Outcome::not_sent);
  EXPECT_EQ(error_of(std::move(delayed)).outcome, Outcome::not_sent);
}

TEST_F(Curl, MayBeDestroyedByACompletion) {
  const RawServer server([](RawServer::Connection& connection, int number) {
    connection.read_request();
    if (number == 1) return hang(connection, number);
    connection.write(empty_answer);
  });
  auto curl = transport();
  auto hanging = send(*curl, request(server.origin()));
  std::promise<void> destroyed;
  CurlTransport* const raw = curl.get();
  auto holder = std::make_shared<std::shared_ptr<CurlTransport>>(std::move(curl));
  raw->send(request(server.origin()), {}, [&destroyed, holder](Result<HttpResponse>) {
    holder->reset();
    set_at_thread_exit(destroyed);  // so that the thread has ended before the next test
  });
  destroyed.get_future().get();
  EXPECT_EQ(error_of(std::move(hanging)).transport_fault, TransportFault::shut_down);
}

TEST_F(Curl, StartsNoThreadBeforeTheFirstCall) {
  const auto threads = [] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) count += entry.exists() ? 1 : 0;
    return count;
  };
  if (!std::filesystem::exists("/proc/self/task")) GTEST_SKIP() << "needs /proc";
  const std::size_t before = threads();
  const auto curl = transport();
  EXPECT_LE(threads(), before) << "a thread of an earlier test's may still have been ending";
}

#if defined(__linux__)
/// How often a thread has gone to sleep so far.
long sleeps_of(const std::string& thread) {
  const std::string status = read_text(thread + "/status");
  return std::stol(status.substr(status.find("\nvoluntary_ctxt_switches:") + 25));
}

/// Nanoseconds of CPU that a thread has used so far.
long cpu_time_of(const std::string& thread) { return std::stol(read_text(thread + "/schedstat")); }

/// Expects that a thread sleeps while this one works. It may wake a few times: for a lock before it sleeps, and for
/// `timers` of libcurl.
void expect_sleep_of(const std::string& thread, int timers = 0) {
  const auto signer = FakeWechatPay().credentials();
  const long sleeps = sleeps_of(thread);
  const long cpu_time = cpu_time_of(thread);
  const std::string self = "/proc/thread-self";
  const long work = cpu_time_of(self);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(signer.signer().sign("some hundred milliseconds of other work"));
  EXPECT_LE(sleeps_of(thread), sleeps + 5 + timers);
  EXPECT_LT(cpu_time_of(thread) - cpu_time, (cpu_time_of(self) - work) / 4) << "nor does it spin";
}

TEST_F(Curl, SleepsWhileThousandsOfCallsAreInTheirPauses) {
  const auto before = threads_of_this_process();
  const auto curl = transport();
  std::vector<std::future<Result<HttpResponse>>> paused;
  for (int i = 0; i < 3000; ++i) {
    SendOptions later;
    later.delay = std::chrono::hours(1);
    paused.push_back(send(*curl, request(nobody), std::move(later)));
  }
  // This request is not paused. When it has ended, the transport has also accepted the others.
  EXPECT_EQ(error_of(send(*curl, request(nobody))).transport_fault, TransportFault::connect);

  auto threads = threads_of_this_process();
  for (const std::string& old : before) threads.erase(old);
  ASSERT_EQ(threads.size(), 1U);
  expect_sleep_of(*threads.begin());
}

TEST_F(Curl, SleepsWhileCallsAwaitTheirAnswers) {
  constexpr int calls = 20;
  std::atomic<int> arrived{0};
  std::promise<void> released;
  const auto release = released.get_future().share();
  const RawServer busy([&arrived, release](RawServer::Connection& connection, int) {
    connection.read_request();
    ++arrived;
    release.wait();
    connection.write("HTTP/1.1 204 No Content\r\n\r\n");
  });
  const RawServer quick(answer_all);
  const auto curl = transport();
  std::vector<std::future<Result<HttpResponse>>> waiting;
  for (int i = 0; i < calls; ++i) {
    waiting.push_back(send(*curl, request(busy.origin()), within(std::chrono::minutes(10))));
  }
  while (arrived < calls) std::this_thread::yield();
  // When this request has ended, the others need no more work, except for the timer that each connection started.
  std::promise<long> thread;
  curl->send(request(quick.origin()), within(std::chrono::minutes(10)), [&thread](const Result<HttpResponse>& result) {
    EXPECT_TRUE(result);
    thread.set_value(::syscall(SYS_gettid));
  });
  expect_sleep_of("/proc/self/task/" + std::to_string(thread.get_future().get()), calls);
  released.set_value();
  for (auto& each : waiting) EXPECT_TRUE(each.get());
}
#endif

TEST_F(Curl, SwallowsAnExceptionOfACompletion) {
  const RawServer server(answer_all);
  const auto curl = transport();
  curl->send(request(server.origin()), {}, [](Result<HttpResponse>) { throw 7; });
  EXPECT_TRUE(send(*curl, request(server.origin())).get());
}

std::atomic<int> broken_pipes{0};

TEST_F(Curl, RaisesNoSigpipe) {
  struct sigaction count {};
  struct sigaction before {};
  count.sa_handler = [](int) { ++broken_pipes; };
  sigaction(SIGPIPE, &count, &before);
  // After a reset, libcurl's TLS shutdown on the dead connection writes to a broken pipe.
  const RawServer server([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.write(empty_answer);
    connection.reset();
  });
  {
    const auto curl = transport();
    for (int i = 0; i < 20; ++i) static_cast<void>(send(*curl, request(server.origin())).get());
  }
  EXPECT_EQ(broken_pipes, 0);
  sigaction(SIGPIPE, &before, nullptr);
}

TEST_F(Curl, RunsNoSignalHandlersOnItsThread) {
  const RawServer server(answer_all);
  const auto curl = transport();
  std::promise<bool> blocked;
  curl->send(request(server.origin()), {}, [&](Result<HttpResponse>) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked.set_value(sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPIPE) == 1);
  });
  EXPECT_TRUE(blocked.get_future().get());
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  EXPECT_EQ(sigismember(&own, SIGTERM), 0) << "the caller's mask is as it was";
}

#if defined(__linux__)
TEST_F(Curl, InterruptsNoRunningThreadByItsOwn) {
  const RawServer server(answer_all);
  const int callers = sched_getscheduler(0);
  std::promise<int> seen;
  const auto curl = transport();
  curl->send(request(server.origin()), {}, [&](Result<HttpResponse>) { seen.set_value(sched_getscheduler(0)); });
  EXPECT_EQ(seen.get_future().get(), callers == SCHED_OTHER ? SCHED_BATCH : callers);
  EXPECT_EQ(sched_getscheduler(0), callers);
}

TEST(System, KeepsASchedulingPolicyThatWasChosen) {
  int kept = -1;
  std::thread([&kept] {
    const sched_param none{};
    ASSERT_EQ(sched_setscheduler(0, SCHED_IDLE, &none), 0);
    stages::let_running_threads_finish();
    kept = sched_getscheduler(0);
  }).join();
  EXPECT_EQ(kept, SCHED_IDLE);
}
#endif

TEST_F(Curl, LeavesOpenSslsErrorQueueAlone) {
  ERR_clear_error();
  ERR_raise(ERR_LIB_USER, 42);
  const unsigned long before = ERR_peek_last_error();
  const auto curl = transport();
  EXPECT_EQ(ERR_get_error(), before);
  EXPECT_EQ(ERR_get_error(), 0U);

  options_.ca_bundle_file.clear();
  const RawServer server(answer_all);
  std::promise<unsigned long> seen;
  const auto untrusting = transport();
  untrusting->send(request(server.origin()), {}, [&](Result<HttpResponse> result) {
    EXPECT_FALSE(result);
    seen.set_value(ERR_peek_error());
  });
  EXPECT_EQ(seen.get_future().get(), 0U) << "the failed handshake is not left to the completion";
}

TEST_F(Curl, GoesThroughAProxyWithItsOwnTls) {
  const RawServer server(answer_all);
  const ConnectProxy proxy;
  options_.proxy = proxy.url();
  const auto curl = transport();
  ASSERT_TRUE(send(*curl, request(server.origin())).get());
  ASSERT_EQ(proxy.requests().size(), 1U);
  EXPECT_TRUE(contains(proxy.requests()[0], "CONNECT " + server.origin().substr(8) + " HTTP/1.1"))
      << proxy.requests()[0];
  EXPECT_FALSE(contains(proxy.requests()[0], "application/json")) << "the request's headers are not the proxy's";
}

TEST_F(Curl, SaysWhatTheProxyAnsweredAndKeepsItsPassword) {
  const RawServer server(answer_all);
  const ConnectProxy proxy("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
  options_.proxy = "http://user:hush-hush@" + proxy.url().substr(7);
  const auto curl = transport();
  const Error error = error_of(send(*curl, request(server.origin())));
  EXPECT_EQ(error.transport_fault, TransportFault::connect);
  EXPECT_EQ(error.outcome, Outcome::not_sent);
  EXPECT_TRUE(contains(error.message, "the proxy answered 407")) << error.message;
  EXPECT_FALSE(contains(error.message, "hush-hush")) << error.message;
}

TEST_F(Curl, ReadsNoProxyFromTheEnvironment) {
  const RawServer server(answer_all);
  const char* const nowhere = "http://127.0.0.1:1";
  const TestEnvironment proxies{
      {"https_proxy", nowhere}, {"HTTPS_PROXY", nowhere}, {"all_proxy", nowhere}, {"ALL_PROXY", nowhere}};
  const auto curl = transport();
  const auto direct = send(*curl, request(server.origin())).get();
  EXPECT_TRUE(direct) << (direct ? "" : direct.error().message);

  const TestEnvironment exceptions{{"no_proxy", "127.0.0.1"}, {"NO_PROXY", "127.0.0.1"}};
  options_.proxy = nowhere;
  const auto proxied = transport();
  EXPECT_EQ(error_of(send(*proxied, request(server.origin()))).transport_fault, TransportFault::connect)
      << "no_proxy is not read either";
}

TEST_F(Curl, WritesNoTlsSecrets) {
  // libcurl reads SSLKEYLOGFILE once per process, so a child process makes the calls.
  if (!std::filesystem::exists("/proc/self/exe")) GTEST_SKIP() << "needs /proc";
  const TemporaryFolder folder;
  const std::string log = folder.path("keys.log");
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const auto child = run("unset GTEST_TOTAL_SHARDS GTEST_SHARD_INDEX; SSLKEYLOGFILE=" + shell_word(log) + " " +
                         shell_word(self) + " --gtest_filter=Curl.ReusesAConnection");
  EXPECT_EQ(child.status, 0) << child.output;
  EXPECT_TRUE(contains(child.output, "[  PASSED  ] 1 test")) << child.output;
  EXPECT_EQ(read_text(log), "");
}

TEST_F(Curl, NamesWhatIsWrongWithItsOptions) {
  const CurlOptions good = options_;
  const auto fault = [this] {
    const auto result = CurlTransport::create(options_);
    EXPECT_FALSE(result);
    return result ? std::string() : result.error().message;
  };
  options_.ca_bundle_file = "/no/such/ca.pem";
  EXPECT_TRUE(contains(fault(), "/no/such/ca.pem: cannot be opened: No such file"));
  const TemporaryFolder folder;
  options_.ca_bundle_file = folder.write("ca.txt", "no certificate");
  EXPECT_TRUE(contains(fault(), "ca.txt is not PEM; a certificate belongs here"));
  options_ = good;
  options_.proxy = "ftp://user:hush-hush@127.0.0.1:9";
  EXPECT_TRUE(contains(fault(), "CurlOptions::proxy"));
  EXPECT_FALSE(contains(fault(), "hush-hush"));
  options_.proxy = "http://user:hush-hush@:::";
  EXPECT_TRUE(contains(fault(), "CurlOptions::proxy"));
  EXPECT_FALSE(contains(fault(), "hush-hush"));
  for (milliseconds CurlOptions::*const member : {&CurlOptions::connect_timeout, &CurlOptions::idle_timeout}) {
    for (const milliseconds bad : {milliseconds(0), milliseconds(-1), milliseconds(std::chrono::hours(25))}) {
      options_ = good;
      options_.*member = bad;
      EXPECT_TRUE(contains(fault(), "timeout must be more than 0 ms"));
    }
  }
  options_ = good;
  options_.max_connections = 0;
  EXPECT_TRUE(contains(fault(), "CurlOptions::max_connections"));
}

}  // namespace
}  // namespace wechatpay::bonus_commit
