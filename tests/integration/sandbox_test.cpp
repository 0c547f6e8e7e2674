// The sandbox with real clients, broken clients and hostile clients. It keeps serving after any input.
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <future>
#include <mutex>
#include <set>
#include <vector>

#include "src/openssl/handles.hpp"
#include "src/testing/connection_threads.hpp"
#include "tests/support/raw_client.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/stages/signature.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

class SandboxServer : public ::testing::Test {
 protected:
  SandboxServer() {
    allow_descriptors();
    start({});
  }

  /// Hundreds of connections have both ends in this process. The default limit of some systems is 256 descriptors.
  static void allow_descriptors() {
    constexpr rlim_t wanted = 1024;
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }

  void start(SandboxOptions options) {
    options.log = [this](const std::string& line) {
      const std::lock_guard<std::mutex> lock(mutex_);
      log_.push_back(line);
    };
    sandbox_ = Sandbox::start(std::move(options)).value();
  }

  /// Each try has a minute, because sanitizers are slow and other tests run on the same machine.
  BonusCommitClient client() {
    CurlOptions curl_options;
    curl_options.ca_bundle_file = sandbox_->files().ca;
    curl_options.connect_timeout = std::chrono::minutes(1);
    ClientOptions options;
    options.origins = {sandbox_->origin()};
    options.retry.max_tries = 1;
    options.retry.try_timeout = std::chrono::minutes(1);
    options.timeout = std::chrono::minutes(1);
    return BonusCommitClient::create(sandbox_->wechat_pay().credentials(), sandbox_->wechat_pay().platform_keys(),
                                     CurlTransport::create(curl_options).value(), options)
        .value();
  }

  /// The bytes of a signed request, for one answer.
  std::string signed_request(const std::string& method, const std::string& path, const std::string& body) {
    const std::string nonce = random_nonce().value();
    const SignedParts parts{method, path, std::time(nullptr), nonce, body};
    return method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: raw\r\nAccept: application/json\r\n" +
           "Authorization: " + authorization(sandbox_->wechat_pay().credentials(), parts).value() +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n\r\n" + body;
  }

  std::string answer_to(const std::string& bytes) { return said_to(sandbox_->origin(), bytes); }

  std::string answer_to_commit(const std::string& query = {}) {
    return answer_to(signed_request("POST", seed_path + query, seed_body));
  }

  void expect_that_it_goes_on() {
    const CommitResult result = client().commit(seed_request());
    EXPECT_TRUE(result) << result.error().message;
  }

  std::vector<std::string> log() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return log_;
  }

  std::mutex mutex_;
  std::vector<std::string> log_;
  std::unique_ptr<Sandbox> sandbox_;
};

std::string first_line(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }

TEST_F(SandboxServer, Answers204WithoutContentLengthAndSaysHowLongAConnectionIsKept) {
  RawClient raw(sandbox_->origin());
  ASSERT_TRUE(raw.shake_hands());
  std::string kept = signed_request("POST", seed_path, seed_body);
  kept.erase(kept.find("Connection: close\r\n"), 19);
  ASSERT_TRUE(raw.write(kept));
  const std::string first = raw.read_until("\r\n\r\n");
  EXPECT_EQ(first_line(first), "HTTP/1.1 204 No Content");
  EXPECT_FALSE(contains(first, "Content-Length")) << first;
  EXPECT_TRUE(contains(first, "Keep-Alive: timeout=8, max=1000\r\n")) << first;
  ASSERT_TRUE(raw.write(signed_request("POST", seed_path, seed_body)));
  const std::string second = raw.read_to_the_end();
  EXPECT_EQ(first_line(second), "HTTP/1.1 204 No Content") << "on the same connection";
  EXPECT_TRUE(contains(second, "Connection: close\r\n")) << second;
}

TEST_F(SandboxServer, CountsFaultsForCommitsAlone) {
  sandbox_->inject(503);
  EXPECT_TRUE(contains(answer_to(signed_request("GET", "/v3/certificates", "")), "RESOURCE_NOT_EXISTS"));
  EXPECT_EQ(first_line(answer_to(signed_request("POST", "/v3/other", "{}"))), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(first_line(answer_to(signed_request("DELETE", seed_path, ""))), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(first_line(answer_to_commit()), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(first_line(answer_to_commit()), "HTTP/1.1 204 No Content");
}

TEST_F(SandboxServer, RedirectsToThisMachineAlone) {
  sandbox_->inject(SandboxFault::Kind::redirect);
  const std::string answer = answer_to_commit();
  EXPECT_EQ(first_line(answer), "HTTP/1.1 302 Found");
  EXPECT_TRUE(contains(answer, "Location: https://127.0.0.1:")) << answer;
}

TEST_F(SandboxServer, TakesAQueryStringAndSaysSoInItsLog) {
  EXPECT_EQ(first_line(answer_to_commit("?a=1")), "HTTP/1.1 204 No Content");
  ASSERT_EQ(log().size(), 1U);
  EXPECT_TRUE(contains(log()[0], "/bonus/commit?a=1 ")) << log()[0];
  EXPECT_TRUE(contains(log()[0], "[the documents know no query string")) << log()[0];
}

TEST_F(SandboxServer, IsMadeOutToWeChatPaysHostsAndToFurtherNames) {
  SandboxOptions options;
  options.certificate_names.emplace_back("pay.example");
  start(options);
  RawClient raw(sandbox_->origin());
  ASSERT_TRUE(raw.shake_hands());
  for (const char* name : {"localhost", "api.mch.weixin.qq.com", "api2.mch.weixin.qq.com", "api.wechatpay.cn",
                           "api2.wechatpay.cn", "pay.example"}) {
    EXPECT_TRUE(raw.certificate_names(name)) << name;
  }
  EXPECT_FALSE(raw.certificate_names("other.example"));
}

TEST_F(SandboxServer, PlaysForAMerchantAtEachStage) {
  for (const auto stage : {MerchantStage::public_key, MerchantStage::switching, MerchantStage::certificates}) {
    SandboxOptions options;
    options.stage = stage;
    start(options);
    const CommitResult result = client().commit(seed_request());
    ASSERT_TRUE(result) << result.error().message;
    const bool by_certificate = stage == MerchantStage::certificates;
    EXPECT_EQ(result->serial,
              by_certificate ? sandbox_->wechat_pay().certificate_serial() : sandbox_->wechat_pay().public_key_id());
  }
}

TEST_F(SandboxServer, AnswersAndLogsOnceWhatIsNotARequest) {
  const std::string host = " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  const std::string long_text(9000, 'a');
  const struct {
    std::string bytes;
    const char* status;
  } cases[] = {
      {"POST " + std::string(seed_path) + "?a?b" + host, "400 "},
      {"nonsense\r\nHost: a\r\nHost: b\r\n\r\n", "400 "},
      {"BREW /v3/pot" + host, "400 "},
      {"GET /" + long_text + host, "414 "},
      {"GET /v3/x HTTP/1.1\r\nHost: a\r\nx: " + long_text + "\r\n\r\n", "400 "},
      {"GET /v3/x HTTP/1.1\r\nHost: a\r\nRange: nonsense\r\n\r\n", "416 "},
      {"GET /v3/x HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\nPOST /smuggled HTTP/1.1\r\n\r\n--", "404 "},
      {"POST /v3/x HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: "
       "9\r\n\r\n--b--\r\n\r\n",
       "404 "},
      {"POST /v3/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n", "4"},
  };
  std::size_t lines = 0;
  for (const auto& each : cases) {
    const std::string answer = answer_to(each.bytes);
    EXPECT_EQ(answer.rfind("HTTP/1.1 " + std::string(each.status), 0), 0U) << each.bytes << answer;
    EXPECT_TRUE(contains(answer, "Connection: close\r\n")) << answer;
    EXPECT_FALSE(contains(answer.substr(1), "HTTP/1.1")) << answer;
    ASSERT_EQ(log().size(), ++lines) << each.bytes;
    EXPECT_EQ(log().back().rfind(each.status, 0), 0U) << log().back();
  }
  expect_that_it_goes_on();
}

TEST_F(SandboxServer, AnswersBodiesThatAreTooLargeWithoutKeepingThem) {
  const std::string head = "POST " + std::string(seed_path) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  const std::string megabyte(1U << 20U, 'x');
  for (const char* framing : {"Content-Length: 4194304\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"}) {
    RawClient raw(sandbox_->origin());
    ASSERT_TRUE(raw.shake_hands());
    const bool chunked = contains(framing, "chunked");
    ASSERT_TRUE(raw.write(head + framing));
    for (int i = 0; i < 4; ++i) raw.write(chunked ? "100000\r\n" + megabyte + "\r\n" : megabyte);
    const std::string answer = raw.read_to_the_end();
    EXPECT_EQ(first_line(answer), "HTTP/1.1 413 Payload Too Large") << framing;
    EXPECT_TRUE(contains(answer, "larger than 1 MiB")) << answer;
    EXPECT_TRUE(contains(log().back(), "413 POST")) << log().back();
  }
  expect_that_it_goes_on();
}

TEST_F(SandboxServer, ReadsNoBodyWithoutEnd) {
  const std::string head = "POST " + std::string(seed_path) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  const std::string megabyte(1U << 20U, '0');
  for (const char* framing : {"Content-Length: 1000000000000000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"}) {
    const std::size_t lines = log().size();
    RawClient raw(sandbox_->origin());
    ASSERT_TRUE(raw.shake_hands());
    ASSERT_TRUE(raw.write(head + framing));
    for (int i = 0; i < 64 && log().size() == lines && raw.write(megabyte); ++i) {
    }
    ASSERT_EQ(log().size(), lines + 1) << framing;
    EXPECT_TRUE(contains(log().back(), "413 POST")) << log().back();
  }
  expect_that_it_goes_on();
}

TEST_F(SandboxServer, KeepsAConnectionBehindARequestWhoseLengthIsZero) {
  for (const char* method : {"GET", "POST"}) {
    RawClient raw(sandbox_->origin());
    ASSERT_TRUE(raw.shake_hands());
    const std::string request = std::string(method) + " /v3/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(raw.write(request));
      const std::string answer = raw.read_until("\r\n\r\n");
      EXPECT_EQ(first_line(answer), "HTTP/1.1 404 Not Found") << method;
      EXPECT_FALSE(contains(answer, "Connection: close")) << answer;
    }
  }
}

TEST_F(SandboxServer, SendsAHandlersBodyAsTextUnlessItSaysOtherwise) {
  sandbox_->answer_with([](const HttpRequest&) { return HttpResponse{200, {{"A", "b"}}, "hello"}; });
  const std::string plain = answer_to_commit();
  EXPECT_TRUE(contains(plain, "\r\nContent-Type: text/plain\r\n") && contains(plain, "\r\nA: b\r\n")) << plain;
  EXPECT_TRUE(contains(log().back(), "200 POST") && contains(log().back(), " -> hello")) << log().back();
  sandbox_->answer_with([](const HttpRequest&) { return HttpResponse{200, {{"content-type", "image/x"}}, "hello"}; });
  const std::string typed = answer_to_commit();
  EXPECT_TRUE(contains(typed, "\r\nContent-Type: image/x\r\n")) << typed;
  EXPECT_FALSE(contains(typed, "content-type")) << typed;
}

TEST_F(SandboxServer, SpoilsNoSignatureThatIsNotThere) {
  sandbox_->answer_with([](const HttpRequest&) { return HttpResponse{200, {}, "unsigned"}; });
  sandbox_->inject(SandboxFault::Kind::wrong_signature);
  const std::string answer = answer_to_commit();
  EXPECT_EQ(first_line(answer), "HTTP/1.1 200 OK");
  EXPECT_FALSE(contains(answer, "Wechatpay-")) << answer;
  EXPECT_TRUE(contains(log().back(), " -> unsigned [fault wrong-signature]")) << log().back();
}

TEST_F(SandboxServer, LogsWhatAPersonNeedsInOneLine) {
  EXPECT_EQ(first_line(answer_to_commit()), "HTTP/1.1 204 No Content");
  const std::string committed = log().back();
  EXPECT_EQ(committed.rfind("204 POST " + std::string(seed_path) + " " + seed_body + " Request-ID 08", 0), 0U)
      << committed;
  EXPECT_FALSE(contains(committed, "->") || contains(committed, "[")) << committed;
  EXPECT_EQ(first_line(answer_to(signed_request("POST", "/v3/x", "{}"))), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(log().back(), "404 POST /v3/x {}");
  sandbox_->inject(429);
  answer_to_commit();
  EXPECT_TRUE(contains(log().back(), "\"code\":\"RATELIMIT_EXCEEDED\"")) << log().back();
  EXPECT_TRUE(contains(log().back(), "} [fault 429]")) << log().back();
}

/// The open files and sockets.
std::set<std::string> descriptors_of_this_process() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/fd")) found.insert(entry.path().string());
  return found;
}

/// Why a sandbox does not start.
std::string refusal_of(SandboxOptions options) {
  const auto sandbox = Sandbox::start(std::move(options));
  if (sandbox) return "started";
  EXPECT_EQ(sandbox.error().kind, ErrorKind::invalid_configuration);
  return sandbox.error().message;
}

TEST(SandboxStart, NamesAnAddressItCannotListenOn) {
  const auto first = Sandbox::start().value();
  SandboxOptions taken;
  taken.port = static_cast<std::uint16_t>(std::stoi(first->origin().substr(first->origin().rfind(':') + 1)));
  const TemporaryFolder folder;
  taken.folder = folder.path("files");
  EXPECT_EQ(refusal_of(taken), "the sandbox cannot listen on 127.0.0.1 port " + std::to_string(taken.port) +
                                   ": it is taken or not this machine's");
  EXPECT_FALSE(std::filesystem::exists(folder.path("files/ca.pem"))) << "no file has been written";
  SandboxOptions elsewhere;
  elsewhere.address = "192.0.2.1";  // reserved for documentation
  EXPECT_EQ(refusal_of(elsewhere), "the sandbox cannot listen on 192.0.2.1 port 0: it is taken or not this machine's");
}

TEST(SandboxStart, NamesACertificatesNameThatIsNone) {
  SandboxOptions options;
  options.certificate_names = {"999.0.0.1"};
  const std::string message = refusal_of(options);
  EXPECT_EQ(message.rfind("the sandbox could not start: OpenSSL could not make a certificate extension: ", 0), 0U)
      << message;
}

TEST(SandboxStart, NamesAFileItCannotWriteAndLeavesNothingOpen) {
  const TemporaryFolder parent;
  SandboxOptions options;
  options.folder = parent.path("files");
  EXPECT_EQ(refusal_of(options), "started");
  std::filesystem::remove(parent.path("files/ca.pem"));
  std::filesystem::create_directory(parent.path("files/ca.pem"));
  const std::set<std::string> before = descriptors_of_this_process();
  const std::string message = refusal_of(options);
  EXPECT_EQ(message.rfind("the sandbox could not start: ", 0), 0U) << message;
  EXPECT_TRUE(contains(message, "cannot be written") && contains(message, "ca.pem")) << message;
  EXPECT_EQ(descriptors_of_this_process(), before);
  std::filesystem::remove(parent.path("files/ca.pem"));
  EXPECT_EQ(refusal_of(options), "started");
}

TEST(SandboxStart, WithoutAFolderMakesOneForItsOwnerAloneAndRemovesIt) {
  const TemporaryFolder parent;
  std::string folder;
  {
    const TestEnvironment temporary{{"TMPDIR", parent.path("").c_str()}};
    const auto sandbox = Sandbox::start().value();
    folder = sandbox->files().folder;
    EXPECT_EQ(std::filesystem::path(folder).parent_path(), std::filesystem::path(parent.path("")).parent_path());
    EXPECT_EQ(std::filesystem::status(folder).permissions(), std::filesystem::perms::owner_all);
    const auto second = Sandbox::start().value();
    EXPECT_NE(second->files().folder, folder);
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_TRUE(std::filesystem::is_empty(parent.path("")));
  const TestEnvironment nowhere{{"TMPDIR", parent.path("none").c_str()}};
  const std::string message = refusal_of({});
  EXPECT_EQ(message.rfind("the sandbox could not start: ", 0), 0U) << message;
  EXPECT_TRUE(contains(message, "TMPDIR does not name a folder: No such file or directory")) << message;
}

TEST_F(SandboxServer, TakesNoLengthAsNoBody) {
  std::string request = signed_request("POST", "/v3/x", "");
  request.erase(request.find("Content-Length: 0\r\n"), 19);
  EXPECT_EQ(first_line(answer_to(request)), "HTTP/1.1 404 Not Found");
}

TEST_F(SandboxServer, SaysOnceThatItClosesTheConnection) {
  const std::string answer =
      answer_to("GET /v3/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n-");
  EXPECT_TRUE(contains(answer, "Connection: close\r\n")) << answer;
  EXPECT_EQ(answer.find("Connection: close"), answer.rfind("Connection: close")) << answer;
}

TEST(SandboxConnections, ThatComeWhileTheServerEndsAreClosed) {
  std::signal(SIGPIPE, SIG_IGN);  // as cpp-httplib's server does: OpenSSL writes an alert to the closed connection
  WaitingConnections waiting;
  const std::unique_ptr<SSL_CTX, Freeing<SSL_CTX_free>> context(SSL_CTX_new(TLS_server_method()));
  waiting.watch(context.get());
  waiting.close_all();
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
  std::unique_ptr<SSL, Freeing<SSL_free>> ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), sockets[0]);
  EXPECT_LE(SSL_accept(ssl.get()), 0);
  char byte = 0;
  EXPECT_EQ(::recv(sockets[1], &byte, 1, 0), 0) << "it is still open";
  ssl.reset();
  ::close(sockets[0]);
  ::close(sockets[1]);
}

TEST_F(SandboxServer, ReadsNoHeadersWithoutEnd) {
  std::string request = "GET /v3/x HTTP/1.1\r\n";
  while (request.size() < (1U << 20U)) request += "x: " + std::string(1000, 'a') + "\r\n";
  const std::string answer = answer_to(request + "\r\n");
  EXPECT_EQ(first_line(answer), "HTTP/1.1 400 Bad Request");
  EXPECT_TRUE(contains(log().back(), "400 GET /v3/x")) << log().back();
  expect_that_it_goes_on();
}

TEST_F(SandboxServer, TakesAHeadOf100KiBAndManyRequestsOnAConnection) {
  RawClient raw(sandbox_->origin());
  ASSERT_TRUE(raw.shake_hands());
  std::string request = "POST /v3/x HTTP/1.1\r\nHost: a\r\n";
  while (request.size() < (100U << 10U)) request += "x: " + std::string(1000, 'a') + "\r\n";
  request += "Content-Length: 500000\r\n\r\n" + std::string(500000, 'b');
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(raw.write(request));
    EXPECT_EQ(first_line(raw.read_until("\r\n\r\n")), "HTTP/1.1 404 Not Found");
  }
}

TEST_F(SandboxServer, OutlivesWhatStopsHalfWay) {
  const std::string whole = signed_request("POST", seed_path, seed_body);
  for (std::size_t length :
       {std::size_t(0), std::size_t(1), std::size_t(30), whole.find("Authorization: ") + 20, whole.size() - 1}) {
    RawClient raw(sandbox_->origin());
    ASSERT_TRUE(raw.shake_hands());
    ASSERT_TRUE(length == 0 || raw.write(whole.substr(0, length)));
    raw.end_writing();
    const std::string answer = raw.read_to_the_end();
    EXPECT_TRUE(answer.empty() || contains(first_line(answer), " 400 ")) << length << ": " << answer;
  }
  RawClient plain(sandbox_->origin());
  plain.write_plain("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  EXPECT_EQ(sandbox_->wechat_pay().committed().size(), 0U);
  expect_that_it_goes_on();
}

TEST_F(SandboxServer, AnswersWhileHundredsOfConnectionsAreHeldOpenByOneByteAfterTheOther) {
  std::mutex mutex;
  std::vector<std::unique_ptr<RawClient>> slow;
  std::promise<void> settled;
  auto feeder = std::async(std::launch::async, [&mutex, &slow, end = settled.get_future()] {
    do {
      const std::lock_guard<std::mutex> lock(mutex);
      for (const auto& one : slow) one->write("a");
    } while (end.wait_for(std::chrono::milliseconds(500)) == std::future_status::timeout);
  });
  for (int i = 0; i < 256; ++i) {  // the most that it serves at once
    auto one = std::make_unique<RawClient>(sandbox_->origin());
    EXPECT_TRUE(one->shake_hands());
    EXPECT_TRUE(one->write("POST /v3/slow HTTP/1.1\r\nHost:"));
    const std::lock_guard<std::mutex> lock(mutex);
    slow.push_back(std::move(one));
  }
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 150; ++i) silent.push_back(std::make_unique<RawClient>(sandbox_->origin()));
  expect_that_it_goes_on();
  settled.set_value();
  feeder.get();
}

TEST_F(SandboxServer, EndsWhileConnectionsAreHeldOpen) {
  RawClient half(sandbox_->origin());
  ASSERT_TRUE(half.shake_hands());
  ASSERT_TRUE(half.write("POST /v3/x HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"));
  RawClient refused(sandbox_->origin());
  ASSERT_TRUE(refused.shake_hands());
  ASSERT_TRUE(refused.write("nonsense\r\n\r\n"));
  EXPECT_EQ(first_line(refused.read_until("}")), "HTTP/1.1 400 Bad Request");
  const RawClient silent(sandbox_->origin());
  sandbox_.reset();
  EXPECT_EQ(half.read_to_the_end(), "");
}

TEST_F(SandboxServer, ClosesNoConnectionForOthersThatItIsAnswering) {
  std::promise<void> begun;
  std::promise<void> released;
  std::atomic<bool> first{true};
  sandbox_->answer_with([&](const HttpRequest& request) {
    if (first.exchange(false)) {
      begun.set_value();
      released.get_future().wait();
    }
    return sandbox_->wechat_pay().answer(request);
  });
  const BonusCommitClient early = client();
  auto result = std::async(std::launch::async, [&early] { return early.commit(seed_request()); });
  begun.get_future().wait();
  std::vector<std::unique_ptr<RawClient>> held;
  for (int i = 0; i < 300; ++i) held.push_back(std::make_unique<RawClient>(sandbox_->origin()));
  expect_that_it_goes_on();
  released.set_value();
  const CommitResult settled = result.get();
  EXPECT_TRUE(settled) << settled.error().message;
}

}  // namespace
}  // namespace wechatpay::bonus_commit
