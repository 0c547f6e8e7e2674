/// A page for a browser that shows what a sandbox is sent, and switches its faults and the merchant's stage.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_PAGE_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_SANDBOX_PAGE_HPP

#include <cstdint>
#include <memory>
#include <string>

#include "wechatpay/bonus_commit/result.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Serves the page over plain HTTP on 127.0.0.1 until it is destroyed: each request as it comes, its verdict, the five
/// lines, the explanation of a bad signature, headers, body and answer; the latest orders; buttons for faults and
/// for the merchant's stage. It remembers the latest 1,000 requests, 16 KiB of each of their parts and 32 MiB in all. A
/// page of another origin can neither read it nor press its buttons. Give it to SandboxOptions::page; several sandboxes
/// may have the same one, of which the first is the one that its buttons switch. Thread-safe.
class SandboxPage {
 public:
  /// `port` 0: one that is free. Fails with `invalid_configuration` where the port is taken.
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
