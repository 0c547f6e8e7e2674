// What create(), renew_credentials(), commit_all() and functions that wait must refuse.
#include <limits>

#include "tests/simulation/users.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

class Nowhere final : public Transport {
  void send(HttpRequest /*request*/, SendOptions /*options*/, Completion /*done*/) override {}
};

template <typename Value>
bool refused(const Result<Value>& result, ErrorKind kind) {
  return !result && result.error().kind == kind;
}

std::optional<BonusCommitRequest> nothing() { return std::nullopt; }
bool any_result(const BonusCommitRequest& /*request*/, const CommitResult& /*result*/) { return true; }

}  // namespace

void User::refuse_wrong_setups(const ClientOptions& options) const {
  Tape& tape = world_.tape;
  ClientOptions wrong = options;
  RetryOptions& retry = wrong.retry;
  switch (tape.below(13)) {
    case 0: retry.max_tries = tape.one_of({11, 0, 10000}); break;
    case 1: wrong.timeout = milliseconds(tape.one_of({0, 240001, -1})); break;
    case 2:
      wrong.rate_limit.per_second = tape.one_of({-1.0, 1e-9, std::numeric_limits<double>::quiet_NaN(), 1e7});
      break;
    case 3:
      wrong.origins = {tape.one_of({"http://api.mch.weixin.qq.com", "https://", "https://a/b", "https://a\n"})};
      break;
    case 4: wrong.accept_language = "de"; break;
    case 5: wrong.origins.clear(); break;
    case 6: retry.try_timeout = milliseconds(tape.one_of({0, 86400001})); break;
    case 7:
      retry.longest_backoff = tape.chance(500) ? retry.first_backoff - milliseconds(1) : milliseconds(86400001);
      break;
    case 8: retry.cool_down = milliseconds(tape.one_of({-1, 86400001})); break;
    case 9: wrong.rate_limit.burst = tape.one_of({0, 1000001}); break;
    case 10: wrong.rate_limit.longest_pause = milliseconds(tape.one_of({-1, 86400001})); break;
    case 11: wrong.random = nullptr; break;
    default: wrong.clock = nullptr; break;
  }
  const auto made = BonusCommitClient::create(credentials("01AB"), keys_, std::make_shared<Nowhere>(), wrong);
  world_.expect(refused(made, ErrorKind::invalid_configuration), "options", "wrong ones are taken");
  if (tape.chance(20)) {  // it makes a transport of its own, which takes some time
    const auto by_itself = BonusCommitClient::create(credentials("01AB"), keys_, wrong);
    world_.expect(refused(by_itself, ErrorKind::invalid_configuration), "options", "wrong ones are taken");
  }
  refuse_wrong_keys();
  refuse_wrong_batches();
}

void User::refuse_wrong_keys() const {
  const auto refuses = [this](const PlatformKeys& keys, std::shared_ptr<Transport> transport) {
    const auto made = BonusCommitClient::create(credentials("01AB"), keys, std::move(transport));
    world_.expect(refused(made, ErrorKind::invalid_configuration), "keys", "wrong ones are taken");
  };
  refuses(keys_, nullptr);
  refuses(PlatformKeys(), std::make_shared<Nowhere>());
  const PlatformKeys same_serial;
  PlatformKeysFactory::add_public_key(same_serial, "01AB", wechat_pay_.merchant().verifier);
  refuses(same_serial, std::make_shared<Nowhere>());
  if (oddities_per_mille_ > 0) return;  // its signer may fail
  const PlatformKeys own;
  PlatformKeysFactory::add_public_key(own, WechatPay::key_id(3), wechat_pay_.merchant().verifier);
  refuses(own, std::make_shared<Nowhere>());
  const auto of_another = client().renew_credentials(credentials("01AB", "1900000002"));
  world_.expect(refused(of_another, ErrorKind::invalid_configuration), "keys", "another merchant's are taken");
}

void User::refuse_wrong_batches() const {
  BatchOptions options;
  options.max_in_flight = 0;
  const auto nowhere = commit_all(client(), nothing, any_result, options);
  world_.expect(refused(nowhere, ErrorKind::invalid_configuration), "batch", "takes no place at all");
  options = BatchOptions();
  options.threads = 0;
  const auto by_nobody = commit_all(client(), nothing, any_result, options);
  world_.expect(refused(by_nobody, ErrorKind::invalid_configuration), "batch", "takes no thread at all");
  const auto without_source = commit_all(client(), NextRequest(), any_result);
  world_.expect(refused(without_source, ErrorKind::misuse), "batch", "takes no source at all");
  const auto of_nothing = commit_all(client(), nothing, any_result);
  world_.expect(of_nothing && of_nothing->credited + of_nothing->failed == 0, "batch", "of nothing fails");
}

/// Uses a client that was moved from.
void User::misuse() {
  BonusCommitClient gone = client();
  const BonusCommitClient moved = std::move(gone);
  int ends = 0;
  const auto take = [&](const CommitResult& result) { ends += refused(result, ErrorKind::misuse) ? 1 : 100; };
  gone.commit_async(request(0), take);  // NOLINT(bugprone-use-after-move)
  take(gone.commit(request(0)));
  const auto summary = commit_all(gone, nothing, any_result);
  const auto renewed = gone.renew_credentials(credentials("02CD"));
  world_.expect(ends == 2 && refused(summary, ErrorKind::misuse) && refused(renewed, ErrorKind::misuse), "misuse",
                "a client that was moved from works");
}

/// What would wait for itself.
void User::wait_in_a_callback() {
  if (!futures_.empty() && !futures_.begin()->second.ready()) {
    const auto early = futures_.begin()->second.get();
    world_.expect(refused(early, ErrorKind::misuse), "misuse", "get() waits in a callback");
  }
  if (copies_.empty()) return;
  world_.expect(refused(client().commit(request(0)), ErrorKind::misuse), "misuse", "commit() waits in a callback");
  const auto summary = commit_all(client(), nothing, any_result);
  world_.expect(refused(summary, ErrorKind::misuse), "misuse", "commit_all() waits in a callback");
}

}  // namespace wechatpay::bonus_commit::simulation
