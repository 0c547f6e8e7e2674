/// A transport for unit tests: scripts answers and records requests; no network, no threads, no sleeping.
#ifndef WECHATPAY_BONUS_COMMIT_TESTING_MOCK_TRANSPORT_HPP
#define WECHATPAY_BONUS_COMMIT_TESTING_MOCK_TRANSPORT_HPP

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/transport.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Answers each request with the next scripted answer. When no scripted answer is left, it uses the function set by
/// otherwise(). It completes each request before send() returns. FakeWechatPay makes answers that verify:
///
///     FakeWechatPay wechat_pay;
///     auto transport = std::make_shared<MockTransport>();
///     transport->then(transport_error(TransportFault::timeout, Outcome::unknown, "timed out"));
///     transport->otherwise([&](const HttpRequest& request) { return wechat_pay.answer(request); });
///
/// SendOptions are recorded but ignored: it does not wait for a delay. Thread-safe.
class MockTransport final : public Transport {
 public:
  using Handler = std::function<Result<HttpResponse>(const HttpRequest&)>;  ///< answers a request

  /// Adds an answer or an error for one request.
  MockTransport& then(Result<HttpResponse> answer) {
    return then([answer = std::move(answer)](const HttpRequest&) { return answer; });
  }
  /// The same.
  /// @{
  MockTransport& then(HttpResponse answer) { return then(Result<HttpResponse>(std::move(answer))); }
  MockTransport& then(Error error) { return then(Result<HttpResponse>(std::move(error))); }
  /// @}

  /// Adds a function that answers one request.
  MockTransport& then(Handler handler) {
    const std::lock_guard<std::mutex> lock(mutex_);
    script_.push_back(std::move(handler));
    return *this;
  }

  /// Sets the function that answers every request for which nothing is scripted.
  MockTransport& otherwise(Handler handler) {
    const std::lock_guard<std::mutex> lock(mutex_);
    standing_ = std::move(handler);
    return *this;
  }

  /// Every request so far, in order.
  std::vector<HttpRequest> requests() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

  /// The options of each request.
  std::vector<SendOptions> send_options() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return send_options_;
  }

  /// The number of scripted answers that are left.
  std::size_t remaining() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return script_.size();
  }

  void send(HttpRequest request, SendOptions options, Completion done) override {
    Handler handler;
    std::size_t number = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      requests_.push_back(request);
      send_options_.push_back(std::move(options));
      number = requests_.size();
      handler = standing_;
      if (!script_.empty()) {
        handler = std::move(script_.front());
        script_.pop_front();
      }
    }
    if (!handler) {
      done(transport_error(TransportFault::other, Outcome::not_sent,
                           "MockTransport has no answer for request " + std::to_string(number) +
                               ": script one with then() or otherwise()"));
      return;
    }
    done(handler(request));
  }

 private:
  mutable std::mutex mutex_;
  std::deque<Handler> script_;
  Handler standing_;
  std::vector<HttpRequest> requests_;
  std::vector<SendOptions> send_options_;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
