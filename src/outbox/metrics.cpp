#include "src/outbox/metrics.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace wechatpay::bonus_commit::outbox {

namespace {

constexpr std::chrono::seconds longest_validity{60};

/// A label's value for an error state: a database may return any text in place of a SQLSTATE.
std::string label_value(const std::string& text) {
  std::string plain;
  for (const char c : text.substr(0, 16)) {
    const bool kept = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    plain += kept ? c : '_';
  }
  return plain.empty() ? "none" : plain;
}

class Text {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = std::string("wechatpay_bonus_outbox_").append(name);
    text_.append("# HELP ").append(name_).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name_).append(" ").append(type).append("\n");
  }

  void sample(const std::string& value, std::string_view labels = {}, std::string_view suffix = {}) {
    text_.append(name_).append(suffix);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    text_.append(" ").append(value).append("\n");
  }
  void sample(std::uint64_t value, std::string_view labels = {}, std::string_view suffix = {}) {
    sample(std::to_string(value), labels, suffix);
  }

  std::string take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

/// One sample for each label. Keys that give the same label are added up.
void add_samples(Text& text, std::string_view name, const std::map<std::string, std::uint64_t>& counts) {
  std::map<std::string, std::uint64_t> by_label;
  for (const auto& [key, count] : counts) by_label[label_value(key)] += count;
  for (const auto& [value, count] : by_label) {
    text.sample(count, std::string(name).append("=\"").append(value).append("\""));
  }
}

void add_counts(Text& text, const Metrics& metrics) {
  text.family("claims_total", "counter", "Rows that this relay claimed.");
  text.sample(metrics.claims);
  text.family("settled_total", "counter", "Rows that this relay settled: done, dead, or back to be tried again.");
  text.sample(metrics.settled.done, "result=\"done\"");
  text.sample(metrics.settled.dead, "result=\"dead\"");
  text.sample(metrics.settled.back, "result=\"back\"");
  text.family("leases_lost_total", "counter", "Rows that another relay may have claimed before this one settled them.");
  text.sample(metrics.leases_lost);
  text.family("database_errors_total", "counter", "Errors of the database, by SQLSTATE or the vendor's number.");
  add_samples(text, "state", metrics.database_errors);
}

void add_delays(Text& text, const CreditDelays& delays) {
  text.family("credit_delay_seconds", "histogram", "Time from the insertion of a row to its credit.");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < CreditDelays::bounds.size(); ++i) {
    sum += delays.counts.at(i);
    text.sample(sum, std::string("le=\"").append(std::to_string(CreditDelays::bounds.at(i))).append("\""), "_bucket");
  }
  sum += delays.counts.back();
  text.sample(sum, "le=\"+Inf\"", "_bucket");
  text.sample(std::to_string(delays.seconds), {}, "_sum");
  text.sample(sum, {}, "_count");
}

void add_present(Text& text, const Metrics& metrics, bool outbox_halted) {
  text.family("in_flight", "gauge", "Commits that are under way.");
  text.sample(metrics.in_flight);
  text.family("breaker_open", "gauge", "1: one order alone is tried, after 20 failures in a row or at the start.");
  text.sample(metrics.breaker_closed ? 0 : 1);
  text.family("halted", "gauge", "What holds rows back: 1, or how many merchants are held.");
  text.sample(metrics.rate_limited || outbox_halted ? 1 : 0, "cause=\"rate_limit\"");
  text.sample(metrics.merchants_without_permission, "cause=\"permission\"");
  text.sample(metrics.merchants_doubted, "cause=\"merchant_id\"");
  text.sample(metrics.database_failing_since ? 1 : 0, "cause=\"database\"");
}

void add_observed(Text& text, const Observation& observed) {
  const Status& status = observed.status;
  text.family("rows", "gauge", "Rows of the outbox, by state.");
  text.sample(status.due, "state=\"due\"");
  text.sample(status.waiting, "state=\"waiting\"");
  text.sample(status.claimed, "state=\"claimed\"");
  text.family("dead_rows", "gauge", "Rows that were given up, by kind.");
  add_samples(text, "kind", status.dead);
  text.family("oldest_due_seconds", "gauge", "Since when the oldest due row is due.");
  text.sample(std::to_string(status.oldest_due_seconds));
  text.family("oldest_unsettled_seconds", "gauge", "Since when the oldest row that is not settled is there.");
  text.sample(std::to_string(status.oldest_unsettled_seconds));
  text.family("clock_offset_seconds", "gauge", "The clock of the database minus that of this machine.");
  text.sample(std::to_string(observed.health.clock_offset_seconds));
  if (!observed.health.oldest_transaction_seconds) return;
  text.family("oldest_transaction_seconds", "gauge", "For how long the oldest transaction of the database is open.");
  text.sample(std::to_string(*observed.health.oldest_transaction_seconds));
}

}  // namespace

void CreditDelays::add(std::chrono::milliseconds delay) {
  const double length = std::max(0.0, std::chrono::duration<double>(delay).count());
  const auto range = std::find_if(bounds.begin(), bounds.end(), [length](int bound) { return length <= bound; });
  ++counts.at(static_cast<std::size_t>(std::distance(bounds.begin(), range)));
  seconds += length;
}

std::string to_text(const Metrics& metrics, Metrics::Clock::time_point now) {
  const bool current = metrics.observed && now - metrics.observed->time <= longest_validity;
  Text text;
  add_counts(text, metrics);
  add_delays(text, metrics.credit_delays);
  add_present(text, metrics, current && metrics.observed->status.halted_seconds > 0);
  if (current) add_observed(text, *metrics.observed);
  return text.take();
}

std::string health_fault(const Metrics& metrics, Metrics::Clock::time_point start, Metrics::Clock::time_point now,
                         std::chrono::seconds limit) {
  const auto seconds_since = [now](Metrics::Clock::time_point then) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now - then).count()) + " s";
  };
  if (metrics.database_failing_since && now - *metrics.database_failing_since > limit) {
    return "the database has failed for " + seconds_since(*metrics.database_failing_since);
  }
  const auto observed_at = metrics.observed ? metrics.observed->time : start;
  if (now - observed_at > limit) return "the outbox could not be looked at for " + seconds_since(observed_at);
  if (!metrics.observed) return "";
  if (std::chrono::seconds(metrics.observed->status.oldest_due_seconds) <= limit + metrics.delay) return "";
  if (now - metrics.moved_at <= limit) return "";
  // This relay asks for rows, and other relays use up the shared rate.
  const auto rate_used = metrics.observed->status.rate_used_seconds;
  const bool waits_for_rate = metrics.has_rate && !metrics.calls_fail && rate_used && *rate_used <= limit.count();
  if (waits_for_rate && now - metrics.waited_for_rate_at <= limit) return "";
  return std::to_string(metrics.observed->status.due) + " rows are due, the oldest for " +
         std::to_string(metrics.observed->status.oldest_due_seconds) + " s, and for " +
         seconds_since(metrics.moved_at) + " none was claimed or settled" +
         (metrics.breaker_closed ? "" : ": calls fail, one at a time is tried");
}

}  // namespace wechatpay::bonus_commit::outbox
