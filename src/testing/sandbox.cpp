#include "wechatpay/bonus_commit/testing/sandbox.hpp"

#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "src/testing/checks.hpp"
#include "src/testing/connection.hpp"
#include "src/testing/connection_threads.hpp"
#include "src/testing/fault_schedule.hpp"
#include "src/testing/faults.hpp"
#include "src/testing/http_messages.hpp"
#include "src/testing/http_serving.hpp"
#include "src/testing/output_folder.hpp"
#include "src/testing/page_server.hpp"
#include "src/testing/pki.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

using namespace stages;

namespace {

namespace fs = std::filesystem;

/// Creates a new folder in the system's temporary folder, which only its owner may access.
std::string make_folder() {
  std::error_code failed;
  std::string path = (fs::temp_directory_path(failed) / "wechatpay-sandbox-XXXXXX").string();
  if (failed) throw fs::filesystem_error("the environment variable TMPDIR does not name a folder", failed);
  if (::mkdtemp(path.data()) == nullptr) {
    throw fs::filesystem_error("no fresh folder", path, {errno, std::generic_category()});
  }
  return path;
}

/// Whether the request says that it has a body.
bool has_body(const httplib::Request& request) {
  const std::string length = request.get_header_value("Content-Length");
  const bool has_length = !length.empty() && length != "0";
  return request.has_header("Transfer-Encoding") || has_length;
}

/// Writes a file that only its owner may access. The permissions are set before the content is written.
void write_file(const fs::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  file << content << std::flush;
  if (!file) throw fs::filesystem_error("cannot be written", path, std::make_error_code(std::errc::io_error));
}

/// The TLS certificate authority of all sandboxes of a process; the servers use its key, too. Each process makes its
/// own and never writes it to a file: anyone with the key could impersonate any host to clients that trust ca.pem.
struct Authority {
  PkeyHandle key = make_elliptic_key();
  CertificateHandle certificate = make_certificate({"wechatpay-bonus-commit sandbox CA", "", {}, true}, key.get());

  static Authority& get() {
    static Authority made;
    return made;
  }
};

constexpr std::size_t largest_body = 1U << 20U;

std::shared_ptr<FakeWechatPay> wechat_pay_of(const SandboxOptions& options) {
  if (options.wechat_pay != nullptr) return options.wechat_pay;
  FakeWechatPayOptions own;
  own.stage = options.stage;
  return std::make_shared<FakeWechatPay>(own);
}

}  // namespace

struct Sandbox::Server {
  Server(SandboxOptions options_, X509* certificate, EVP_PKEY* key)
      : options(std::move(options_)),
        wechat_pay(wechat_pay_of(options)),
        faults(options.script, options.faults, options.fault_rate, options.fault_seed),
        http(certificate, key),
        handler(options.handler) {}
  ~Server() {
    if (options.page != nullptr) options.page->server_->detach(this);
    {
      const std::lock_guard<std::mutex> lock(mutex);
      ending = true;
    }
    end.notify_all();
    http.stop();
    waiting.close_all();
    serving.join();
    if (listener != INVALID_SOCKET) ::close(listener);
    std::error_code ignored;
    if (own_folder) fs::remove_all(files.folder, ignored);
  }

  void claim_folder();
  void write_files(const std::string& ca_pem);
  void serve(const httplib::Request& received, const std::string& body, httplib::Response& sent);
  void refuse(const httplib::Request& received, httplib::Response& sent);
  HttpResponse answer(const HttpRequest& request);
  void record(const HttpRequest& request, const HttpResponse& response, const SandboxFault& fault, bool broken);
  void log(const HttpRequest& request, const HttpResponse& response, const SandboxFault& fault);
  void pause(const SandboxFault& fault);
  void set_up();
  std::optional<Error> bind();
  bool run();

  const SandboxOptions options;
  const std::shared_ptr<FakeWechatPay> wechat_pay;
  FaultSchedule faults;
  WaitingConnections waiting;
  httplib::SSLServer http;
  SandboxFiles files;
  bool own_folder = false;
  std::unique_ptr<OutputFolder> folder;
  std::string origin;
  socket_t listener = INVALID_SOCKET;  ///< before it serves; afterwards, cpp-httplib closes it
  ServingThread serving;

  std::mutex mutex;  ///< guards the rest, and keeps log lines from mixing
  std::condition_variable end;
  bool ending = false;
  Handler handler;
};

void Sandbox::Server::claim_folder() {
  own_folder = options.folder.empty();
  files.folder = own_folder ? make_folder() : fs::absolute(options.folder).string();
  const fs::path path = files.folder;
  const auto named = [&path](const std::string& name) { return (path / name).string(); };
  const std::string certificate = "wechatpay_" + wechat_pay->certificate_serial() + ".pem";
  files.merchant_key = named("apiclient_key.pem");
  files.merchant_certificate = named("apiclient_cert.pem");
  files.merchant_p12 = named("apiclient_cert.p12");
  files.public_key = named("pub_key.pem");
  files.platform_certificate = named(certificate);
  files.ca = named("ca.pem");
  folder = std::make_unique<OutputFolder>(
      path, std::vector<std::string>{"apiclient_key.pem", "apiclient_cert.pem", "apiclient_cert.p12", "pub_key.pem",
                                     certificate, "ca.pem"});
}

void Sandbox::Server::write_files(const std::string& ca_pem) {
  folder->begin();
  write_file(files.merchant_key, wechat_pay->merchant_key_pem());
  write_file(files.merchant_certificate, wechat_pay->merchant_certificate_pem());
  write_file(files.merchant_p12, wechat_pay->merchant_p12());
  write_file(files.public_key, wechat_pay->public_key_pem());
  write_file(files.platform_certificate, wechat_pay->certificate_pem());
  write_file(files.ca, ca_pem);
}

void Sandbox::Server::serve(const httplib::Request& received, const std::string& body, httplib::Response& sent) {
  waiting.answering();
  const HttpRequest request = request_of(received, body, origin);
  const bool is_commit = target_of(request) == Target::commit && request.method == "POST";
  SandboxFault fault;
  if (is_commit) fault = faults.next();
  hold_back_packets(false);
  if (fault.kind == SandboxFault::Kind::delay) pause(fault);
  HttpResponse response;
  if (fault.kind != SandboxFault::Kind::drop_before) {
    response = spoiled_answer(*wechat_pay, request, fault, [this](const HttpRequest& one) { return answer(one); });
  }
  const bool broken = break_connection(response, fault.kind, [&] { pause(fault); });
  if (!broken) send(response, sent);
  record(request, response, fault, broken);
}

/// A request that cpp-httplib cannot read, or that is too large: `sent` has the status. The connection is closed, since
/// it is not known where the next request begins.
void Sandbox::Server::refuse(const httplib::Request& received, httplib::Response& sent) {
  const HttpResponse response = error_response(
      sent.status, "INVALID_REQUEST",
      sent.status == 413
          ? "the body is larger than 1 MiB"
          : "the request cannot be read: look at its method, its target (one ? at most) and its headers");
  send(response, sent);
  WaitingConnections::end_after_answer();
  record(request_of(received, "", origin), response, SandboxFault(), false);
}

/// Adds the exchange to the log and the page. `broken`: the connection broke, so the client may not have the answer.
void Sandbox::Server::record(const HttpRequest& request, const HttpResponse& response, const SandboxFault& fault,
                             bool broken) {
  if (options.log) log(request, response, fault);
  if (options.page != nullptr) options.page->server_->log.add(request, response, fault, broken);
}

void Sandbox::Server::log(const HttpRequest& request, const HttpResponse& response, const SandboxFault& fault) {
  const std::string_view request_id = header_value(response.headers, "Request-ID");
  const bool has_query = target_of(request) != Target::none && request.path.find('?') != std::string::npos;
  std::string line = std::to_string(response.status) + " " + printable(request.method, 16) + " " +
                     printable(request.path, 300) + " " + printable(request.body, 300);
  if (!request_id.empty()) line.append(" Request-ID ").append(request_id);
  if (!response.body.empty()) line.append(" -> ").append(printable(response.body, 600));
  if (fault.kind != SandboxFault::Kind::none) line.append(" [fault ").append(to_string(fault)).append("]");
  if (has_query) line += " [the documents know no query string here; the signature must cover it]";
  const std::lock_guard<std::mutex> lock(mutex);
  options.log(line);
}

HttpResponse Sandbox::Server::answer(const HttpRequest& request) {
  Handler answering;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    answering = handler;
  }
  return answering ? answering(request) : wechat_pay->answer(request);
}

/// Waits as long as the fault says, or until the sandbox ends.
void Sandbox::Server::pause(const SandboxFault& fault) {
  std::unique_lock<std::mutex> lock(mutex);
  end.wait_for(lock, fault.pause, [this] { return ending; });
}

/// Sets how cpp-httplib handles connections and answers.
void Sandbox::Server::set_up() {
  waiting.watch(http.ssl_context());
  http.set_keep_alive_timeout(8);  // like WeChat Pay's servers
  http.set_keep_alive_max_count(1000);
  http.set_payload_max_length(largest_body);
  http.set_tcp_nodelay(true);
  // A connection needs a descriptor and a thread. cpp-httplib cannot wait on descriptors of 1,024 and above.
  const auto descriptors = static_cast<std::size_t>((std::max)(64L, ::sysconf(_SC_OPEN_MAX)));
  http.new_task_queue = [this, most = (std::min)(std::size_t(256), descriptors / 2)] {
    return new ConnectionThreads([this] { waiting.close_longest(); }, most);
  };
  http.set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
    if (!WaitingConnections::is_answering()) refuse(request, response);
  });
  http.set_post_routing_handler([](const httplib::Request& /*request*/, httplib::Response& response) {
    if (response.status == 204) response.headers.erase("Content-Length");
    if (!WaitingConnections::ends()) return;
    response.headers.erase("Keep-Alive");
    response.headers.erase("Connection");
    response.set_header("Connection", "close");
  });
  http.set_logger(
      [this](const httplib::Request& /*request*/, const httplib::Response& /*response*/) { waiting.answered(); });
}

/// Binds the port, and writes the files if that succeeds.
std::optional<Error> Sandbox::Server::bind() {
  http.set_socket_options([this](socket_t socket) {
    listener = socket;
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, reinterpret_cast<const char*>(&yes), sizeof yes);
  });
  const std::string& address = options.address;
  const int port = bind_port(http, address, options.port);
  if (port < 0) {
    listener = INVALID_SOCKET;
    return configuration_error("the sandbox cannot listen on " + address + " port " + std::to_string(options.port) +
                               ": it is taken or not this machine's");
  }
  write_files(certificate_pem(Authority::get().certificate.get()));
  // cpp-httplib's queue of 5 would make a burst of connections wait for one second.
  ::listen(listener, 256);
  origin = origin_at("https", address, port);
  return std::nullopt;
}

/// Starts serving; false if cpp-httplib does not.
bool Sandbox::Server::run() {
  const auto without_body = [this](const httplib::Request& request, httplib::Response& response) {
    WaitingConnections::end_of_head();
    if (has_body(request)) WaitingConnections::end_after_answer();  // cpp-httplib would read it as the next request
    serve(request, "", response);
  };
  const auto with_body = [this](const httplib::Request& request, httplib::Response& response,
                                const httplib::ContentReader& read) {
    WaitingConnections::end_of_head();
    std::string body;
    const bool is_form = request.is_multipart_form_data();  // cpp-httplib parses such a body
    if (is_form) WaitingConnections::end_after_answer();
    const auto take = [&body](const char* data, std::size_t size) {
      if (body.size() + size > largest_body) return false;
      body.append(data, size);
      return true;
    };
    const bool complete = is_form || !has_body(request) || read(take);
    if (complete) return serve(request, body, response);
    waiting.answering();
    if (response.status != 413) response.status = request.has_header("Transfer-Encoding") ? 413 : 400;
    refuse(request, response);
  };
  const std::string everything = R"([\s\S]*)";
  http.Get(everything, without_body).Options(everything, without_body);
  http.Post(everything, with_body).Put(everything, with_body);
  http.Patch(everything, with_body).Delete(everything, with_body);
  const bool serves = serving.start(http);
  listener = INVALID_SOCKET;
  return serves;
}

Sandbox::Sandbox(std::unique_ptr<Server> server) : server_(std::move(server)) {}

Sandbox::~Sandbox() = default;

Result<std::unique_ptr<Sandbox>> Sandbox::start(SandboxOptions options) {
  try {
    const Authority& authority = Authority::get();
    const auto certificate = make_certificate({"wechatpay-bonus-commit sandbox", "", options.certificate_names, false},
                                              authority.key.get(), authority.certificate.get(), authority.key.get());

    auto server = std::make_unique<Server>(std::move(options), certificate.get(), authority.key.get());
    if (!server->http.is_valid()) return configuration_error("the sandbox's TLS could not be set up");
    server->set_up();
    server->claim_folder();

    if (auto error = server->bind()) return *std::move(error);
    if (!server->run()) return configuration_error("the sandbox cannot listen on " + server->origin);
    if (const auto& page = server->options.page) {
      page->server_->attach(server.get(), {server->wechat_pay.get(), &server->faults});
    }
    return std::unique_ptr<Sandbox>(new Sandbox(std::move(server)));
  } catch (const std::exception& exception) {
    return configuration_error(std::string("the sandbox could not start: ") + exception.what());
  }
}

const std::string& Sandbox::origin() const noexcept { return server_->origin; }

const SandboxFiles& Sandbox::files() const noexcept { return server_->files; }

FakeWechatPay& Sandbox::wechat_pay() noexcept { return *server_->wechat_pay; }

void Sandbox::answer_with(Handler handler) {
  const std::lock_guard<std::mutex> lock(server_->mutex);
  server_->handler = std::move(handler);
}

void Sandbox::inject(SandboxFault fault) { server_->faults.inject(std::move(fault)); }

void Sandbox::set_faults(std::vector<SandboxFault> faults, double rate) {
  server_->faults.set(std::move(faults), rate);
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
