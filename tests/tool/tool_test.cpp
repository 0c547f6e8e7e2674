// The tool against a simulated WeChat Pay, with answers that the sandbox's faults do not offer.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "src/testing/pki.hpp"
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

  const CommandResult no_points = tool(commit_ + " --json --bonus-value 0");
  EXPECT_EQ(exit_status(no_points), 2);
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

TEST_F(ToolTest, DoctorBlamesTheClockThatIsOff) {
  SandboxOptions options;
  FakeWechatPayOptions ahead;
  ahead.clock = [] { return std::chrono::system_clock::now() + std::chrono::seconds(100); };
  options.wechat_pay = std::make_shared<FakeWechatPay>(ahead);
  start(options);
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
