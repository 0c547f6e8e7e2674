/// The threads and connections of the sandbox's server, which cpp-httplib makes without limit.
#ifndef WECHATPAY_SRC_TESTING_CONNECTION_THREADS_HPP
#define WECHATPAY_SRC_TESTING_CONNECTION_THREADS_HPP

#include <httplib.h>
#include <openssl/ssl.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Knows which connections wait for a request, or for the rest of one, and for how long. Must outlive the server.
/// Thread-safe.
class WaitingConnections {
 public:
  /// Before the server accepts anything.
  void watch(SSL_CTX* context);

  /// The headers of the request on the calling thread's connection are read. More than 128 KiB before that close it,
  /// and more than 8 MiB from then on to the next request.
  static void end_of_head();

  /// For the connection that the calling thread serves: it is not closed for others from answering() to answered().
  void answering();
  void answered();

  /// Whether the calling thread is between the two.
  static bool is_answering();

  /// Answers no more on this connection once answered() is called; what the client still sends is read and dropped.
  static void end_after_answer();

  static bool ends();

  /// Closes the connection that has waited longest. Nothing happens where none waits.
  void close_longest();

  /// So that a server which ends need not wait for them, nor for those that come later.
  void close_all();

 private:
  static void on_handshake(const SSL* ssl, int where, int result);
  static void on_free(void* ssl, void* self, CRYPTO_EX_DATA* data, int index, long number, void* pointer);
  static int index_of_self();
  void add(const SSL* ssl);
  void remove(const SSL* ssl);

  std::mutex mutex_;
  bool closing_ = false;
  std::uint64_t turn_ = 0;
  std::map<std::uint64_t, int> by_turn_;  ///< the socket
  std::map<const SSL*, std::uint64_t> turns_;
};

/// A thread for each connection, up to `most`. While all are taken, one more waits, and `close_one` is called for a
/// place. Threads are made when they are needed.
class ConnectionThreads : public httplib::TaskQueue {
 public:
  ConnectionThreads(std::function<void()> close_one, std::size_t most)
      : close_one_(std::move(close_one)), most_(most) {}

  /// Nothing, or whether it was taken, according to cpp-httplib's version.
  using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue(std::function<void()>()));
  Enqueued enqueue(std::function<void()> connection) override;

  void shutdown() override;

 private:
  void work();

  const std::function<void()> close_one_;
  std::size_t most_;  ///< the accepting thread's, as the next
  std::vector<std::thread> threads_;
  std::mutex mutex_;  ///< guards the rest
  std::condition_variable work_;
  std::condition_variable taken_;
  std::deque<std::function<void()>> connections_;
  std::size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
