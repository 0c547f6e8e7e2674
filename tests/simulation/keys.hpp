/// Signatures: real ones, and cheap ones that still cover each byte.
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

/// A cheap key for the simulation.
SigningKey cheap_key(unsigned number);

/// An RSA key of 2048 bits. Generated once, and the same in each process.
const SigningKey& real_key(unsigned number);

}  // namespace wechatpay::bonus_commit::simulation

#endif
