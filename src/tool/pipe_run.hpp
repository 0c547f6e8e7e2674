// One run of `pipe`: reads orders from a stream, commits them with a client, and writes the result of each to another
// stream.
#ifndef WECHATPAY_SRC_TOOL_PIPE_RUN_HPP
#define WECHATPAY_SRC_TOOL_PIPE_RUN_HPP

#include <wechatpay/bonus_commit.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <list>
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

/// A descriptor that becomes readable after wake() is called.
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

/// Reads no further line while `max_in_flight` orders are in progress or wait for their results to be written. This
/// applies backpressure to the writer of the input. Each line that was read gets one line of answer, unless the output
/// has been closed.
class PipeRun {
 public:
  /// `lines` end when `ending` is woken. `interruption`: a descriptor that becomes readable when the run is to end; -1:
  /// none. The arguments must outlive this object, and this object must outlive the client of run().
  PipeRun(const PipeOptions& options, LineReader lines, const WakeDescriptor& ending, int interruption,
          std::ostream& output);

  /// Returns the exit status, after all calls have ended.
  int run(const BonusCommitClient& client);

 private:
  using Clock = std::chrono::steady_clock;
  using Json = nlohmann::ordered_json;

  /// A result to write. Its place in flight becomes free once it is written.
  struct Answer {
    Json id;
    CommitResult result;
  };
  using Answers = std::list<Answer>;  ///< made before the call, so that its end needs no memory

  void read(const BonusCommitClient& client);
  bool wait_for_place();
  void take(Answers& answer);
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
  // Guarded by the mutex:
  outbox::Breaker breaker_;
  Clock::time_point halted_until_ = Clock::time_point::min();
  Answers answers_;
  std::size_t in_flight_ = 0;  ///< calls in progress, and answers that are not written yet
  bool ending_early_ = false;
  bool over_ = false;  ///< no more calls will be made
  std::string why_;    ///< a problem that affects every order, or a problem with the streams
  // Used by the writer's thread, and after it ends by the thread that reports:
  std::map<std::string, std::uint64_t> counts_;  ///< the number of answers, by result
};

}  // namespace wechatpay::bonus_commit::tool

#endif
