#include "wechatpay/bonus_commit/testing/sandbox_page.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "src/testing/faults.hpp"
#include "src/testing/page_files.hpp"
#include "src/testing/page_server.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* json_type = "application/json; charset=utf-8";

/// What a browser may do with the page: run the page's own script, and nothing from a request.
const httplib::Headers browser_rules = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cache-Control", "no-store"},
};

constexpr MerchantStage stages[] = {MerchantStage::public_key, MerchantStage::switching, MerchantStage::certificates};

std::uint64_t number_in(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

SandboxPage::Server::Server() {
  http_.set_default_headers(browser_rules);
  http_.set_payload_max_length(4096);
  serve_files();
  serve_state();
}

SandboxPage::Server::~Server() {
  http_.stop();
  http_.close_all();
  thread_.join();
}

bool SandboxPage::Server::listen(std::uint16_t port) {
  socket_t listener = INVALID_SOCKET;
  http_.set_socket_options([&listener](socket_t socket) {
    listener = socket;
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, reinterpret_cast<const char*>(&yes), sizeof yes);
  });
  const char* const address = "127.0.0.1";
  const int bound = bind_port(http_, address, port);
  if (bound < 0) return false;
  ::listen(listener, 64);  // cpp-httplib's queue of 5 would make a burst of connections wait for one second
  constexpr int default_port = 80;
  for (const char* name : {address, "localhost"}) {
    hosts_.push_back(name + std::string(":") + std::to_string(bound));
    if (bound == default_port) hosts_.emplace_back(name);  // browsers omit the default port
  }
  url = "http://" + hosts_.front() + "/";
  return thread_.start(http_);
}

/// Whether a request comes from this page. A request of another page has another Origin, and cannot set the header
/// X-Sandbox-Page without a preflight. A page whose own name resolves to this machine (DNS rebinding) has another Host.
bool SandboxPage::Server::is_own(const httplib::Request& request) const {
  const std::string host = request.get_header_value("Host");
  const std::size_t number_of_hosts = request.get_header_value_count("Host");
  const bool is_known = std::find(hosts_.begin(), hosts_.end(), host) != hosts_.end();
  if (number_of_hosts != 1 || !is_known) return false;
  const bool has_origin = request.has_header("Origin");
  const bool is_same = request.get_header_value("Origin") == "http://" + host;
  if (has_origin && !is_same) return false;
  const bool has_own_header = request.has_header("X-Sandbox-Page");
  return has_own_header || request.method == "GET";
}

SandboxPage::Server::Handler SandboxPage::Server::guarded(Handler handler) const {
  return [this, handler = std::move(handler)](const httplib::Request& request, httplib::Response& response) {
    if (is_own(request)) return handler(request, response);
    response.status = 403;
    response.set_content("This page is for a browser on this machine, under its own address.\n", "text/plain");
  };
}

void SandboxPage::Server::serve_files() {
  for (const PageFile& file : page_files) {
    http_.Get(file.path, guarded([&file](const httplib::Request&, httplib::Response& response) {
                response.set_content(file.content.data(), file.content.size(), file.type);
              }));
  }
}

void SandboxPage::Server::serve_state() {
  http_.Get("/exchanges", guarded([this](const httplib::Request& request, httplib::Response& response) {
              response.set_content(exchanges(number_in(request.get_param_value("after"))), json_type);
            }));
  http_.Get("/orders", guarded([this](const httplib::Request&, httplib::Response& response) {
              response.set_content(orders(), json_type);
            }));
  http_.Get("/controls", guarded([this](const httplib::Request&, httplib::Response& response) {
              response.set_content(controls(), json_type);
            }));
  http_.Post("/faults", guarded([this](const httplib::Request& request, httplib::Response& response) {
               response.status = switch_fault(request.body) ? 204 : 400;
             }));
  http_.Post("/stage", guarded([this](const httplib::Request& request, httplib::Response& response) {
               response.status = switch_stage(request.body) ? 204 : 400;
             }));
}

std::string SandboxPage::Server::exchanges(std::uint64_t after) const {
  return "{\"controls\":" + controls() + ",\"log\":" + log.since(after) + "}";
}

std::string SandboxPage::Server::orders() const {
  constexpr std::size_t most_orders = 1000;
  std::vector<CommittedOrder> committed;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (controls_.wechat_pay != nullptr) committed = controls_.wechat_pay->latest_committed(most_orders);
  }
  ordered_json list = ordered_json::array();
  for (const auto& [order, times] : committed) {
    list.push_back({{"out_trade_no", order.out_trade_no},
                    {"mchid", order.mchid},
                    {"sub_mchid", order.sub_mchid},
                    {"card_id", order.card_id},
                    {"code", order.code},
                    {"bonus_value", std::to_string(order.bonus_value)},  // JavaScript's numbers have 53 bits
                    {"times", times}});
  }
  return list.dump();
}

std::string SandboxPage::Server::controls() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::size_t number_of_orders = 0;
  FaultSchedule::Active active;
  std::string current;
  ordered_json names = ordered_json::array();
  if (controls_.wechat_pay != nullptr) {
    number_of_orders = controls_.wechat_pay->count_committed();
    active = controls_.faults->active();
    current = to_string(controls_.wechat_pay->stage());
    for (const MerchantStage stage : stages) names.push_back(to_string(stage));
  }
  const ordered_json shown = {{"orders", number_of_orders},
                              {"fault", active.names},
                              {"rate", active.rate},
                              {"stage", current},
                              {"stages", names}};
  return shown.dump();
}

bool SandboxPage::Server::switch_fault(const std::string& body) {
  const json wanted = json::parse(body, nullptr, false);
  if (!wanted.is_object()) return false;
  const json name = wanted.value("fault", json());
  if (!name.is_string()) return false;
  const json rate = wanted.value("rate", json(1.0));
  const json pause = wanted.value("pause_ms", json(0));
  constexpr int longest_pause = 60'000;
  if (!rate.is_number() || !(rate >= 0 && rate <= 1) || !pause.is_number_integer() || pause < 0 ||
      pause > longest_pause) {
    return false;
  }
  const auto fault = fault_named(name.get<std::string>(), std::chrono::milliseconds(pause.get<int>()));
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!fault || controls_.wechat_pay == nullptr) return false;
  if (wanted.value("next", json()) == true) {
    controls_.faults->inject(*fault);
  } else {
    controls_.faults->set({*fault}, rate.get<double>());
  }
  return true;
}

bool SandboxPage::Server::switch_stage(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (controls_.wechat_pay == nullptr) return false;
  for (const MerchantStage stage : stages) {
    if (name != to_string(stage)) continue;
    controls_.wechat_pay->set_stage(stage);
    return true;
  }
  return false;
}

void SandboxPage::Server::attach(const void* owner, const PageControls& controls) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (owner_ != nullptr) return;
  owner_ = owner;
  controls_ = controls;
}

void SandboxPage::Server::detach(const void* owner) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (owner_ != owner) return;
  owner_ = nullptr;
  controls_ = {};
}

SandboxPage::SandboxPage(std::unique_ptr<Server> server) : server_(std::move(server)) {}

SandboxPage::~SandboxPage() = default;

Result<std::shared_ptr<SandboxPage>> SandboxPage::start(std::uint16_t port) {
  try {
    auto server = std::make_unique<Server>();
    if (!server->listen(port)) {
      return configuration_error("the page cannot listen on 127.0.0.1 port " + std::to_string(port) + ": it is taken");
    }
    return std::shared_ptr<SandboxPage>(new SandboxPage(std::move(server)));
  } catch (const std::exception& exception) {
    return configuration_error(std::string("the page could not start: ") + exception.what());
  }
}

const std::string& SandboxPage::url() const noexcept { return server_->url; }

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
