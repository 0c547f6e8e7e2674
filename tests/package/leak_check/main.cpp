#include <wechatpay/bonus_commit.hpp>

// An implicit narrowing and an unused variable. Our own warning options would turn them into errors.
int main() {
  long large = 1L << 40;
  int unused = large;
  return wechatpay::bonus_commit::BonusCommitRequest().check().size() == 6 ? 0 : 1;
}
