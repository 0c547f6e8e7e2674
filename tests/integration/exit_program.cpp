// A program that exits while calls are in progress: exit_program WAY ORIGIN CA_FILE KEYS_FOLDER PUBLIC_KEY_ID. The
// expected exit status is 7.
#include <sys/wait.h>
#include <unistd.h>

#include <asio.hpp>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "examples/event_loop/asio_event_loop.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"

namespace {

using namespace wechatpay::bonus_commit;

constexpr int right = 7;

std::vector<std::string> arguments;

using Clock = std::chrono::steady_clock;

BonusCommitClient make_client(std::shared_ptr<EventLoop> loop = nullptr,
                              std::chrono::milliseconds try_timeout = std::chrono::seconds(10),
                              std::function<Clock::time_point()> clock = Clock::now) {
  CurlOptions curl_options;
  curl_options.ca_bundle_file = arguments.at(3);
  curl_options.event_loop = std::move(loop);
  ClientOptions options;
  options.origins = {arguments.at(2)};
  options.retry.try_timeout = try_timeout;
  options.steady_clock = std::move(clock);
  const std::string folder = arguments.at(4);
  PlatformKeys keys;
  keys.add_public_key_file(arguments.at(5), folder + "/pub_key.pem").value();
  return BonusCommitClient::create(
             Credentials::from_pem_files(folder + "/apiclient_cert.pem", folder + "/apiclient_key.pem").value(), keys,
             CurlTransport::create(curl_options).value(), options)
      .value();
}

// Constructed before OpenSSL is first used, so destroyed after OpenSSL has cleaned up.
std::optional<BonusCommitClient> client;
std::optional<BonusCommitClient> client_of_a_loop;
std::vector<std::thread> threads;              // never joined: they still run at exit
asio::io_context& io = *new asio::io_context;  // its thread still runs at exit, too

/// A very short `try_timeout`, so that tries end, sign and start all the time.
constexpr std::chrono::milliseconds moment{1};

int leaves_a_call_under_way() {
  client.emplace(make_client());
  client->commit_async(seed_request(), [](const CommitResult&) {});
  return right;
}

int leaves_calls_that_try_again() {
  client.emplace(make_client(nullptr, moment));
  for (int i = 0; i < 20; ++i) client->commit_async(seed_request(), [](const CommitResult&) {});
  ::usleep(static_cast<useconds_t>(::getpid() % 20) * 1000);  // exits at a different moment each time
  return right;
}

int lets_a_callback_destroy_the_client() {
  client.emplace(make_client(nullptr, moment));
  std::promise<void> destroyed;
  client->commit_async(seed_request(), [&](const CommitResult&) {
    client.reset();
    destroyed.set_value();
  });
  destroyed.get_future().wait();
  return right;
}

int exits_in_a_callback() {
  client.emplace(make_client(nullptr, moment));
  auto& started = *new std::promise<void>;
  const auto all_started = started.get_future().share();  // otherwise exit() destroys the client that the loop uses
  for (int i = 0; i < 5; ++i) {
    client->commit_async(seed_request(), [all_started](const CommitResult&) {
      all_started.wait();
      std::exit(right);
    });
  }
  started.set_value();
  while (true) ::pause();
}

int exits_in_a_callback_that_destroyed_the_client() {
  client.emplace(make_client(nullptr, moment));
  client->commit_async(seed_request(), [](const CommitResult&) {
    client.reset();
    std::exit(right);
  });
  while (true) ::pause();
}

int leaves_a_thread_that_waits() {
  static thread_local bool blocks = false;
  auto& waits = *new std::promise<void>;
  client.emplace(make_client(nullptr, std::chrono::seconds(10), [&waits] {
    if (std::exchange(blocks, false)) waits.set_value();  // within commit(), which no longer uses the client
    return Clock::now();
  }));
  threads.emplace_back([] {
    auto future = client->commit_async(seed_request());
    blocks = true;
    static_cast<void>(client->commit(seed_request()));
    while (true) ::pause();  // ending it here would race with OpenSSL, which frees its per-thread data
  });
  threads.back().detach();
  waits.get_future().wait();
  return right;
}

int leaves_threads_that_sign() {
  const Credentials credentials =
      Credentials::from_pem_files(arguments[4] + "/apiclient_cert.pem", arguments[4] + "/apiclient_key.pem").value();
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([credentials] {
      while (credentials.signer().sign("text")) {
      }
      while (true) ::pause();
    });
    threads.back().detach();
  }
  ::usleep(static_cast<useconds_t>(::getpid() % 20) * 1000);
  return right;
}

int leaves_a_loop_running() {
  const auto work = std::make_shared<asio::executor_work_guard<asio::io_context::executor_type>>(io.get_executor());
  threads.emplace_back([work] { io.run(); });
  threads.back().detach();
  client_of_a_loop.emplace(make_client(std::make_shared<AsioEventLoop>(io), moment));
  for (int i = 0; i < 20; ++i) client_of_a_loop->commit_async(seed_request(), [](const CommitResult&) {});
  ::usleep(static_cast<useconds_t>(::getpid() % 20) * 1000);
  return right;
}

int exits_in_a_loop() {
  client_of_a_loop.emplace(make_client(std::make_shared<AsioEventLoop>(io), moment));
  for (int i = 0; i < 5; ++i) {
    client_of_a_loop->commit_async(seed_request(), [](const CommitResult&) { std::exit(right); });
  }
  io.run();
  return 1;
}

int exits_in_a_forked_child() {
  static std::shared_ptr<CurlTransport> transport;
  CurlOptions options;
  options.ca_bundle_file = arguments.at(3);
  transport = CurlTransport::create(options).value();
  HttpRequest request;
  request.method = "POST";
  request.origin = arguments.at(2);
  transport->send(request, {}, [](const Result<HttpResponse>&) {});
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    std::exit(right);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

const std::map<std::string, int (*)()> ways = {
    {"leaves_a_call_under_way", leaves_a_call_under_way},
    {"leaves_calls_that_try_again", leaves_calls_that_try_again},
    {"lets_a_callback_destroy_the_client", lets_a_callback_destroy_the_client},
    {"exits_in_a_callback", exits_in_a_callback},
    {"exits_in_a_callback_that_destroyed_the_client", exits_in_a_callback_that_destroyed_the_client},
    {"leaves_a_thread_that_waits", leaves_a_thread_that_waits},
    {"leaves_threads_that_sign", leaves_threads_that_sign},
    {"leaves_a_loop_running", leaves_a_loop_running},
    {"exits_in_a_loop", exits_in_a_loop},
    {"exits_in_a_forked_child", exits_in_a_forked_child},
};

}  // namespace

int main(int count, char** values) {
  arguments.assign(values, values + count);
  ::alarm(60);
  return ways.at(arguments.at(1))();
}
