// Serves a relay's metrics and health over HTTP.
#ifndef WECHATPAY_SRC_TOOL_METRICS_SERVER_HPP
#define WECHATPAY_SRC_TOOL_METRICS_SERVER_HPP

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "src/outbox/metrics.hpp"

namespace wechatpay::bonus_commit::tool {

struct ListeningAddress {
  std::string host{};  ///< an IP address or localhost
  int port = 0;        ///< 0: any free port
};

/// Parses PORT, HOST:PORT or [HOST]:PORT. Without a host it is 127.0.0.1.
std::optional<ListeningAddress> listening_address(const std::string& text);

/// GET /metrics is for Prometheus. GET /healthz answers 200, or 503 with the reason if the relay makes no progress.
/// Uses at most five threads.
class MetricsServer {
 public:
  using Snapshot = std::function<outbox::Metrics()>;  ///< called on the server's threads

  /// `limit`: how long the relay may go without progress. Null if the server cannot listen there.
  static std::unique_ptr<MetricsServer> start(const ListeningAddress& address, Snapshot snapshot,
                                              std::chrono::seconds limit);
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;
  ~MetricsServer();

  const std::string& origin() const;

 private:
  struct Server;
  explicit MetricsServer(std::unique_ptr<Server> server);

  const std::unique_ptr<Server> server_;
};

}  // namespace wechatpay::bonus_commit::tool

#endif
