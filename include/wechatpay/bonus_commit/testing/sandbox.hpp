/// WeChat Pay on this machine: an HTTPS server around FakeWechatPay, for integration tests and for trying things out.
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

/// Where the sandbox listens, who answers, and what goes wrong.
struct SandboxOptions {
  /// A loopback address.
  std::string address = "127.0.0.1";

  /// 0: one that is free.
  std::uint16_t port = 0;

  /// For whom the TLS certificate is made out: names and addresses. WeChat Pay's names are for clients that have the
  /// host built in, and reach the sandbox by a resolver of their own.
  std::vector<std::string> certificate_names = {
      "127.0.0.1",        "::1", "localhost", "api.mch.weixin.qq.com", "api2.mch.weixin.qq.com", "api.wechatpay.cn",
      "api2.wechatpay.cn"};

  /// Where the files go; made if it is not there. Empty: a folder of its own, removed at the end. One sandbox uses it
  /// at a time; files of earlier sandboxes there are replaced, those of others are left alone.
  std::string folder{};

  /// Gets one line per request, without the line's end. Called from several threads, one at a time.
  std::function<void(const std::string&)> log{};

  /// Where the merchant stands, where `wechat_pay` is null.
  MerchantStage stage = MerchantStage::public_key;

  /// Who answers; null: one of its own. Two sandboxes with the same one are WeChat Pay's main host and its backup.
  std::shared_ptr<FakeWechatPay> wechat_pay{};

  /// Answers in its place, from the first request on; see Sandbox::answer_with().
  std::function<HttpResponse(const HttpRequest&)> handler{};

  /// Faults for the first commits, one each. Other requests, as for /v3/certificates, get none and count for none.
  std::vector<SandboxFault> script{};

  /// After those, so much of all commits (from 0 to 1), chosen at random, gets one of these.
  double fault_rate = 0;
  std::vector<SandboxFault> faults{};  ///< to choose from; none: no faults
  std::uint64_t fault_seed = 1;        ///< for the random choice; requests at the same time may still swap theirs

  /// Shows every request in a browser, and may switch its faults; null: nobody does.
  std::shared_ptr<SandboxPage> page{};
};

/// What a client of the sandbox is given. Absolute paths of files.
struct SandboxFiles {
  std::string folder{};                ///< where they all are
  std::string merchant_key{};          ///< apiclient_key.pem
  std::string merchant_certificate{};  ///< apiclient_cert.pem
  std::string merchant_p12{};          ///< apiclient_cert.p12, its passphrase is the merchant id
  std::string public_key{};            ///< pub_key.pem
  std::string platform_certificate{};  ///< wechatpay_<serial>.pem
  std::string ca{};                    ///< ca.pem, for CurlOptions::ca_bundle_file; the same for a whole process
};

/// Serves from start() until it is destroyed, up to 256 connections at once (fewer where the process may not open 512
/// files): one more takes the place of the one that has waited longest for a request. A request's body may have 1 MiB.
/// Its faults work over TLS as WeChat Pay's and the network's would.
class Sandbox {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;  ///< makes an answer to a request

  /// Fails with `invalid_configuration` where the port is taken, or the folder cannot be written, is in use by another
  /// sandbox, or holds a file of that name that no sandbox has made; nothing has been written then.
  static Result<std::unique_ptr<Sandbox>> start(SandboxOptions options = {});
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;
  ~Sandbox();

  /// "https://127.0.0.1:8443", for ClientOptions::origins.
  const std::string& origin() const noexcept;

  /// What a client of it needs; removed with it unless SandboxOptions::folder named a folder.
  const SandboxFiles& files() const noexcept;

  /// Who answers, unless answer_with() says otherwise.
  FakeWechatPay& wechat_pay() noexcept;

  /// From now on `handler` answers; empty: wechat_pay() again. It is called from several threads at once, and what it
  /// refers to must outlive the sandbox: a call of it may end after the client has got its answer.
  void answer_with(Handler handler);

  /// The next commit that has no fault yet gets this one.
  void inject(SandboxFault fault);

  /// From now on, so much of all commits (from 0 to 1) gets one of `faults`, in place of what SandboxOptions said.
  void set_faults(std::vector<SandboxFault> faults, double rate = 1);

 private:
  struct Server;

  explicit Sandbox(std::unique_ptr<Server> server);

  std::unique_ptr<Server> server_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
