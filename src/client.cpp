// What a client offers. src/commit_attempts.cpp has a commit's way through all the stages.
#include "wechatpay/bonus_commit/client.hpp"

#include <memory>
#include <new>
#include <utility>

#include "src/client_options.hpp"
#include "src/commit_call.hpp"
#include "src/commit_promise.hpp"
#include "src/own_key.hpp"
#include "src/thread_cancellation.hpp"
#include "src/users_code.hpp"

namespace wechatpay {
namespace {

/// The error of a call for which there is no memory.
Error out_of_memory(Outcome outcome) {
  Error error;
  error.outcome = outcome;
  error.message = "out of memory";
  return error;
}

}  // namespace

/// With `stop`, that is what ends the call early besides `options`.
void BonusCommitClient::begin(const BonusCommitRequest& request, Callback done, const CallOptions& options,
                              bool has_place, const StopSource* stop) const {
  const NoThreadCancellation whole;
  const auto refuse = [&done](Error error) {
    run_users_code([&] {
      if (done) done(std::move(error));
      done = nullptr;
    });
  };
  if (open_->core->in_child()) {
    return refuse(misuse("the client was made before fork() and this is the child: make one of its own here"));
  }
  std::shared_ptr<CommitCall> call;
  try {
    call = std::make_shared<CommitCall>(open_->core, std::move(done), options, stop != nullptr ? *stop : StopSource());
  } catch (const std::bad_alloc&) {
    return refuse(out_of_memory(Outcome::not_sent));
  }
  call->start(request, has_place);
}

void BonusCommitClient::commit_async(const BonusCommitRequest& request, Callback done,
                                     const CallOptions& options) const {
  begin(request, std::move(done), options, false, nullptr);
}

CommitFuture BonusCommitClient::commit_async(const BonusCommitRequest& request, const CallOptions& options) const {
  const auto promise = std::make_shared<CommitPromise>();
  CommitFuture future(promise);
  Callback done = [promise](CommitResult result) { promise->set(std::move(result)); };
  begin(request, std::move(done), options, false, &promise->stop);
  return future;
}

CommitResult BonusCommitClient::commit(const BonusCommitRequest& request, const CallOptions& options) const {
  if (in_callback()) {
    return misuse(
        "commit() was called from a callback, a hook or another function that the library calls, where it would wait "
        "for itself: use commit_async() there");
  }
  const NoThreadCancellation whole;
  try {
    // The last use of *this: another thread may destroy the client while this one waits.
    return commit_async(request, options).get();
  } catch (const std::bad_alloc&) {
    return out_of_memory(Outcome::not_sent);
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
  auto setup = std::make_unique<ClientSetup>(std::move(credentials), std::move(platform_keys), std::move(options));
  auto core = std::make_shared<ClientCore>(std::move(setup), std::move(transport));
  return BonusCommitClient(std::make_shared<OpenClient>(std::move(core)));
}

}  // namespace wechatpay
