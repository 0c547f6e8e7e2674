/// A local WeChat Pay: an HTTPS server around FakeWechatPay, for integration tests and for trying things out.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_HPP

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "wechatpay/bonus_commit/result.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"
#include "wechatpay/bonus_commit/testing/sandbox_page.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Where the sandbox listens, how it answers, and which faults it has.
struct SandboxOptions {
  /// A loopback address.
  std::string address = "127.0.0.1";

  /// 0: any free port.
  std::uint16_t port = 0;

  /// The names and addresses in the TLS certificate. WeChat Pay's host names are for clients that have these names
  /// built in, and reach the sandbox through their own resolver.
  std::vector<std::string> certificate_names = {
      "127.0.0.1",        "::1", "localhost", "api.mch.weixin.qq.com", "api2.mch.weixin.qq.com", "api.wechatpay.cn",
      "api2.wechatpay.cn"};

  /// The folder for the files; created if it does not exist. Empty: a temporary folder, removed at the end. Only one
  /// sandbox may use a folder at a time. It replaces the files of earlier sandboxes there, and leaves all other files
  /// unchanged.
  std::string folder{};

  /// Receives one line per request, without the end of line. Called from several threads, one at a time.
  std::function<void(const std::string&)> log{};

  /// The merchant's stage, if `wechat_pay` is null.
  MerchantStage stage = MerchantStage::public_key;

  /// Answers the requests; null: a new one. Two sandboxes that share one behave as WeChat Pay's main host and its
  /// backup host.
  std::shared_ptr<FakeWechatPay> wechat_pay{};

  /// Answers in place of `wechat_pay`, from the first request on; see Sandbox::answer_with().
  std::function<HttpResponse(const HttpRequest&)> handler{};

  /// Faults for the first commits, one each. Other requests, such as /v3/certificates, get no fault and do not count.
  std::vector<SandboxFault> script{};

  /// The fraction of the commits after those, from 0 to 1, chosen at random, that get one of `faults`.
  double fault_rate = 0;
  std::vector<SandboxFault> faults{};  ///< the faults to choose from; empty: no faults
  std::uint64_t fault_seed = 1;        ///< seed of the random choice; simultaneous requests may still swap their faults

  /// Shows every request in a browser, and can switch faults. Null: no page.
  std::shared_ptr<SandboxPage> page{};
};

/// The files for a client of the sandbox. All paths are absolute.
struct SandboxFiles {
  std::string folder{};                ///< the folder of all files
  std::string merchant_key{};          ///< apiclient_key.pem
  std::string merchant_certificate{};  ///< apiclient_cert.pem
  std::string merchant_p12{};          ///< apiclient_cert.p12; its passphrase is the merchant id
  std::string public_key{};            ///< pub_key.pem
  std::string platform_certificate{};  ///< wechatpay_<serial>.pem
  std::string ca{};                    ///< ca.pem, for CurlOptions::ca_bundle_file; the same for a whole process
};

/// Serves from start() until it is destroyed. Serves up to 256 connections at once (fewer if the process may not open
/// 512 files); a further one replaces the one that has waited longest for a request. A request body may have up to 1
/// MiB. Its faults work over TLS, as those of WeChat Pay and the network would.
class Sandbox {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;  ///< answers a request

  /// Fails with `invalid_configuration` if the port is taken, or if the folder cannot be written, is in use by another
  /// sandbox, or has a file with such a name that no sandbox created. No file has been written then.
  static Result<std::unique_ptr<Sandbox>> start(SandboxOptions options = {});
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;
  ~Sandbox();

  /// The origin, "https://127.0.0.1:8443", for ClientOptions::origins.
  const std::string& origin() const noexcept;

  /// The files for a client. They are removed with the sandbox, unless SandboxOptions::folder is set.
  const SandboxFiles& files() const noexcept;

  /// The FakeWechatPay that answers, unless answer_with() has set a handler.
  FakeWechatPay& wechat_pay() noexcept;

  /// Sets a handler that answers from now on; empty: wechat_pay() answers again. The handler is called from several
  /// threads at once. What it refers to must outlive the sandbox, because a call of the handler may end after the
  /// client has received its answer.
  void answer_with(Handler handler);

  /// Adds a fault for the next commit that has none yet.
  void inject(SandboxFault fault);

  /// From now on, the fraction `rate` of all commits, from 0 to 1, gets one of `faults`. Replaces the random faults of
  /// SandboxOptions.
  void set_faults(std::vector<SandboxFault> faults, double rate = 1);

 private:
  struct Server;

  explicit Sandbox(std::unique_ptr<Server> server);

  std::unique_ptr<Server> server_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
