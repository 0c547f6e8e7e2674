/// The TLS connection that the calling thread serves: cpp-httplib keeps it for itself, and faults need it.
#ifndef WECHATPAY_SRC_TESTING_CONNECTION_HPP
#define WECHATPAY_SRC_TESTING_CONNECTION_HPP

#include <openssl/ssl.h>

#include <functional>

#include "wechatpay/bonus_commit/http.hpp"
#include "wechatpay/bonus_commit/testing/sandbox_fault.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

/// The connection that the calling thread serves from now on.
void note_connection(SSL* ssl);

SSL* noted_connection();

/// Ends it so that what was answered arrives: what the client still sends is read and dropped, for ten seconds at most.
void end_connection();

/// Has the system collect what is written, for a fifth of a second at most, where it can; or no more.
void hold_back_packets(bool hold_back);

/// Answers by bytes where the fault is one of the connection's, which it ends; false where the answer is still to be
/// sent. `pause` waits as long as the fault says.
bool break_connection(const HttpResponse& response, SandboxFault::Kind fault, const std::function<void()>& pause);

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END

#endif
