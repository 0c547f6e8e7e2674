#include "progress.hpp"

#include <algorithm>
#include <cmath>

namespace wechatpay::bonus_commit::tool {

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string counted(std::uint64_t number, const char* one, const char* several) {
  return with_commas(number) + " " + (number == 1 ? one : several);
}

std::string as_time(std::uint64_t seconds) {
  const auto two = [](std::uint64_t number) {
    return std::string(number < 10 ? 1 : 0, '0').append(std::to_string(number));
  };
  const std::string minutes_and_seconds = two(seconds % 60);
  if (seconds < 3600) return std::to_string(seconds / 60) + ":" + minutes_and_seconds;
  return std::to_string(seconds / 3600) + ":" + two(seconds / 60 % 60) + ":" + minutes_and_seconds;
}

namespace {

std::string cut(std::string text, int width) {
  if (width > 0 && text.size() >= static_cast<std::size_t>(width)) text.resize(static_cast<std::size_t>(width) - 1);
  return text;
}

}  // namespace

std::string Progress::line(const Totals& totals, int width) {
  recent_.push_back(totals);
  const auto oldest = totals.time - std::chrono::seconds(10);
  while (recent_.size() > 2 && recent_.front().time < oldest) recent_.pop_front();
  const Totals& then = recent_.front();
  const double seconds = std::chrono::duration<double>(totals.time - then.time).count();
  const double rate = seconds > 0 ? static_cast<double>(totals.done - then.done) / seconds : 0;
  const double bytes_per_second = seconds > 0 ? static_cast<double>(totals.bytes - then.bytes) / seconds : 0;

  std::string text = with_commas(totals.done) + " done, " + with_commas(totals.failed) + " failed";
  if (totals.skipped > 0) text += ", " + with_commas(totals.skipped) + " skipped";
  text += "  " + with_commas(static_cast<std::uint64_t>(std::llround(rate))) + "/s";
  if (totals.bytes_in_all == 0) return cut(text, width);

  const double part = std::min(1.0, static_cast<double>(totals.bytes) / static_cast<double>(totals.bytes_in_all));
  const std::string percent = std::to_string(static_cast<int>(100 * part)) + " %  ";
  if (bytes_per_second > 0) {
    const auto left = static_cast<double>(totals.bytes_in_all - std::min(totals.bytes_in_all, totals.bytes));
    text += "  " + as_time(static_cast<std::uint64_t>(std::llround(left / bytes_per_second))) + " left";
  }
  text.insert(0, percent);
  const int room = std::min(40, width - static_cast<int>(text.size()) - 4);
  if (room < 10) return cut(text, width);
  const auto filled = static_cast<std::size_t>(part * room);
  std::string bar(1, '[');
  bar.append(filled, '#').append(static_cast<std::size_t>(room) - filled, '.').append("] ").append(text);
  return bar;
}

std::string RelayProgress::line(const outbox::Metrics& metrics, std::chrono::steady_clock::time_point now, int width) {
  const std::uint64_t credited = metrics.settled.done;
  recent_.emplace_back(now, credited);
  const auto oldest = now - std::chrono::seconds(10);
  while (recent_.size() > 2 && recent_.front().first < oldest) recent_.pop_front();
  const double seconds = std::chrono::duration<double>(now - recent_.front().first).count();
  const double rate = seconds > 0 ? static_cast<double>(credited - recent_.front().second) / seconds : 0;
  std::string text = with_commas(credited) + " credited";
  if (metrics.settled.dead > 0) text += ", " + with_commas(metrics.settled.dead) + " dead";
  text += "  " + with_commas(static_cast<std::uint64_t>(std::llround(rate))) + "/s  ";
  text += with_commas(metrics.in_flight) + " in progress";
  if (metrics.database_failing_since) {
    text += "  database errors";
  } else if (metrics.rate_limited) {
    text += "  halted after a 429";
  } else if (!metrics.breaker_closed) {
    text += "  one call at a time until one succeeds";
  }
  return cut(text, width);
}

}  // namespace wechatpay::bonus_commit::tool
