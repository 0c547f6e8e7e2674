#include "src/testing/connection_threads.hpp"

#include <sys/socket.h>

#include <chrono>
#include <system_error>

#include "src/testing/connection.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

/// State of the connection that the calling thread serves.
thread_local bool is_being_answered = false;
thread_local bool ends_after_answer = false;
thread_local std::size_t bytes_left = 0;

constexpr std::size_t largest_head = 128U << 10U;
constexpr std::size_t most_after_head = 8U << 20U;

void begin_head() {
  is_being_answered = false;
  bytes_left = largest_head;
}

/// A limit for each connection: cpp-httplib reads headers and the lines between chunks without a limit.
long on_bytes(BIO* /*bio*/, int operation, const char* /*bytes*/, std::size_t /*size*/, int /*number*/,
              long /*argument*/, int result, std::size_t* processed) {
  if (operation != (BIO_CB_READ | BIO_CB_RETURN) || result <= 0) return result;
  if (*processed <= bytes_left) {
    bytes_left -= *processed;
    return result;
  }
  bytes_left = 0;
  *processed = 0;
  return -1;
}

}  // namespace

void WaitingConnections::watch(SSL_CTX* context) {
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_info_callback(context, on_handshake);
}

int WaitingConnections::index_of_self() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, on_free);
  return index;
}

void WaitingConnections::on_handshake(const SSL* ssl, int where, int /*result*/) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0 || SSL_get_ex_data(ssl, index_of_self()) != nullptr) return;
  auto* const self = static_cast<WaitingConnections*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  SSL_set_ex_data(const_cast<SSL*>(ssl), index_of_self(), self);
  note_connection(const_cast<SSL*>(ssl));
  BIO_set_callback_ex(SSL_get_rbio(ssl), on_bytes);
  begin_head();
  ends_after_answer = false;
  self->add(ssl);
}

/// OpenSSL calls this before the socket is closed. So no stored socket can belong to a newer connection.
void WaitingConnections::on_free(void* ssl, void* self, CRYPTO_EX_DATA* /*data*/, int /*index*/, long /*number*/,
                                 void* /*pointer*/) {
  if (self != nullptr) static_cast<WaitingConnections*>(self)->remove(static_cast<SSL*>(ssl));
}

void WaitingConnections::add(const SSL* ssl) {
  remove(ssl);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closing_) ::shutdown(SSL_get_fd(ssl), SHUT_RDWR);
  by_turn_[++turn_] = SSL_get_fd(ssl);
  turns_[ssl] = turn_;
}

void WaitingConnections::remove(const SSL* ssl) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = turns_.find(ssl);
  if (found == turns_.end()) return;
  by_turn_.erase(found->second);
  turns_.erase(found);
}

void WaitingConnections::end_of_head() { bytes_left = most_after_head; }

void WaitingConnections::answering() {
  is_being_answered = true;
  remove(noted_connection());
}

void WaitingConnections::answered() {
  add(noted_connection());
  begin_head();
  if (ends_after_answer) end_connection();
}

bool WaitingConnections::is_answering() { return is_being_answered; }

void WaitingConnections::end_after_answer() { ends_after_answer = true; }

bool WaitingConnections::ends() { return ends_after_answer; }

void WaitingConnections::close_longest() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (by_turn_.empty()) return;
  ::shutdown(by_turn_.begin()->second, SHUT_RDWR);
  by_turn_.erase(by_turn_.begin());
}

void WaitingConnections::close_all() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closing_ = true;
  for (const auto& [turn, socket] : by_turn_) ::shutdown(socket, SHUT_RDWR);
}

ConnectionThreads::Enqueued ConnectionThreads::enqueue(std::function<void()> connection) {
  std::unique_lock<std::mutex> lock(mutex_);
  connections_.push_back(std::move(connection));
  if (connections_.size() > idle_ && threads_.size() < most_) {
    try {
      threads_.emplace_back([this] { work(); });
      return Enqueued(true);
    } catch (const std::system_error&) {
      most_ = threads_.size();  // the system allows no more threads
    }
  }
  work_.notify_one();
  while (connections_.size() > idle_) {
    close_one_();
    taken_.wait_for(lock, std::chrono::milliseconds(20), [this] { return connections_.size() <= idle_; });
  }
  return Enqueued(true);
}

void ConnectionThreads::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    ++idle_;
    taken_.notify_one();
    work_.wait(lock, [this] { return !connections_.empty() || ending_; });
    --idle_;
    if (connections_.empty()) return;
    const std::function<void()> connection = std::move(connections_.front());
    connections_.pop_front();
    lock.unlock();
    connection();
    lock.lock();
  }
}

void ConnectionThreads::shutdown() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
