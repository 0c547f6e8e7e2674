/// An EventLoop with poll(2) that a test runs for as long as it wants.
#ifndef WECHATPAY_TESTS_POLLING_LOOP_HPP
#define WECHATPAY_TESTS_POLLING_LOOP_HPP

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/event_loop.hpp"

namespace wechatpay::bonus_commit {

class PollingLoop final : public EventLoop {
 public:
  PollingLoop() {
    if (::pipe(pipe_) != 0) throw std::runtime_error("no pipe");
  }
  ~PollingLoop() override {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }

  void post(std::function<void()> task) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    if (::write(pipe_[1], "x", 1) != 1) throw std::runtime_error("the pipe is full");
  }

  void watch(Socket socket, bool reading, bool writing, Ready ready) override {
    if (!reading && !writing) {
      watched_.erase(static_cast<int>(socket));
    } else {
      watched_[static_cast<int>(socket)] = {static_cast<short>((reading ? POLLIN : 0) | (writing ? POLLOUT : 0)),
                                            ready};
    }
  }

  void set_timer(std::chrono::milliseconds delay, std::function<void()> expired) override {
    expired_ = std::move(expired);
    due_ = Clock::now() + delay;
  }

  /// Handles events until `done` returns true. Checks `done` after each round of events. Throws after a minute.
  template <typename Done>
  void run_until(const Done& done) {
    const auto end = Clock::now() + std::chrono::minutes(1);
    while (!done()) {
      if (Clock::now() >= end) throw std::runtime_error("what the loop runs for has not come within a minute");
      serve(end);
    }
  }

  std::size_t watched() const { return watched_.size(); }
  bool has_timer() const { return expired_ != nullptr; }
  std::size_t rounds() const { return rounds_; }  ///< how often it has woken up

 private:
  using Clock = std::chrono::steady_clock;

  struct Watched {
    short events;
    Ready ready;
  };

  void serve(Clock::time_point end) {
    ++rounds_;
    std::vector<pollfd> sockets{{pipe_[0], POLLIN, 0}};
    for (const auto& one : watched_) sockets.push_back({one.first, one.second.events, 0});
    ::poll(sockets.data(), sockets.size(), timeout(end));
    if (sockets[0].revents != 0) run_tasks();
    for (std::size_t i = 1; i < sockets.size(); ++i) {
      const auto at = watched_.find(sockets[i].fd);
      if (sockets[i].revents == 0 || at == watched_.end()) continue;
      const Ready ready = at->second.ready;
      const bool failed = (sockets[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
      ready(failed || (sockets[i].revents & POLLIN) != 0, failed || (sockets[i].revents & POLLOUT) != 0);
    }
    if (expired_ != nullptr && Clock::now() >= due_) std::exchange(expired_, nullptr)();
  }

  int timeout(Clock::time_point end) const {
    const auto next = expired_ == nullptr ? end : std::min(due_, end);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left);
  }

  void run_tasks() {
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      tasks.swap(tasks_);
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        char byte = 0;
        if (::read(pipe_[0], &byte, 1) != 1) throw std::runtime_error("the pipe is empty");
      }
    }
    for (const auto& task : tasks) task();
  }

  int pipe_[2];
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
  std::map<int, Watched> watched_;
  std::function<void()> expired_;
  Clock::time_point due_{};
  std::size_t rounds_ = 0;
};

}  // namespace wechatpay::bonus_commit

#endif
