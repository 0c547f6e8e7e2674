#include "metrics_server.hpp"

#include <arpa/inet.h>
#include <httplib.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <utility>

#include "src/testing/http_serving.hpp"

namespace wechatpay::bonus_commit::tool {

namespace {

bool is_v6(const std::string& host) { return host.find(':') != std::string::npos; }

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return host == "localhost" || ::inet_pton(is_v6(host) ? AF_INET6 : AF_INET, host.c_str(), bytes.data()) == 1;
}

}  // namespace

std::optional<ListeningAddress> listening_address(const std::string& text) {
  ListeningAddress address{"127.0.0.1", 0};
  const std::size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  if (colon != std::string::npos && colon > 0) {
    address.host = text.substr(0, colon);
    const bool bracketed = address.host.front() == '[' && address.host.back() == ']';
    if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
    if (bracketed != is_v6(address.host)) return std::nullopt;
  }
  const char* const end = port.data() + port.size();
  const auto [last, error] = std::from_chars(port.data(), end, address.port);
  const bool taken = error == std::errc() && last == end && address.port >= 0 && address.port <= 65535;
  if (!taken || !is_address(address.host)) return std::nullopt;
  return address;
}

struct MetricsServer::Server {
  ~Server() {
    http.stop();
    serving.join();
  }

  bool listen(const ListeningAddress& address);
  void serve(Snapshot snapshot, std::chrono::seconds limit);

  const outbox::Metrics::Clock::time_point started = outbox::Metrics::Clock::now();
  httplib::Server http;
  std::string origin;
  testing::ServingThread serving;
};

bool MetricsServer::Server::listen(const ListeningAddress& address) {
  http.new_task_queue = [] { return new httplib::ThreadPool(4); };
  // A keep-alive or silent connection would occupy a thread.
  http.set_keep_alive_max_count(1);
  http.set_keep_alive_timeout(2);
  http.set_read_timeout(2);
  http.set_write_timeout(2);
  http.set_payload_max_length(1024);
  http.set_socket_options([](socket_t socket) {  // without SO_REUSEPORT, so that no second relay can listen here
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  const int port = testing::bind_port(http, address.host, address.port);
  origin = testing::origin_at("http", address.host, port);
  return port > 0;
}

void MetricsServer::Server::serve(Snapshot snapshot, std::chrono::seconds limit) {
  http.Get("/metrics", [snapshot](const httplib::Request&, httplib::Response& response) {
    response.set_content(outbox::to_text(snapshot(), outbox::Metrics::Clock::now()),
                         "text/plain; version=0.0.4; charset=utf-8");
  });
  http.Get("/healthz",
           [snapshot = std::move(snapshot), limit, this](const httplib::Request&, httplib::Response& response) {
             const std::string fault = outbox::health_fault(snapshot(), started, outbox::Metrics::Clock::now(), limit);
             response.status = fault.empty() ? 200 : 503;
             response.set_content(fault.empty() ? "ok\n" : fault + "\n", "text/plain; charset=utf-8");
           });
}

MetricsServer::MetricsServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}

MetricsServer::~MetricsServer() = default;

std::unique_ptr<MetricsServer> MetricsServer::start(const ListeningAddress& address, Snapshot snapshot,
                                                    std::chrono::seconds limit) {
  auto server = std::make_unique<Server>();
  if (!server->listen(address)) return nullptr;
  server->serve(std::move(snapshot), limit);
  if (!server->serving.start(server->http)) return nullptr;
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(server)));
}

const std::string& MetricsServer::origin() const { return server_->origin; }

}  // namespace wechatpay::bonus_commit::tool
