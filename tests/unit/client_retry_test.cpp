// A client's behaviour after a failed try. Nothing really waits: the tests read the pauses from the requests, and
// advance the clock themselves.
#include <gtest/gtest.h>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/client.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t called_at = 1554208460;
const std::string main_host = "https://api.mch.weixin.qq.com";
const std::string backup_host = "https://api2.mch.weixin.qq.com";

class Retry : public ::testing::Test {
 protected:
  Retry() : wechat_pay_({"1900000001", [] { return at(called_at); }}), transport_(std::make_shared<MockTransport>()) {
    options_.clock = [] { return at(called_at); };
    options_.steady_clock = [this] { return std::chrono::steady_clock::time_point(passed_); };
    options_.random = [] { return 0.5; };
    transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  }

  BonusCommitClient client() const {
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), transport_, options_)
        .value();
  }

  MockTransport::Handler answer(int status, HttpHeaders headers = {}) {
    return [this, status, headers](const HttpRequest& request) {
      HttpResponse response = wechat_pay_.error(status, "CODE", "message", request);
      response.headers.insert(response.headers.end(), headers.begin(), headers.end());
      return response;
    };
  }

  static Error network_failure(TransportFault fault, Outcome outcome) {
    return transport_error(fault, outcome, std::string(to_string(fault)));
  }

  Error error_of_commit() const {
    const CommitResult result = client().commit(seed_request());
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  }

  milliseconds passed_{0};
  FakeWechatPay wechat_pay_;
  std::shared_ptr<MockTransport> transport_;
  ClientOptions options_;
};

TEST_F(Retry, TriesAgainAfterEachAnswerThatMaySettle) {
  const BonusCommitClient one = client();
  for (const int status : {202, 429, 500, 502, 503, 504}) {
    transport_->then(answer(status));
    const CommitResult result = one.commit(seed_request());
    ASSERT_TRUE(result) << status << ": " << result.error().message;
    EXPECT_EQ(result->tries, 2) << status;
  }
}

TEST_F(Retry, SignsEveryTryAnewAndSendsTheSameBytes) {
  transport_->then(answer(500)).then(answer(500));
  ASSERT_TRUE(client().commit(seed_request()));
  const auto requests = transport_->requests();
  ASSERT_EQ(requests.size(), 3U);
  for (const HttpRequest& request : requests) {
    EXPECT_EQ(request.path, seed_path);
    EXPECT_EQ(request.body, seed_body);
    EXPECT_EQ(request.headers.size(), 5U);
  }
  EXPECT_NE(requests[0].headers[0].value, requests[1].headers[0].value);
  EXPECT_NE(requests[1].headers[0].value, requests[2].headers[0].value);
}

TEST_F(Retry, SettlesASignatureProbe) {
  transport_->then([this](const HttpRequest& request) {
    HttpResponse response = wechat_pay_.answer(request);
    for (HttpHeader& header : response.headers) {
      if (header.name == "Wechatpay-Signature") header.value = "WECHATPAY/SIGNTEST/x";
    }
    return response;
  });
  EXPECT_EQ(client().commit(seed_request()).value().tries, 2);
}

TEST_F(Retry, EndsAtOnceWhereNothingWouldChange) {
  for (const int status : {400, 401, 403, 404, 409}) {
    transport_->then(answer(status));
    EXPECT_EQ(error_of_commit().tries.size(), 1U) << status;
  }
  transport_->then(network_failure(TransportFault::tls_verification, Outcome::not_sent));
  EXPECT_EQ(error_of_commit().tries.size(), 1U);
  EXPECT_EQ(transport_->requests().size(), 6U);
}

TEST_F(Retry, EndsAfterItsTriesAndTellsThemAll) {
  transport_->then(network_failure(TransportFault::timeout, Outcome::unknown)).then(answer(503)).then(answer(500));
  const Error error = error_of_commit();
  EXPECT_EQ(error.http_status(), 500);
  EXPECT_EQ(error.outcome, Outcome::unknown);
  ASSERT_EQ(error.tries.size(), 3U);
  EXPECT_EQ(error.tries[0].origin, main_host);
  EXPECT_EQ(error.tries[0].transport_fault, TransportFault::timeout);
  EXPECT_EQ(error.tries[0].pause.count(), 0);
  EXPECT_EQ(error.tries[1].origin, backup_host);
  EXPECT_EQ(error.tries[1].http_status(), 503);
  EXPECT_TRUE(error.tries[1].answer->verified());
  EXPECT_EQ(error.tries[1].pause, milliseconds(100));
  EXPECT_EQ(error.tries[2].pause, milliseconds(200));
  EXPECT_TRUE(contains(error.message, "tried 3 times: " + main_host + " timeout, " + backup_host + " 503, "))
      << error.message;
  EXPECT_TRUE(contains(error.message, "all tries are used up")) << error.message;
}

TEST_F(Retry, TriesOnceWhereItIsTurnedOff) {
  options_.retry.max_tries = 1;
  transport_->then(answer(500));
  const Error error = error_of_commit();
  EXPECT_EQ(error.tries.size(), 1U);
  EXPECT_FALSE(contains(error.message, "tries")) << error.message;
}

TEST_F(Retry, TakesNoUnknownBack) {
  // The first try may have taken effect, whatever the result of the second.
  transport_->then(network_failure(TransportFault::timeout, Outcome::unknown)).then(answer(400));
  const Error refused = error_of_commit();
  EXPECT_EQ(refused.http_status(), 400);
  EXPECT_EQ(refused.outcome, Outcome::unknown);
  EXPECT_TRUE(contains(refused.message, "an earlier try may have been done")) << refused.message;

  transport_->then(answer(500)).then(network_failure(TransportFault::tls_verification, Outcome::not_sent));
  EXPECT_EQ(error_of_commit().outcome, Outcome::unknown);
}

TEST_F(Retry, IsSureWhereEveryTryIs) {
  transport_->then(network_failure(TransportFault::connect, Outcome::not_sent)).then(answer(400));
  EXPECT_EQ(error_of_commit().outcome, Outcome::refused);
  for (int i = 0; i < 3; ++i) transport_->then(network_failure(TransportFault::connect, Outcome::not_sent));
  EXPECT_EQ(error_of_commit().outcome, Outcome::not_sent);
}

TEST_F(Retry, SignsTheTimeOfSendingAfterThePause) {
  options_.random = [] { return 0.0; };
  transport_->then(answer(429, {{"Retry-After", "7"}}));
  ASSERT_TRUE(client().commit(seed_request()));
  const auto requests = transport_->requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(transport_->send_options()[1].delay, seconds(7));
  EXPECT_TRUE(contains(requests[1].headers[0].value, "timestamp=\"" + std::to_string(called_at + 7) + "\""));
}

TEST_F(Retry, DoesNotWaitBeyondTheDeadline) {
  transport_->then(answer(429, {{"Retry-After", "30"}}));
  const Error error = error_of_commit();
  EXPECT_EQ(transport_->requests().size(), 1U);
  EXPECT_EQ(error.retry_after, seconds(30));
  EXPECT_TRUE(contains(error.message, "Retry-After asks for a longer pause than the deadline allows")) << error.message;
}

TEST_F(Retry, KeepsAllTriesWithinOneDeadline) {
  transport_->then([this](const HttpRequest& request) {
    passed_ += seconds(25);
    return wechat_pay_.error(500, "SYSTEM_ERROR", "message", request);
  });
  transport_->then([this](const HttpRequest& request) {
    passed_ += milliseconds(4900);
    return wechat_pay_.error(500, "SYSTEM_ERROR", "message", request);
  });
  const Error error = error_of_commit();
  const auto options = transport_->send_options();
  ASSERT_EQ(options.size(), 2U);
  EXPECT_EQ(options[0].deadline, seconds(30));
  EXPECT_EQ(options[0].timeout, seconds(10));
  EXPECT_EQ(options[1].deadline, milliseconds(4900));
  EXPECT_EQ(options[1].timeout, milliseconds(4900)) << "cut to what is left";
  EXPECT_EQ(error.tries[0].duration, seconds(25));
  EXPECT_TRUE(contains(error.message, "the deadline leaves no time")) << error.message;
}

TEST_F(Retry, GoesToTheOtherHostAndLetsOneCallLookAfterTheCoolDown) {
  const BonusCommitClient one = client();
  const auto hosts_of_commit = [&] {
    const std::size_t before = transport_->requests().size();
    EXPECT_TRUE(one.commit(seed_request()));
    std::vector<std::string> hosts;
    const auto requests = transport_->requests();
    for (std::size_t i = before; i < requests.size(); ++i) hosts.push_back(requests[i].origin);
    return hosts;
  };
  using Used = std::vector<std::string>;
  EXPECT_EQ(hosts_of_commit(), Used{main_host});
  transport_->then(network_failure(TransportFault::connect, Outcome::not_sent));
  EXPECT_EQ(hosts_of_commit(), (Used{main_host, backup_host})) << "the outage costs one try";
  EXPECT_EQ(hosts_of_commit(), Used{backup_host});
  passed_ += seconds(29);
  EXPECT_EQ(hosts_of_commit(), Used{backup_host});
  passed_ += seconds(1);
  transport_->then(answer(502));
  EXPECT_EQ(hosts_of_commit(), (Used{main_host, backup_host})) << "one call looks";
  EXPECT_EQ(hosts_of_commit(), Used{backup_host});
  passed_ += seconds(30);
  EXPECT_EQ(hosts_of_commit(), Used{main_host});
  EXPECT_EQ(hosts_of_commit(), Used{main_host}) << "it is back";
}

TEST_F(Retry, StaysWithAHostThatAnswers) {
  transport_->then(answer(500)).then(answer(429));
  ASSERT_TRUE(client().commit(seed_request()));
  for (const HttpRequest& request : transport_->requests()) EXPECT_EQ(request.origin, main_host);
}

TEST_F(Retry, KeepsWhatIsKnownWhereSigningFailsLater) {
  int nonces = 0;
  options_.nonce = [&nonces]() -> Result<std::string> {
    if (++nonces == 2) return configuration_error("no random numbers");
    return std::string("593BEC0C930BF1AFEB40B4A08C8FB242");
  };
  transport_->then(answer(500));
  const Error error = error_of_commit();
  EXPECT_TRUE(contains(error.message, "no random numbers")) << error.message;
  EXPECT_EQ(error.outcome, Outcome::unknown) << "the first try may have been done";
  EXPECT_EQ(error.tries.size(), 1U);
}

TEST_F(Retry, ForgivesOneStaleConnection) {
  Error stale = network_failure(TransportFault::connection_closed, Outcome::unknown);
  stale.tries.emplace_back().transfer.connection_reused = true;
  options_.retry.max_tries = 1;
  transport_->then(stale);
  EXPECT_EQ(client().commit(seed_request()).value().tries, 2);
  auto requests = transport_->requests();
  EXPECT_EQ(transport_->send_options()[1].delay.count(), 0) << "at once";
  EXPECT_EQ(requests[1].origin, main_host) << "it does not speak against the host";

  transport_->then(stale).then(stale);
  const Error twice = error_of_commit();
  EXPECT_EQ(twice.tries.size(), 2U);
  EXPECT_EQ(twice.outcome, Outcome::unknown);

  options_.retry.max_tries = 3;
  transport_->then(stale).then(answer(500)).then(answer(500)).then(answer(500));
  EXPECT_EQ(error_of_commit().tries.size(), 4U);

  Error half_answered = stale;
  half_answered.tries[0].transfer.bytes_received = 1;
  Error fresh = stale;
  fresh.tries[0].transfer.connection_reused = false;
  options_.retry.max_tries = 1;
  for (const Error& counted : {half_answered, fresh}) {
    transport_->then(counted);
    EXPECT_EQ(error_of_commit().tries.size(), 1U);
  }
}

TEST_F(Retry, GivesNoAdviceThatContradictsAnEarlierTry) {
  transport_->then(network_failure(TransportFault::timeout, Outcome::unknown));
  transport_->then([this](const HttpRequest& request) {
    return wechat_pay_.error(400, "PARAM_ERROR", "no", request, R"({"field":"/bonus_value","location":"body"})");
  });
  const Error error = error_of_commit();
  EXPECT_EQ(error.outcome, Outcome::unknown);
  EXPECT_EQ(error.remedy, Remedy::retry_later);
  EXPECT_TRUE(contains(error.message, "an earlier try may have been done, so commit again")) << error.message;
  EXPECT_FALSE(contains(error.message, "refused again")) << error.message;
}

TEST_F(Retry, CorrectsTheSetUpFirstAlsoWhereAnEarlierTryMayHaveBeenDone) {
  transport_->then(network_failure(TransportFault::timeout, Outcome::unknown));
  transport_->then([this](const HttpRequest& request) {
    return wechat_pay_.error(400, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误", request);
  });
  EXPECT_EQ(error_of_commit().remedy, Remedy::correct_setup);
}

TEST_F(Retry, TriesAgainAfterA408ThatIsNotWeChatPays) {
  transport_->then(HttpResponse{408, {}, ""});
  EXPECT_EQ(client().commit(seed_request()).value().tries, 2);
  EXPECT_TRUE(transport_->send_options()[1].fresh_connection);
}

TEST_F(Retry, SendsNothingWhoseDeadlinePassedWhileItWasSigned) {
  struct SlowSigner final : Signer {
    explicit SlowSigner(std::function<Result<std::string>(std::string_view)> sign) : sign_(std::move(sign)) {}
    Result<std::string> sign(std::string_view message) const override { return sign_(message); }
    const std::function<Result<std::string>(std::string_view)> sign_;
  };
  const Credentials own = wechat_pay_.credentials();
  for (const int slow : {1, 2}) {
    int signatures = 0;
    const auto credentials =
        Credentials::from_signer(own.mchid(), own.serial_no(), std::make_shared<SlowSigner>([&](std::string_view text) {
                                   if (++signatures == slow) passed_ += options_.timeout;
                                   return own.signer().sign(text);
                                 }));
    transport_ = std::make_shared<MockTransport>();
    transport_->otherwise(answer(503));
    const auto commits =
        BonusCommitClient::create(credentials.value(), wechat_pay_.platform_keys(), transport_, options_).value();
    signatures = 0;  // create() signs, too
    const Error error = commits.commit(seed_request()).error();
    EXPECT_EQ(transport_->requests().size(), static_cast<std::size_t>(slow - 1));
    EXPECT_EQ(error.tries.size(), static_cast<std::size_t>(slow - 1));
    EXPECT_EQ(error.http_status(), slow == 1 ? 0 : 503);
    EXPECT_EQ(error.outcome, slow == 1 ? Outcome::not_sent : Outcome::refused);
    EXPECT_TRUE(contains(error.message, "the deadline passed while the ")) << error.message;
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit
