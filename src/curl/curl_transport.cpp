#include "wechatpay/bonus_commit/curl_transport.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <new>
#include <utility>

#include "src/curl/event_loop_driver.hpp"
#include "src/curl/live_drivers.hpp"
#include "src/curl/openssl_backend.hpp"
#include "src/curl/proxy_url.hpp"
#include "src/curl/thread_driver.hpp"
#include "src/openssl/certificate.hpp"
#include "src/openssl/handles.hpp"
#include "src/openssl/key_file.hpp"
#include "wechatpay/bonus_commit/impl/system.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

using namespace stages;

namespace {

using std::chrono::milliseconds;

constexpr milliseconds usual_timeout = std::chrono::seconds(30);

/// Initializes libcurl once per process. If it fails, the next call tries again. Locks nothing once that is done, since
/// another thread could hold the lock at a fork.
bool initialize_libcurl() {
  static std::atomic<bool> done{false};
  if (done) return true;
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  if (!done) done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return done;
}

Result<void> check_libcurl() {
  if (!initialize_libcurl()) return configuration_error("libcurl could not be initialized");
  if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_SSL) == 0) {
    return configuration_error("this libcurl is built without TLS");
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): libcurl reads the environment, too, and there is no other way to ask
  if (!curl::tls_is_our_openssl() && std::getenv("SSLKEYLOGFILE") != nullptr) {
    return configuration_error(
        "SSLKEYLOGFILE is set, and this libcurl's TLS library would write the secrets of connections there: unset it");
  }
  if (!curl::LiveDrivers::watch_process()) return configuration_error("out of memory");
  return {};
}

/// In most builds, libcurl's default CA certificates are in a file.
Result<void> check_default_authorities() {
#if LIBCURL_VERSION_NUM >= 0x075400
  const curl::EasyHandle easy(curl_easy_init());
  char* file = nullptr;
  if (easy == nullptr || curl_easy_getinfo(easy.get(), CURLINFO_CAINFO, &file) != CURLE_OK) {
    return configuration_error("libcurl could not make a handle");
  }
  if (file != nullptr && !std::ifstream(file)) {
    return configuration_error("this machine has no CA certificates, " + std::string(file) +
                               " cannot be opened: install ca-certificates, or give CurlOptions::ca_bundle_file");
  }
#endif
  return {};
}

Result<void> check_authorities(const CurlOptions& options) {
  if (options.ca_bundle_file.empty()) return check_default_authorities();
  const std::string option = "CurlOptions::ca_bundle_file";
  const auto file = KeyFile::read(options.ca_bundle_file, {option, ""});
  if (!file) {
    const bool named = file.error().message.find(option) != std::string::npos;
    return configuration_error((named ? "" : option + " ") + file.error().message);
  }
  return read_certificates(file->bytes(), option + " " + file->name()).transform([](const auto&) {});
}

Result<void> check_options(const CurlOptions& options) {
  if (auto checked = check_authorities(options); !checked) return checked;
  if (!options.proxy.empty()) {
    if (const auto fault = curl::proxy_fault(options.proxy)) {
      // Not quoted: it may hold a password.
      return configuration_error(
          "CurlOptions::proxy is not a proxy's URL that libcurl uses as it stands, such as http://host:port: " +
          *fault);
    }
  }
  for (const milliseconds timeout : {options.connect_timeout, options.idle_timeout}) {
    if (timeout > milliseconds(0) && timeout <= curl::longest_timeout) continue;
    return configuration_error("CurlOptions::connect_timeout and idle_timeout must be more than 0 ms and at most 24 h");
  }
  if (options.max_connections == 0) return configuration_error("CurlOptions::max_connections must be 1 or more");
  return {};
}

/// Null if libcurl lacks a required feature.
template <typename Kind>
std::shared_ptr<curl::Driver> make_driver(CurlOptions options) {
  auto driver = std::make_shared<Kind>(std::move(options));
  return driver->initialize() ? driver : nullptr;
}

/// Why a request was not accepted.
void refuse(curl::QueuedRequest& request, curl::Mailbox::Posted why) {
  if (why == curl::Mailbox::Posted::closed) {
    request.complete(TransportFault::shut_down, Outcome::not_sent, "the transport is shut down");
  } else {
    request.complete(TransportFault::other, Outcome::not_sent, "the transport's thread or event loop is not reached");
  }
}

}  // namespace

Result<std::shared_ptr<CurlTransport>> CurlTransport::create(CurlOptions options) {
  const ErrorQueueGuard guard;
  const auto checked = check_libcurl().and_then([&options] { return check_options(options); });
  if (!checked) return checked.error();
  auto driver = options.event_loop != nullptr ? make_driver<curl::EventLoopDriver>(std::move(options))
                                              : make_driver<curl::ThreadDriver>(std::move(options));
  if (driver == nullptr) {
    return configuration_error(std::string("this libcurl (") + curl_version() +
                               ") lacks something that is needed: 7.80 with TLS is the oldest that will do");
  }
  if (!curl::LiveDrivers::get().add(driver)) return configuration_error("the process is about to exit");
  return std::shared_ptr<CurlTransport>(new CurlTransport(std::move(driver)));
}

CurlTransport::CurlTransport(std::shared_ptr<curl::Driver> driver)
    : driver_(std::move(driver)), process_(this_process()) {}

CurlTransport::~CurlTransport() {
  if (process_ == this_process()) {
    shutdown();
  } else {
    // In a child process the thread does not exist, and what is open belongs to the parent. So it is not changed.
    static_cast<void>(new (std::nothrow) std::shared_ptr<curl::Driver>(driver_));
  }
}

void CurlTransport::shutdown() noexcept {
  if (process_ != this_process()) return;
  const NoThreadCancellation whole;
  driver_->shut_down();
}

void CurlTransport::send(HttpRequest request, SendOptions options, Completion done) {
  if (process_ != this_process()) {
    Error error;
    error.kind = ErrorKind::misuse;
    error.outcome = Outcome::not_sent;
    error.remedy = Remedy::correct_the_program;
    error.message = "the transport was made before fork() and this is the child: make one of its own here";
    return done(std::move(error));
  }
  const NoThreadCancellation whole;
  if (options.timeout.count() <= 0) options.timeout = usual_timeout;
  if (options.deadline.count() <= 0) options.deadline = options.timeout;
  for (milliseconds* span : {&options.timeout, &options.deadline, &options.delay}) {
    *span = std::min(*span, milliseconds(curl::longest_timeout));  // a longer one could overflow a time point
  }
  curl::Requests one;
  try {
    one.emplace_back();
    one.front().on_stop.emplace(options.stop, [driver = driver_.get()] { driver->post_stop(); });
  } catch (const std::bad_alloc&) {
    return done(transport_error(TransportFault::other, Outcome::not_sent, "out of memory"));
  }
  curl::QueuedRequest& queued = one.front();
  queued.start = curl::Clock::now() + options.delay;
  queued.deadline = queued.start + options.deadline;
  queued.http = std::move(request);
  queued.options = std::move(options);
  queued.done = std::move(done);
  const auto posted = driver_->post(one);
  if (posted != curl::Mailbox::Posted::taken) refuse(queued, posted);
}

WECHATPAY_BONUS_COMMIT_END
