// One run of `pipe`: orders from a stream through a client, and what became of each onto another stream.
#ifndef WECHATPAY_SRC_TOOL_PIPE_RUN_HPP
#define WECHATPAY_SRC_TOOL_PIPE_RUN_HPP

#include <wechatpay/bonus_commit.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iosfwd>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "line_reader.hpp"
#include "src/outbox/breaker.hpp"

namespace wechatpay::bonus_commit::tool {

struct PipeOptions {
  BonusCommitRequest defaults{};
  std::size_t max_in_flight = 64;
  double rate = 0;  ///< requests a second; 0: no limit
};

/// Something to read on a descriptor, once wake() was called.
class WakeDescriptor {
 public:
  WakeDescriptor();
  WakeDescriptor(const WakeDescriptor&) = delete;
  WakeDescriptor& operator=(const WakeDescriptor&) = delete;
  ~WakeDescriptor();
  int descriptor() const { return ends_[0]; }
  void wake() const;

 private:
  int ends_[2] = {-1, -1};
};

/// It reads no further line while `max_in_flight` orders are under way or their results are not yet written, so that
/// whoever feeds it is held back. Every line that it has read gets one line of answer, unless nobody reads those.
class PipeRun {
 public:
  /// `lines` end when `ending` is woken. `interruption`: a descriptor that is readable when the run is to end; -1:
  /// none. All of them must outlive this, which must outlive the client of run().
  PipeRun(const PipeOptions& options, LineReader lines, const WakeDescriptor& ending, int interruption,
          std::ostream& output);

  /// Returns the exit status, after all calls have ended.
  int run(const BonusCommitClient& client);

 private:
  using Clock = std::chrono::steady_clock;
  using Json = nlohmann::ordered_json;

  /// A result whose line is to be written; the place in flight is free when it is.
  struct Answer {
    Json id;
    CommitResult result;
  };

  void read(const BonusCommitClient& client);
  bool wait_for_place();
  void take(Json id, const CommitResult& result);
  void note(const CommitResult& result);
  void write();
  void watch_interruption();
  void end(const std::string& why);
  int report();

  const PipeOptions& options_;
  LineReader lines_;
  const WakeDescriptor& ending_;
  const int interruption_;
  std::ostream& output_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // With the mutex:
  outbox::Breaker breaker_;
  Clock::time_point halted_until_ = Clock::time_point::min();
  std::deque<Answer> answers_;
  std::size_t in_flight_ = 0;  ///< calls, and answers that are not yet written
  bool ending_early_ = false;
  bool over_ = false;  ///< no call will be made any more
  std::string why_;    ///< what is wrong for every order, or with the streams
  // The writer's, and after it the one's that reports:
  std::map<std::string, std::uint64_t> counts_;  ///< of answers, by their result
};

}  // namespace wechatpay::bonus_commit::tool

#endif
