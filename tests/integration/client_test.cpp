// End to end: BonusCommitClient through CurlTransport and TLS to a server, one test per kind of answer.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "tests/support/raw_server.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

class Commit : public ::testing::Test {
 protected:
  Commit() : sandbox_(Sandbox::start().value()) {
    curl_options_.ca_bundle_file = sandbox_->files().ca;
    options_.retry.max_tries = 1;
  }

  BonusCommitClient client() { return client_of(sandbox_->origin()); }

  BonusCommitClient client_of(const std::string& origin) {
    options_.origins = {origin};
    return BonusCommitClient::create(sandbox_->wechat_pay().credentials(), sandbox_->wechat_pay().platform_keys(),
                                     CurlTransport::create(curl_options_).value(), options_)
        .value();
  }

  /// The error of a commit for which the sandbox sends this answer.
  Error error_of(const Sandbox::Handler& answer) {
    sandbox_->answer_with(answer);
    return error_of_commit_to(sandbox_->origin());
  }

  Error error_of_commit_to(const std::string& origin) {
    const CommitResult result = client_of(origin).commit(seed_request());
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  }

  void expect_transport_fault(const Error& error, TransportFault fault, Outcome outcome, const std::string& says) {
    EXPECT_EQ(error.kind, ErrorKind::transport_failed);
    EXPECT_EQ(to_string(error.transport_fault), to_string(fault)) << error.message;
    EXPECT_EQ(to_string(error.outcome), to_string(outcome)) << error.message;
    EXPECT_TRUE(contains(error.message, says)) << error.message;
    EXPECT_EQ(error.http_status(), 0);
  }

  std::unique_ptr<Sandbox> sandbox_;
  CurlOptions curl_options_;
  ClientOptions options_;
};

TEST_F(Commit, EndsInAVerifiedReceipt) {
  const CommitResult result = client().commit(seed_request());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->serial, sandbox_->wechat_pay().public_key_id());
  EXPECT_FALSE(result->request_id.empty());
  const auto committed = sandbox_->wechat_pay().committed();
  ASSERT_EQ(committed.size(), 1U);
  EXPECT_EQ(committed[0].request.out_trade_no, seed_request().out_trade_no);
  EXPECT_EQ(committed[0].request.bonus_value, 30);
  EXPECT_EQ(committed[0].times, 1U);
}

TEST_F(Commit, UsesTheFilesThatTheSandboxHandsOut) {
  const SandboxFiles& files = sandbox_->files();
  PlatformKeys keys;
  ASSERT_TRUE(keys.add_public_key_file(sandbox_->wechat_pay().public_key_id(), files.public_key));
  ASSERT_TRUE(keys.add_certificate_file(files.platform_certificate));
  options_.origins = {sandbox_->origin()};
  const auto transport = CurlTransport::create(curl_options_);
  for (const auto& credentials : {Credentials::from_pem_files(files.merchant_certificate, files.merchant_key),
                                  Credentials::from_p12_file(files.merchant_p12, "1900000001")}) {
    const auto client = BonusCommitClient::create(credentials.value(), keys, transport.value(), options_);
    const CommitResult result = client.value().commit(seed_request());
    EXPECT_TRUE(result) << result.error().message;
  }
}

TEST_F(Commit, KeepsItsConnectionWhenItsCredentialsAreRenewed) {
  std::vector<bool> reused;
  options_.hooks.on_try = [&reused](const TryEvent& event) {
    reused.push_back(event.result.transfer.connection_reused);
  };
  const BonusCommitClient commits = client();
  ASSERT_TRUE(commits.commit(seed_request()));
  const SandboxFiles& files = sandbox_->files();
  ASSERT_TRUE(commits.renew_credentials(Credentials::from_p12_file(files.merchant_p12, "1900000001").value()));
  ASSERT_TRUE(commits.commit(seed_request()));
  EXPECT_EQ(reused, (std::vector<bool>{false, true}));
}

TEST_F(Commit, BelievesNoUnsigned204) {
  const Error error = error_of([](const HttpRequest&) { return HttpResponse{204, {}, ""}; });
  EXPECT_EQ(error.kind, ErrorKind::unverified_answer);
  EXPECT_EQ(error.verification_fault(), VerificationFault::header_missing);
  EXPECT_EQ(error.outcome, Outcome::unknown);
}

TEST_F(Commit, BelievesNo204SignedWithAnotherKey) {
  FakeWechatPay& wechat_pay = sandbox_->wechat_pay();
  wechat_pay.set_stage(MerchantStage::switching);
  const Error error = error_of([&](const HttpRequest& request) {
    HttpRequest other = request;
    for (HttpHeader& header : other.headers) {
      if (same_token(header.name, "Wechatpay-Serial")) header.value = wechat_pay.certificate_serial();
    }
    HttpResponse response = wechat_pay.sign({204, {}, ""}, other);
    for (HttpHeader& header : response.headers) {
      if (header.name == "Wechatpay-Serial") header.value = wechat_pay.public_key_id();
    }
    return response;
  });
  EXPECT_EQ(error.kind, ErrorKind::unverified_answer);
  EXPECT_EQ(error.verification_fault(), VerificationFault::signature_mismatch);
  EXPECT_EQ(error.outcome, Outcome::unknown);
}

TEST_F(Commit, Explains400WithItsDetail) {
  FakeWechatPay& wechat_pay = sandbox_->wechat_pay();
  const Error error = error_of([&](const HttpRequest& request) {
    return wechat_pay.error(400, "PARAM_ERROR", "参数错误", request,
                            R"({"field":"/bonus_value","value":"30","issue":"too many","location":"body"})");
  });
  EXPECT_EQ(error.kind, ErrorKind::api_error);
  EXPECT_EQ(error.answer()->code, "PARAM_ERROR");
  EXPECT_EQ(error.outcome, Outcome::refused);
  EXPECT_TRUE(error.verified());
  ASSERT_EQ(error.faults.size(), 1U);
  EXPECT_EQ(error.faults[0].field, "/bonus_value");
}

TEST_F(Commit, Explains401WithWhatWeChatPaySigned) {
  // A proxy that rewrites bodies.
  FakeWechatPay& wechat_pay = sandbox_->wechat_pay();
  const Error error = error_of([&](HttpRequest request) {
    request.body += " ";
    return wechat_pay.answer(request);
  });
  EXPECT_EQ(error.answer()->code, "SIGN_ERROR");
  EXPECT_EQ(error.http_status(), 401);
  EXPECT_FALSE(error.verified());
  EXPECT_EQ(error.outcome, Outcome::refused);
  EXPECT_TRUE(contains(error.message, "line 5 of the signed message, the body, differs")) << error.message;
}

TEST_F(Commit, Explains403And429And500) {
  FakeWechatPay& wechat_pay = sandbox_->wechat_pay();
  const struct {
    int status;
    const char* code;
    Outcome outcome;
  } cases[] = {{403, "NO_AUTH", Outcome::refused},
               {429, "FREQUENCY_LIMITED", Outcome::refused},
               {500, "SYSTEM_ERROR", Outcome::unknown},
               {503, "SERVICE_UNAVAILABLE", Outcome::refused}};
  for (const auto& each : cases) {
    const Error error = error_of(
        [&](const HttpRequest& request) { return wechat_pay.error(each.status, each.code, "message", request); });
    EXPECT_EQ(error.kind, ErrorKind::api_error);
    EXPECT_EQ(error.http_status(), each.status);
    EXPECT_EQ(error.answer()->code, each.code);
    EXPECT_EQ(error.outcome, each.outcome) << each.status;
    EXPECT_TRUE(error.verified());
    EXPECT_FALSE(error.answer()->request_id.empty());
  }
}

TEST_F(Commit, Explains404WithAnEmptyBody) {
  const Error error = error_of([](const HttpRequest&) { return HttpResponse{404, {}, ""}; });
  EXPECT_EQ(error.kind, ErrorKind::unexpected_answer);
  EXPECT_EQ(error.outcome, Outcome::unknown);
  EXPECT_TRUE(contains(error.message, "404 with an empty body")) << error.message;
}

TEST_F(Commit, QuotesAnHtmlErrorPage) {
  const Error error = error_of([](const HttpRequest&) {
    return HttpResponse{502, {{"Content-Type", "text/html"}}, "<html><h1>Bad Gateway</h1></html>"};
  });
  EXPECT_EQ(error.kind, ErrorKind::unexpected_answer);
  EXPECT_EQ(error.outcome, Outcome::unknown);
  EXPECT_TRUE(contains(error.message, "<h1>Bad Gateway</h1>")) << error.message;
}

TEST_F(Commit, FollowsNoRedirect) {
  const std::string elsewhere = sandbox_->origin() + "/elsewhere";
  std::atomic<int> requests{0};
  const Error error = error_of([&requests, elsewhere](const HttpRequest&) {
    ++requests;
    return HttpResponse{307, {{"Location", elsewhere}}, ""};
  });
  EXPECT_EQ(requests, 1);
  EXPECT_EQ(error.kind, ErrorKind::unexpected_answer);
  EXPECT_EQ(error.outcome, Outcome::unknown);
  EXPECT_TRUE(contains(error.message, "a redirect to " + elsewhere)) << error.message;
}

TEST_F(Commit, RefusesABodyOverTheCap) {
  const Error over = error_of([](const HttpRequest&) {
    return HttpResponse{400, {}, std::string((1U << 20U) + 1, 'x')};
  });
  expect_transport_fault(over, TransportFault::answer_too_large, Outcome::unknown, "1 MiB of body");
  const Error at_the_cap = error_of([](const HttpRequest&) {
    return HttpResponse{400, {}, std::string(1U << 20U, ' ')};
  });
  EXPECT_EQ(at_the_cap.http_status(), 400);
}

TEST_F(Commit, RefusesHeadersOverTheCap) {
  const Error over = error_of([](const HttpRequest&) {
    HttpResponse response{204, {}, ""};
    for (int i = 0; i < 33; ++i) response.headers.push_back({"X-" + std::to_string(i), std::string(2000, 'x')});
    return response;
  });
  expect_transport_fault(over, TransportFault::answer_too_large, Outcome::unknown, "64 KiB of headers");
}

TEST_F(Commit, RefusesOneHeaderThatIsTooLong) {
  const RawServer server([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.write("HTTP/1.1 204 No Content\r\nX: " + std::string(150000, 'x') + "\r\n\r\n");
  });
  curl_options_.ca_bundle_file = RawServer::ca_file();
  expect_transport_fault(error_of_commit_to(server.origin()), TransportFault::answer_too_large, Outcome::unknown,
                         "64 KiB of headers");
}

TEST_F(Commit, NoticesAConnectionClosedHalfWay) {
  const RawServer server([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{\"code\":\"PARAM");
  });
  curl_options_.ca_bundle_file = RawServer::ca_file();
  expect_transport_fault(error_of_commit_to(server.origin()), TransportFault::connection_closed, Outcome::unknown,
                         "broke before the answer was complete");
}

TEST_F(Commit, NoticesAConnectionClosedWithoutAnAnswer) {
  const RawServer server([](RawServer::Connection& connection, int) { connection.read_request(); });
  curl_options_.ca_bundle_file = RawServer::ca_file();
  expect_transport_fault(error_of_commit_to(server.origin()), TransportFault::connection_closed, Outcome::unknown,
                         server.origin());
}

TEST_F(Commit, NoticesAReset) {
  const RawServer server([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.reset();
  });
  curl_options_.ca_bundle_file = RawServer::ca_file();
  expect_transport_fault(error_of_commit_to(server.origin()), TransportFault::connection_closed, Outcome::unknown,
                         server.origin());
}

TEST_F(Commit, NoticesAnAnswerThatIsNotHttp) {
  const RawServer server([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.write("SSH-2.0-OpenSSH_9.2\r\n");
  });
  curl_options_.ca_bundle_file = RawServer::ca_file();
  expect_transport_fault(error_of_commit_to(server.origin()), TransportFault::answer_malformed, Outcome::unknown,
                         "not HTTP");
}

TEST_F(Commit, SeesThatAHeaderIsRepeated) {
  FakeWechatPay& wechat_pay = sandbox_->wechat_pay();
  const Error error = error_of([&](const HttpRequest& request) {
    HttpResponse response = wechat_pay.answer(request);
    response.headers.push_back({"Wechatpay-Nonce", "another"});
    return response;
  });
  EXPECT_EQ(error.verification_fault(), VerificationFault::header_repeated);
}

TEST_F(Commit, PassesOverInterimAnswers) {
  FakeWechatPay& wechat_pay = sandbox_->wechat_pay();
  const RawServer server([&](RawServer::Connection& connection, int) {
    connection.read_request();
    HttpRequest request;
    request.headers = {{"Wechatpay-Serial", wechat_pay.public_key_id()}};
    std::string head =
        "HTTP/1.1 103 Early Hints\r\nWechatpay-Nonce: not the answer's\r\n\r\nHTTP/1.1 204 No Content\r\n";
    for (const HttpHeader& header : wechat_pay.sign({204, {}, ""}, request).headers) {
      head += header.name + ": " + header.value + " \r\n";
    }
    connection.write(head + "\r\n");
    connection.read_request();
  });
  curl_options_.ca_bundle_file = RawServer::ca_file();
  const CommitResult result = client_of(server.origin()).commit(seed_request());
  EXPECT_TRUE(result) << result.error().message;
}

TEST_F(Commit, RefusesACertificateOfAnotherHost) {
  SandboxOptions other;
  other.certificate_names = {"api.mch.weixin.qq.com"};
  const auto stranger = Sandbox::start(other).value();
  curl_options_.ca_bundle_file = stranger->files().ca;
  expect_transport_fault(error_of_commit_to(stranger->origin()), TransportFault::tls_verification, Outcome::not_sent,
                         "host name");
}

TEST_F(Commit, RefusesAnUntrustedAuthority) {
  const RawServer server([](RawServer::Connection&, int) {});
  expect_transport_fault(error_of_commit_to(server.origin()), TransportFault::tls_verification, Outcome::not_sent,
                         "CurlOptions::ca_bundle_file");
  curl_options_.ca_bundle_file.clear();
  expect_transport_fault(error_of_commit_to(server.origin()), TransportFault::tls_verification, Outcome::not_sent,
                         "CurlOptions::ca_bundle_file");
}

TEST_F(Commit, RefusesOldTls) {
  curl_options_.ca_bundle_file = RawServer::ca_file();
  const RawServer old([](RawServer::Connection&, int) {}, TLS1_1_VERSION);
  expect_transport_fault(error_of_commit_to(old.origin()), TransportFault::tls, Outcome::not_sent, "TLS 1.2 or newer");
  const RawServer middle([](RawServer::Connection&, int) {}, TLS1_2_VERSION);
  curl_options_.min_tls_version = TlsVersion::tls_1_3;
  expect_transport_fault(error_of_commit_to(middle.origin()), TransportFault::tls, Outcome::not_sent, "TLS");
}

TEST_F(Commit, NamesAHostThatRefuses) {
  expect_transport_fault(error_of_commit_to(nobody), TransportFault::connect, Outcome::not_sent, nobody);
}

TEST_F(Commit, NamesAHostThatDoesNotResolve) {
  // The resolver itself refuses a name with a label of more than 63 characters, without using the network.
  const std::string origin = "https://" + std::string(64, 'x') + ".invalid";
  expect_transport_fault(error_of_commit_to(origin), TransportFault::name_lookup, Outcome::not_sent, origin);
}

TEST_F(Commit, EndsAtItsDeadline) {
  const RawServer server([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.read_request();  // until the client gives up
  });
  curl_options_.ca_bundle_file = RawServer::ca_file();
  options_.timeout = std::chrono::seconds(2);
  expect_transport_fault(error_of_commit_to(server.origin()), TransportFault::timeout, Outcome::unknown, "in time");
}

TEST_F(Commit, TellsADeadlineBeforeTheConnectionIsReadyFromOneAfter) {
  // Accepts the connection, and never starts TLS.
  const Listener mute([](int socket, int) {
    char byte = 0;
    while (::recv(socket, &byte, 1, 0) > 0) {
    }
  });
  options_.timeout = std::chrono::seconds(1);
  expect_transport_fault(error_of_commit_to("https://127.0.0.1:" + std::to_string(mute.port())),
                         TransportFault::timeout, Outcome::not_sent, "not even a connection");
}

TEST_F(Commit, CarriesPathValuesUnchanged) {
  const BonusCommitClient one = client();
  const char* const values[] = {"a/b", "a?b=c", "#",   "100%", "%2F",     "a b",
                                "a+b", "中文",  "AbC", "...",  "a&b;c=d", "~-._"};
  std::set<std::string> expected;
  for (const char* value : values) {
    BonusCommitRequest request = seed_request();
    request.card_id = value;
    request.code = std::string(value) + "x";
    const CommitResult result = one.commit(request);
    EXPECT_TRUE(result) << value << ": " << result.error().message;
    expected.insert(value);
  }
  std::set<std::string> arrived;
  for (const CommittedOrder& order : sandbox_->wechat_pay().committed()) {
    arrived.insert(order.request.card_id);
    EXPECT_EQ(order.request.code, order.request.card_id + "x");
  }
  EXPECT_EQ(arrived, expected);
}

TEST_F(Commit, ServesManyThreadsWithOneClient) {
  const BonusCommitClient shared = client();
  constexpr int threads = 64;
  constexpr int each = 64;
  std::atomic<int> credited{0};
  std::vector<std::thread> running;
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      for (int i = 0; i < each; ++i) {
        BonusCommitRequest request = seed_request();
        request.out_trade_no = std::to_string(thread) + "-" + std::to_string(i);
        const CommitResult result = shared.commit(request);
        if (result) ++credited;
        EXPECT_TRUE(result) << result.error().message;
      }
    });
  }
  for (std::thread& one : running) one.join();
  EXPECT_EQ(credited, threads * each);
  const auto committed = sandbox_->wechat_pay().committed();
  EXPECT_EQ(committed.size(), static_cast<std::size_t>(threads * each));
  for (const CommittedOrder& order : committed) EXPECT_EQ(order.times, 1U) << order.request.out_trade_no;
}

TEST_F(Commit, RunsManyCallsFromOneThread) {
  const BonusCommitClient shared = client();
  std::vector<CommitFuture> futures;
  for (int i = 0; i < 500; ++i) {
    BonusCommitRequest request = seed_request();
    request.out_trade_no = std::to_string(i);
    futures.push_back(shared.commit_async(request));
  }
  for (auto& future : futures) EXPECT_TRUE(future.get());
  EXPECT_EQ(sandbox_->wechat_pay().committed().size(), 500U);
}

TEST_F(Commit, RefusesToBlockInACallbackOnTheTransportsThread) {
  const BonusCommitClient shared = client();
  std::promise<ErrorKind> kind;
  shared.commit_async(seed_request(), [&](CommitResult first) {
    EXPECT_TRUE(first);
    kind.set_value(shared.commit(seed_request()).error().kind);
  });
  EXPECT_EQ(kind.get_future().get(), ErrorKind::misuse);
}

TEST_F(Commit, StartsAnotherCallFromACallback) {
  const BonusCommitClient shared = client();
  std::promise<bool> done;
  shared.commit_async(seed_request(), [&](CommitResult) {
    shared.commit_async(seed_request(), [&](CommitResult second) { done.set_value(second.has_value()); });
  });
  EXPECT_TRUE(done.get_future().get());
}

TEST_F(Commit, FailsOverFromAHostThatRefuses) {
  options_.retry.max_tries = 3;
  options_.origins = {nobody, sandbox_->origin()};
  const auto client =
      BonusCommitClient::create(sandbox_->wechat_pay().credentials(), sandbox_->wechat_pay().platform_keys(),
                                CurlTransport::create(curl_options_).value(), options_)
          .value();
  EXPECT_EQ(client.commit(seed_request()).value().tries, 2);
  EXPECT_EQ(client.commit(seed_request()).value().tries, 1) << "the outage costs one try, not one for each call";
}

TEST_F(Commit, FailsOverFromAHostThatHangs) {
  const RawServer hung([](RawServer::Connection& connection, int) {
    connection.read_request();
    connection.read_request();  // until the client gives up
  });
  const TemporaryFolder folder;
  curl_options_.ca_bundle_file =
      folder.write("both.pem", read_text(RawServer::ca_file()) + read_text(sandbox_->files().ca));
  options_.retry.max_tries = 3;
  options_.retry.try_timeout = std::chrono::seconds(1);
  options_.origins = {hung.origin(), sandbox_->origin()};
  const auto client =
      BonusCommitClient::create(sandbox_->wechat_pay().credentials(), sandbox_->wechat_pay().platform_keys(),
                                CurlTransport::create(curl_options_).value(), options_)
          .value();
  const CommitResult result = client.commit(seed_request());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_GE(result->tries, 2);
}

TEST_F(Commit, TriesAgainOnItsOwnAndCommitsOnce) {
  FakeWechatPay& wechat_pay = sandbox_->wechat_pay();
  std::atomic<int> answers{0};
  sandbox_->answer_with([&](const HttpRequest& request) {
    return ++answers < 3 ? wechat_pay.error(500, "SYSTEM_ERROR", "try again", request) : wechat_pay.answer(request);
  });
  options_.retry.max_tries = 3;
  EXPECT_EQ(client().commit(seed_request()).value().tries, 3);
  EXPECT_EQ(wechat_pay.times_committed(seed_request().out_trade_no), 1U);
}

TEST_F(Commit, MeetsASandboxThatAnswersAsToldFromItsStartOn) {
  SandboxOptions options;
  options.handler = [](const HttpRequest&) { return HttpResponse{403, {}, ""}; };
  sandbox_ = Sandbox::start(options).value();
  curl_options_.ca_bundle_file = sandbox_->files().ca;
  EXPECT_EQ(error_of_commit_to(sandbox_->origin()).http_status(), 403);
  sandbox_->answer_with({});
  EXPECT_TRUE(client_of(sandbox_->origin()).commit(seed_request()));
}

TEST_F(Commit, WorksOverIpv6) {
  SandboxOptions options;
  options.address = "::1";
  const auto six = Sandbox::start(options);
  if (!six) GTEST_SKIP() << "this machine has no IPv6 loopback";
  curl_options_.ca_bundle_file = (*six)->files().ca;
  options_.origins = {(*six)->origin()};
  const auto client =
      BonusCommitClient::create((*six)->wechat_pay().credentials(), (*six)->wechat_pay().platform_keys(),
                                CurlTransport::create(curl_options_).value(), options_);
  const CommitResult result = client.value().commit(seed_request());
  EXPECT_TRUE(result) << result.error().message;
}

TEST_F(Commit, KeepsSecretsOutOfItsErrors) {
  // A proxy whose error page echoes the signature.
  std::promise<std::string> seen;
  const RawServer server([&](RawServer::Connection& connection, int) {
    const std::string request = connection.read_request();
    const std::string echo = request.substr(request.find("signature=\""), 360);
    connection.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 360\r\n\r\n" + echo);
    seen.set_value(echo.substr(11, 340));
  });
  curl_options_.ca_bundle_file = RawServer::ca_file();
  const Error error = error_of_commit_to(server.origin());
  const std::string signature = seen.get_future().get();
  EXPECT_TRUE(contains(error.message, "signature=\"[redacted]\"")) << error.message;
  EXPECT_FALSE(contains(error.to_string(), signature.substr(0, 20))) << error.message;
}

}  // namespace
}  // namespace wechatpay::bonus_commit
