#ifndef WECHATPAY_BONUS_COMMIT_IMPL_CLIENT_IPP
#define WECHATPAY_BONUS_COMMIT_IMPL_CLIENT_IPP

#include "wechatpay/bonus_commit/client.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wechatpay/bonus_commit/curl_transport.hpp"
#include "wechatpay/bonus_commit/impl/check_options.hpp"
#include "wechatpay/bonus_commit/impl/commit_call.hpp"
#include "wechatpay/bonus_commit/impl/commit_promise.hpp"
#include "wechatpay/bonus_commit/impl/own_key.hpp"
#include "wechatpay/bonus_commit/impl/system.hpp"
#include "wechatpay/bonus_commit/impl/users_code.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

namespace stages {

/// Why `credentials` and `platform_keys` cannot be used together.
WECHATPAY_BONUS_COMMIT_DECL std::optional<Error> check_keys(const Credentials& credentials,
                                                            const PlatformKeys& platform_keys) {
  if (platform_keys.announced().empty()) {
    return configuration_error(
        "there are no platform keys, so no answer could be verified: add pub_key.pem with its id "
        "(PlatformKeys::add_public_key_file) or a platform certificate (add_certificate_file)");
  }
  const std::vector<std::string> serials = platform_keys.serials();
  if (std::find(serials.begin(), serials.end(), credentials.serial_no()) != serials.end()) {
    return configuration_error("the platform keys hold the serial number " + credentials.serial_no() +
                               ", which is that of the merchant's own certificate (apiclient_cert.pem): WeChat Pay's "
                               "is wechatpay_<serial>.pem, or pub_key.pem");
  }
  if (const std::string serial = serial_of_own_key(credentials, platform_keys); !serial.empty()) {
    return configuration_error("the platform key " + serial +
                               " is the merchant's own public key, under which no answer verifies: WeChat Pay's is in "
                               "pub_key.pem, downloaded on the merchant platform");
  }
  return std::nullopt;
}

/// They contain a Signer, whose destructor may be the user's code.
WECHATPAY_BONUS_COMMIT_DECL std::shared_ptr<const Credentials> shared(Credentials credentials) {
  auto owned = std::make_unique<const Credentials>(std::move(credentials));
  return {owned.release(), [](const Credentials* ended) { run_users_code([ended] { delete ended; }); }};
}

WECHATPAY_BONUS_COMMIT_DECL BonusCommitClient::Callback fulfilling(std::shared_ptr<CommitPromise> promise) {
  return [promise = std::move(promise)](CommitResult result) { promise->set(std::move(result)); };
}

}  // namespace stages

/// `promise` is the one that `done` refers to, or null.
WECHATPAY_BONUS_COMMIT_DECL void BonusCommitClient::begin(const BonusCommitRequest& request, Callback done,
                                                          const CallOptions& options, bool has_place,
                                                          const std::shared_ptr<stages::CommitPromise>& promise) const {
  const stages::NoThreadCancellation whole;
  const auto refuse = [&done](Error error) {
    stages::run_users_code([&] {
      Callback last = std::move(done);  // what it holds is destroyed here, even if it throws
      if (last) last(std::move(error));
    });
  };
  if (open_ == nullptr) return refuse(stages::misuse("the client was moved from: call the one that it was moved to"));
  if (open_->core->in_child()) {
    return refuse(stages::misuse("the client was made before fork() and this is the child: make one of its own here"));
  }
  std::shared_ptr<stages::CommitCall> call;
  try {
    call = std::make_shared<stages::CommitCall>(open_->core, std::move(done), options, promise);
  } catch (const std::bad_alloc&) {
    return refuse(stages::out_of_memory(Outcome::not_sent));
  }
  call->start(request, options.stop, has_place);
}

WECHATPAY_BONUS_COMMIT_DECL void BonusCommitClient::commit_async(const BonusCommitRequest& request, Callback done,
                                                                 const CallOptions& options) const {
  begin(request, std::move(done), options, false, nullptr);
}

WECHATPAY_BONUS_COMMIT_DECL CommitFuture BonusCommitClient::commit_async(const BonusCommitRequest& request,
                                                                         const CallOptions& options) const {
  const auto promise = std::make_shared<stages::CommitPromise>();
  CommitFuture future(promise);
  begin(request, stages::fulfilling(promise), options, false, promise);
  return future;
}

WECHATPAY_BONUS_COMMIT_DECL CommitResult BonusCommitClient::commit(const BonusCommitRequest& request,
                                                                   const CallOptions& options) const {
  if (stages::in_callback()) {
    return stages::misuse(
        "commit() was called from a callback, a hook or another function that the library calls, where it would wait "
        "for itself: use commit_async() there");
  }
  const stages::NoThreadCancellation whole;
  try {
    const auto promise = std::make_shared<stages::CommitPromise>();
    promise->works = true;
    // The last use of *this: another thread may destroy the client while this one waits.
    begin(request, stages::fulfilling(promise), options, false, promise);
    return promise->wait_and_work();
  } catch (const std::bad_alloc&) {
    return stages::out_of_memory(Outcome::not_sent);
  }
}

WECHATPAY_BONUS_COMMIT_DECL Result<BonusCommitClient> BonusCommitClient::create(Credentials credentials,
                                                                                const PlatformKeys& platform_keys,
                                                                                ClientOptions options) {
  auto transport = CurlTransport::create();
  if (!transport) return std::move(transport).error();
  return create(std::move(credentials), platform_keys, *std::move(transport), std::move(options));
}

WECHATPAY_BONUS_COMMIT_DECL Result<BonusCommitClient> BonusCommitClient::create(Credentials credentials,
                                                                                const PlatformKeys& platform_keys,
                                                                                std::shared_ptr<Transport> transport,
                                                                                ClientOptions options) {
  if (transport == nullptr) return configuration_error("transport is null: CurlTransport::create() makes one");
  if (auto error = stages::check_keys(credentials, platform_keys)) return *std::move(error);
  if (auto checked = stages::check_options(options); !checked) return std::move(checked).error();
  auto setup = std::make_unique<stages::ClientSetup>(platform_keys, std::move(options));
  auto core = std::make_shared<stages::ClientCore>(std::move(setup), stages::shared(std::move(credentials)),
                                                   std::move(transport));
  return BonusCommitClient(std::make_shared<stages::OpenClient>(std::move(core)));
}

WECHATPAY_BONUS_COMMIT_DECL Result<std::string> BonusCommitClient::renew_credentials(Credentials credentials) const {
  if (open_ == nullptr) return stages::misuse("the client was moved from: call the one that it was moved to");
  stages::ClientCore& core = *open_->core;
  if (core.in_child()) {
    return stages::misuse("the client was made before fork() and this is the child, which sends nothing");
  }
  if (const std::string mchid = core.credentials()->mchid(); credentials.mchid() != mchid) {
    return configuration_error("the client signs for merchant " + mchid + ", and these credentials are of merchant " +
                               credentials.mchid() + ": make a client of its own for that one");
  }
  if (auto error = stages::check_keys(credentials, core.setup()->platform_keys)) return *std::move(error);
  std::string serial_no = credentials.serial_no();
  core.renew(stages::shared(std::move(credentials)));
  return serial_no;
}

WECHATPAY_BONUS_COMMIT_END

#endif
