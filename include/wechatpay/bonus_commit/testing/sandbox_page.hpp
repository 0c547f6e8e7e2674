/// A browser page that shows the requests to a sandbox, and switches its faults and the merchant's stage.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_PAGE_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_PAGE_HPP

#include <cstdint>
#include <memory>
#include <string>

#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Serves the page over plain HTTP on 127.0.0.1 until it is destroyed. The page shows each request as it arrives: its
/// result, the five lines of its string to sign, the explanation of a wrong signature, headers, body and answer. It
/// also shows the latest orders, and has buttons for faults and for the merchant's stage. It keeps the latest 1,000
/// requests, 16 KiB of each of their parts, and 32 MiB in total. Pages of other origins can neither read it nor press
/// its buttons. Pass it to SandboxOptions::page. Several sandboxes may share a page; its buttons switch the first one.
/// Thread-safe.
class SandboxPage {
 public:
  /// With `port` 0, it uses any free port. Fails with `invalid_configuration` if the port is taken.
  static Result<std::shared_ptr<SandboxPage>> start(std::uint16_t port = 0);
  SandboxPage(const SandboxPage&) = delete;
  SandboxPage& operator=(const SandboxPage&) = delete;
  ~SandboxPage();

  /// "http://127.0.0.1:8480/", for a browser on this machine.
  const std::string& url() const noexcept;

 private:
  friend class Sandbox;
  struct Server;

  explicit SandboxPage(std::unique_ptr<Server> server);

  std::unique_ptr<Server> server_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
