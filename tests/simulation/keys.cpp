#include "tests/simulation/keys.hpp"

#include <array>
#include <cstdint>
#include <cstring>

#include "src/openssl/rsa.hpp"
#include "src/testing/pki.hpp"
#include "src/testing/test_keys.hpp"

namespace wechatpay::bonus_commit::simulation {

namespace {

/// The library refuses a merchant's signature that is shorter than one of RSA.
constexpr std::size_t signature_size(unsigned key) { return key == 0 ? 256 : 32; }

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

/// Mixes words in four lanes, which the processor computes at the same time.
std::string cheap_signature(unsigned key, std::string_view message) {
  std::array<std::uint64_t, 4> lanes{};
  lanes.fill(mixed(key + 1) ^ message.size());
  const auto mix_in = [&lanes](const char* words) {
    for (std::uint64_t& lane : lanes) {
      std::uint64_t word = 0;
      std::memcpy(&word, words, sizeof word);
      lane = mixed(lane ^ word);
      words += sizeof word;
    }
  };
  for (; message.size() >= sizeof lanes; message.remove_prefix(sizeof lanes)) mix_in(message.data());
  std::array<char, sizeof lanes> rest{};
  message.copy(rest.data(), rest.size());
  mix_in(rest.data());
  std::uint64_t state = 0;
  for (const std::uint64_t lane : lanes) state = mixed(state ^ lane);
  std::string signature(signature_size(key), '\0');
  for (std::size_t at = 0; at < signature.size(); at += sizeof state) {
    const std::uint64_t word = mixed(state + at + 1);
    std::memcpy(&signature[at], &word, sizeof word);
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
