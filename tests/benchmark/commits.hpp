/// Requests, signers, transports and clients for the benchmarks.
#ifndef WECHATPAY_TESTS_BENCHMARK_COMMITS_HPP
#define WECHATPAY_TESTS_BENCHMARK_COMMITS_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/benchmark/measuring.hpp"
#include "tests/support/raw_server.hpp"
#include "wechatpay/bonus_commit.hpp"
#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

/// Valid for any request for five minutes, because the signed message of a 204 contains only timestamp and nonce.
inline HttpResponse signed_204(const FakeWechatPay& wechat_pay) {
  HttpRequest asking;
  asking.headers = {{"Wechatpay-Serial", wechat_pay.public_key_id()}};
  return wechat_pay.sign({204, {}, ""}, asking);
}

/// Signs at no cost. The signatures are not valid.
class FreeSigner final : public Signer {
 public:
  Result<std::string> sign(std::string_view) const override { return std::string(256, 's'); }
};

inline Credentials free_credentials() {
  return Credentials::from_signer("1900000001", "ABCDEF", std::make_shared<FreeSigner>()).value();
}

/// Answers at the cost of one copy.
class FreeTransport final : public Transport {
 public:
  explicit FreeTransport(HttpResponse answer) : answer_(std::move(answer)) {}

  void send(HttpRequest, SendOptions, Completion done) override { done(answer_); }

 private:
  const HttpResponse answer_;
};

/// A client with timeouts of minutes.
inline BonusCommitClient client_of(const Credentials& credentials, const FakeWechatPay& wechat_pay,
                                   const std::string& origin, std::size_t connections = 64,
                                   ClientOptions options = {}) {
  CurlOptions curl_options;
  curl_options.ca_bundle_file = RawServer::ca_file();
  curl_options.max_connections = connections;
  curl_options.connect_timeout = std::chrono::minutes(1);
  curl_options.idle_timeout = std::chrono::hours(1);
  options.origins = {origin};
  options.timeout = std::chrono::minutes(4);
  options.retry.try_timeout = options.timeout;
  options.refuse_repeated_nonces = false;  // the server always sends the same answer
  return BonusCommitClient::create(credentials, wechat_pay.platform_keys(), CurlTransport::create(curl_options).value(),
                                   std::move(options))
      .value();
}

/// "000000000001"
inline std::string order_number(int number) {
  std::string digits = std::to_string(number);
  return digits.insert(0, 12 - digits.size(), '0');
}

/// Orders, each with its own path and body. Thread-safe.
class Orders {
 public:
  BonusCommitRequest next() {
    const std::string number = order_number(++given_);
    return {"478515832665", number, number, "1230000109", "1900000109", 30, MerchantMode::both};
  }

 private:
  std::atomic<int> given_{0};
};

/// Commits one order after the other.
inline void commit_one_by_one(const BonusCommitClient& client, Orders& orders, int count) {
  for (int i = 0; i < count; ++i) require(client.commit(orders.next()).has_value());
}

/// Commits from that many threads. Each thread waits for its commit.
inline void commit_by_threads(const BonusCommitClient& client, Orders& orders, int count, int threads) {
  std::vector<std::thread> waiting;
  for (int i = 0; i < threads; ++i) {
    waiting.emplace_back([&] { commit_one_by_one(client, orders, count / threads); });
  }
  for (std::thread& one : waiting) one.join();
}

/// Commits a backlog with at most that many commits in progress, signed on this thread.
inline void commit_backlog(const BonusCommitClient& client, Orders& orders, int count, std::size_t in_flight) {
  BatchOptions options;
  options.max_in_flight = in_flight;
  const auto next = [&, left = count]() mutable -> std::optional<BonusCommitRequest> {
    if (left-- == 0) return std::nullopt;
    return orders.next();
  };
  const auto take = [](const BonusCommitRequest&, const CommitResult& result) { return result.has_value(); };
  require(commit_all(client, next, take, options).value().credited == static_cast<std::uint64_t>(count));
}

/// Keeps that many commits in progress until all have ended.
class CommitMany {
 public:
  CommitMany(const BonusCommitClient& client, Orders& orders, int count, int in_flight)
      : client_(client), orders_(orders), to_start_(count - in_flight), to_end_(count) {
    for (int i = 0; i < in_flight; ++i) start();
    ended_.get_future().wait();
  }

 private:
  void start() {
    client_.commit_async(orders_.next(), [this](const CommitResult& result) {
      require(result.has_value());
      if (to_start_.fetch_sub(1) > 0) start();
      if (--to_end_ == 0) ended_.set_value();
    });
  }

  const BonusCommitClient& client_;
  Orders& orders_;
  std::atomic<int> to_start_;
  std::atomic<int> to_end_;
  std::promise<void> ended_;
};

}  // namespace wechatpay::bonus_commit

#endif
