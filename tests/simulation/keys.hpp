/// Signatures: real ones, and ones that cost nothing and still cover each byte.
#ifndef WECHATPAY_TESTS_SIMULATION_KEYS_HPP
#define WECHATPAY_TESTS_SIMULATION_KEYS_HPP

#include <memory>
#include <string>
#include <vector>

#include "src/openssl/verifier.hpp"
#include "wechatpay/bonus_commit/credentials.hpp"

namespace wechatpay::bonus_commit::simulation {

struct SigningKey {
  std::shared_ptr<const Signer> signer;
  std::shared_ptr<const Verifier> verifier;
};

inline constexpr unsigned known_keys = 3;  ///< the merchant's, and two of WeChat Pay's

/// One of the simulation's own.
SigningKey cheap_key(unsigned number);

/// An RSA key of 2048 bits; the same ones in each process, made once.
const SigningKey& real_key(unsigned number);

}  // namespace wechatpay::bonus_commit::simulation

#endif
