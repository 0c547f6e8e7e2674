// How the end of a transfer is translated to a fault and an outcome.
#include "src/curl/curl_error.hpp"

#include <gtest/gtest.h>

#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit/stages/retry.hpp"

namespace wechatpay::bonus_commit::curl {

using namespace stages;

namespace {

Error error_of(CURLcode code, bool begun) {
  Failure failure;
  failure.code = code;
  failure.origin = "https://host";
  failure.begun = begun;
  return to_error(failure);
}

TEST(CurlError, IsUnknownAsSoonAsBytesMayHaveLeft) {
  for (int code = 1; code < CURL_LAST; ++code) {
    EXPECT_EQ(error_of(static_cast<CURLcode>(code), false).outcome, Outcome::not_sent) << code;
    EXPECT_EQ(error_of(static_cast<CURLcode>(code), true).outcome, Outcome::unknown) << code;
  }
}

TEST(CurlError, IsTriedAgainWhereAnAnswerDidNotCome) {
  for (const CURLcode code : {CURLE_BAD_FUNCTION_ARGUMENT, CURLE_WEIRD_SERVER_REPLY, CURLE_RECV_ERROR,
                              CURLE_BAD_CONTENT_ENCODING, CURLE_PARTIAL_FILE, CURLE_UNSUPPORTED_PROTOCOL}) {
    EXPECT_TRUE(worth_another_try(error_of(code, true))) << curl_easy_strerror(code);
  }
  EXPECT_FALSE(worth_another_try(error_of(CURLE_UNSUPPORTED_PROTOCOL, false))) << "a scheme that is switched off";
}

TEST(CurlError, SaysWhatToInstallWhereThereAreNoCaCertificates) {
  const Error error = error_of(CURLE_SSL_CACERT_BADFILE, false);
  EXPECT_EQ(error.transport_fault, TransportFault::tls_verification);
  EXPECT_FALSE(worth_another_try(error));
  EXPECT_TRUE(contains(error.message, "install ca-certificates, or give CurlOptions::ca_bundle_file")) << error.message;
}

}  // namespace
}  // namespace wechatpay::bonus_commit::curl
