#include "src/curl/curl_error.hpp"

#include <string_view>

#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace curl {
namespace {

/// The fault of an error before the first byte of the request was sent.
TransportFault fault_of_connecting(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return TransportFault::name_lookup;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY: return TransportFault::connect;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE: return TransportFault::tls_verification;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_USE_SSL_FAILED: return TransportFault::tls;
    case CURLE_OPERATION_TIMEDOUT: return TransportFault::timeout;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2_STREAM:
    case CURLE_HTTP2: return TransportFault::connection_closed;
    default: return TransportFault::other;
  }
}

/// The fault of a later error. If libcurl could not build an answer, no answer has come.
TransportFault fault_of_exchange(CURLcode code) {
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_WRITE_ERROR:
    case CURLE_OUT_OF_MEMORY: return TransportFault::other;  // not caused by the server
    default: break;
  }
  const TransportFault fault = fault_of_connecting(code);
  return fault == TransportFault::other ? TransportFault::answer_malformed : fault;
}

const char* advice(TransportFault fault) {
  switch (fault) {
    case TransportFault::name_lookup: return "the name did not resolve: check the host and this machine's DNS";
    case TransportFault::connect: return "no connection: check the network, the firewall and the proxy";
    case TransportFault::tls: return "the TLS handshake failed: check that the host speaks TLS 1.2 or newer";
    case TransportFault::tls_verification:
      return "the host's certificate was not accepted: check the host name, this machine's clock and "
             "CurlOptions::ca_bundle_file; a proxy that opens TLS shows itself so too";
    case TransportFault::timeout: return "no complete answer in time";
    case TransportFault::connection_closed: return "the connection broke before the answer was complete";
    case TransportFault::answer_too_large: return "the answer has more than 64 KiB of headers or 1 MiB of body";
    case TransportFault::answer_malformed: return "the answer is not HTTP";
    default: return "the request failed";
  }
}

TransportFault fault_of(const Failure& failure) {
  if (failure.answer_too_large) return TransportFault::answer_too_large;
  if (failure.stale_connection) return TransportFault::connection_closed;
  return failure.begun ? fault_of_exchange(failure.code) : fault_of_connecting(failure.code);
}

}  // namespace

Error to_error(const Failure& failure) {
  const Outcome outcome = failure.begun ? Outcome::unknown : Outcome::not_sent;
  TransportFault fault = fault_of(failure);
  std::string message = failure.origin + ": ";
  if (failure.proxy_status != 0 && failure.proxy_status / 100 != 2) {
    fault = TransportFault::connect;
    message += "the proxy answered " + std::to_string(failure.proxy_status) + " to CONNECT: check CurlOptions::proxy";
  } else if (failure.code == CURLE_SSL_CACERT_BADFILE) {
    message +=
        "there are no CA certificates to check the host's certificate with: install ca-certificates, or give "
        "CurlOptions::ca_bundle_file";
  } else {
    message += advice(fault);
    if (fault == TransportFault::timeout && outcome == Outcome::not_sent) message += ": not even a connection";
    if (failure.stale_connection) message += ": a kept one that the server closed, or on which it refused the request";
  }
  const bool words_help = fault != TransportFault::answer_too_large && !failure.stale_connection;
  // These texts name the proxy, and its URL may contain a password.
  const bool may_be_secret = failure.code == CURLE_COULDNT_RESOLVE_PROXY;
  const std::string_view words = may_be_secret ? "" : failure.libcurls_words;
  if (words_help) {
    message += " (libcurl: " + printable(words.empty() ? curl_easy_strerror(failure.code) : words) + ")";
  }
  return transport_error(fault, outcome, std::move(message));
}

}  // namespace curl
WECHATPAY_BONUS_COMMIT_END
