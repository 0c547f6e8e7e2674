#include "wechatpay/bonus_commit/testing/sandbox.hpp"

#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "src/testing/connection.hpp"
#include "src/testing/faults.hpp"
#include "src/testing/output_folder.hpp"
#include "src/testing/pki.hpp"
#include "wechatpay/bonus_commit/stages/text.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

using namespace stages;

namespace {

namespace fs = std::filesystem;

/// A fresh folder among the system's temporary ones.
fs::path make_folder() {
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    fs::path folder = fs::temp_directory_path() / ("wechatpay-sandbox-" + std::to_string(random()));
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

/// The TLS certificate authority of all sandboxes of a process; its key is the servers', too. It is made anew in each
/// process, and never written to a file: whoever had it could pose as any host to those who trust ca.pem.
struct Authority {
  PkeyHandle key = make_elliptic_key();
  CertificateHandle certificate = make_certificate({"wechatpay-bonus-commit sandbox CA", "", {}, true}, key.get());

  static Authority& get() {
    static Authority made;
    return made;
  }
};

}  // namespace

struct Sandbox::Server {
  Server(SandboxOptions options_, X509* certificate, EVP_PKEY* key)
      : options(std::move(options_)),
        wechat_pay(options.wechat_pay != nullptr ? options.wechat_pay : std::make_shared<FakeWechatPay>()),
        http(certificate, key),
        handler(options.handler),
        script(options.script.begin(), options.script.end()),
        random(options.fault_seed) {}
  ~Server() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      ending = true;
    }
    end.notify_all();
    http.stop();
    if (thread.joinable()) thread.join();
    std::error_code ignored;
    if (own_folder) fs::remove_all(files.folder, ignored);
  }

  void claim_folder();
  void write_files(const std::string& ca_pem);
  void serve(const httplib::Request& received, httplib::Response& sent);
  SandboxFault next_fault();
  HttpResponse answer(const HttpRequest& request);
  void log(const HttpRequest& request, const HttpResponse& response, const SandboxFault& fault);
  void pause(const SandboxFault& fault);
  std::optional<Error> bind();
  bool run();

  const SandboxOptions options;
  const std::shared_ptr<FakeWechatPay> wechat_pay;
  httplib::SSLServer http;
  SandboxFiles files;
  bool own_folder = false;
  std::unique_ptr<OutputFolder> folder;
  std::string origin;
  std::thread thread;
  std::atomic<bool> ended{false};

  std::mutex mutex;  ///< guards the rest, and keeps log lines apart
  std::condition_variable end;
  bool ending = false;
  Handler handler;
  std::deque<SandboxFault> script;
  std::mt19937_64 random;
};

void Sandbox::Server::claim_folder() {
  own_folder = options.folder.empty();
  const fs::path path = own_folder ? make_folder() : fs::absolute(options.folder);
  files.folder = path.string();
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

void Sandbox::Server::serve(const httplib::Request& received, httplib::Response& sent) {
  HttpRequest request;
  request.method = received.method;
  request.origin = origin;
  request.path = received.target;  // as it came over the wire; `path` is decoded
  request.body = received.body;
  for (const auto& [name, value] : received.headers) request.headers.push_back({name, value});

  const SandboxFault fault = next_fault();
  hold_back_packets(false);
  if (fault.kind == SandboxFault::Kind::delay) pause(fault);
  HttpResponse response;
  if (fault.kind != SandboxFault::Kind::drop_before) {
    response = spoiled_answer(*wechat_pay, request, fault, [this](const HttpRequest& one) { return answer(one); });
  }
  if (!break_connection(response, fault.kind, [&] { pause(fault); })) {
    sent.status = response.status;
    for (const HttpHeader& header : response.headers) {
      if (!same_token(header.name, "Content-Type")) sent.headers.emplace(header.name, header.value);
    }
    if (!response.body.empty()) {
      const std::string type(header_value(response.headers, "Content-Type"));
      sent.set_content(response.body, type.empty() ? std::string("text/plain") : type);
    }
  }
  if (options.log) log(request, response, fault);
}

void Sandbox::Server::log(const HttpRequest& request, const HttpResponse& response, const SandboxFault& fault) {
  const std::string_view request_id = header_value(response.headers, "Request-ID");
  const std::string line = std::to_string(response.status) + " " + printable(request.method, 16) + " " +
                           printable(request.path, 300) + " " + printable(request.body, 300) +
                           (request_id.empty() ? "" : " Request-ID " + std::string(request_id)) +
                           (response.body.empty() ? "" : " -> " + printable(response.body, 600)) +
                           (fault.kind == SandboxFault::Kind::none ? "" : " [fault " + to_string(fault) + "]");
  const std::lock_guard<std::mutex> lock(mutex);
  options.log(line);
}

SandboxFault Sandbox::Server::next_fault() {
  const std::lock_guard<std::mutex> lock(mutex);
  if (!script.empty()) {
    SandboxFault next = std::move(script.front());
    script.pop_front();
    return next;
  }
  const bool faulty = !options.faults.empty() && std::generate_canonical<double, 53>(random) < options.fault_rate;
  return faulty ? options.faults[random() % options.faults.size()] : SandboxFault();
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

/// Takes the port, and writes the files once that is done.
std::optional<Error> Sandbox::Server::bind() {
  SSL_CTX_set_info_callback(http.ssl_context(), note_connection);
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
  const std::string& address = options.address;
  const int port = options.port == 0                          ? http.bind_to_any_port(address)
                   : http.bind_to_port(address, options.port) ? options.port
                                                              : -1;
  if (port < 0) {
    return configuration_error("the sandbox cannot listen on " + address + " port " + std::to_string(options.port) +
                               ": it is taken or not this machine's");
  }
  try {
    write_files(certificate_pem(Authority::get().certificate.get()));
  } catch (...) {
    ::close(listener);  // cpp-httplib closes only what it serves
    throw;
  }
  // cpp-httplib's queue of 5 would make a burst of connections wait for a second.
  ::listen(listener, 256);
  const bool v6 = address.find(':') != std::string::npos;
  origin = "https://" + (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
  return std::nullopt;
}

/// Serves from here on; false where cpp-httplib does not.
bool Sandbox::Server::run() {
  const auto serve_one = [this](const httplib::Request& request, httplib::Response& response) {
    serve(request, response);
  };
  const std::string everything = R"([\s\S]*)";
  http.Get(everything, serve_one).Post(everything, serve_one).Put(everything, serve_one).Patch(everything, serve_one);
  http.Delete(everything, serve_one).Options(everything, serve_one);
  thread = std::thread([this] {
    http.listen_after_bind();
    ended = true;
  });
  while (!http.is_running()) {  // before that, stop() has no effect
    if (ended) return false;
    std::this_thread::yield();
  }
  return true;
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
    server->claim_folder();

    if (auto error = server->bind()) return *std::move(error);
    if (!server->run()) return configuration_error("the sandbox cannot listen on " + server->origin);
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

void Sandbox::inject(SandboxFault fault) {
  const std::lock_guard<std::mutex> lock(server_->mutex);
  server_->script.push_back(std::move(fault));
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
