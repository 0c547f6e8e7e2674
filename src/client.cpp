// A commit's way through all the stages: read start() and attempt() first.
#include "wechatpay/bonus_commit/client.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "src/commit_call.hpp"
#include "src/own_key.hpp"
#include "wechatpay/bonus_commit/body.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {
namespace {

void attempt(const std::shared_ptr<CommitCall>& call, std::chrono::milliseconds pause);

/// The way of a request: check, serialize; then, as often as it takes, the way of a try.
void start(const BonusCommitRequest& request, const std::shared_ptr<CommitCall>& call) {
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
void attempt(const std::shared_ptr<CommitCall>& call, std::chrono::milliseconds pause) {
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

/// An error of kind `invalid_configuration` that names the first option that cannot work; nothing where all can.
std::optional<Error> check_options(const ClientOptions& options) {
  if (options.origins.empty()) return configuration_error("ClientOptions::origins is empty: give one host at least");
  for (const std::string_view origin : options.origins) {
    if (origin.substr(0, 8) != "https://" || origin.size() == 8 ||
        origin.find_first_of("/?#@ \\", 8) != std::string_view::npos || has_control_character(origin)) {
      return configuration_error(
          "ClientOptions::origins must be https://host or https://host:port each" +
          (origin.find('@') == std::string_view::npos ? ", not " + printable(origin) : ", without a user"));
    }
  }
  if (options.deadline <= std::chrono::milliseconds(0) || options.deadline > std::chrono::minutes(4)) {
    return configuration_error("ClientOptions::deadline must be more than 0 ms and at most 4 minutes");
  }
  const RetryOptions& retry = options.retry;
  if (retry.max_tries < 1 || retry.try_timeout <= std::chrono::milliseconds(0) ||
      retry.first_backoff < std::chrono::milliseconds(0) || retry.longest_backoff < retry.first_backoff ||
      retry.cool_down < std::chrono::milliseconds(0) || retry.try_timeout > std::chrono::hours(24) ||
      retry.longest_backoff > std::chrono::hours(24) || retry.cool_down > std::chrono::hours(24)) {
    return configuration_error(
        "ClientOptions::retry wants 1 try or more, a try_timeout of more than 0 ms, pauses of 0 ms or more, all of "
        "them 24 h at most, and a longest_backoff that is not less than first_backoff");
  }
  const RateLimit& limit = options.rate_limit;
  // So written, it refuses what is not a number, too.
  if (!(limit.per_second == 0 || (limit.per_second >= 0.001 && limit.per_second <= 1e6)) || limit.burst < 1 ||
      limit.burst > 1000000 || limit.longest_halt < std::chrono::milliseconds(0) ||
      limit.longest_halt > std::chrono::hours(24)) {
    return configuration_error(
        "ClientOptions::rate_limit wants 0.001 to 1000000 requests per second, or 0 for no limit, a burst of 1 to "
        "1000000, and a longest_halt from 0 ms to 24 h");
  }
  bool known_language = options.accept_language.empty();
  for (const char* language : {"zh-CN", "en", "zh-HK", "zh-TW"}) {
    known_language = known_language || options.accept_language == language;
  }
  if (!known_language) {
    return configuration_error("ClientOptions::accept_language must be zh-CN, en, zh-HK or zh-TW, not " +
                               printable(options.accept_language));
  }
  if (!options.clock || !options.steady_clock || !options.random || !options.nonce) {
    return configuration_error("ClientOptions::clock, steady_clock, random and nonce must be callable");
  }
  return std::nullopt;
}

}  // namespace

BonusCommitClient::BonusCommitClient(std::shared_ptr<ClientSetup> setup, const std::shared_ptr<Transport>& transport)
    : setup_(std::move(setup)),
      access_(std::make_shared<TransportAccess>(transport)),
      owned_(transport.get(),
             [access = access_, transport](Transport*) mutable { access->let_go(std::move(transport)); }) {}

CommitHandle BonusCommitClient::begin(const BonusCommitRequest& request, Callback done,
                                      std::shared_ptr<WaitingCaller> waiting_caller) const {
  std::shared_ptr<CommitCall> call;
  try {
    call = std::make_shared<CommitCall>(setup_, access_, std::move(done));
  } catch (...) {
    Error error;
    error.message = "out of memory";
    if (done) run_users_code([&] { done(std::move(error)); });
    return {};
  }
  call->waiting_caller = std::move(waiting_caller);
  call->run([&] { start(request, call); });
  return CommitHandle(call->cancellation());
}

CommitHandle BonusCommitClient::commit_async(const BonusCommitRequest& request, Callback done) const {
  return begin(request, std::move(done), nullptr);
}

CommitFuture BonusCommitClient::commit_async(const BonusCommitRequest& request) const {
  const auto promise = std::make_shared<CommitPromise>();
  auto future = promise->result.get_future();
  auto handle = commit_async(request, [promise](CommitResult result) {
    promise->result.set_value(std::move(result));
    promise->ready.happen();
  });
  return {promise, std::move(future), std::move(handle)};
}

CommitResult BonusCommitClient::commit(const BonusCommitRequest& request) const {
  Error error;
  if (in_callback()) {
    error.kind = ErrorKind::misuse;
    error.message = "commit() was called from a callback, where it would wait for itself: use commit_async() there";
    return error;
  }
  try {
    struct Wait {
      std::mutex mutex;
      std::condition_variable ended;
      std::optional<CommitResult> result;
    };
    const auto wait = std::make_shared<Wait>();
    const auto caller = std::make_shared<WaitingCaller>();
    const auto end = [wait](CommitResult result) {
      const std::lock_guard<std::mutex> lock(wait->mutex);
      wait->result = std::move(result);
      wait->ended.notify_one();
    };
    begin(request, end, caller);  // the last use of *this: another thread may destroy the client while this one waits
    if (caller->work) caller->work();
    std::unique_lock<std::mutex> lock(wait->mutex);
    wait->ended.wait(lock, [&wait] { return wait->result.has_value(); });
    return *std::move(wait->result);
  } catch (const std::bad_alloc&) {
    error.message = "out of memory";
    return error;
  }
}

Result<BonusCommitClient> BonusCommitClient::create(Credentials credentials,
                                                    std::shared_ptr<const PlatformKeys> platform_keys,
                                                    std::shared_ptr<Transport> transport, ClientOptions options) {
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
  if (const std::string serial = serial_of_own_key(credentials, *platform_keys); !serial.empty()) {
    return configuration_error("the platform key " + serial +
                               " is the merchant's own public key, under which no answer verifies: WeChat Pay's is in "
                               "pub_key.pem, downloaded on the merchant platform");
  }
  if (auto error = check_options(options)) return *std::move(error);
  return BonusCommitClient(
      std::make_shared<ClientSetup>(std::move(credentials), std::move(platform_keys), std::move(options)), transport);
}

}  // namespace wechatpay
