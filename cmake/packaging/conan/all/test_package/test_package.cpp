#include <wechatpay/bonus_commit.hpp>

#include <iostream>

int main() {
  std::cout << wechatpay::bonus_commit::user_agent() << "\n";
  return wechatpay::bonus_commit::CurlTransport::create() ? 0 : 1;
}
