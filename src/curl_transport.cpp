#include "wechatpay/bonus_commit/curl_transport.hpp"

#include <curl/curl.h>

#include <cstdlib>
#include <mutex>
#include <string_view>
#include <utility>

#include "src/curl_engine.hpp"
#include "src/curl_exchange.hpp"
#include "src/openssl/certificate.hpp"
#include "src/openssl/handles.hpp"
#include "src/openssl/key_file.hpp"

namespace wechatpay {
namespace {

using std::chrono::milliseconds;

/// Once for the process; where it fails, the next call tries again.
bool initialize_libcurl() {
  static std::mutex mutex;
  static bool done = false;
  const std::lock_guard<std::mutex> lock(mutex);
  if (!done) done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return done;
}

/// Whether libcurl can go through `proxy`. It must be known beforehand, since libcurl's own message would quote the
/// URL, password and all.
bool is_proxy_url(const std::string& proxy) {
  const curl::UrlHandle url(curl_url());
  char* scheme = nullptr;
  if (url == nullptr ||
      curl_url_set(url.get(), CURLUPART_URL, proxy.c_str(), CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) !=
          CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
    return false;
  }
  const std::string name(scheme);
  curl_free(scheme);
  if (name == "https") return (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTPS_PROXY) != 0;
  return name == "http" || name == "socks4" || name == "socks4a" || name == "socks5" || name == "socks5h";
}

}  // namespace

CurlTransport::CurlTransport(std::shared_ptr<curl::Engine> engine) : engine_(std::move(engine)) {}

CurlTransport::~CurlTransport() { engine_->stop(); }

void CurlTransport::send(HttpRequest request, Completion done) { engine_->submit(std::move(request), std::move(done)); }

Result<std::shared_ptr<CurlTransport>> CurlTransport::create(CurlOptions options) {
  const ErrorQueueGuard guard;
  if (!initialize_libcurl()) return configuration_error("libcurl could not be initialized");
  if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_SSL) == 0) {
    return configuration_error("this libcurl is built without TLS");
  }
  if (!curl::tls_is_our_openssl() && std::getenv("SSLKEYLOGFILE") != nullptr) {
    return configuration_error(
        "SSLKEYLOGFILE is set, and this libcurl's TLS library would write the secrets of connections there: unset it");
  }
  if (!options.ca_bundle_file.empty()) {
    const std::string option = "CurlOptions::ca_bundle_file";
    const auto file = KeyFile::read(options.ca_bundle_file, {option, ""});
    if (!file) {
      const bool named = file.error().message.find(option) != std::string::npos;
      return configuration_error((named ? "" : option + " ") + file.error().message);
    }
    const auto certificates = read_certificates(file->bytes(), option + " " + file->name());
    if (!certificates) return certificates.error();
  }
  if (!options.proxy.empty() && !is_proxy_url(options.proxy)) {
    // Not quoted: it may hold a password.
    return configuration_error(
        "CurlOptions::proxy is not a proxy's URL that this libcurl can use, such as http://host:port");
  }
  for (const milliseconds timeout : {options.connect_timeout, options.total_timeout, options.idle_timeout}) {
    if (timeout > milliseconds(0) && timeout <= curl::longest_timeout) continue;
    return configuration_error(
        "CurlOptions::connect_timeout, total_timeout and idle_timeout must be more than 0 ms and at most 24 h");
  }
  if (options.max_connections == 0) return configuration_error("CurlOptions::max_connections must be 1 or more");

  auto engine = std::make_shared<curl::Engine>(std::move(options));
  if (!engine->initialize()) {
    return configuration_error(std::string("this libcurl (") + curl_version() +
                               ") lacks something that is needed: 7.80 with TLS is the oldest that will do");
  }
  return std::shared_ptr<CurlTransport>(new CurlTransport(std::move(engine)));
}

}  // namespace wechatpay
