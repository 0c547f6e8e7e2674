/// Users of the library: programs that do everything that the documents allow, at any moment.
#ifndef WECHATPAY_TESTS_SIMULATION_USERS_HPP
#define WECHATPAY_TESTS_SIMULATION_USERS_HPP

#include <list>
#include <map>
#include <memory>

#include "tests/simulation/auditor.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/wechat_pay.hpp"
#include "wechatpay/bonus_commit/batch.hpp"
#include "wechatpay/bonus_commit/client.hpp"

namespace wechatpay::bonus_commit::simulation {

/// Where user code runs.
enum class Place { callback, listener, on_call, on_try, last_words };

/// A program with one client.
class User {
 public:
  User(World& world, Auditor& auditor, WechatPay& wechat_pay, Wire& wire, const Manners& manners, std::uint32_t calls);
  User(const User&) = delete;
  User& operator=(const User&) = delete;
  ~User();

  /// Destroys the client. Each of its calls ends.
  void leave();

  /// Called in the middle of a call. Signs the message, or fails.
  Result<std::string> sign(std::string_view message);

 private:
  struct LastWords;

  ClientOptions draw_options();
  void draw_oddities(const Manners& manners, bool has_rate);
  void refuse_wrong_setups(const ClientOptions& options) const;
  void refuse_wrong_keys() const;
  void refuse_wrong_batches() const;
  void misuse();
  void add_hooks(ClientOptions& options);
  void add_clocks(ClientOptions& options);
  void add_executor(ClientOptions& options);
  [[noreturn]] void throw_something(const char* what) const;
  Result<std::string> nonce();
  Credentials credentials(const char* serial_no, const char* mchid = "1900000001") const;

  void act();
  void act_rarely();
  void start_call(bool wrong = false);
  void call_back(const BonusCommitRequest& request, unsigned number, const CallOptions& options);
  void keep_future(const BonusCommitRequest& request, unsigned number, const CallOptions& options);
  void take_future(unsigned number);
  void wait_for_call();
  void wait_while_world_goes_on();
  void run_batch();
  void wait_for_batch();
  void fork_a_child();
  void live_in_a_child();
  void use_parents_client();
  void use_childs_own_client();
  void misbehave(Place place);
  void wait_in_a_callback();
  void stop_something();
  void stop_a_call();
  void stop_all();
  void let_go_of_a_copy();
  void let_go_of_all();
  void rotate_keys();
  BonusCommitRequest request(unsigned number) const;
  const BonusCommitClient& client() const { return copies_.front(); }

  World& world_;
  Auditor& auditor_;
  WechatPay& wechat_pay_;
  Wire& wire_;
  ClientAccount* account_ = nullptr;
  PlatformKeys keys_;
  std::list<BonusCommitClient> copies_;
  std::map<unsigned, CommitFuture> futures_;
  std::map<unsigned, StopSource> stops_;  ///< each for a single call
  StopSource stop_;                       ///< shared by several calls
  std::vector<unsigned> stopped_with_;
  std::uint32_t calls_left_;
  std::uint32_t mischief_per_mille_ = 0;
  std::uint32_t oddities_per_mille_ = 0;  ///< failures of clocks, nonces and the signer
  milliseconds pace_{1};
  unsigned nonces_ = 0;
  bool slow_signer_ = false;
  bool limited_ = false;            ///< has a rate limit
  bool waits_ = false;              ///< its transport completes within send(), so it may block in commit()
  bool waits_for_answers_ = false;  ///< blocks in commit() while the world goes on
  bool waits_in_batches_ = false;   ///< may block in commit_all(), too
  bool in_batch_ = false;
  bool sets_up_ = false;  ///< is in create() or renew_credentials()
};

}  // namespace wechatpay::bonus_commit::simulation

#endif
