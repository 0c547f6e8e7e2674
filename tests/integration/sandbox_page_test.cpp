// A sandbox's page as a browser requests it, over plain HTTP on loopback. tests/browser tests it in a real browser.
#include "wechatpay/bonus_commit/testing/sandbox_page.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/testing/exchange_log.hpp"
#include "tests/support/raw_client.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

namespace {

using nlohmann::json;

class Page : public ::testing::Test {
 protected:
  Page() {
    page_ = SandboxPage::start().value();
    SandboxOptions options;
    options.page = page_;
    sandbox_ = Sandbox::start(options).value();
  }

  static int status_of_a_commit(Sandbox& sandbox) {
    CurlOptions curl;
    curl.ca_bundle_file = sandbox.files().ca;
    curl.connect_timeout = std::chrono::minutes(1);
    ClientOptions options;
    options.origins = {sandbox.origin()};
    options.retry.max_tries = 1;
    options.retry.try_timeout = std::chrono::minutes(1);
    options.timeout = std::chrono::minutes(1);
    FakeWechatPay& wechat_pay = sandbox.wechat_pay();
    const auto client = BonusCommitClient::create(wechat_pay.credentials(), wechat_pay.platform_keys(),
                                                  CurlTransport::create(curl).value(), options)
                            .value();
    const CommitResult result = client.commit(seed_request());
    return result ? 204 : result.error().answer() == nullptr ? 0 : result.error().answer()->http_status;
  }
  int status_of_a_commit() { return status_of_a_commit(*sandbox_); }

  httplib::Client browser() const {
    httplib::Client client(page_->url().substr(0, page_->url().size() - 1));
    client.set_read_timeout(60);
    return client;
  }

  std::string host() const { return page_->url().substr(7, page_->url().size() - 8); }

  json get(const std::string& path) const {
    const auto answer = browser().Get(path);
    EXPECT_TRUE(answer && answer->status == 200) << path;
    return answer ? json::parse(answer->body) : json();
  }

  int post(const std::string& body, const httplib::Headers& headers = own_header, const char* path = "/faults") const {
    const auto answer = browser().Post(path, headers, body, "text/plain");
    return answer ? answer->status : 0;
  }

  inline static const httplib::Headers own_header = {{"X-Sandbox-Page", "1"}};

  std::shared_ptr<SandboxPage> page_;
  std::unique_ptr<Sandbox> sandbox_;
};

TEST_F(Page, ShowsARequestAndItsAnswer) {
  ASSERT_EQ(status_of_a_commit(), 204);
  const json shown = get("/exchanges")["log"]["exchanges"];
  ASSERT_EQ(shown.size(), 1U);
  EXPECT_EQ(shown[0]["number"], 1);
  EXPECT_EQ(shown[0]["method"], "POST");
  EXPECT_EQ(shown[0]["path"], seed_path);
  EXPECT_EQ(shown[0]["body"], seed_body);
  EXPECT_EQ(shown[0]["status"], 204);
  EXPECT_EQ(shown[0]["host"], sandbox_->origin());
  EXPECT_EQ(shown[0]["fault"], "");
  EXPECT_TRUE(contains(shown[0]["headers"].dump(), "WECHATPAY2-SHA256-RSA2048"));
  EXPECT_TRUE(contains(shown[0]["answer_headers"].dump(), "Wechatpay-Signature"));
  EXPECT_TRUE(get("/exchanges?after=1")["log"]["exchanges"].empty());
  EXPECT_EQ(get("/controls")["orders"], 1);
  EXPECT_EQ(get("/orders")[0]["bonus_value"], "30");
}

TEST_F(Page, SwitchesFaultsOnAndOff) {
  EXPECT_EQ(post(R"({"fault":"503"})"), 204);
  EXPECT_EQ(get("/controls")["fault"], "503");
  EXPECT_EQ(status_of_a_commit(), 503);
  EXPECT_EQ(status_of_a_commit(), 503);
  EXPECT_EQ(post(R"({"fault":"none"})"), 204);
  EXPECT_EQ(get("/controls")["fault"], "");
  EXPECT_EQ(status_of_a_commit(), 204);
  EXPECT_EQ(post(R"({"fault":"429","next":true})"), 204);
  EXPECT_EQ(status_of_a_commit(), 429);
  EXPECT_EQ(status_of_a_commit(), 204);
}

TEST_F(Page, ShowsWhatTheProgramHasSwitched) {
  sandbox_->set_faults({503, SandboxFault::Kind::reset}, 0.5);
  sandbox_->wechat_pay().set_stage(MerchantStage::switching);
  const json shown = get("/exchanges")["controls"];
  EXPECT_EQ(shown["fault"], "503, reset");
  EXPECT_EQ(shown["rate"], 0.5);
  EXPECT_EQ(shown["stage"], "switching");
  sandbox_->set_faults({});
  EXPECT_EQ(get("/exchanges")["controls"]["fault"], "");
}

TEST_F(Page, SwitchesTheMerchantsStage) {
  EXPECT_EQ(get("/controls")["stage"], "public-key");
  const json stages = get("/controls")["stages"];
  EXPECT_EQ(stages.size(), 3U);
  for (const json& name : stages) {
    EXPECT_EQ(post(name, own_header, "/stage"), 204);
    EXPECT_EQ(get("/controls")["stage"], name);
    EXPECT_EQ(to_string(sandbox_->wechat_pay().stage()), name);
  }
  EXPECT_EQ(post("nonsense", own_header, "/stage"), 400);
  EXPECT_EQ(post("public-key", {}, "/stage"), 403);
  EXPECT_EQ(sandbox_->wechat_pay().stage(), MerchantStage::certificates);
}

TEST_F(Page, TakesNoFaultThatThereIsNot) {
  for (const char* bad :
       {"", "null", "[]", "{}", R"({"fault":1})", R"({"fault":"nonsense"})", R"({"fault":"204"})", R"({"fault":"099"})",
        R"({"fault":"http-status"})", R"({"fault":"503","rate":1.5})", R"({"fault":"503","rate":-0.5})",
        R"({"fault":"503","rate":"all"})", R"({"fault":"delay","pause_ms":1.5})", R"({"fault":"99"})",
        R"({"fault":"600"})", R"({"fault":"503 "})", R"({"fault":"delay","pause_ms":-1})",
        R"({"fault":"delay","pause_ms":3600000})", "{\"fault\":\"\xFF\"}"}) {
    EXPECT_EQ(post(bad), 400) << bad;
  }
  EXPECT_NE(post(std::string(100000, ' ')), 204);
  EXPECT_EQ(status_of_a_commit(), 204);
}

TEST_F(Page, RefusesAPageOfAnotherOrigin) {
  const std::string fault = R"({"fault":"503"})";
  EXPECT_EQ(post(fault, {{"X-Sandbox-Page", "1"}, {"Origin", "https://evil.example"}}), 403);
  EXPECT_EQ(post(fault, {{"X-Sandbox-Page", "1"}, {"Origin", "null"}}), 403);
  EXPECT_EQ(post(fault, {{"X-Sandbox-Page", "1"}, {"Origin", "https://" + host()}}), 403);
  EXPECT_EQ(post(fault, {{"X-Sandbox-Page", "1"}, {"Host", "evil.example"}}), 403) << "DNS rebinding";
  EXPECT_EQ(post(fault, {{"X-Sandbox-Page", "1"}, {"Host", "127.0.0.1.evil.example"}}), 403);
  EXPECT_EQ(post(fault, {}), 403) << "a form of another page";
  EXPECT_EQ(get("/controls")["fault"], "");
  EXPECT_EQ(status_of_a_commit(), 204);
  for (const char* path : {"/", "/exchanges", "/orders", "/controls", "/page.js"}) {
    const auto answer = browser().Get(path, {{"Host", "evil.example"}});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 403) << path;
    EXPECT_FALSE(contains(answer->body, "{")) << answer->body;
  }
  EXPECT_EQ(post(fault, {{"X-Sandbox-Page", "1"}, {"Origin", "http://" + host()}}), 204);
}

TEST_F(Page, TakesItsOwnAddressUnderEachOfItsNames) {
  const std::string port = host().substr(host().find(':'));
  for (const std::string& name : {"127.0.0.1" + port, "localhost" + port}) {
    const auto answer = browser().Get("/controls", {{"Host", name}, {"Origin", "http://" + name}});
    EXPECT_TRUE(answer && answer->status == 200) << name;
  }
  for (const httplib::Headers& other : {httplib::Headers{{"Host", "localhost"}},
                                        {{"Host", "localhost" + port}, {"Origin", "http://127.0.0.1" + port}}}) {
    const auto answer = browser().Get("/controls", other);
    EXPECT_TRUE(answer && answer->status == 403);
  }
  const std::string line = "Host: " + host() + "\r\n";
  const RawClient raw("http://" + host());
  ASSERT_TRUE(raw.write_plain("GET /controls HTTP/1.1\r\nConnection: close\r\n" + line + line + "\r\n"));
  EXPECT_EQ(raw.read_plain().rfind("HTTP/1.1 403 ", 0), 0U) << "two hosts";
}

TEST_F(Page, LetsABrowserRunItsOwnScriptAlone) {
  for (const auto& [path, type] : {std::pair("/", "text/html"),
                                   {"/page.js", "text/javascript"},
                                   {"/words.js", "text/javascript"},
                                   {"/page.css", "text/css"},
                                   {"/icon.svg", "image/svg+xml"},
                                   {"/exchanges", "application/json"}}) {
    const auto answer = browser().Get(path);
    ASSERT_TRUE(answer && answer->status == 200) << path;
    EXPECT_EQ(answer->get_header_value("Content-Type").find(type), 0U) << path;
    const std::string policy = answer->get_header_value("Content-Security-Policy");
    EXPECT_TRUE(contains(policy, "default-src 'none'; script-src 'self';")) << path;
    EXPECT_FALSE(contains(policy, "unsafe"));
    EXPECT_EQ(answer->get_header_value("X-Content-Type-Options"), "nosniff");
    EXPECT_FALSE(answer->has_header("Access-Control-Allow-Origin"));
  }
  EXPECT_EQ(browser().Get("/nothing")->status, 404);
}

TEST_F(Page, OfSeveralSandboxesShowsAllAndSwitchesTheFirst) {
  SandboxOptions options;
  options.page = page_;
  const auto second = Sandbox::start(options).value();
  EXPECT_EQ(post(R"({"fault":"503"})"), 204);
  EXPECT_EQ(status_of_a_commit(), 503);
  EXPECT_EQ(status_of_a_commit(*second), 204);
  EXPECT_EQ(get("/exchanges")["log"]["exchanges"].size(), 2U);
}

TEST_F(Page, OutlivesItsSandbox) {
  sandbox_.reset();
  EXPECT_EQ(post(R"({"fault":"503"})"), 400);
  EXPECT_EQ(post("switching", own_header, "/stage"), 400);
  EXPECT_EQ(get("/controls"), json::parse(R"({"orders":0,"fault":"","rate":0.0,"stage":"","stages":[]})"));
  EXPECT_TRUE(get("/orders").empty());
  SandboxOptions options;
  options.page = page_;
  sandbox_ = Sandbox::start(options).value();
  EXPECT_EQ(post(R"({"fault":"503"})"), 204);
  EXPECT_EQ(status_of_a_commit(), 503);
}

TEST_F(Page, AnswersWhileConnectionsAreHeldOpenByOneByteAfterTheOther) {
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 100; ++i) {
    slow.push_back(std::make_unique<RawClient>("http://" + host()));
    slow.back()->write_plain("GET / HTTP/1.1\r\nHost:");
  }
  std::promise<void> settled;
  auto feeder = std::async(std::launch::async, [&slow, end = settled.get_future()] {
    do {
      for (const auto& one : slow) one->write_plain("a");
    } while (end.wait_for(std::chrono::milliseconds(100)) == std::future_status::timeout);
  });
  EXPECT_EQ(get("/controls")["fault"], "");
  sandbox_.reset();
  page_.reset();
  settled.set_value();
  feeder.get();
}

TEST_F(Page, ReadsNoHeadersWithoutEnd) {
  const RawClient raw("http://" + host());
  ASSERT_TRUE(raw.write_plain("GET / HTTP/1.1\r\n"));
  const std::string line = "x: " + std::string(1000, 'a') + "\r\n";
  int lines = 0;
  while (lines < 64000 && raw.write_plain(line)) ++lines;
  EXPECT_LT(lines, 64000);
  EXPECT_EQ(get("/controls")["fault"], "");
}

TEST_F(Page, NamesAPortThatIsTaken) {
  const auto port = static_cast<std::uint16_t>(std::stoi(host().substr(host().find(':') + 1)));
  const auto second = SandboxPage::start(port);
  ASSERT_FALSE(second);
  EXPECT_TRUE(contains(second.error().message, "it is taken")) << second.error().message;
}

class Log : public ::testing::Test {
 protected:
  void add(const HttpRequest& request, const HttpResponse& answer = {204, {}, ""}) {
    log_.add(request, answer, {}, false, std::chrono::system_clock::time_point());
  }
  json since(std::uint64_t after) const { return json::parse(log_.since(after)); }

  ExchangeLog log_;
};

TEST_F(Log, KeepsTheLatestThousandAndGivesThemInParts) {
  for (int i = 0; i < 1200; ++i) add({"POST", "", "/" + std::to_string(i), {}, ""});
  std::uint64_t last = 0;
  std::size_t count = 0;
  for (bool more = true; more;) {
    const json part = since(last);
    ASSERT_LE(part["exchanges"].size(), ExchangeLog::most_at_once);
    for (const json& one : part["exchanges"]) {
      last = one["number"].get<std::uint64_t>();
      EXPECT_EQ(last, 201 + count++);
      EXPECT_EQ(one["path"], "/" + std::to_string(last - 1));
    }
    more = part["more"];
  }
  EXPECT_EQ(count, 1000U);
  EXPECT_TRUE(since(5000)["exchanges"].empty());
}

TEST_F(Log, KeepsNoMoreOfARequestThanItsBounds) {
  HttpRequest large{"POST", "", std::string(1U << 20U, 'p'), {}, std::string(1U << 20U, 'b')};
  for (int i = 0; i < 1000; ++i) large.headers.push_back({std::string(100, 'n'), std::string(1000, 'v')});
  add(large, {200, large.headers, large.body});
  EXPECT_LT(log_.since(0).size(), 6 * ExchangeLog::most_bytes + 1000);
  const json one = since(0)["exchanges"][0];
  EXPECT_EQ(one["body"].get<std::string>().size(), ExchangeLog::most_bytes);
  EXPECT_EQ(one["body_size"], 1U << 20U);
}

TEST_F(Log, KeepsNoMoreThanItsMemoryHoweverItIsEscaped) {
  const std::string body(ExchangeLog::most_bytes, '\x01');
  constexpr std::size_t added = 200;
  for (std::size_t i = 0; i < added; ++i) add({"POST", "", "/", {}, body}, {200, {}, body});
  const std::string document = log_.since(0);
  const std::size_t first = std::stoul(document.substr(document.find("\"number\":") + 9));
  constexpr std::size_t escaped = 2 * 6 * ExchangeLog::most_bytes;
  EXPECT_LE((added - first + 1) * escaped, ExchangeLog::most_memory);
  EXPECT_EQ(since(added - 1)["exchanges"].size(), 1U) << "the latest is kept";
}

TEST_F(Log, TakesBytesThatAreNoText) {
  add({"P\xFFST", "", "/\x01", {{"A", "\xE7"}}, std::string("\0\xFF\xF0\x9F", 4)});
  EXPECT_EQ(since(0)["exchanges"].size(), 1U);
}

}  // namespace

}  // namespace wechatpay::bonus_commit
