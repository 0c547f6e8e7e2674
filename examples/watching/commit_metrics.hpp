// Monitors commits: one log line for each try, and counters in Prometheus' format. Copy it and change it: it is short,
// so that you can fit it to your own logger and metrics.
#ifndef COMMIT_METRICS_HPP
#define COMMIT_METRICS_HPP

#include <wechatpay/bonus_commit.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>

/// One line in logfmt. No value needs escaping: the check has accepted the request before its first try.
inline std::string log_line(const wechatpay::bonus_commit::TryEvent& event) {
  const wechatpay::bonus_commit::Try& one = event.result;
  const auto ms = [](std::chrono::microseconds span) { return static_cast<double>(span.count()) / 1000; };
  std::ostringstream line;
  line << "out_trade_no=" << event.out_trade_no << " try=" << event.number << " host=" << one.origin
       << " result=" << (one.credited ? "credited" : to_string(one.outcome));
  if (const auto& answer = one.answer) {
    line << " status=" << answer->http_status << " verified=" << (answer->verified() ? "yes" : "no");
    if (!answer->code.empty()) line << " code=" << answer->code;
    if (!answer->request_id.empty()) line << " request_id=" << answer->request_id;
    if (!answer->verified()) line << " signature=\"" << to_string(answer->verification_fault) << '"';
  } else {
    line << " fault=\"" << to_string(one.transport_fault) << '"';
  }
  line << " waited_ms=" << ms(one.transfer.waited) << " dns_ms=" << ms(one.transfer.name_lookup)
       << " connect_ms=" << ms(one.transfer.connect) << " tls_ms=" << ms(one.transfer.tls)
       << " first_byte_ms=" << ms(one.transfer.first_byte) << " total_ms=" << ms(one.transfer.total)
       << " reused=" << (one.transfer.connection_reused ? "yes" : "no") << " sent=" << one.transfer.bytes_sent
       << " received=" << one.transfer.bytes_received;
  if (event.next.again) {
    line << " next=\"again in " << event.next.pause.count() << " ms\"";
  } else {
    line << " next=end";
    if (!event.next.why_not.empty()) line << " why=\"" << event.next.why_not << '"';
  }
  return line.str();
}

/// Counts tries by host and result, and calls by result and duration. Thread-safe, as hooks must be.
class CommitMetrics {
 public:
  void count(const wechatpay::bonus_commit::TryEvent& event) {
    const std::string result(event.result.credited ? "credited" : to_string(event.result.outcome));
    const std::lock_guard<std::mutex> lock(mutex_);
    ++tries_[{event.result.origin, result}];
  }

  void count(const wechatpay::bonus_commit::CallEvent& event) {
    const std::string result(event.result ? "credited" : to_string(event.result.error().outcome));
    const double seconds = std::chrono::duration<double>(event.duration).count();
    const std::lock_guard<std::mutex> lock(mutex_);
    ++calls_[result];
    seconds_ += seconds;
    for (std::size_t i = 0; i < limits.size(); ++i) {
      if (seconds <= limits[i]) ++buckets_[i];
    }
  }

  /// The answer to a scrape of /metrics.
  std::string prometheus() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::ostringstream text;
    text << "# TYPE wechatpay_bonus_commit_tries_total counter\n";
    for (const auto& [key, count] : tries_) {
      text << "wechatpay_bonus_commit_tries_total{host=\"" << key.first << "\",result=\"" << key.second << "\"} "
           << count << "\n";
    }
    text << "# TYPE wechatpay_bonus_commit_calls_total counter\n";
    std::uint64_t all = 0;
    for (const auto& [result, count] : calls_) {
      text << "wechatpay_bonus_commit_calls_total{result=\"" << result << "\"} " << count << "\n";
      all += count;
    }
    text << "# TYPE wechatpay_bonus_commit_call_seconds histogram\n";
    for (std::size_t i = 0; i < limits.size(); ++i) {
      text << "wechatpay_bonus_commit_call_seconds_bucket{le=\"" << limits[i] << "\"} " << buckets_[i] << "\n";
    }
    text << "wechatpay_bonus_commit_call_seconds_bucket{le=\"+Inf\"} " << all << "\n"
         << "wechatpay_bonus_commit_call_seconds_sum " << seconds_ << "\n"
         << "wechatpay_bonus_commit_call_seconds_count " << all << "\n";
    return text.str();
  }

 private:
  static constexpr std::array<double, 8> limits = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30};

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> tries_;
  std::map<std::string, std::uint64_t> calls_;
  std::array<std::uint64_t, limits.size()> buckets_{};
  double seconds_ = 0;
};

#endif
