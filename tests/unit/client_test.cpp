#include "wechatpay/bonus_commit/client.hpp"

#include <gtest/gtest.h>

#include <openssl/pem.h>

#include <atomic>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <vector>

#include "src/testing/pki.hpp"
#include "tests/support/held_transport.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/batch.hpp"
#include "wechatpay/bonus_commit/curl_transport.hpp"
#include "wechatpay/bonus_commit/impl/commit_call.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/mock_transport.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

/// A client whose requests a fake WeChat Pay verifies and answers, at a fixed time.
class Client : public ::testing::Test {
 protected:
  Client()
      : wechat_pay_({"1900000001", [] { return at(1554208460); }, MerchantStage::switching}),
        keys_(wechat_pay_.platform_keys()),
        transport_(std::make_shared<MockTransport>()) {
    options_.clock = [] { return at(1554208460); };
    options_.retry.max_tries = 1;
    options_.nonce = [next = std::make_shared<std::atomic<int>>(242)] {
      return "593BEC0C930BF1AFEB40B4A08C8FB" + std::to_string((*next)++);
    };
    transport_->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  }

  BonusCommitClient client() const {
    return BonusCommitClient::create(wechat_pay_.credentials(), keys_, transport_, options_).value();
  }

  std::string creation_fault() const {
    const auto result = BonusCommitClient::create(wechat_pay_.credentials(), keys_, transport_, options_);
    if (result) return "created";
    EXPECT_EQ(result.error().kind, ErrorKind::invalid_configuration);
    return result.error().message;
  }

  std::string sent_header(const char* name) const {
    return std::string(header_value(transport_->requests().back().headers, name));
  }

  FakeWechatPay wechat_pay_;
  PlatformKeys keys_;
  std::shared_ptr<MockTransport> transport_;
  ClientOptions options_;
};

TEST_F(Client, CommitsAndReturnsAVerifiedReceipt) {
  const CommitResult result = client().commit(seed_request());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->serial, wechat_pay_.public_key_id());
  EXPECT_EQ(result->timestamp, 1554208460);
  EXPECT_EQ(result->clock_offset.count(), 0);
  EXPECT_FALSE(result->request_id.empty());
  EXPECT_EQ(wechat_pay_.times_committed("1217752501201407033233368018"), 1U);
}

TEST_F(Client, SendsExactlyWhatTheDocumentsSay) {
  ASSERT_TRUE(client().commit(seed_request()));
  const HttpRequest request = transport_->requests().at(0);
  const SendOptions options = transport_->send_options().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.origin, "https://api.mch.weixin.qq.com");
  EXPECT_EQ(request.path, seed_path);
  EXPECT_EQ(request.body, seed_body);
  EXPECT_EQ(options.timeout, std::chrono::seconds(10));
  EXPECT_LE(options.deadline, std::chrono::seconds(30));
  EXPECT_GT(options.deadline, std::chrono::seconds(29));
  EXPECT_EQ(options.delay.count(), 0);
  ASSERT_EQ(request.headers.size(), 5U);
  EXPECT_EQ(sent_header("Accept"), "application/json");
  EXPECT_EQ(sent_header("Content-Type"), "application/json");
  EXPECT_EQ(sent_header("Wechatpay-Serial"), wechat_pay_.public_key_id());
  EXPECT_EQ(sent_header("User-Agent"), user_agent());
  const std::string authorization = sent_header("Authorization");
  EXPECT_TRUE(contains(authorization,
                       "WECHATPAY2-SHA256-RSA2048 mchid=\"1900000001\",nonce_str=\"593BEC0C930BF1AFEB40B4A08C8FB242\","
                       "signature=\""));
  EXPECT_TRUE(contains(authorization,
                       "\",timestamp=\"1554208460\",serial_no=\"" + wechat_pay_.credentials().serial_no() + "\""));
}

TEST_F(Client, NamesItselfAndWhatItStandsOnInTheUserAgent) {
  for (const char* part :
       {"wechatpay-bonus-commit/" WECHATPAY_BONUS_COMMIT_VERSION " (", ") libcurl/", " OpenSSL/3."}) {
    EXPECT_TRUE(contains(user_agent(), part)) << user_agent();
  }
}

TEST_F(Client, SendsAcceptLanguageWhereOneIsSet) {
  ASSERT_TRUE(client().commit(seed_request()));
  EXPECT_EQ(sent_header("Accept-Language"), "");
  options_.accept_language = "zh-HK";
  ASSERT_TRUE(client().commit(seed_request()));
  EXPECT_EQ(sent_header("Accept-Language"), "zh-HK");
}

TEST_F(Client, MakesAFreshNonceForEveryCall) {
  options_.nonce = random_nonce;
  ASSERT_TRUE(client().commit(seed_request()));
  const std::string first = sent_header("Authorization");
  ASSERT_TRUE(client().commit(seed_request()));
  EXPECT_NE(sent_header("Authorization"), first);
}

TEST_F(Client, SendsNothingWhereTheCheckFails) {
  BonusCommitRequest request = seed_request();
  request.bonus_value = 0;
  const CommitResult result = client().commit(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_request);
  EXPECT_EQ(result.error().outcome, Outcome::not_sent);
  EXPECT_EQ(result.error().faults.size(), 1U);
  EXPECT_TRUE(transport_->requests().empty());
}

TEST_F(Client, GivesTheSameThroughAFutureAndACallback) {
  EXPECT_TRUE(client().commit_async(seed_request()).get());
  int calls = 0;
  client().commit_async(seed_request(), [&](CommitResult result) {
    ++calls;
    EXPECT_TRUE(result);
  });
  EXPECT_EQ(calls, 1);
  BonusCommitRequest bad = seed_request();
  bad.card_id.clear();
  EXPECT_EQ(client().commit_async(bad).get().error().kind, ErrorKind::invalid_request);
  client().commit_async(bad, [&](CommitResult result) {
    ++calls;
    EXPECT_EQ(result.error().kind, ErrorKind::invalid_request);
  });
  EXPECT_EQ(calls, 2);
}

TEST_F(Client, TakesACallbackThatCannotBeCopiedAndOneThatIsEmpty) {
  int seen = 0;
  client().commit_async(seed_request(),
                        [&seen, five = std::make_unique<int>(5)](const CommitResult&) { seen = *five; });
  EXPECT_EQ(seen, 5);
  client().commit_async(seed_request(), nullptr);
  client().commit_async(seed_request(), std::function<void(CommitResult)>());
  EXPECT_EQ(transport_->requests().size(), 3U);
}

TEST_F(Client, ThatWasMovedFromIsRefusedAndSendsNothing) {
  BonusCommitClient from = client();
  const BonusCommitClient to = std::move(from);
  // NOLINTBEGIN(bugprone-use-after-move): it says so
  EXPECT_EQ(from.commit(seed_request()).error().kind, ErrorKind::misuse);
  EXPECT_EQ(from.renew_credentials(wechat_pay_.credentials()).error().kind, ErrorKind::misuse);
  const auto take = [](const BonusCommitRequest&, const CommitResult&) { return true; };
  EXPECT_EQ(commit_all(from, std::vector<BonusCommitRequest>{seed_request()}, take).error().kind, ErrorKind::misuse);
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_TRUE(transport_->requests().empty());
  EXPECT_TRUE(to.commit(seed_request()));
}

TEST_F(Client, PassesOnTheTransportsError) {
  transport_->then(transport_error(TransportFault::timeout, Outcome::unknown, "no answer in time"));
  const CommitResult result = client().commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::transport_failed);
  EXPECT_EQ(result.error().transport_fault, TransportFault::timeout);
  EXPECT_EQ(result.error().outcome, Outcome::unknown);
}

TEST_F(Client, BelievesNoUnsignedSuccess) {
  transport_->then(HttpResponse{204, {{"Request-ID", "08ABC-0"}}, ""});
  const CommitResult result = client().commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unverified_answer);
  EXPECT_EQ(result.error().outcome, Outcome::unknown);
  EXPECT_EQ(result.error().answer()->request_id, "08ABC-0");
}

TEST_F(Client, ExplainsARefusalOfWeChatPays) {
  BonusCommitRequest request = seed_request();
  request.merchant_mode = MerchantMode::direct;
  request.sub_mchid.clear();
  const CommitResult result = client().commit(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::api_error);
  EXPECT_EQ(result.error().outcome, Outcome::refused);
  EXPECT_EQ(result.error().answer()->code, "PARAM_ERROR");
  EXPECT_TRUE(result.error().verified());
  EXPECT_TRUE(contains(result.error().message, "mchid不匹配")) << result.error().message;
}

TEST_F(Client, SaysThatTheKeyIsWrongInASignError) {
  const FakeWechatPay& owner = wechat_pay_;
  class OtherKey final : public Signer {
    Result<std::string> sign(std::string_view) const override { return std::string(256, 's'); }
  };
  const auto wrong = Credentials::from_signer(owner.credentials().mchid(), owner.credentials().serial_no(),
                                              std::make_shared<OtherKey>());
  const auto result =
      BonusCommitClient::create(wrong.value(), keys_, transport_, options_).value().commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().answer()->code, "SIGN_ERROR");
  EXPECT_EQ(result.error().http_status(), 401);
  EXPECT_FALSE(result.error().verified());
  EXPECT_TRUE(contains(result.error().message, "private key does not belong to the certificate of that serial_no"))
      << result.error().message;
}

TEST_F(Client, AnnouncesAndBelievesKeysThatAreAddedWhileItRuns) {
  const BonusCommitClient running = client();
  ASSERT_TRUE(keys_.remove(wechat_pay_.public_key_id()));
  ASSERT_TRUE(running.commit(seed_request()));
  EXPECT_EQ(sent_header("Wechatpay-Serial"), wechat_pay_.certificate_serial());
  ASSERT_TRUE(keys_.add_public_key(wechat_pay_.public_key_id(), wechat_pay_.public_key_pem()));
  EXPECT_EQ(running.commit(seed_request()).value().serial, wechat_pay_.public_key_id());
}

TEST_F(Client, SendsNothingWithoutAPlatformKey) {
  const BonusCommitClient running = client();
  for (const std::string& serial : keys_.serials()) EXPECT_TRUE(keys_.remove(serial));
  const CommitResult result = running.commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_configuration);
  EXPECT_EQ(result.error().outcome, Outcome::not_sent);
  EXPECT_TRUE(transport_->requests().empty());
}

TEST_F(Client, SendsNothingWhereSigningFails) {
  options_.nonce = []() -> Result<std::string> { return configuration_error("no random numbers"); };
  const CommitResult result = client().commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "no random numbers");
  EXPECT_TRUE(transport_->requests().empty());
}

TEST_F(Client, SendsNothingUnderANonceThatCouldBreakTheHeader) {
  for (const std::string& nonce :
       std::initializer_list<std::string>{"", std::string(31, 'a'), std::string(33, 'a'),
                                          "0123456789ABCDEF0123456789ABCDE\"", "0123456789ABCDEF0123456789ABCDE\n"}) {
    options_.nonce = [nonce] { return nonce; };
    const CommitResult result = client().commit(seed_request());
    ASSERT_FALSE(result) << nonce;
    EXPECT_EQ(result.error().kind, ErrorKind::signing_failed);
    EXPECT_TRUE(contains(result.error().message, "ClientOptions::nonce"));
  }
  EXPECT_TRUE(transport_->requests().empty());
}

TEST_F(Client, MayBeDestroyedByACallback) {
  auto holder = std::make_shared<std::optional<BonusCommitClient>>(client());
  transport_.reset();
  bool called = false;
  (*holder)->commit_async(seed_request(), [&called, holder](const CommitResult& result) {
    holder->reset();
    called = static_cast<bool>(result);
  });
  EXPECT_TRUE(called);
}

TEST_F(Client, RefusesToBlockInACallback) {
  const BonusCommitClient running = client();
  bool called = false;
  running.commit_async(seed_request(), [&](CommitResult) {
    const CommitResult inner = running.commit(seed_request());
    ASSERT_FALSE(inner);
    EXPECT_EQ(inner.error().kind, ErrorKind::misuse);
    EXPECT_EQ(inner.error().outcome, Outcome::not_sent);
    bool inner_called = false;
    running.commit_async(seed_request(), [&](CommitResult result) {
      inner_called = true;
      EXPECT_TRUE(result);
      EXPECT_EQ(running.commit(seed_request()).error().kind, ErrorKind::misuse);
    });
    EXPECT_TRUE(inner_called);
    EXPECT_EQ(running.commit(seed_request()).error().kind, ErrorKind::misuse) << "still inside the outer callback";
    called = true;
  });
  EXPECT_TRUE(called);
  EXPECT_TRUE(running.commit(seed_request())) << "outside again";
}

TEST_F(Client, RefusesToBlockInWhateverElseTheLibraryCalls) {
  const BonusCommitClient other = client();
  std::vector<ErrorKind> kinds;
  const auto block = [&] { kinds.push_back(other.commit(seed_request()).error().kind); };

  class Blocking final : public Signer {
   public:
    explicit Blocking(std::function<void()> block) : block_(std::move(block)) {}
    Result<std::string> sign(std::string_view) const override {
      block_();
      return std::string(256, 's');
    }

   private:
    const std::function<void()> block_;
  };
  const auto credentials =
      Credentials::from_signer("1900000001", wechat_pay_.credentials().serial_no(), std::make_shared<Blocking>(block));
  options_.clock = [&] { return block(), at(1554208460); };
  options_.steady_clock = [&] { return block(), std::chrono::steady_clock::time_point(); };
  options_.random = [&] { return block(), 0.5; };
  options_.nonce = [&] { return block(), std::string(32, 'n'); };
  transport_->then([&](const HttpRequest&) { return block(), HttpResponse{500, {}, ""}; });
  options_.retry.max_tries = 2;
  const auto blocking = BonusCommitClient::create(credentials.value(), keys_, transport_, options_);
  EXPECT_FALSE(blocking.value().commit(seed_request()));
  EXPECT_GE(kinds.size(), 8U);
  for (const ErrorKind kind : kinds) EXPECT_EQ(to_string(kind), "misuse");
}

TEST_F(Client, RefusesToBlockInTheDestructorOfWhatACallbackHolds) {
  const BonusCommitClient running = client();
  struct Holder {
    ~Holder() {
      const CommitResult result = commits.commit(seed_request());
      if (!result) kind = result.error().kind;
    }
    const BonusCommitClient& commits;
    ErrorKind& kind;
  };
  ErrorKind of_the_callback = ErrorKind::internal_error;
  ErrorKind of_the_listener = ErrorKind::internal_error;
  ErrorKind of_the_options = ErrorKind::internal_error;
  running.commit_async(
      seed_request(), [holder = std::shared_ptr<Holder>(new Holder{running, of_the_callback})](const CommitResult&) {});
  EXPECT_EQ(to_string(of_the_callback), "misuse");

  ErrorKind of_one_that_throws = ErrorKind::internal_error;
  running.commit_async(seed_request(), [holder = std::shared_ptr<Holder>(new Holder{running, of_one_that_throws})](
                                           const CommitResult&) { throw std::runtime_error("the user's"); });
  EXPECT_EQ(to_string(of_one_that_throws), "misuse");
  BonusCommitClient moved_from = running;
  static_cast<void>(BonusCommitClient(std::move(moved_from)));
  ErrorKind of_one_that_is_refused = ErrorKind::internal_error;
  moved_from.commit_async(  // NOLINT(bugprone-use-after-move): it says so
      seed_request(), [holder = std::shared_ptr<Holder>(new Holder{running, of_one_that_is_refused})](
                          const CommitResult&) { throw std::runtime_error("the user's"); });
  EXPECT_EQ(to_string(of_one_that_is_refused), "misuse");

  const auto held = std::make_shared<HeldTransport>();
  const auto holding = BonusCommitClient::create(wechat_pay_.credentials(), keys_, held, options_);
  const CommitFuture future = holding.value().commit_async(seed_request());
  EXPECT_TRUE(future.on_ready([holder = std::shared_ptr<Holder>(new Holder{running, of_the_listener})] {}));
  held->completions[0](HttpResponse{404, {}, ""});
  EXPECT_EQ(to_string(of_the_listener), "misuse");

  options_.random = [holder = std::shared_ptr<Holder>(new Holder{running, of_the_options})] { return 0.5; };
  std::optional<BonusCommitClient> last = client();
  options_.random = random_fraction;
  last.reset();
  EXPECT_EQ(to_string(of_the_options), "misuse");
}

TEST_F(Client, SwallowsAnExceptionOfACallback) {
  client().commit_async(seed_request(), [](CommitResult) { throw std::runtime_error("the user's"); });
  EXPECT_TRUE(client().commit(seed_request()));
}

TEST_F(Client, TurnsExceptionsOfItsPartsIntoErrorsWithTheRightOutcome) {
  options_.clock = []() -> std::chrono::system_clock::time_point { throw std::runtime_error("broken clock"); };
  const CommitResult before = client().commit(seed_request());
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().kind, ErrorKind::internal_error);
  EXPECT_EQ(before.error().outcome, Outcome::not_sent);
  EXPECT_EQ(before.error().message, "a function of ClientOptions, or the transport, threw: broken clock");

  class Throwing final : public Transport {
    void send(HttpRequest, SendOptions, Completion) override { throw 7; }
  };
  options_.clock = [] { return at(1554208460); };
  const auto throwing =
      BonusCommitClient::create(wechat_pay_.credentials(), keys_, std::make_shared<Throwing>(), options_);
  const CommitResult during = throwing.value().commit(seed_request());
  ASSERT_FALSE(during);
  EXPECT_EQ(during.error().kind, ErrorKind::internal_error);
  EXPECT_EQ(during.error().outcome, Outcome::unknown);
}

TEST_F(Client, NeverTakesAnErrorOfItsTransportForCertainty) {
  Error internal;
  internal.kind = ErrorKind::internal_error;
  internal.message = "broken";
  for (const Error& told : {Error(), internal, configuration_error("no proxy")}) {
    transport_->then(told);
    const CommitResult result = client().commit(seed_request());
    EXPECT_EQ(result.error().kind, ErrorKind::transport_failed);
    EXPECT_EQ(result.error().transport_fault, TransportFault::other);
    EXPECT_EQ(result.error().outcome, Outcome::unknown) << told.message;
  }
  transport_->then(transport_error(TransportFault::connect, Outcome::not_sent, "no connection"));
  EXPECT_EQ(client().commit(seed_request()).error().outcome, Outcome::not_sent);
}

TEST_F(Client, TellsASignerThatFailsInWhateverWayAsThat) {
  class Custom final : public Signer {
   public:
    explicit Custom(std::function<Result<std::string>()> sign) : sign_(std::move(sign)) {}
    Result<std::string> sign(std::string_view) const override { return sign_(); }

   private:
    const std::function<Result<std::string>()> sign_;
  };
  const std::string base64 = encode_base64(std::string(256, '\xA7'));
  std::string lines = base64;
  for (std::size_t at = 64; at < lines.size(); at += 65) lines.insert(at, 1, '\n');
  std::string hex;
  for (int i = 0; i < 256; ++i) hex += "a7";
  const struct {
    std::function<Result<std::string>()> sign;
    const char* says;
    Remedy remedy;
  } cases[] = {
      {[]() -> Result<std::string> { throw std::runtime_error("the HSM is away"); },
       "the Signer threw: the HSM is away", Remedy::retry_later},
      {[]() -> Result<std::string> { throw 7; }, "the Signer threw", Remedy::retry_later},
      {[] { return Error(); }, "", Remedy::retry_later},
      {[] { return configuration_error("no such slot"); }, "no such slot", Remedy::correct_setup},
      {[] { return std::string(); }, "the Signer gave 0 bytes: it must give the signature's raw bytes, 256",
       Remedy::correct_setup},
      {[] { return std::string(255, '\xA7'); }, "the Signer gave 255 bytes", Remedy::correct_setup},
      {[] { return std::string(1025, '\xA7'); }, "the Signer gave 1025 bytes", Remedy::correct_setup},
      {[&] { return base64; }, "the Signer gave 344 bytes of text: it must give the signature's raw bytes",
       Remedy::correct_setup},
      {[&] { return lines; }, "not Base64 or hex", Remedy::correct_setup},
      {[&] { return hex; }, "the Signer gave 512 bytes of text", Remedy::correct_setup},
  };
  for (const auto& each : cases) {
    const auto credentials = Credentials::from_signer("1900000001", wechat_pay_.credentials().serial_no(),
                                                      std::make_shared<Custom>(each.sign));
    const auto result =
        BonusCommitClient::create(credentials.value(), keys_, transport_, options_).value().commit(seed_request());
    ASSERT_FALSE(result);
    EXPECT_EQ(to_string(result.error().kind), "signing failed") << each.says;
    EXPECT_EQ(result.error().outcome, Outcome::not_sent);
    EXPECT_EQ(to_string(result.error().remedy), to_string(each.remedy)) << each.says;
    EXPECT_TRUE(contains(result.error().message, each.says)) << result.error().message;
  }
  EXPECT_TRUE(transport_->requests().empty());
}

TEST_F(Client, SendsSignaturesOfLongerKeys) {
  for (const std::size_t size : {256U, 384U, 512U, 1024U}) {
    std::string bytes(size, 's');
    bytes[7] = '\x01';
    EXPECT_EQ(fault_of_signature(bytes), "") << size;
  }
}

TEST_F(Client, EndsACallThatItsTransportDrops) {
  class Dropping final : public Transport {
    void send(HttpRequest, SendOptions, Completion) override {}
  };
  const auto dropping =
      BonusCommitClient::create(wechat_pay_.credentials(), keys_, std::make_shared<Dropping>(), options_);
  const CommitResult result = dropping.value().commit(seed_request());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().transport_fault, TransportFault::shut_down);
  EXPECT_EQ(result.error().outcome, Outcome::unknown);
}

TEST_F(Client, CompletesOnceWhateverItsTransportDoes) {
  class Twice final : public Transport {
    void send(HttpRequest, SendOptions, Completion done) override {
      done(transport_error(TransportFault::connect, Outcome::not_sent, "first"));
      done(transport_error(TransportFault::timeout, Outcome::unknown, "second"));
    }
  };
  const auto twice = BonusCommitClient::create(wechat_pay_.credentials(), keys_, std::make_shared<Twice>(), options_);
  int calls = 0;
  twice.value().commit_async(seed_request(), [&](CommitResult result) {
    ++calls;
    EXPECT_EQ(result.error().message, "first");
  });
  EXPECT_EQ(calls, 1);
}

TEST_F(Client, NamesWhatIsWrongWithItsOptions) {
  const ClientOptions good = options_;
  for (const char* origin :
       {"", "http://api.mch.weixin.qq.com", "https://", "api.mch.weixin.qq.com", "https://api.mch.weixin.qq.com/",
        "https://user@host", "https://host?x", "https://a b", "https://a\nb"}) {
    options_.origins = {origin};
    EXPECT_TRUE(contains(creation_fault(), "ClientOptions::origins")) << origin;
    options_.origins = {good.origins[0], origin};
    EXPECT_TRUE(contains(creation_fault(), "ClientOptions::origins")) << origin;
  }
  options_.origins = {"https://user:hush-hush@host"};
  EXPECT_FALSE(contains(creation_fault(), "hush-hush"));
  options_.origins.clear();
  EXPECT_TRUE(contains(creation_fault(), "ClientOptions::origins"));
  options_ = good;
  options_.timeout = std::chrono::milliseconds(0);
  EXPECT_TRUE(contains(creation_fault(), "ClientOptions::timeout"));
  options_.timeout = std::chrono::minutes(4) + std::chrono::milliseconds(1);
  EXPECT_TRUE(contains(creation_fault(), "ClientOptions::timeout"));
  const auto bad_retry = [&](auto&& spoil) {
    options_ = good;
    spoil(options_.retry);
    EXPECT_TRUE(contains(creation_fault(), "ClientOptions::retry"));
  };
  bad_retry([](RetryOptions& retry) { retry.max_tries = 0; });
  bad_retry([](RetryOptions& retry) { retry.max_tries = 11; });
  bad_retry([](RetryOptions& retry) { retry.try_timeout = std::chrono::milliseconds(0); });
  bad_retry([](RetryOptions& retry) { retry.first_backoff = std::chrono::milliseconds(-1); });
  bad_retry([](RetryOptions& retry) { retry.longest_backoff = std::chrono::milliseconds(1); });
  bad_retry([](RetryOptions& retry) { retry.cool_down = std::chrono::milliseconds(-1); });
  bad_retry([](RetryOptions& retry) { retry.cool_down = (std::chrono::milliseconds::max)(); });
  bad_retry([](RetryOptions& retry) { retry.longest_backoff = std::chrono::hours(25); });
  bad_retry([](RetryOptions& retry) { retry.try_timeout = std::chrono::hours(25); });
  for (const RateLimit& limit :
       {RateLimit{-1, 1}, RateLimit{0.0001, 1}, RateLimit{1e7, 1}, RateLimit{10, 0}, RateLimit{10, 1000001},
        RateLimit{std::nan(""), 1}, RateLimit{0, 1, std::chrono::milliseconds(-1)}}) {
    options_ = good;
    options_.rate_limit = limit;
    EXPECT_TRUE(contains(creation_fault(), "ClientOptions::rate_limit")) << limit.per_second << ", " << limit.burst;
  }
  options_ = good;
  options_.accept_language = "de";
  EXPECT_TRUE(contains(creation_fault(), "ClientOptions::accept_language"));
  options_ = good;
  options_.clock = nullptr;
  EXPECT_TRUE(contains(creation_fault(), "ClientOptions::clock"));
  options_ = good;
  options_.steady_clock = nullptr;
  EXPECT_TRUE(contains(creation_fault(), "steady_clock"));
  options_ = good;
  options_.random = nullptr;
  EXPECT_TRUE(contains(creation_fault(), "random"));
  options_ = good;
  keys_ = PlatformKeys();
  EXPECT_TRUE(contains(creation_fault(), "no platform keys"));
  keys_ = wechat_pay_.platform_keys();
  transport_ = nullptr;
  EXPECT_TRUE(contains(creation_fault(), "transport is null"));
}

TEST_F(Client, IsMadeWithATransportOfItsOwn) {
  options_.origins = {"https://127.0.0.1:1"};  // no server listens there
  const auto own = BonusCommitClient::create(wechat_pay_.credentials(), keys_, options_);
  const auto transport = CurlTransport::create();
  ASSERT_EQ(own.has_value(), transport.has_value()) << own.error().message;
  if (!own) {
    EXPECT_EQ(own.error().message, transport.error().message);
    return;
  }
  const Error error = own->commit(seed_request()).error();
  EXPECT_EQ(error.transport_fault, TransportFault::connect) << error.message;
  keys_ = PlatformKeys();
  EXPECT_FALSE(BonusCommitClient::create(wechat_pay_.credentials(), keys_));
}

/// The public key of a private key, in PEM.
std::string public_half(const std::string& private_key) {
  const BioHandle bio(BIO_new_mem_buf(private_key.data(), static_cast<int>(private_key.size())));
  const PkeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  return public_key_pem(key.get());
}

TEST_F(Client, RefusesTheMerchantsOwnPublicKeyAmongThePlatformKeysWhoeverSigns) {
  const std::string id = "PUB_KEY_ID_0114232134912410000000000009";
  ASSERT_TRUE(keys_.add_public_key(id, public_half(wechat_pay_.merchant_key_pem())));
  class Hsm final : public Signer {
   public:
    explicit Hsm(Credentials credentials) : credentials_(std::move(credentials)) {}
    Result<std::string> sign(std::string_view message) const override { return credentials_.signer().sign(message); }

   private:
    Credentials credentials_;
  };
  const Credentials own = wechat_pay_.credentials();
  for (const auto& who :
       {own, Credentials::from_signer(own.mchid(), own.serial_no(), std::make_shared<Hsm>(own)).value()}) {
    const auto made = BonusCommitClient::create(who, keys_, transport_, options_);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::invalid_configuration);
    EXPECT_EQ(made.error().remedy, Remedy::correct_setup);
    EXPECT_TRUE(contains(made.error().message, "the platform key " + id + " is the merchant's own public key"))
        << made.error().message;
  }
  EXPECT_TRUE(keys_.remove(id));
  EXPECT_TRUE(BonusCommitClient::create(own, keys_, transport_, options_));
}

TEST_F(Client, IsMadeAlthoughItsSignerCannotSignYet) {
  class Throwing final : public Signer {
    Result<std::string> sign(std::string_view) const override { throw std::runtime_error("the HSM starts"); }
  };
  class Failing final : public Signer {
    Result<std::string> sign(std::string_view) const override { return configuration_error("the HSM starts"); }
  };
  const Credentials own = wechat_pay_.credentials();
  for (const std::shared_ptr<const Signer>& signer : std::initializer_list<std::shared_ptr<const Signer>>{
           std::make_shared<Throwing>(), std::make_shared<Failing>()}) {
    const auto who = Credentials::from_signer(own.mchid(), own.serial_no(), signer).value();
    EXPECT_TRUE(BonusCommitClient::create(who, keys_, transport_, options_));
  }
}

TEST_F(Client, RefusesTheMerchantsOwnSerialNumberAmongThePlatformKeys) {
  // A certificate that does not look like a merchant's, but has this merchant's serial number.
  const auto credentials =
      Credentials::from_key("1900000001", wechat_pay_.certificate_serial(), wechat_pay_.merchant_key_pem());
  const auto result = BonusCommitClient::create(credentials.value(), keys_, transport_, options_);
  ASSERT_FALSE(result);
  EXPECT_TRUE(contains(result.error().message, "the merchant's own certificate")) << result.error().message;
}

}  // namespace
}  // namespace wechatpay::bonus_commit
