#include "wechatpay/bonus_commit/testing/sandbox.hpp"

#include <httplib.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "src/testing/pki.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {
namespace {

namespace fs = std::filesystem;

/// A fresh folder among the system's temporary ones.
fs::path make_folder() {
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const fs::path folder = fs::temp_directory_path() / ("wechatpay-sandbox-" + std::to_string(random()));
    if (fs::create_directory(folder)) return folder;
  }
  throw fs::filesystem_error("no fresh folder", fs::temp_directory_path(),
                             std::make_error_code(std::errc::file_exists));
}

/// For the owner alone, before anything is in it.
void write_file(const fs::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  file << content << std::flush;
  if (!file) throw fs::filesystem_error("cannot be written", path, std::make_error_code(std::errc::io_error));
}

}  // namespace

struct Sandbox::Server {
  Server(SandboxOptions options_, X509* certificate, EVP_PKEY* key)
      : options(std::move(options_)), wechat_pay(options.wechat_pay), http(certificate, key) {}
  ~Server() {
    http.stop();
    if (thread.joinable()) thread.join();
    std::error_code ignored;
    if (own_folder) fs::remove_all(files.folder, ignored);
  }

  void write_files(const std::string& ca_pem);
  void serve(const httplib::Request& received, httplib::Response& sent);

  const SandboxOptions options;
  FakeWechatPay wechat_pay;
  httplib::SSLServer http;
  SandboxFiles files;
  bool own_folder = false;
  std::string origin;
  std::thread thread;

  std::mutex mutex;  ///< guards the handler, and keeps log lines apart
  Handler handler;
};

void Sandbox::Server::write_files(const std::string& ca_pem) {
  own_folder = options.folder.empty();
  const fs::path folder = own_folder ? make_folder() : fs::path(options.folder);
  files.folder = folder.string();
  fs::create_directories(folder);
  const auto write = [&folder](const std::string& name, const std::string& content) {
    write_file(folder / name, content);
    return (folder / name).string();
  };
  files.merchant_key = write("apiclient_key.pem", wechat_pay.merchant_key_pem());
  files.merchant_certificate = write("apiclient_cert.pem", wechat_pay.merchant_certificate_pem());
  files.merchant_p12 = write("apiclient_cert.p12", wechat_pay.merchant_p12());
  files.public_key = write("pub_key.pem", wechat_pay.public_key_pem());
  files.platform_certificate =
      write("wechatpay_" + wechat_pay.certificate_serial() + ".pem", wechat_pay.certificate_pem());
  files.ca = write("ca.pem", ca_pem);
}

void Sandbox::Server::serve(const httplib::Request& received, httplib::Response& sent) {
  HttpRequest request;
  request.method = received.method;
  request.origin = origin;
  request.path = received.target;  // as it came over the wire; `path` is decoded
  request.body = received.body;
  for (const auto& [name, value] : received.headers) request.headers.push_back({name, value});

  Handler answering;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    answering = handler;
  }
  const HttpResponse response = answering ? answering(request) : wechat_pay.answer(request);
  sent.status = response.status;
  for (const HttpHeader& header : response.headers) {
    if (!same_token(header.name, "Content-Type")) sent.headers.emplace(header.name, header.value);
  }
  if (!response.body.empty()) {
    const std::string type(header_value(response.headers, "Content-Type"));
    sent.set_content(response.body, type.empty() ? std::string("text/plain") : type);
  }
  if (!options.log) return;
  const std::string_view request_id = header_value(response.headers, "Request-ID");
  const std::string line = std::to_string(response.status) + " " + printable(request.method, 16) + " " +
                           printable(request.path, 300) + " " + printable(request.body, 300) +
                           (request_id.empty() ? "" : " Request-ID " + std::string(request_id)) +
                           (response.body.empty() ? "" : " -> " + printable(response.body, 600));
  const std::lock_guard<std::mutex> lock(mutex);
  options.log(line);
}

Sandbox::Sandbox(std::unique_ptr<Server> server) : server_(std::move(server)) {}

Sandbox::~Sandbox() = default;

Result<std::unique_ptr<Sandbox>> Sandbox::start(SandboxOptions options) {
  try {
    static const PkeyHandle key = make_rsa_key();  // once per process, since making one takes a while
    const auto ca = make_certificate({"wechatpay-bonus-commit sandbox CA", "", {}, true}, key.get());
    const auto certificate = make_certificate({"wechatpay-bonus-commit sandbox", "", options.certificate_names, false},
                                              key.get(), ca.get(), key.get());

    auto server = std::make_unique<Server>(std::move(options), certificate.get(), key.get());
    if (!server->http.is_valid()) return configuration_error("the sandbox's TLS could not be set up");
    server->write_files(certificate_pem(ca.get()));

    httplib::SSLServer& http = server->http;
    // As WeChat Pay's servers do: an idle connection is closed after 8 s. Each connection holds a thread.
    http.set_keep_alive_timeout(8);
    http.set_keep_alive_max_count(static_cast<std::size_t>(-1));
    http.set_tcp_nodelay(true);
    http.new_task_queue = [] { return new httplib::ThreadPool(160); };
    socket_t listener = INVALID_SOCKET;
    http.set_socket_options([&listener](socket_t socket) {
      listener = socket;
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, reinterpret_cast<const char*>(&yes), sizeof yes);
    });
    const auto serve = [raw = server.get()](const httplib::Request& request, httplib::Response& response) {
      raw->serve(request, response);
    };
    const std::string everything = R"([\s\S]*)";
    http.Get(everything, serve).Post(everything, serve).Put(everything, serve).Patch(everything, serve);
    http.Delete(everything, serve).Options(everything, serve);

    const std::string address = server->options.address;
    const int port = server->options.port == 0                          ? http.bind_to_any_port(address)
                     : http.bind_to_port(address, server->options.port) ? server->options.port
                                                                        : -1;
    if (port < 0) {
      return configuration_error("the sandbox cannot listen on " + address + " port " +
                                 std::to_string(server->options.port) + ": it is taken or not this machine's");
    }
    // cpp-httplib's queue of 5 would make a burst of connections wait for a second.
    ::listen(listener, 256);
    const bool v6 = address.find(':') != std::string::npos;
    server->origin = "https://" + (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
    server->thread = std::thread([&http] { http.listen_after_bind(); });
    while (!http.is_running()) std::this_thread::yield();  // before that, stop() has no effect
    return std::unique_ptr<Sandbox>(new Sandbox(std::move(server)));
  } catch (const std::exception& exception) {
    return configuration_error(std::string("the sandbox could not start: ") + exception.what());
  }
}

const std::string& Sandbox::origin() const noexcept { return server_->origin; }

const SandboxFiles& Sandbox::files() const noexcept { return server_->files; }

FakeWechatPay& Sandbox::wechat_pay() noexcept { return server_->wechat_pay; }

void Sandbox::answer_with(Handler handler) {
  const std::lock_guard<std::mutex> lock(server_->mutex);
  server_->handler = std::move(handler);
}

}  // namespace wechatpay
