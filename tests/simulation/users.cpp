#include "tests/simulation/users.hpp"

#include <limits>
#include <new>
#include <stdexcept>

#include "tests/simulation/waiting.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

class UsersSigner final : public Signer {
 public:
  explicit UsersSigner(User& user) : user_(user) {}
  Result<std::string> sign(std::string_view message) const override { return user_.sign(message); }

 private:
  User& user_;
};

}  // namespace

/// An object that a callback holds. Its destructor runs user code.
struct User::LastWords {
  explicit LastWords(User& user_) : user(user_) {}
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;
  ~LastWords() {
    try {
      user.misbehave(Place::last_words);
    } catch (const std::runtime_error&) {
    }
  }

  User& user;
};

User::User(World& world, Auditor& auditor, WechatPay& wechat_pay, Wire& wire, const Manners& manners,
           std::uint32_t calls)
    : world_(world), auditor_(auditor), wechat_pay_(wechat_pay), wire_(wire), calls_left_(calls) {
  waits_ = manners.within_send && !manners.drops && !manners.throws;
  ClientOptions options = draw_options();
  waits_in_batches_ = waits_ && !limited_ && options.rate_limit.longest_pause == milliseconds(0);
  account_ = &auditor_.add_client(options);
  draw_oddities(manners, limited_ || options.rate_limit.longest_pause > milliseconds(0));
  add_hooks(options);
  add_clocks(options);
  add_executor(options);
  wechat_pay_.add_key_to(keys_, 1);
  auto made =
      BonusCommitClient::create(credentials("01AB"), keys_, std::make_shared<Witness>(auditor_, wire_), options);
  world_.expect(made.has_value(), "options", "good ones are refused");
  copies_.push_back(*std::move(made));
  sets_up_ = true;
  if (world_.tape.chance(200)) refuse_wrong_setups(options);
  sets_up_ = false;
  pace_ = world_.tape.one_of({milliseconds(10), milliseconds(0), milliseconds(100), milliseconds(3000)});
  world_.after(milliseconds(0), [this] { act(); });
}

User::~User() { leave(); }

ClientOptions User::draw_options() {
  Tape& tape = world_.tape;
  ClientOptions options;
  if (tape.chance(300)) options.origins.pop_back();
  options.timeout = milliseconds(tape.one_of({30000, 240000, 5000, 1000, 100, 20, 1}));
  options.retry.max_tries = tape.one_of({3, 1, 2, 10, 5});
  options.retry.try_timeout = milliseconds(tape.one_of({10000, 1000, 50, 2}));
  options.retry.first_backoff = milliseconds(tape.one_of({200, 0, 1, 1000}));
  options.retry.longest_backoff = milliseconds(tape.one_of({5000, 1000, 20000}));
  options.retry.cool_down = milliseconds(tape.one_of({30000, 0, 100, 1000}));
  if (tape.chance(300)) {
    options.rate_limit.per_second = tape.one_of({100.0, 1.0, 1000.0, 50.0, 0.3});
    options.rate_limit.burst = tape.one_of({1, 2, 10});
    limited_ = true;
  }
  options.rate_limit.longest_pause = milliseconds(tape.one_of({0, 30000, 500}));
  if (tape.chance(100)) options.accept_language = "en";
  return options;
}

void User::draw_oddities(const Manners& manners, bool has_rate) {
  Tape& tape = world_.tape;
  mischief_per_mille_ = tape.one_of({0U, 0U, 20U, 300U});
  oddities_per_mille_ = tape.one_of({0U, 0U, 0U, 50U});
  slow_signer_ = tape.chance(100);
  waits_for_answers_ = WorldGoesOn::possible && !waits_ && !manners.never && tape.chance(100);
  // What waits takes its place in the rate before others do, and is sent after them.
  account_->exact = !slow_signer_ && !(waits_for_answers_ && has_rate) && !manners.within_send &&
                    !manners.sometimes_within_send && !manners.throws && oddities_per_mille_ == 0;
  account_->punctual = !manners.never && !manners.within_send && !manners.sometimes_within_send;
  account_->heeds_stops = !manners.ignores_stops && !manners.never && !manners.throws && !manners.drops;
  account_->keeps_requests = manners.never;
  account_->odd_user = oddities_per_mille_ > 0 || manners.throws || manners.drops || manners.never;
}

void User::add_hooks(ClientOptions& options) {
  account_->tells_tries = world_.tape.chance(500);
  if (account_->tells_tries) {
    options.hooks.on_try = [this](const TryEvent& event) {
      auditor_.told(event);
      misbehave(Place::on_try);
    };
  }
  account_->tells_calls = world_.tape.chance(500);
  if (!account_->tells_calls) return;
  options.hooks.on_call = [this](const CallEvent& event) {
    auditor_.told(event);
    misbehave(Place::on_call);
  };
}

void User::add_clocks(ClientOptions& options) {
  const auto may_fail = [this](const char* what) {
    if (oddities_per_mille_ > 0 && world_.tape.chance(oddities_per_mille_ / 10)) throw_something(what);
  };
  options.clock = [this, may_fail] {
    may_fail("the user's clock");
    return world_.wall();
  };
  options.steady_clock = [this, may_fail] {
    may_fail("the user's steady clock");
    return world_.now();
  };
  options.random = [this, may_fail]() -> double {
    if (oddities_per_mille_ == 0) return world_.tape.below(1001) / 1000.0;
    may_fail("no random number");
    return world_.tape.one_of({0.5, -1.0, 7.0, std::numeric_limits<double>::quiet_NaN(), 0.0, 1.0});
  };
  options.nonce = [this] { return nonce(); };
}

/// Later tries are signed in tasks.
void User::add_executor(ClientOptions& options) {
  if (!world_.tape.chance(150)) return;
  waits_in_batches_ = false;
  const auto manner = world_.tape.below(4);
  if (manner > 0) account_->exact = false;  // a task may run after other calls have begun
  if (manner > 1) account_->odd_user = true;
  options.executor = [this, manner](std::function<void()> task) {
    stop_something();
    if (manner == 2 && world_.tape.chance(300)) return;
    if (manner == 3 && world_.tape.chance(300)) throw_something("the queue is full");
    if (manner == 0) return task();
    world_.after(milliseconds(world_.tape.below(20)), std::move(task));
    if (manner == 3 && world_.tape.chance(300)) throw_something("the queue is full, and takes the task");
  };
}

void User::throw_something(const char* what) const {
  switch (world_.tape.below(3)) {
    case 0: throw std::runtime_error(what);
    case 1: throw std::bad_alloc();
    default: throw 42;
  }
}

Result<std::string> User::nonce() {
  stop_something();
  if (oddities_per_mille_ > 0 && world_.tape.chance(oddities_per_mille_)) {
    if (world_.tape.chance(500)) throw_something("no nonce");
    return std::string("short");
  }
  return hex(++nonces_, 32);
}

Credentials User::credentials(const char* serial_no, const char* mchid) const {
  auto made = Credentials::from_signer(mchid, serial_no, std::make_shared<UsersSigner>(const_cast<User&>(*this)));
  return *std::move(made);
}

Result<std::string> User::sign(std::string_view message) {
  stop_something();
  if (slow_signer_) world_.spend(milliseconds(world_.tape.below(200)));
  if (oddities_per_mille_ > 0 && world_.tape.chance(oddities_per_mille_)) {
    switch (world_.tape.below(5)) {
      case 0: return std::string(10, 'x');
      case 1: throw_something("no key");
      case 2: return transport_error(TransportFault::timeout, Outcome::refused, "the KMS is away");
      case 3:  // as another thread could at this moment
        if (!copies_.empty() && !sets_up_) let_go_of_all();
        break;
      default: break;
    }
    if (!copies_.empty() && account_ != nullptr) {
      const auto result = client().commit(request(0));
      world_.expect(!result && result.error().kind == ErrorKind::misuse, "misuse", "commit() waits in a Signer");
    }
  }
  return wechat_pay_.merchant().signer->sign(message);
}

/// Does one step of the program, and schedules the next.
void User::act() {
  if (calls_left_ == 0 || account_->closed || world_.forked) return;
  if (world_.tape.chance(100)) {
    act_rarely();
  } else {
    start_call();
  }
  const auto pause = std::chrono::microseconds(world_.tape.below(1000)) * pace_.count();
  world_.after(pause, [this] { act(); });
}

void User::act_rarely() {
  if (copies_.empty()) return;
  switch (world_.tape.below(16)) {
    case 0: return;
    case 12: return misuse();
    case 13:
      if (world_.tape.chance(5)) fork_a_child();
      return;
    case 14: return waits_in_batches_ ? wait_for_batch() : start_call();
    case 11: return start_call(true);
    case 1: return stop_a_call();
    case 2: return stop_all();
    case 3: copies_.push_back(client()); return;
    case 4: return let_go_of_a_copy();
    case 5: return waits_ ? wait_for_call() : waits_for_answers_ ? wait_while_world_goes_on() : start_call();
    case 6: return run_batch();
    case 7: return rotate_keys();
    case 8: {
      world_.wall_offset = seconds(world_.tape.one_of({0, 30, -250, 299, -301, 4000, -4000}));
      world_.wall_jumped = true;
      return;
    }
    case 9: {
      sets_up_ = true;
      const auto renewed = client().renew_credentials(credentials("02CD"));
      sets_up_ = false;
      if (renewed) account_->serial_no = "02CD";
      world_.expect(renewed || account_->odd_user || account_->keys_change, "renewal", "good credentials are refused");
      return;
    }
    case 10: {
      copies_.push_back(std::move(copies_.front()));
      copies_.pop_front();
      return;
    }
    default:
      if (world_.tape.chance(100)) let_go_of_all();
  }
}

BonusCommitRequest User::request(unsigned number) const {
  return {"478515832665",    "478515832665", "T" + std::to_string(number), "1230000109", "1900000109", 30,
          MerchantMode::both};
}

void User::start_call(bool wrong) {
  if (copies_.empty() || calls_left_ == 0) return;
  --calls_left_;
  Tape& tape = world_.tape;
  CallOptions options;
  if (tape.chance(50)) options.timeout = milliseconds(tape.one_of({1000, 1, 10, 239000}));
  const unsigned number = auditor_.begin(*account_, options.timeout);
  if (tape.chance(100)) {
    options.stop = stop_.get_token();
    stopped_with_.push_back(number);
    if (stop_.stop_requested()) {
      auditor_.stop(number);
      auditor_.call(number).stopped_before = true;
    }
  } else if (tape.chance(50)) {
    options.stop = stops_[number].get_token();
  }
  BonusCommitRequest made = request(number);
  if (wrong) {
    if (world_.tape.chance(500)) {
      made.bonus_value = 0;
    } else {
      options.timeout = milliseconds(-1);
    }
    auditor_.call(number).wrong_request = true;
  }
  const bool has_future = tape.chance(200);
  if (world_.logs()) world_.log(made.out_trade_no + (has_future ? " begins, with a future" : " begins"));
  if (has_future) return keep_future(made, number, options);
  call_back(made, number, options);
}

void User::call_back(const BonusCommitRequest& request, unsigned number, const CallOptions& options) {
  if (mischief_per_mille_ == 0) {
    client().commit_async(
        request, [this, number](const CommitResult& result) { auditor_.result(number, result); }, options);
    return;
  }
  auto done = [this, number, last_words = std::make_shared<LastWords>(*this)](const CommitResult& result) {
    auditor_.result(number, result);
    misbehave(Place::callback);
  };
  client().commit_async(request, std::move(done), options);
}

void User::keep_future(const BonusCommitRequest& request, unsigned number, const CallOptions& options) {
  CommitFuture future = client().commit_async(request, options);
  if (account_->tells_calls && world_.tape.chance(100)) {
    auditor_.call(number).unheard = true;
    return;
  }
  const CommitFuture& kept = futures_[number] = std::move(future);
  const bool later = kept.on_ready([this, number] {
    take_future(number);
    misbehave(Place::listener);
  });
  if (!later) take_future(number);
}

void User::take_future(unsigned number) {
  CommitFuture future = std::move(futures_[number]);
  futures_.erase(number);
  world_.expect(future.ready(), "future", "is not ready when it says so");
  auditor_.result(number, future.get());
  world_.expect(!future.valid(), "future", "is not empty after get()");
}

/// What user code may do whenever the library calls it.
void User::misbehave(Place place) {
  if (mischief_per_mille_ == 0 || world_.forked || !world_.tape.chance(mischief_per_mille_)) return;
  switch (world_.tape.below(9)) {
    case 0: throw std::runtime_error("the user's own exception");
    case 1:
      // If a place in the rate limit is given but not used yet, the auditor would count the places in another order.
      if (place != Place::on_try || !limited_) start_call();
      return;
    case 2: return let_go_of_a_copy();
    case 3: return stop_all();
    case 4: return stop_a_call();
    case 5:
      if (world_.tape.chance(200)) let_go_of_all();
      return;
    case 6:
      if (!copies_.empty()) copies_.push_back(client());
      return;
    case 7:
      if (world_.tape.chance(5)) fork_a_child();
      return;
    default: return wait_in_a_callback();
  }
}

/// Stops calls where the library asks for something in the middle of one.
void User::stop_something() {
  if (mischief_per_mille_ == 0 || world_.forked || sets_up_ || !world_.tape.chance(mischief_per_mille_ / 4)) return;
  world_.tape.chance(500) ? stop_all() : stop_a_call();
}

void User::stop_a_call() {
  if (!futures_.empty() && world_.tape.chance(500)) {
    const auto& [number, future] = *futures_.begin();
    auditor_.stop(number);
    return future.request_stop();
  }
  if (stops_.empty()) return;
  const unsigned number = stops_.begin()->first;
  const StopSource stop = stops_.begin()->second;
  stops_.erase(stops_.begin());
  auditor_.stop(number);
  stop.request_stop();
}

void User::stop_all() {
  for (const unsigned number : stopped_with_) auditor_.stop(number);
  stopped_with_.clear();
  const StopSource stop = stop_;
  if (world_.tape.chance(800)) stop_ = StopSource();
  stop.request_stop();
}

void User::let_go_of_a_copy() {
  if (copies_.size() > 1) {
    copies_.pop_front();
  } else if (world_.tape.chance(100)) {
    let_go_of_all();
  }
}

void User::let_go_of_all() {
  if (!in_batch_) leave();
}

void User::leave() {
  if (account_->closed) return;
  account_->closed = true;
  if (world_.logs()) world_.log("the last client of a user goes");
  const std::list<BonusCommitClient> last = std::move(copies_);
  copies_.clear();
}

void User::rotate_keys() {
  account_->keys_change = true;
  const unsigned number = 1 + world_.tape.below(2);
  if (world_.tape.chance(700)) return wechat_pay_.add_key_to(keys_, number);
  static_cast<void>(keys_.remove(WechatPay::key_id(number)));
}

}  // namespace wechatpay::bonus_commit::simulation
