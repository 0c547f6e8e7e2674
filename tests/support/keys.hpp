/// A merchant's key and certificate, for tests of the code that reads them.
#ifndef WECHATPAY_TESTS_SUPPORT_KEYS_HPP
#define WECHATPAY_TESTS_SUPPORT_KEYS_HPP

#include <string>

#include "src/testing/pki.hpp"
#include "src/testing/test_keys.hpp"

namespace wechatpay::bonus_commit {

using namespace testing;

inline constexpr const char* test_mchid = "1900000001";
inline constexpr const char* test_serial_no = "0A8B07E79B8269FEC3D5D3E6AB8ED163A6A380DB";
inline constexpr const char* test_public_key_id = "PUB_KEY_ID_0114232134912410000000000000000000";

inline EVP_PKEY* test_key() {
  static const PkeyHandle read = read_key(merchant_test_key);
  return read.get();
}

inline const std::string& test_key_pem() {
  static const std::string pem = private_key_pem(test_key());
  return pem;
}

inline X509* test_certificate() {
  static const CertificateHandle made = make_certificate({test_mchid, test_serial_no, {}, false}, test_key());
  return made.get();
}

inline const std::string& test_certificate_pem() {
  static const std::string pem = certificate_pem(test_certificate());
  return pem;
}

}  // namespace wechatpay::bonus_commit

#endif
