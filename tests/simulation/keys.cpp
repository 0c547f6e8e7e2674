#include "tests/simulation/keys.hpp"

#include <array>
#include <cstdint>
#include <cstring>

#include "src/openssl/rsa.hpp"
#include "src/testing/pki.hpp"
#include "src/testing/test_keys.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

constexpr std::size_t signature_size = 256;

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

std::string cheap_signature(unsigned key, std::string_view message) {
  std::uint64_t state = mixed(key + 1) ^ message.size();
  std::uint64_t word = 0;
  while (message.size() >= sizeof word) {
    std::memcpy(&word, message.data(), sizeof word);
    state = mixed(state ^ word);
    message.remove_prefix(sizeof word);
  }
  word = 0;
  std::memcpy(&word, message.data(), message.size());
  state = mixed(state ^ word);
  std::string signature(signature_size, '\0');
  for (std::size_t at = 0; at < signature_size; at += sizeof state) {
    state = mixed(state + at + 1);
    std::memcpy(&signature[at], &state, sizeof state);
  }
  return signature;
}

class CheapSigner final : public Signer {
 public:
  explicit CheapSigner(unsigned key) : key_(key) {}
  Result<std::string> sign(std::string_view message) const override { return cheap_signature(key_, message); }

 private:
  const unsigned key_;
};

class CheapVerifier final : public Verifier {
 public:
  explicit CheapVerifier(unsigned key) : key_(key) {}
  bool verify(std::string_view message, std::string_view signature) const override {
    return cheap_signature(key_, message) == signature;
  }

 private:
  const unsigned key_;
};

SigningKey read_pair(const char* pem) {
  return {make_rsa_signer(testing::read_key(pem)), std::make_shared<RsaVerifier>(testing::read_key(pem))};
}

}  // namespace

SigningKey cheap_key(unsigned number) {
  return {std::make_shared<CheapSigner>(number), std::make_shared<CheapVerifier>(number)};
}

const SigningKey& real_key(unsigned number) {
  static const std::array<SigningKey, known_keys> pairs{read_pair(testing::merchant_test_key),
                                                        read_pair(testing::public_key_test_key),
                                                        read_pair(testing::certificate_test_key)};
  return pairs[number];
}

}  // namespace wechatpay::bonus_commit::simulation
