// The tool against a WeChat Pay that is made to answer in ways that the sandbox's faults do not have.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
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

  /// Runs the tool; its standard error comes with its standard output.
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
              contains(result.output, "look  clock               -9"))  // some seconds later
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
