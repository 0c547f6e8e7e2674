#include <wechatpay/bonus_commit.hpp>

#include <iostream>

int main() {
  std::cout << wechatpay::user_agent() << "\n";
  return wechatpay::CurlTransport::create() ? 0 : 1;
}
