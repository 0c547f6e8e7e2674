// A program may use names that the library also uses.
#include <wechatpay/bonus_commit.hpp>

#include <string>

namespace bonus = wechatpay::bonus_commit;

enum class Outcome { won, lost };
struct Error {};
template <typename T>
struct Result {
  T value;
};
struct Credentials {};
struct Hooks {};
class EventLoop {};
class Transport {};

bool check(const bonus::BonusCommitRequest& request) { return request.bonus_value < 1000; }
Result<Outcome> commit(const bonus::BonusCommitClient& client, const bonus::BonusCommitRequest& request);

Result<Outcome> commit(const bonus::BonusCommitClient& client, const bonus::BonusCommitRequest& request) {
  if (!check(request)) return {Outcome::lost};
  const bonus::CommitResult result = client.commit(request);
  return {result ? Outcome::won : Outcome::lost};
}
