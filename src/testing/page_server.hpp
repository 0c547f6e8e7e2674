/// The HTTP server behind SandboxPage.
#ifndef WECHATPAY_SRC_TESTING_PAGE_SERVER_HPP
#define WECHATPAY_SRC_TESTING_PAGE_SERVER_HPP

#include <httplib.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "src/testing/exchange_log.hpp"
#include "src/testing/fault_schedule.hpp"
#include "src/testing/http_serving.hpp"
#include "src/testing/page_http.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"
#include "wechatpay/bonus_commit/testing/sandbox_page.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// What the page's buttons control.
struct PageControls {
  FakeWechatPay* wechat_pay = nullptr;
  FaultSchedule* faults = nullptr;
};

struct SandboxPage::Server {
  Server();
  ~Server();

  bool listen(std::uint16_t port);

  /// Sets the sandbox that the buttons control, unless one is set already. `owner` identifies it. The objects in
  /// `controls` must exist until detach().
  void attach(const void* owner, const PageControls& controls);
  void detach(const void* owner);

  std::string url;
  ExchangeLog log;

 private:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  Handler guarded(Handler handler) const;
  bool is_own(const httplib::Request& request) const;
  void serve_files();
  void serve_state();
  std::string exchanges(std::uint64_t after) const;
  std::string orders() const;
  std::string controls() const;
  bool switch_fault(const std::string& body);
  bool switch_stage(const std::string& name);

  PageHttp http_;
  ServingThread thread_;
  std::vector<std::string> hosts_;  ///< the allowed values of Host

  mutable std::mutex mutex_;  ///< guards the rest
  const void* owner_ = nullptr;
  PageControls controls_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
