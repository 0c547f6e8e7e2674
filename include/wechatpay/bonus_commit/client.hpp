/// The client: one commit on its way through all the stages. Read BonusCommitClient::start() and attempt() first.
#ifndef WECHATPAY_BONUS_COMMIT_CLIENT_HPP
#define WECHATPAY_BONUS_COMMIT_CLIENT_HPP

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "wechatpay/bonus_commit/answer.hpp"
#include "wechatpay/bonus_commit/body.hpp"
#include "wechatpay/bonus_commit/cancellation.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"
#include "wechatpay/bonus_commit/commit_call.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"
#include "wechatpay/bonus_commit/one_shot.hpp"
#include "wechatpay/bonus_commit/platform_keys.hpp"
#include "wechatpay/bonus_commit/request.hpp"
#include "wechatpay/bonus_commit/transport.hpp"

namespace wechatpay {

/// Of a commit under way. Copies stand for the same commit; to let go of them cancels nothing. Thread-safe.
class CommitHandle {
 public:
  CommitHandle() = default;

  /// Ends the commit as soon as that can be done: with its result where there is one by then, else with an error of
  /// kind `cancelled`, whose outcome says whether it may have been done. The callback runs, or the future becomes
  /// ready, as ever. At any time and from any thread; for a commit that has ended it does nothing.
  void cancel() const noexcept {
    if (cancellation_ != nullptr) cancellation_->request();
  }

 private:
  friend class BonusCommitClient;

  explicit CommitHandle(std::shared_ptr<Cancellation> cancellation) : cancellation_(std::move(cancellation)) {}

  std::shared_ptr<Cancellation> cancellation_;
};

/// What a CommitFuture and its call share.
struct CommitPromise {
  std::promise<CommitResult> result;
  OneShot ready;
};

/// A std::future that can cancel its commit, and says when it is ready. coroutine.hpp lets C++20 co_await it.
class CommitFuture : public std::future<CommitResult> {
 public:
  CommitFuture() = default;

  /// See CommitHandle::cancel().
  void cancel() const noexcept { handle_.cancel(); }

  /// For cancelling when the future itself is in other hands.
  const CommitHandle& handle() const noexcept { return handle_; }

  /// Has `listener` called once when the future becomes ready, where and as a callback would be: see
  /// BonusCommitClient::Callback. Returns false, and leaves `listener` alone, where it is ready already. The latest
  /// listener counts; it may destroy the future. Throws std::future_error (no_state) where valid() is false.
  [[nodiscard]] bool on_ready(std::function<void()>&& listener) const {
    if (!valid()) throw std::future_error(std::future_errc::no_state);
    const std::shared_ptr<CommitPromise> promise = promise_;  // *this may be gone before listen() returns
    return promise->ready.listen(listener);
  }

 private:
  friend class BonusCommitClient;

  CommitFuture(std::shared_ptr<CommitPromise> promise, std::future<CommitResult> base, CommitHandle handle)
      : std::future<CommitResult>(std::move(base)), promise_(std::move(promise)), handle_(std::move(handle)) {}

  std::shared_ptr<CommitPromise> promise_;
  CommitHandle handle_;
};

/// Commits bonus points. Make one at start-up, after any fork(), and share it: it is immutable, every member is
/// thread-safe, and copies share their connections.
///
/// A call's result comes from the transport, so it is the transport that a call lives in. When the last owner of the
/// transport lets go of it (with CurlTransport usually the last copy of the client), each call under way ends with an
/// error (`transport_failed`, TransportFault::shut_down); none is dropped in silence.
///
/// In a child process after fork(), a CurlTransport of the parent's sends nothing: a call ends with `misuse`, and a
/// call that was under way in the parent is the parent's alone. Make a client of its own there.
class BonusCommitClient {
 public:
  /// Runs on the transport's thread (with CurlTransport its one event loop, so be short), or on the calling thread
  /// before commit_async() returns if the call ends before it is sent. An exception that it throws is swallowed. It may
  /// destroy the client.
  using Callback = std::function<void(CommitResult)>;

  /// A client of `credentials` that believes `platform_keys` and sends through `transport`. Fails with
  /// `invalid_configuration` on a key store that is empty or holds the merchant's own certificate, and on an option
  /// that cannot work.
  static Result<BonusCommitClient> create(Credentials credentials, std::shared_ptr<const PlatformKeys> platform_keys,
                                          std::shared_ptr<Transport> transport, ClientOptions options = {});

  /// Commits and waits. CurlTransport may serve the call on this thread meanwhile: hooks then run here, and OpenSSL's
  /// error queue is emptied. Called from a callback or a hook, it would wait for itself: it is refused with `misuse`.
  CommitResult commit(const BonusCommitRequest& request) const;

  /// Commits; the future becomes ready on the transport's thread. Do not wait for it in a callback. Throws
  /// std::bad_alloc, and sends nothing, where there is no memory for the future itself.
  CommitFuture commit_async(const BonusCommitRequest& request) const;

  /// Commits, and calls `done` exactly once.
  CommitHandle commit_async(const BonusCommitRequest& request, Callback done) const;

 private:
  BonusCommitClient(std::shared_ptr<ClientSetup> setup, const std::shared_ptr<Transport>& transport)
      : setup_(std::move(setup)),
        access_(std::make_shared<TransportAccess>(transport)),
        owned_(transport.get(),
               [access = access_, transport](Transport*) mutable { access->let_go(std::move(transport)); }) {}

  CommitHandle begin(const BonusCommitRequest& request, Callback done, std::thread::id waiting_thread) const;
  static void start(const BonusCommitRequest& request, const std::shared_ptr<CommitCall>& call);
  static void attempt(const std::shared_ptr<CommitCall>& call, std::chrono::milliseconds pause);

  std::shared_ptr<ClientSetup> setup_;
  std::shared_ptr<TransportAccess> access_;
  std::shared_ptr<Transport> owned_;  ///< by all copies; the last one lets go of it as TransportAccess says
};

/// The way of a request: check, serialize; then, as often as it takes, the way of a try.
inline void BonusCommitClient::start(const BonusCommitRequest& request, const std::shared_ptr<CommitCall>& call) {
  call->out_trade_no = request.out_trade_no;
  if (auto faults = check(request); !faults.empty()) return call->end(invalid_request(std::move(faults)));

  auto body = serialize(request);
  if (!body) return call->end(std::move(body).error());
  call->path = request_path(request);
  call->body = *std::move(body);
  const auto pause = call->pace(std::chrono::milliseconds(0));
  if (!pause) return call->end(rate_limited());
  attempt(call, *pause);
}

/// The way of a try: sign, send; then verify, read, decide.
inline void BonusCommitClient::attempt(const std::shared_ptr<CommitCall>& call, std::chrono::milliseconds pause) {
  auto gone = [] {
    return transport_error(TransportFault::shut_down, Outcome::not_sent,
                           "the client was destroyed before the commit could be tried again");
  };
  if (call->transport().gone()) return call->fail(gone());
  auto request = call->sign(pause);
  if (!request) return call->fail(std::move(request).error());

  const int number = call->hand_over();
  const auto completion = [call, number](Result<HttpResponse> response) {
    if (!call->arrived(number)) return;
    call->run([&] {
      const TransferInfo transfer = response ? response->transfer : response.error().transfer;
      CommitResult result =
          response ? call->read(*response, call->verify(*response)) : CommitResult(std::move(response).error());
      const Decision next = call->decide(result, transfer);
      if (!next.again) return call->end(std::move(result));
      attempt(call, next.pause);
    });
  };
  const bool sent =
      call->transport().pass([&](Transport& transport) { transport.send(*std::move(request), completion); });
  if (!sent) completion(gone());
}

inline CommitHandle BonusCommitClient::begin(const BonusCommitRequest& request, Callback done,
                                             std::thread::id waiting_thread) const {
  std::shared_ptr<CommitCall> call;
  try {
    call = std::make_shared<CommitCall>(setup_, access_, std::move(done));
  } catch (...) {
    Error error;
    error.message = "out of memory";
    if (done) run_users_code([&] { done(std::move(error)); });
    return {};
  }
  call->waiting_thread = waiting_thread;
  call->run([&] { start(request, call); });
  return CommitHandle(call->cancellation());
}

inline CommitHandle BonusCommitClient::commit_async(const BonusCommitRequest& request, Callback done) const {
  return begin(request, std::move(done), {});
}

inline CommitFuture BonusCommitClient::commit_async(const BonusCommitRequest& request) const {
  const auto promise = std::make_shared<CommitPromise>();
  auto future = promise->result.get_future();
  auto handle = commit_async(request, [promise](CommitResult result) {
    promise->result.set_value(std::move(result));
    promise->ready.happen();
  });
  return {promise, std::move(future), std::move(handle)};
}

inline CommitResult BonusCommitClient::commit(const BonusCommitRequest& request) const {
  Error error;
  if (in_callback()) {
    error.kind = ErrorKind::misuse;
    error.message = "commit() was called from a callback, where it would wait for itself: use commit_async() there";
    return error;
  }
  const std::shared_ptr<Transport> keeps_it = owned_;  // the transport may be using this thread
  try {
    struct Wait {
      std::mutex mutex;
      std::condition_variable ended;
      std::optional<CommitResult> result;
    };
    const auto wait = std::make_shared<Wait>();
    const auto end = [wait](CommitResult result) {
      const std::lock_guard<std::mutex> lock(wait->mutex);
      wait->result = std::move(result);
      wait->ended.notify_one();
    };
    begin(request, end, std::this_thread::get_id());
    std::unique_lock<std::mutex> lock(wait->mutex);
    wait->ended.wait(lock, [&wait] { return wait->result.has_value(); });
    return *std::move(wait->result);
  } catch (const std::bad_alloc&) {
    error.message = "out of memory";
    return error;
  }
}

inline Result<BonusCommitClient> BonusCommitClient::create(Credentials credentials,
                                                           std::shared_ptr<const PlatformKeys> platform_keys,
                                                           std::shared_ptr<Transport> transport,
                                                           ClientOptions options) {
  if (transport == nullptr) return configuration_error("transport is null: CurlTransport::create() makes one");
  if (platform_keys == nullptr || platform_keys->announced().empty()) {
    return configuration_error(
        "there are no platform keys, so no answer could be verified: add pub_key.pem with its id "
        "(PlatformKeys::add_public_key_file) or a platform certificate (add_certificate_file)");
  }
  if (platform_keys->find(credentials.serial_no()) != nullptr) {
    return configuration_error("the platform keys hold the serial number " + credentials.serial_no() +
                               ", which is that of the merchant's own certificate (apiclient_cert.pem): WeChat Pay's "
                               "is wechatpay_<serial>.pem, or pub_key.pem");
  }
  if (auto error = check_options(options)) return *std::move(error);
  return BonusCommitClient(
      std::make_shared<ClientSetup>(std::move(credentials), std::move(platform_keys), std::move(options)), transport);
}

}  // namespace wechatpay

#endif
