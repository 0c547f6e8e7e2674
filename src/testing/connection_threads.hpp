/// Limits the threads and connections of the sandbox's server; cpp-httplib does not.
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

/// Knows which connections wait for a request, or for the rest of a request, and for how long. Must outlive the server.
/// Thread-safe.
class WaitingConnections {
 public:
  /// Call before the server accepts connections.
  void watch(SSL_CTX* context);

  /// Call when the headers of the request on the calling thread's connection have been read. A connection is closed
  /// after more than 128 KiB before this call, and after more than 8 MiB between it and the next request.
  static void end_of_head();

  /// For the connection of the calling thread: from answering() until answered(), it is not closed in favour of others.
  void answering();
  void answered();

  /// Whether the calling thread is between answering() and answered().
  static bool is_answering();

  /// After answered(), no more requests on this connection are answered; what the client still sends is read and
  /// dropped.
  static void end_after_answer();

  static bool ends();

  /// Closes the connection that has waited longest. Does nothing if none waits.
  void close_longest();

  /// Closes all waiting connections, and later ones too, so that the server need not wait for them when it ends.
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
  std::map<std::uint64_t, int> by_turn_;  ///< the value is the socket
  std::map<const SSL*, std::uint64_t> turns_;
};

/// One thread per connection, up to `most`. If all are busy, one more connection waits, and `close_one` is called to
/// free a thread. Threads are started when they are needed.
class ConnectionThreads : public httplib::TaskQueue {
 public:
  ConnectionThreads(std::function<void()> close_one, std::size_t most)
      : close_one_(std::move(close_one)), most_(most) {}

  /// The return type depends on cpp-httplib's version: void, or whether the connection was accepted.
  using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue(std::function<void()>()));
  Enqueued enqueue(std::function<void()> connection) override;

  void shutdown() override;

 private:
  void work();

  const std::function<void()> close_one_;
  std::size_t most_;  ///< used by the accepting thread, like the next member
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
