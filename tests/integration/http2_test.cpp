// HTTP/2 against a real server: Apache httpd in front of the sandbox.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <future>
#include <sstream>
#include <string>
#include <thread>

#include "tests/support/raw_server.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay {
namespace {

/// Speaks HTTP/2 and passes everything on, byte for byte, to the sandbox.
class Apache {
 public:
  explicit Apache(const Sandbox& sandbox) : port_(free_port()) {
    const std::string modules = "/usr/lib/apache2/modules/";
    std::string config = "ServerRoot " + folder_.path("") + "\nListen 127.0.0.1:" + std::to_string(port_) +
                         "\nServerName 127.0.0.1\nPidFile pid\nErrorLog error.log\nDefaultRuntimeDir " +
                         folder_.path("") + "\nMutex pthread\n";
    for (const char* module : {"mpm_event", "authz_core", "ssl", "http2", "proxy", "proxy_http"}) {
      config += std::string("LoadModule ") + module + "_module " + modules + "mod_" + module + ".so\n";
    }
    if (::geteuid() == 0) config += "User nobody\nGroup nogroup\n";
    config += "Protocols h2 http/1.1\nLogFormat \"%H %>s\" protocol\nCustomLog access.log protocol\nSSLEngine on\n";
    config += "SSLCertificateFile " + ServerPki::get().certificate_file + "\n";
    config += "SSLCertificateKeyFile " + ServerPki::get().key_file + "\n";
    config += "SSLProxyEngine on\nSSLProxyCheckPeerName off\nSSLProxyCACertificateFile " + sandbox.files().ca + "\n";
    config += "AllowEncodedSlashes NoDecode\nProxyPass / " + sandbox.origin() + "/ nocanon\n";
    const std::string file = folder_.write("httpd.conf", config);

    process_ = ::fork();
    if (process_ == 0) {
      ::execl(program(), program(), "-DFOREGROUND", "-f", file.c_str(), static_cast<char*>(nullptr));
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
  Apache(const Apache&) = delete;
  Apache& operator=(const Apache&) = delete;
  ~Apache() { stop(); }

  static const char* program() { return "/usr/sbin/apache2"; }
  bool ready() const { return ready_; }
  std::uint16_t port() const { return port_; }
  std::string origin() const { return "https://127.0.0.1:" + std::to_string(port_); }
  std::string errors() const { return read_text(folder_.path("error.log")); }

  /// Ends it and returns its log: a line "HTTP/2.0 204" for each request.
  std::string stop() {
    if (ready_) {
      ::kill(process_, SIGTERM);
      ::waitpid(process_, nullptr, 0);
      ready_ = false;
    }
    return read_text(folder_.path("access.log"));
  }

 private:
  TemporaryFolder folder_;
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
  std::vector<std::future<CommitResult>> futures;
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
  // Apache logs after it has answered, so its last lines may be missing.
  std::istringstream log(apache.stop());
  int lines = 0;
  for (std::string line; std::getline(log, line); ++lines) EXPECT_EQ(line, "HTTP/2.0 204");
  EXPECT_GT(lines, 50);
}

TEST(Http2, LosesNoMoreThanOneCallToAConnectionThatHasDied) {
  if (!std::filesystem::exists(Apache::program())) GTEST_SKIP() << Apache::program() << " is not installed";
  const auto sandbox = Sandbox::start().value();
  Apache apache(*sandbox);
  ASSERT_TRUE(apache.ready()) << apache.errors();
  Forwarder forwarder(apache.port());

  CurlOptions curl_options;
  curl_options.ca_bundle_file = ServerPki::get().ca_file;
  ClientOptions options;
  options.origins = {"https://127.0.0.1:" + std::to_string(forwarder.port())};
  options.retry.max_tries = 1;
  options.retry.try_timeout = std::chrono::milliseconds(500);
  const auto client =
      BonusCommitClient::create(sandbox->wechat_pay().credentials(), sandbox->wechat_pay().platform_keys(),
                                CurlTransport::create(curl_options).value(), options)
          .value();
  ASSERT_TRUE(client.commit(seed_request()));
  ASSERT_TRUE(client.commit(seed_request()));
  ASSERT_EQ(forwarder.connections(), 1);
  forwarder.swallow_present_connections();
  EXPECT_EQ(client.commit(seed_request()).error().transport_fault, TransportFault::timeout);
  for (int i = 0; i < 5; ++i) {
    const CommitResult result = client.commit(seed_request());
    EXPECT_TRUE(result) << result.error().message;
  }
}

}  // namespace
}  // namespace wechatpay
