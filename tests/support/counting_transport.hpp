/// A transport that counts the requests which it holds until the test answers them.
#ifndef WECHATPAY_TESTS_SUPPORT_COUNTING_TRANSPORT_HPP
#define WECHATPAY_TESTS_SUPPORT_COUNTING_TRANSPORT_HPP

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

namespace wechatpay::bonus_commit {

/// Thread-safe.
class CountingTransport final : public Transport {
 public:
  void send(HttpRequest request, SendOptions, Completion done) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_.emplace_back(std::move(request), std::move(done));
    ++sent_;
    most_held_ = std::max(most_held_, held_.size());
    changed_.notify_all();
  }

  /// Waits until `sent` requests have been sent in total.
  void wait_for(std::size_t sent) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return sent_ >= sent; });
  }

  /// Answers the held requests.
  void answer(testing::FakeWechatPay& wechat_pay) {
    std::deque<std::pair<HttpRequest, Completion>> held;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      held = std::exchange(held_, {});
    }
    for (auto& [request, done] : held) done(wechat_pay.answer(request));
  }

  std::size_t sent() const { return locked(sent_); }
  std::size_t most_held() const { return locked(most_held_); }

 private:
  std::size_t locked(const std::size_t& number) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return number;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<HttpRequest, Completion>> held_;
  std::size_t sent_ = 0;
  std::size_t most_held_ = 0;
};

}  // namespace wechatpay::bonus_commit

#endif
