#include "wechatpay/bonus_commit/testing/sandbox.hpp"

#include <httplib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "src/testing/output_folder.hpp"
#include "src/testing/pki.hpp"
#include "wechatpay/bonus_commit/text.hpp"

namespace wechatpay {
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

/// The TLS connection that this thread serves: cpp-httplib keeps it for itself, and faults need it.
thread_local SSL* connection = nullptr;

void note_connection(const SSL* ssl, int where, int /*result*/) {
  if ((where & SSL_CB_HANDSHAKE_START) != 0) connection = const_cast<SSL*>(ssl);
}

void close_connection() { ::shutdown(SSL_get_fd(connection), SHUT_RDWR); }

/// Lets the system collect what is written, for a fifth of a second at most, where it can.
void hold_back_packets(bool hold_back) {
#if defined(TCP_CORK)
  const int value = hold_back ? 1 : 0;
  ::setsockopt(SSL_get_fd(connection), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
#else
  static_cast<void>(hold_back);
#endif
}

/// Sends RST: to dissolve the association is what connect() with AF_UNSPEC means to TCP.
void reset_connection() {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  static_cast<void>(::connect(SSL_get_fd(connection), &nobody, sizeof nobody));
}

void write_bytes(std::string_view bytes) { SSL_write(connection, bytes.data(), static_cast<int>(bytes.size())); }

/// An answer as it goes over the wire.
std::string wire_form(const HttpResponse& response) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " \r\n";
  for (const HttpHeader& header : response.headers) text.append(header.name + ": " + header.value + "\r\n");
  if (response.status != 204) text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  return text + "\r\n" + response.body;
}

void set_header(HttpResponse& response, std::string_view name, const std::string& value) {
  for (HttpHeader& header : response.headers) {
    if (same_token(header.name, name)) header.value = value;
  }
}

/// The TLS certificate authority of all sandboxes of a process; its key is the servers', too, since making one takes a
/// while.
struct Authority {
  PkeyHandle key = make_rsa_key();
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
  HttpResponse spoiled_answer(const HttpRequest& request, const SandboxFault& fault);
  bool break_connection(const HttpResponse& response, const SandboxFault& fault);
  void pause(const SandboxFault& fault);

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
  if (fault.name == "delay") pause(fault);
  const HttpResponse response = fault.name == "drop-before" ? HttpResponse{} : spoiled_answer(request, fault);
  if (!break_connection(response, fault)) {
    sent.status = response.status;
    for (const HttpHeader& header : response.headers) {
      if (!same_token(header.name, "Content-Type")) sent.headers.emplace(header.name, header.value);
    }
    if (!response.body.empty()) {
      const std::string type(header_value(response.headers, "Content-Type"));
      sent.set_content(response.body, type.empty() ? std::string("text/plain") : type);
    }
  }
  if (!options.log) return;
  const std::string_view request_id = header_value(response.headers, "Request-ID");
  const std::string line = std::to_string(response.status) + " " + printable(request.method, 16) + " " +
                           printable(request.path, 300) + " " + printable(request.body, 300) +
                           (request_id.empty() ? "" : " Request-ID " + std::string(request_id)) +
                           (response.body.empty() ? "" : " -> " + printable(response.body, 600)) +
                           (fault.name == "ok" ? "" : " [fault " + fault.name + "]");
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
  return faulty ? options.faults[random() % options.faults.size()] : SandboxFault{"ok", ""};
}

HttpResponse Sandbox::Server::answer(const HttpRequest& request) {
  Handler answering;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    answering = handler;
  }
  return answering ? answering(request) : wechat_pay->answer(request);
}

/// What WeChat Pay would answer, changed as the fault says.
HttpResponse Sandbox::Server::spoiled_answer(const HttpRequest& request, const SandboxFault& fault) {
  if (fault.name.front() >= '2' && fault.name.front() <= '5') {
    const int status = std::stoi(fault.name);
    if (status == 202 || status == 500 || status == 504) answer(request);
    HttpResponse error = status < 300 ? wechat_pay->sign({status, {}, ""}, request)
                                      : wechat_pay->error(status, status == 429 ? "RATELIMIT_EXCEEDED" : "SYSTEM_ERROR",
                                                          "the sandbox was told to answer so", request);
    if (!fault.argument.empty()) error.headers.push_back({"Retry-After", fault.argument});
    return error;
  }
  HttpResponse response = answer(request);
  if (fault.name == "html") {
    return {502, {{"Content-Type", "text/html"}}, "<html><body><h1>502 Bad Gateway</h1></body></html>"};
  }
  if (fault.name == "redirect") return {302, {{"Location", "https://elsewhere.example/"}}, ""};
  if (fault.name == "unsigned") return {response.status, {}, response.body};
  if (fault.name == "large-body") return {200, {}, std::string(2U << 20U, 'x')};
  if (fault.name == "stale-timestamp") {
    return wechat_pay->sign({response.status, {}, response.body}, request, std::chrono::minutes(10));
  }
  if (fault.name == "unknown-serial")
    set_header(response, "Wechatpay-Serial", "PUB_KEY_ID_0000000000000000000000000000");
  if (fault.name == "probe") set_header(response, "Wechatpay-Signature", "WECHATPAY/SIGNTEST/" + std::string(325, 'x'));
  if (fault.name == "wrong-signature") {
    std::string signature(header_value(response.headers, "Wechatpay-Signature"));
    if (!signature.empty()) signature.front() = signature.front() == 'A' ? 'B' : 'A';
    set_header(response, "Wechatpay-Signature", signature);
  }
  if (fault.name == "duplicate-header") {
    response.headers.push_back(
        {"Wechatpay-Timestamp", std::string(header_value(response.headers, "Wechatpay-Timestamp"))});
  }
  if (fault.name == "large-headers") {
    for (int i = 0; i < 80; ++i) response.headers.push_back({"Padding", std::string(1024, 'x')});
  }
  return response;
}

/// Answers by bytes where the fault is one of the connection's, which it ends; false where it is not.
bool Sandbox::Server::break_connection(const HttpResponse& response, const SandboxFault& fault) {
  if (fault.name == "reset") {
    reset_connection();
    return true;
  }
  if (fault.name == "garbage") {
    write_bytes("\x15\x03 this is not HTTP\r\n\r\n");
  } else if (fault.name == "drop-half") {
    const std::string bytes = wire_form(response);
    write_bytes(std::string_view(bytes).substr(0, bytes.size() / 2));
  } else if (fault.name == "early-close") {
    write_bytes(wire_form(response));
  } else if (fault.name == "polite-close") {
    write_bytes(wire_form(response));
    SSL_shutdown(connection);
  } else if (fault.name == "extra-answer") {
    hold_back_packets(true);  // so that whoever has the first answer has the second, too
    write_bytes(wire_form(response));
    return false;
  } else if (fault.name == "slow") {
    for (const char& byte : wire_form(response)) {
      pause(fault);
      write_bytes({&byte, 1});
    }
  } else if (fault.name != "drop-before" && fault.name != "drop-after") {
    return false;
  }
  close_connection();
  return true;
}

/// Waits as long as the fault says, or until the sandbox ends.
void Sandbox::Server::pause(const SandboxFault& fault) {
  std::unique_lock<std::mutex> lock(mutex);
  end.wait_for(lock, std::chrono::milliseconds(std::strtol(fault.argument.c_str(), nullptr, 10)),
               [this] { return ending; });
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

    httplib::SSLServer& http = server->http;
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
    try {
      server->write_files(certificate_pem(authority.certificate.get()));
    } catch (...) {
      ::close(listener);  // cpp-httplib closes only what it serves
      throw;
    }
    // cpp-httplib's queue of 5 would make a burst of connections wait for a second.
    ::listen(listener, 256);
    const bool v6 = address.find(':') != std::string::npos;
    server->origin = "https://" + (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
    server->thread = std::thread([raw = server.get()] {
      raw->http.listen_after_bind();
      raw->ended = true;
    });
    while (!http.is_running()) {  // before that, stop() has no effect
      if (server->ended) return configuration_error("the sandbox cannot listen on " + server->origin);
      std::this_thread::yield();
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

void Sandbox::inject(SandboxFault fault) {
  const std::lock_guard<std::mutex> lock(server_->mutex);
  server_->script.push_back(std::move(fault));
}

}  // namespace wechatpay
