// The tool against a simulated WeChat Pay, with answers that the sandbox's faults do not offer.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "src/testing/pki.hpp"
#include "tests/database/tool_process.hpp"
#include "tests/support/failing_input.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;
using namespace testing;

namespace {

class ToolTest : public ::testing::Test {
 protected:
  void start(SandboxOptions options = {}) { sandbox_ = Sandbox::start(std::move(options)).value(); }

  /// Runs the tool. Its standard error is redirected to its standard output.
  CommandResult tool(const std::string& arguments) const {
    const SandboxFiles& files = sandbox_->files();
    return run("WECHATPAY_ORIGIN=" + sandbox_->origin() + " WECHATPAY_CA_FILE=" + shell_word(files.ca) +
               " WECHATPAY_CERT_FILE=" + shell_word(files.merchant_certificate) + " WECHATPAY_KEY_FILE=" +
               shell_word(files.merchant_key) + " WECHATPAY_PUBLIC_KEY_FILE=" + shell_word(files.public_key) +
               " WECHATPAY_PUBLIC_KEY_ID=" + sandbox_->wechat_pay().public_key_id() + " " + shell_word(WECHATPAY_TOOL) +
               " " + arguments + " 2>&1");
  }

  const std::string commit_ = "commit --card-id 1 --code 2 --out-trade-no 3 --mchid 4 --sub-mchid 5 --bonus-value 30";
  std::unique_ptr<Sandbox> sandbox_;
};

TEST_F(ToolTest, TellsOfNoRequestIdWhereThereIsNone) {
  start();
  sandbox_->answer_with([this](const HttpRequest& request) {
    HttpResponse response = sandbox_->wechat_pay().answer(request);
    HttpHeaders kept;
    for (const HttpHeader& header : response.headers) {
      if (!same_token(header.name, "Request-ID")) kept.push_back(header);
    }
    response.headers = kept;
    return response;
  });
  EXPECT_EQ(tool(commit_).output, "credited: 30 points for out_trade_no 3\n");
  EXPECT_FALSE(contains(tool(commit_ + " --json").output, "request_id"));
}

/// The names of an object's members.
std::string members(const nlohmann::ordered_json& json) {
  std::string all;
  for (const auto& [name, value] : json.items()) all += (all.empty() ? "" : " ") + name;
  return all;
}

int exit_status(const CommandResult& result) { return WIFEXITED(result.status) ? WEXITSTATUS(result.status) : -1; }

TEST_F(ToolTest, PrintsAReceiptAsOneDocument) {
  start();
  const CommandResult result = tool(commit_ + " --json");
  EXPECT_EQ(exit_status(result), 0);
  const auto json = nlohmann::ordered_json::parse(result.output);
  EXPECT_EQ(members(json), "outcome request_id serial timestamp clock_offset_seconds tries");
  EXPECT_EQ(json["outcome"], "credited");
  EXPECT_EQ(json["serial"], sandbox_->wechat_pay().public_key_id());
  EXPECT_EQ(json["tries"], 1);
}

TEST_F(ToolTest, PrintsARefusalAsOneDocument) {
  start();
  sandbox_->answer_with([this](const HttpRequest& request) {
    return sandbox_->wechat_pay().error(400, "PARAM_ERROR", "no such card", request, R"({"field":"card_id"})");
  });
  const CommandResult result = tool(commit_ + " --json");
  EXPECT_EQ(exit_status(result), 1);
  const auto json = nlohmann::ordered_json::parse(result.output);
  EXPECT_EQ(members(json),
            "outcome kind remedy message faults http_status verified code wechatpay_message detail request_id "
            "clock_offset_seconds tries");
  EXPECT_EQ(json["outcome"], "refused");
  EXPECT_EQ(json["kind"], "api_error");
  EXPECT_EQ(json["http_status"], 400);
  EXPECT_EQ(json["verified"], true);
  EXPECT_EQ(json["code"], "PARAM_ERROR");
  EXPECT_EQ(json["wechatpay_message"], "no such card");
  EXPECT_EQ(json["faults"][0]["field"], "card_id");
  EXPECT_EQ(json["tries"].size(), 1U);
  EXPECT_EQ(members(json["tries"][0]), "origin http_status outcome milliseconds");
  EXPECT_EQ(json["tries"][0]["origin"], sandbox_->origin());
}

TEST_F(ToolTest, PrintsWhatWasNotSentAsOneDocument) {
  start();
  const CommandResult nobody_listens = tool(commit_ + " --json --origin " + nobody);
  EXPECT_EQ(exit_status(nobody_listens), 4);
  const auto json = nlohmann::ordered_json::parse(nobody_listens.output);
  EXPECT_EQ(members(json), "outcome kind remedy message transport_fault tries");
  EXPECT_EQ(json["transport_fault"], "connect");
  EXPECT_EQ(json["tries"].size(), 3U);

  const CommandResult no_points =
      tool(replaced(commit_, "--bonus-value 30", "--bonus-value 0") + " --json 2> /dev/null");
  EXPECT_EQ(exit_status(no_points), 2);
  EXPECT_EQ(nlohmann::ordered_json::parse(no_points.output)["faults"][0]["field"], "/bonus_value");
}

TEST_F(ToolTest, WarnsOfAPlatformCertificateThatExpires) {
  start();
  const TemporaryFolder folder;
  const auto key = make_rsa_key();
  CertificateOptions options;
  options.common_name = "Tenpay.com sign";
  options.not_after = std::chrono::system_clock::now() + std::chrono::hours(24 * 10);
  const auto authority = make_certificate({"Tenpay.com Root CA", "", {}, true}, key.get());
  const auto certificate = make_certificate(options, key.get(), authority.get(), key.get());
  const std::string file = folder.write("wechatpay_1.pem", certificate_pem(certificate.get()));
  const std::string output = tool(commit_ + " --platform-cert-file " + shell_word(file)).output;
  EXPECT_TRUE(contains(output, "warning: ")) << output;
  EXPECT_TRUE(contains(output, " expires in ")) << output;
  EXPECT_TRUE(contains(output, "credited: 30 points")) << output;
}

TEST_F(ToolTest, WarnsOfAMerchantCertificateThatExpires) {
  start();
  const TemporaryFolder folder;
  const FakeWechatPay& wechat_pay = sandbox_->wechat_pay();
  const auto key = read_key(wechat_pay.merchant_key_pem());
  CertificateOptions options;
  options.common_name = wechat_pay.credentials().mchid();
  options.serial_no = wechat_pay.credentials().serial_no();
  options.not_after = std::chrono::system_clock::now() + std::chrono::hours(24 * 10);
  const std::string file =
      folder.write("apiclient_cert.pem", certificate_pem(make_certificate(options, key.get()).get()));
  const std::string output = tool(commit_ + " --cert-file " + shell_word(file)).output;
  EXPECT_TRUE(contains(output, "warning: the merchant's certificate ")) << output;
  EXPECT_TRUE(contains(output, " expires in ")) << output;
  EXPECT_TRUE(contains(output, "credited: 30 points")) << output;
}

/// A sandbox whose clock is ahead of this machine's.
SandboxOptions with_clock_ahead(std::chrono::seconds offset) {
  FakeWechatPayOptions ahead;
  ahead.clock = [offset] { return std::chrono::system_clock::now() + offset; };
  SandboxOptions options;
  options.wechat_pay = std::make_shared<FakeWechatPay>(ahead);
  return options;
}

TEST_F(ToolTest, WarnsOfAClockThatIsOffBesideTheCredit) {
  start(with_clock_ahead(std::chrono::seconds(200)));
  const std::string output = tool(commit_).output;
  EXPECT_TRUE(contains(output, "credited: 30 points")) << output;
  EXPECT_TRUE(contains(output, "\nwarning: this machine's clock is ")) << output;
  EXPECT_TRUE(contains(output, " s behind WeChat Pay's")) << output;
}

TEST_F(ToolTest, CheckSaysThatItCannotReadOnAndCountsNothing) {
  const std::string orders = "card_id,code,out_trade_no,mchid,sub_mchid,bonus_value\n1,2,3,4,5,6\n1,2,4,4,5,0\n";
  const std::string broken = "standard input: cannot be read: Connection reset by peer";
  const auto check = [&orders](const std::string& arguments) {
    const FailingInput input(orders);
    return run(shell_word(WECHATPAY_TOOL) + " check - " + arguments);
  };
  const CommandResult text = check("2>&1");
  EXPECT_EQ(exit_status(text), 2);
  EXPECT_EQ(text.output, "line 3: bonus_value must be 1 or more (given: 0)\n" + broken + "\n");
  const CommandResult document = check("--json 2> /dev/null");
  EXPECT_EQ(exit_status(document), 2);
  const auto json = nlohmann::ordered_json::parse(document.output);
  EXPECT_EQ(members(json), "rows orders repeated bad_rows doubtful_rows error");
  EXPECT_EQ(json.at("rows").size(), 1U);
  EXPECT_EQ(json.at("orders"), 1);
  EXPECT_EQ(json.at("error"), broken);
}

#ifdef WECHATPAY_WITH_POSTGRESQL
TEST_F(ToolTest, ARelaySaysThatItsEndWaitsForADatabaseThatDoesNotAnswerAndASecondSignalEndsItAtOnce) {
  start();
  const int mute = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(mute, reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(mute, 100), 0);
  ASSERT_EQ(::getsockname(mute, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string host = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  std::string hosts = host;
  for (int i = 0; i < 20; ++i) hosts += "," + host;  // 5 s for each
  const SandboxFiles& files = sandbox_->files();
  const TemporaryFolder folder;
  const std::string log = folder.path("log");
  ToolProcess relay({"relay", "--database", "postgresql://user@" + hosts + "/name", "--origin", sandbox_->origin(),
                     "--ca-file", files.ca, "--cert-file", files.merchant_certificate, "--key-file", files.merchant_key,
                     "--public-key-file", files.public_key, "--public-key-id", sandbox_->wechat_pay().public_key_id()},
                    log);
  const int connection = ::accept4(mute, nullptr, nullptr, SOCK_CLOEXEC);  // the attempt has begun
  EXPECT_GE(connection, 0);
  relay.signal(SIGTERM);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  const std::string told = "ending: waiting for the attempt to connect to the database, at most 5 s for each address\n";
  while (!contains(read_text(log), told) && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(contains(read_text(log), told)) << read_text(log);
  EXPECT_EQ(relay.end(SIGTERM), 130);
  ::close(connection);
  ::close(mute);
}
#endif

TEST_F(ToolTest, DoctorBlamesTheClockThatIsOff) {
  start(with_clock_ahead(std::chrono::seconds(100)));
  const CommandResult result = tool("doctor");
  EXPECT_TRUE(contains(result.output, "look  clock               -100 s") ||
              contains(result.output, "look  clock               -9"))  // a few seconds later
      << result.output;
}

TEST_F(ToolTest, DoctorBlamesTheAnnouncedKeyThatWechatPayNames) {
  start();
  sandbox_->answer_with([this](const HttpRequest& request) {
    return sandbox_->wechat_pay().error(400, "PARAM_ERROR", "Wechatpay-Serial is wrong", request);
  });
  const CommandResult result = tool("doctor");
  EXPECT_TRUE(contains(result.output, "\nBAD   announced key ")) << result.output;
}

TEST_F(ToolTest, DoctorDoesNotBlameTlsVersionsForAnotherSandboxsAuthority) {
  start();
  const TemporaryFolder folder;
  const auto key = make_rsa_key();
  const auto other = make_certificate({"wechatpay-bonus-commit sandbox CA", "", {}, true}, key.get());
  const std::string file = folder.write("ca.pem", certificate_pem(other.get()));
  const CommandResult result = tool("doctor --ca-file " + shell_word(file));
  EXPECT_TRUE(contains(result.output, "\nBAD   TLS ")) << result.output;
  EXPECT_TRUE(contains(result.output, "--ca-file")) << result.output;
  EXPECT_FALSE(contains(result.output, "TLS 1.2")) << result.output;
}

}  // namespace
}  // namespace wechatpay::bonus_commit::tool
