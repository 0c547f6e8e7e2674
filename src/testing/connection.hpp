/// The TLS connection that the calling thread serves. cpp-httplib does not expose it, but faults need it.
#ifndef WECHATPAY_SRC_TESTING_CONNECTION_HPP
#define WECHATPAY_SRC_TESTING_CONNECTION_HPP

#include <openssl/ssl.h>

#include <functional>

#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// Sets the connection that the calling thread serves from now on.
void note_connection(SSL* ssl);

SSL* noted_connection();

/// Closes it so that the answer arrives: what the client still sends is read and dropped, for at most ten seconds.
void end_connection();

/// Lets the system collect written data for at most 0.2 seconds, if it can; or stops that.
void hold_back_packets(bool hold_back);

/// If the fault is one of the connection's, answers with raw bytes and closes the connection. Returns false if the
/// answer must still be sent. `pause` waits as long as the fault says.
bool break_connection(const HttpResponse& response, SandboxFault::Kind fault, const std::function<void()>& pause);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
