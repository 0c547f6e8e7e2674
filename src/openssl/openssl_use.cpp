#include "src/openssl/openssl_use.hpp"

#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#if !defined(_WIN32)
#include <pthread.h>
#endif

WECHATPAY_BONUS_COMMIT_BEGIN

namespace {

std::atomic<bool> ending{false};
std::atomic<int> users{0};

void wait_for_users() {
  ending = true;
  while (users > 0) std::this_thread::yield();
}

/// Initializes OpenSSL first, so that its exit handlers run after wait_for_users().
bool watch_process() {
  OPENSSL_init_crypto(0, nullptr);
#if !defined(_WIN32)
  pthread_atfork(nullptr, nullptr, [] { users = 0; });  // the other threads do not exist in the child
#endif
  return std::atexit(wait_for_users) == 0;
}

}  // namespace

OpensslUse::OpensslUse() noexcept {
  static const bool watched = watch_process();
  static_cast<void>(watched);
  ++users;
  possible_ = !ending;
}

OpensslUse::~OpensslUse() { --users; }

WECHATPAY_BONUS_COMMIT_END
