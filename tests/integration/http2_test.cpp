// HTTP/2 against a real server: Apache httpd in front of the sandbox.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <future>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "tests/support/polling_loop.hpp"
#include "tests/support/raw_server.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

/// Speaks HTTP/2 and passes everything on, byte for byte, to the sandbox.
class Apache {
 public:
  explicit Apache(const Sandbox& sandbox) : port_(port_for_a_program()) {
    const std::string modules = "/usr/lib/apache2/modules/";
    std::string config = "ServerRoot \"" + folder_.path("") + "\"\nListen 127.0.0.1:" + std::to_string(port_) +
                         "\nServerName 127.0.0.1\nPidFile pid\nErrorLog error.log\nDefaultRuntimeDir \"" +
                         folder_.path("") + "\"\nMutex pthread\nKeepAliveTimeout 300\n";
    for (const char* module : {"mpm_event", "authz_core", "ssl", "http2", "proxy", "proxy_http"}) {
      config += std::string("LoadModule ") + module + "_module " + modules + "mod_" + module + ".so\n";
    }
    if (::geteuid() == 0) config += "User nobody\nGroup nogroup\n";
    config += "Protocols h2 http/1.1\nLogFormat \"%H %>s\" protocol\nCustomLog access.log protocol\nSSLEngine on\n";
    config += "SSLCertificateFile \"" + ServerPki::get().certificate_file + "\"\n";
    config += "SSLCertificateKeyFile \"" + ServerPki::get().key_file + "\"\n";
    config +=
        "SSLProxyEngine on\nSSLProxyCheckPeerName off\nSSLProxyCACertificateFile \"" + sandbox.files().ca + "\"\n";
    config += "AllowEncodedSlashes NoDecode\nProxyPass / " + sandbox.origin() + "/ nocanon\n";
    file_ = folder_.write("httpd.conf", config);
    start();
  }
  Apache(const Apache&) = delete;
  Apache& operator=(const Apache&) = delete;
  ~Apache() { stop(); }

  static const char* program() { return "/usr/sbin/apache2"; }
  bool ready() const { return ready_; }
  std::uint16_t port() const { return port_; }
  std::string origin() const { return "https://127.0.0.1:" + std::to_string(port_); }
  std::string errors() const { return read_text(folder_.path("error.log")); }

  /// Ends the server and returns its log: a line "HTTP/2.0 204" for each request.
  std::string stop() {
    if (ready_) {
      ::kill(process_, SIGTERM);
      ::waitpid(process_, nullptr, 0);
      ready_ = false;
    }
    return read_text(folder_.path("access.log"));
  }

  void restart() {
    stop();
    start();
  }

 private:
  void start() {
    process_ = ::fork();
    if (process_ == 0) {
      end_with_the_parent();
      ::execl(program(), program(), "-DFOREGROUND", "-f", file_.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    const sockaddr_in address = Listener::loopback(port_);
    while (!ready_ && ::waitpid(process_, nullptr, WNOHANG) == 0) {
      const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
      ready_ = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      ::close(socket);
      std::this_thread::yield();
    }
  }

  TemporaryFolder folder_;
  std::string file_;
  std::uint16_t port_;
  pid_t process_ = -1;
  bool ready_ = false;
};

TEST(Http2, IsSpokenWhereTheServerOffersIt) {
  if (!std::filesystem::exists(Apache::program())) GTEST_SKIP() << Apache::program() << " is not installed";
  const auto sandbox = Sandbox::start().value();
  Apache apache(*sandbox);
  ASSERT_TRUE(apache.ready()) << apache.errors();

  CurlOptions curl_options;
  curl_options.ca_bundle_file = ServerPki::get().ca_file;
  ClientOptions options;
  options.origins = {apache.origin()};
  const auto client =
      BonusCommitClient::create(sandbox->wechat_pay().credentials(), sandbox->wechat_pay().platform_keys(),
                                CurlTransport::create(curl_options).value(), options)
          .value();
  std::vector<CommitFuture> futures;
  for (int i = 0; i < 100; ++i) {
    BonusCommitRequest request = seed_request();
    request.card_id = "a/b?c 中";
    request.out_trade_no = std::to_string(i);
    futures.push_back(client.commit_async(request));
  }
  for (auto& future : futures) {
    const CommitResult result = future.get();
    ASSERT_TRUE(result) << result.error().message << apache.errors();
  }
  EXPECT_EQ(sandbox->wechat_pay().committed().size(), 100U);
  // Apache logs after it has answered, so the last lines may be missing.
  std::istringstream log(apache.stop());
  int lines = 0;
  for (std::string line; std::getline(log, line); ++lines) EXPECT_EQ(line, "HTTP/2.0 204");
  EXPECT_GT(lines, 50);
}

/// Apache behind a forwarder, and a client that uses them.
class Http2Connections : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(Apache::program())) GTEST_SKIP() << Apache::program() << " is not installed";
    ASSERT_TRUE(apache_.ready()) << apache_.errors();
    make_client();
  }

  void make_client(std::shared_ptr<EventLoop> loop = nullptr) {
    CurlOptions curl_options;
    curl_options.ca_bundle_file = ServerPki::get().ca_file;
    curl_options.connect_timeout = std::chrono::minutes(1);
    curl_options.event_loop = std::move(loop);
    transport_ = CurlTransport::create(curl_options).value();
    client_.emplace(client_that_waits(std::chrono::seconds(20)));
  }

  /// Limits how long a call waits for an answer.
  BonusCommitClient client_that_waits(std::chrono::milliseconds try_timeout) {
    ClientOptions options;
    options.origins = {"https://127.0.0.1:" + std::to_string(forwarder_.port())};
    options.retry.max_tries = 1;
    options.retry.try_timeout = try_timeout;
    return BonusCommitClient::create(sandbox_->wechat_pay().credentials(), sandbox_->wechat_pay().platform_keys(),
                                     transport_, options)
        .value();
  }

  void commit_at_once(int count) {
    std::vector<CommitFuture> futures;
    for (int i = 0; i < count; ++i) futures.push_back(client_->commit_async(seed_request()));
    for (CommitFuture& future : futures) {
      const CommitResult result = future.get();
      EXPECT_TRUE(result) << result.error().message;
    }
  }

  void expect_to_go_on() {
    for (int i = 0; i < 5; ++i) {
      const CommitResult result = client_->commit(seed_request());
      EXPECT_TRUE(result) << result.error().message;
    }
  }

  const std::unique_ptr<Sandbox> sandbox_ = Sandbox::start().value();
  Apache apache_{*sandbox_};
  Forwarder forwarder_{apache_.port()};
  std::shared_ptr<CurlTransport> transport_;
  std::optional<BonusCommitClient> client_;
};

TEST_F(Http2Connections, ServeAnEventLoop) {
  const auto loop = std::make_shared<PollingLoop>();
  make_client(loop);
  std::vector<CommitFuture> futures;
  for (int i = 0; i < 128; ++i) futures.push_back(client_->commit_async(seed_request()));
  for (CommitFuture& future : futures) {
    loop->run_until([&] { return future.ready(); });
    const CommitResult result = future.get();
    EXPECT_TRUE(result) << result.error().message;
  }
  EXPECT_EQ(forwarder_.connections(), 1);
}

TEST_F(Http2Connections, AreOneForAllCalls) {
  commit_at_once(64);
  EXPECT_EQ(forwarder_.connections(), 1);
  commit_at_once(64);
  EXPECT_EQ(forwarder_.connections(), 1);
}

TEST_F(Http2Connections, ThatHaveDiedLoseNoMoreThanOneCall) {
  const auto impatient = client_that_waits(std::chrono::seconds(2));
  ASSERT_TRUE(client_->commit(seed_request()));
  ASSERT_TRUE(client_->commit(seed_request()));
  ASSERT_EQ(forwarder_.connections(), 1);
  forwarder_.swallow_present_connections();
  EXPECT_EQ(impatient.commit(seed_request()).error().transport_fault, TransportFault::timeout);
  expect_to_go_on();
  EXPECT_EQ(forwarder_.connections(), 2);
}

TEST_F(Http2Connections, ThatDieBeforeTheirFirstAnswerAreNotUsedAgain) {
  const auto impatient = client_that_waits(std::chrono::seconds(2));
  sandbox_->answer_with([&](const HttpRequest& request) {
    forwarder_.swallow_present_connections();
    return sandbox_->wechat_pay().answer(request);
  });
  EXPECT_EQ(impatient.commit(seed_request()).error().transport_fault, TransportFault::timeout);
  sandbox_->answer_with({});
  expect_to_go_on();
  EXPECT_EQ(forwarder_.connections(), 2);
}

TEST_F(Http2Connections, OnWhichOneAnswerIsLateServeTheOthersOut) {
  const auto impatient = client_that_waits(std::chrono::seconds(3));
  std::atomic<bool> first{true};
  std::promise<void> released;
  const auto release = released.get_future().share();
  sandbox_->answer_with([&, release](const HttpRequest& request) {
    if (first.exchange(false)) release.wait();
    return sandbox_->wechat_pay().answer(request);
  });
  auto late = impatient.commit_async(seed_request());
  while (first) std::this_thread::yield();
  commit_at_once(5);
  EXPECT_EQ(forwarder_.connections(), 1);
  EXPECT_EQ(late.get().error().transport_fault, TransportFault::timeout);
  commit_at_once(5);
  EXPECT_EQ(forwarder_.connections(), 2) << "none of them over the connection of the one that timed out";
  released.set_value();
}

TEST_F(Http2Connections, ThatTheServerHasClosedAreReplacedUnnoticed) {
  ASSERT_TRUE(client_->commit(seed_request()));
  apache_.restart();
  forwarder_.wait_until_closed();
  const CommitResult result = client_->commit(seed_request());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_LE(result->tries, 2);
}

}  // namespace
}  // namespace wechatpay::bonus_commit
