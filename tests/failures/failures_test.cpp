// Makes each call to OpenSSL, libcurl and the memory allocator fail in turn. The library must report a correct result
// each time, and must not leak. The server is a separate process, so that it does not fail too.
#include <curl/curl.h>
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "src/curl/request_queue.hpp"
#include "src/openssl/certificate.hpp"
#include "src/openssl/pem.hpp"
#include "src/outbox/result_queue.hpp"
#include "src/testing/pki.hpp"
#include "tests/support/held_transport.hpp"
#include "tests/support/polling_loop.hpp"
#include "tests/support/sanitizers.hpp"
#include "tests/support/support.hpp"
#include "wechatpay/bonus_commit.hpp"
#if defined(__cpp_impl_coroutine)
#include "tests/support/detached.hpp"
#include "wechatpay/bonus_commit/coroutine.hpp"
#endif
#include "wechatpay/bonus_commit/stages/base64.hpp"
#include "wechatpay/bonus_commit/testing/sandbox.hpp"

namespace {

/// Which call fails: the `nth` of function `name`, counted from 1.
struct Failure {
  const char* name = nullptr;
  std::atomic<int> nth{0};
  std::atomic<bool> struck{false};
  bool passed_over = false;  ///< it struck while create() searched for the merchant's own key; create() may ignore that
};
Failure failure;

bool strikes(const char* name) {
  if (failure.name != name || --failure.nth != 0) return false;
  failure.struck = true;
  return true;
}

/// Which allocation fails: the `nth` from now on, and with `lasting` every one after it.
std::atomic<long> allocations_left{-1};
std::atomic<bool> lasting{false};

bool allocation_fails() {
  if (allocations_left.load() < 0) return false;
  const long left = --allocations_left;
  if (left == 0) return true;
  if (left > 0) return false;
  allocations_left = 0;
  return lasting;
}

void* allocate(std::size_t size) {
  if (allocation_fails()) throw std::bad_alloc();
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

enum Consequence { ends_in_error, is_harmless };

struct Wrapped {
  const char* name;
  Consequence consequence;
};

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

#define WRAP(result, name, parameters, arguments, failed, consequence) \
  extern "C" result __real_##name parameters;                          \
  extern "C" result __wrap_##name parameters;                          \
  extern "C" result __wrap_##name parameters { return strikes(#name) ? failed : __real_##name arguments; }
#define WRAP_OPTION(result, name, handle, option, failed, consequence) \
  extern "C" result __real_##name(handle*, int, ...);                  \
  extern "C" result __wrap_##name(handle*, int, ...);                  \
  extern "C" result __wrap_##name(handle* subject, int which, ...) {   \
    if (strikes(#name)) return failed;                                 \
    va_list list;                                                      \
    va_start(list, which);                                             \
    void* const value = va_arg(list, void*);                           \
    va_end(list);                                                      \
    return __real_##name(subject, which, value);                       \
  }
#include "tests/failures/third_parties.inc"
#undef WRAP
#undef WRAP_OPTION

namespace wechatpay::bonus_commit {

using namespace stages;
using namespace testing;

namespace {

#define WRAP(result, name, parameters, arguments, failed, consequence) {#name, consequence},
#define WRAP_OPTION(result, name, handle, option, failed, consequence) {#name, consequence},
const Wrapped all_wrapped[] = {
#include "tests/failures/third_parties.inc"
};
#undef WRAP
#undef WRAP_OPTION

/// The sandbox in its own process, which is started before any thread.
class SandboxProcess {
 public:
  SandboxProcess() {
    int up[2];
    int down[2];
    if (pipe(up) != 0 || pipe(down) != 0) std::abort();
    child_ = fork();
    if (child_ == 0) {
      close(up[0]);
      close(down[1]);
      serve(up[1], down[0]);
    }
    close(up[1]);
    close(down[0]);
    life_line_ = down[1];
    std::string text;
    char c = 0;
    while (read(up[0], &c, 1) == 1) text += c;
    close(up[0]);
    std::istringstream lines(text);
    std::getline(lines, origin);
    std::getline(lines, files);
    std::getline(lines, public_key_id);
    std::getline(lines, second_origin);
  }
  SandboxProcess(const SandboxProcess&) = delete;
  SandboxProcess& operator=(const SandboxProcess&) = delete;
  ~SandboxProcess() {
    close(life_line_);
    waitpid(child_, nullptr, 0);
  }

  std::string origin;
  std::string files;
  std::string public_key_id;
  std::string second_origin;  ///< answers each request twice

 private:
  [[noreturn]] static void serve(int up, int down) {
    {
      SandboxOptions options;
      options.wechat_pay = std::make_shared<FakeWechatPay>();
      const auto sandbox = Sandbox::start(options).value();
      options.faults = {SandboxFault::Kind::extra_answer};
      options.fault_rate = 1;
      const auto second = Sandbox::start(options).value();
      const std::string text = sandbox->origin() + "\n" + sandbox->files().folder + "\n" +
                               sandbox->wechat_pay().public_key_id() + "\n" + second->origin() + "\n";
      if (write(up, text.data(), text.size()) < 0) _exit(1);
      close(up);
      char c = 0;
      while (read(down, &c, 1) > 0) {
      }
    }
    _exit(0);
  }

  pid_t child_;
  int life_line_;
};

SandboxProcess* sandbox_process = nullptr;

std::string file(const std::string& name) { return sandbox_process->files + "/" + name; }

/// The merchant's PKCS#12 file in WeChat Pay's format, with RC2.
const std::string& legacy_p12() {
  static const std::string made = [] {
    const auto key = read_private_key(read_text(file("apiclient_key.pem")), "", "key");
    const auto certificate = read_certificates(read_text(file("apiclient_cert.pem")), "certificate");
    return pkcs12(key->get(), certificate->front().get(), "1900000001", true);
  }();
  return made;
}

const std::string& platform_certificate_file() {
  static const std::string found = [] {
    for (const auto& entry : std::filesystem::directory_iterator(sandbox_process->files)) {
      if (contains(entry.path().filename().string(), "wechatpay_")) return entry.path().string();
    }
    return std::string();
  }();
  return found;
}

/// Sets up everything that a merchant needs.
Result<BonusCommitClient> set_up(std::shared_ptr<EventLoop> loop = nullptr,
                                 const std::string& origin = sandbox_process->origin) {
  auto from_pem = Credentials::from_pem_files(file("apiclient_cert.pem"), file("apiclient_key.pem"));
  if (!from_pem) return std::move(from_pem).error();
  auto from_p12 = Credentials::from_p12(legacy_p12(), "1900000001");
  if (!from_p12) return std::move(from_p12).error();
  PlatformKeys keys;
  auto certificate = keys.add_certificate_file(platform_certificate_file());
  if (!certificate) return std::move(certificate).error();
  auto public_key = keys.add_public_key_file(sandbox_process->public_key_id, file("pub_key.pem"));
  if (!public_key) return std::move(public_key).error();
  CurlOptions curl_options;
  curl_options.ca_bundle_file = file("ca.pem");
  curl_options.event_loop = std::move(loop);
  auto transport = CurlTransport::create(curl_options);
  if (!transport) return std::move(transport).error();
  ClientOptions options;
  options.origins = {origin};
  options.retry.max_tries = 1;
  const bool before = failure.struck;
  auto client = BonusCommitClient::create(*std::move(from_p12), keys, *std::move(transport), options);
  failure.passed_over = !before && failure.struck && client;
  return client;
}

/// Set-up, and a commit if the set-up worked.
CommitResult whole_way() {
  auto client = set_up();
  if (!client) return std::move(client).error();
  return client->commit(seed_request());
}

/// The same in the program's own event loop.
CommitResult way_in_a_loop() {
  const auto loop = std::make_shared<PollingLoop>();
  auto client = set_up(loop);
  if (!client) return std::move(client).error();
  std::optional<CommitResult> result;
  client->commit_async(seed_request(), [&](CommitResult ended) { result = std::move(ended); });
  loop->run_until([&] { return result.has_value(); });
  return *std::move(result);
}

/// A commit that starts in the callback of another one.
CommitResult way_of_two() {
  const auto client = set_up();
  if (!client) return client.error();
  std::promise<CommitResult> ended;
  client->commit_async(seed_request(), [&](const CommitResult& first) {
    if (!first) return ended.set_value(first);
    client->commit_async(seed_request(), [&](CommitResult second) { ended.set_value(std::move(second)); });
  });
  return ended.get_future().get();
}

/// The merchant's key and certificate in forms that are loaded by code that set_up() does not run.
struct OtherForms {
  PkeyHandle key = *read_private_key(read_text(file("apiclient_key.pem")), "", "key");
  std::string certificate = read_text(file("apiclient_cert.pem"));
  std::string encrypted = private_key_pem(key.get(), KeyFormat::pkcs1, "passphrase");
  std::string encrypted_pkcs8 = private_key_pem(key.get(), KeyFormat::pkcs8, "passphrase");
  std::string public_key;
  std::string open_p12;  ///< not encrypted, without a MAC

  OtherForms() {
    unsigned char* der = nullptr;
    const int size = i2d_PublicKey(key.get(), &der);
    const OpensslMemory<unsigned char> own_der(der);
    public_key = "-----BEGIN RSA PUBLIC KEY-----\n" +
                 encode_base64({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)}) +
                 "\n-----END RSA PUBLIC KEY-----\n";
    const auto certificates = read_certificates(certificate, "certificate");
    const Pkcs12Handle p12(
        PKCS12_create(nullptr, "open", key.get(), certificates->front().get(), nullptr, -1, -1, 0, -1, 0));
    const int p12_size = i2d_PKCS12(p12.get(), &(der = nullptr));
    const OpensslMemory<unsigned char> own_p12(der);
    open_p12.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(p12_size));
  }
};

const OtherForms& other_forms() {
  static const OtherForms made;
  return made;
}

CommitResult way_of_other_forms() {
  const OtherForms& forms = other_forms();
  for (const std::string& pem : {forms.encrypted, forms.encrypted_pkcs8}) {
    auto encrypted = Credentials::from_pem(forms.certificate, pem, "passphrase");
    if (!encrypted) return std::move(encrypted).error();
  }
  auto open = Credentials::from_p12(forms.open_p12, "");
  if (!open) return std::move(open).error();
  auto public_key = PlatformKeys().add_public_key("PUB_KEY_ID_1", forms.public_key);
  if (!public_key) return std::move(public_key).error();
  return CommitReceipt{};
}

/// Tries several, because one wrong passphrase in 256 decrypts to data with correct padding.
CommitResult way_of_a_wrong_passphrase() {
  for (const char* wrong : {"wrong", "not this one", "nor this"}) {
    static_cast<void>(Credentials::from_pem(other_forms().certificate, other_forms().encrypted, wrong).error());
  }
  return Credentials::from_pem(other_forms().certificate, other_forms().encrypted, "the last").error();
}

/// A commit that finds a keep-alive connection with unexpected data on it.
CommitResult way_over_a_dead_connection() {
  const auto client = set_up(nullptr, sandbox_process->second_origin);
  if (!client) return client.error();
  if (auto first = client->commit(seed_request()); !first) return first;
  return client->commit(seed_request());
}

/// Runs the code that handles a proxy's URL.
CommitResult way_through_a_proxy() {
  CurlOptions curl_options;
  curl_options.proxy = "http://127.0.0.1:1";
  auto transport = CurlTransport::create(curl_options);
  if (!transport) return std::move(transport).error();
  return CommitReceipt{};
}

template <typename Way>
CommitResult with_failure(const char* name, int nth, const Way& way) {
  failure.nth = nth;
  failure.struck = false;
  failure.passed_over = false;
  failure.name = name;
  auto result = way();
  failure.name = nullptr;
  return result;
}

std::set<std::string>& struck_functions() {
  static std::set<std::string> names;
  return names;
}

void expect_error_that_helps(const Error& error, const std::string& where) {
  EXPECT_FALSE(error.message.empty()) << where;
  EXPECT_FALSE(contains(error.message, "PRIVATE KEY")) << where << error.message;
  EXPECT_NE(error.kind, ErrorKind::misuse) << where;
}

/// Makes each call of `wrapped` fail in turn, until there are no more calls.
template <typename Way>
void fail_each_call(const Wrapped& wrapped, const Way& way) {
  for (int nth = 1; nth < 500; ++nth) {
    const CommitResult result = with_failure(wrapped.name, nth, way);
    if (!failure.struck) return;
    struck_functions().insert(wrapped.name);
    const std::string where = std::string(wrapped.name) + ", call " + std::to_string(nth) + ": ";
    if (wrapped.consequence == ends_in_error && !failure.passed_over) {
      EXPECT_FALSE(result) << where;
    }
    if (!result) expect_error_that_helps(result.error(), where);
    EXPECT_EQ(ERR_peek_error(), 0U) << where << "OpenSSL's error queue is not as it was";
  }
}

/// In the order in which a process calls them.
constexpr const char* called_once_in_a_process[] = {"curl_global_init", "EVP_MD_fetch"};

/// Runs before all tests, in whichever order they run. First it makes what the tests need, while nothing fails. Then it
/// makes the functions fail that a process calls only once.
class FirstUse : public ::testing::Environment {
 public:
  void SetUp() override {
    static bool done = false;
    if (std::exchange(done, true)) return;
    static_cast<void>(legacy_p12());
    static_cast<void>(platform_certificate_file());
    static_cast<void>(other_forms());
    for (const std::string name : called_once_in_a_process) {
      for (const Wrapped& wrapped : all_wrapped) {
        if (name == wrapped.name) fail_each_call(wrapped, whole_way);
      }
    }
  }
};

TEST(Failures, OfTheFirstUseDoNotStay) {
  for (const char* name : called_once_in_a_process) EXPECT_EQ(struck_functions().count(name), 1U) << name;
  const CommitResult result = whole_way();
  EXPECT_TRUE(result) << result.error().message;
}

TEST(Failures, OfThirdPartiesAreErrors) {
  for (const Wrapped& wrapped : all_wrapped) {
    fail_each_call(wrapped, whole_way);
    fail_each_call(wrapped, way_in_a_loop);
    if (std::string(wrapped.name) == "curl_multi_wakeup") fail_each_call(wrapped, way_of_two);
    if (std::string(wrapped.name).rfind("BIO_new", 0) == 0 || std::string(wrapped.name) == "SSL_peek") {
      fail_each_call(wrapped, way_over_a_dead_connection);
    }
    fail_each_call(wrapped, way_through_a_proxy);
    // These start no threads, and decrypting takes long with a sanitizer.
    if (!with_thread_sanitizer || struck_functions().count(wrapped.name) == 0) {
      fail_each_call(wrapped, way_of_other_forms);
      fail_each_call(wrapped, way_of_a_wrong_passphrase);
    }
    EXPECT_EQ(struck_functions().count(wrapped.name), 1U) << wrapped.name << " was never called";
  }
  EXPECT_TRUE(whole_way());
}

/// Runs a call whose `nth` allocation fails. With `forever`, each later allocation fails, too.
template <typename Way>
auto with_short_memory(long nth, bool forever, const Way& way) {
  lasting = forever;
  allocations_left = nth;
  auto result = way();
  allocations_left = -1;
  return result;
}

bool memory_ran_short() { return allocations_left.load() <= 0; }

/// ThreadSanitizer has its own operator new. The library would call it instead of the one in this file.
class FailuresOfMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (with_thread_sanitizer) GTEST_SKIP() << "shown by the other builds";
  }
};

TEST_F(FailuresOfMemory, OverAnErrorsBodyAreErrors) {
  const auto client = set_up().value();
  BonusCommitRequest request = seed_request();
  request.merchant_mode = MerchantMode::direct;  // with another merchant's id: 400
  request.sub_mchid.clear();
  ASSERT_EQ(client.commit(request).error().answer()->code, "PARAM_ERROR");
  for (const bool forever : {false, true}) {
    ErrorKind kind = ErrorKind::internal_error;
    long nth = 1;
    for (; kind != ErrorKind::api_error && nth < 5000; ++nth) {
      const CommitResult result = with_short_memory(nth, forever, [&] { return client.commit(request); });
      ASSERT_FALSE(result);
      expect_error_that_helps(result.error(), "allocation " + std::to_string(nth) + ": ");
      kind = result.error().kind;
    }
    EXPECT_GT(nth, 5);
    EXPECT_LT(nth, 5000);
  }
}

/// Requests to two hosts, half of them with a pause.
curl::Requests waiting_requests() {
  curl::Requests requests;
  for (int i = 0; i < 8; ++i) {
    curl::QueuedRequest& request = requests.emplace_back();
    request.http.origin = i % 4 < 2 ? "https://api.mch.weixin.qq.com" : "https://api2.mch.weixin.qq.com";
    request.start = curl::TimePoint(std::chrono::milliseconds(i % 2 == 0 ? 0 : 100));
    request.deadline = curl::TimePoint(std::chrono::milliseconds(1000));
  }
  return requests;
}

TEST_F(FailuresOfMemory, InTheRequestQueueEndThatRequestAndLoseNone) {
  using Kind = curl::RequestQueue::Action::Kind;
  for (const bool forever : {false, true}) {
    long nth = 1;
    for (bool short_of_memory = true; short_of_memory && nth < 5000; ++nth) {
      curl::RequestQueue queue(1, std::chrono::milliseconds(10));
      curl::Requests requests = waiting_requests();
      const std::size_t all = requests.size();
      queue.add(requests);
      curl::Requests started;
      curl::Requests ended;
      std::size_t refused = 0;
      with_short_memory(nth, forever, [&] {
        for (const int ms : {0, 100, 1000}) {
          const curl::TimePoint now{std::chrono::milliseconds(ms)};
          for (auto action = queue.poll(now); action.kind != Kind::none; action = queue.poll(now)) {
            const bool starts = action.kind == Kind::start;
            if (!starts && action.fault == TransportFault::other) ++refused;
            curl::Requests& into = starts ? started : ended;
            into.splice(into.end(), action.request);
          }
        }
        short_of_memory = memory_ran_short();
        return true;
      });
      EXPECT_EQ(started.size() + ended.size(), all) << nth;
      EXPECT_EQ(queue.next_moment(), curl::never) << nth;
      if (!forever) {
        EXPECT_EQ(refused, short_of_memory ? 1U : 0U) << nth;
      }
    }
    EXPECT_GT(nth, 5);
    EXPECT_LT(nth, 5000);
  }
}

TEST_F(FailuresOfMemory, InABlockingCallAreErrors) {
  for (const bool forever : {false, true}) {
    for (const bool fresh : {true, false}) {
      auto client = set_up().value();
      if (!fresh) {
        ASSERT_TRUE(client.commit(seed_request()));
      }
      const BonusCommitRequest request = seed_request();
      long nth = 1;
      int failures = 0;
      for (bool short_of_memory = true; short_of_memory && nth < 5000; ++nth) {
        if (fresh) client = set_up().value();
        const CommitResult result = with_short_memory(nth, forever, [&] {
          CommitResult ended = client.commit(request);
          short_of_memory = memory_ran_short();
          return ended;
        });
        if (result) continue;
        ++failures;
        expect_error_that_helps(result.error(), "allocation " + std::to_string(nth) + ": ");
        EXPECT_FALSE(contains(result.error().message, "check its origin")) << nth << result.error().message;
      }
      EXPECT_GT(failures, 10);
      EXPECT_LT(nth, 5000);
      const CommitResult after = client.commit(seed_request());
      EXPECT_TRUE(after) << "it works again: " << after.error().message;
    }
  }
}

TEST_F(FailuresOfMemory, InACallWithACallbackAreErrors) {
  auto client = set_up().value();
  for (const bool forever : {false, true}) {
    bool short_of_memory = true;
    long nth = 1;
    for (; short_of_memory && nth < 5000; ++nth) {
      std::promise<void> called;
      std::atomic<int> calls{0};
      std::optional<CommitResult> ended;
      lasting = forever;
      BonusCommitClient::Callback callback = [&](CommitResult result) {
        short_of_memory = memory_ran_short();
        allocations_left = -1;
        if (++calls != 1) return;
        ended.emplace(std::move(result));
        called.set_value();
      };
      const BonusCommitRequest request = seed_request();
      allocations_left = nth;
      client.commit_async(request, std::move(callback));
      called.get_future().wait();
      allocations_left = -1;
      EXPECT_EQ(calls, 1) << nth;
      if (!*ended) expect_error_that_helps(ended->error(), "allocation " + std::to_string(nth) + ": ");
    }
    EXPECT_GT(nth, 10);
    EXPECT_LT(nth, 5000);
  }
}

TEST_F(FailuresOfMemory, WhereAnExecutorRunsThrowsOrDropsAFurtherTryEndTheCallOnce) {
  const FakeWechatPay wechat_pay;
  const std::vector<Executor> executors{[](auto task) { task(); },
                                        [](const auto&) { throw std::runtime_error("the queue is full"); },
                                        [](const auto&) {}};
  for (const auto& executor : executors) {
    ClientOptions options;
    options.executor = executor;
    long nth = 1;
    for (bool short_of_memory = true; short_of_memory && nth < 5000; ++nth) {
      const auto held = std::make_shared<HeldTransport>();
      int calls = 0;
      {
        const auto client =
            BonusCommitClient::create(wechat_pay.credentials(), wechat_pay.platform_keys(), held, options).value();
        client.commit_async(seed_request(), [&calls](const CommitResult&) { ++calls; });
        const Transport::Completion complete = held->completions.at(0);
        Result<HttpResponse> answer = HttpResponse{500, {}, ""};
        with_short_memory(nth, false, [&] {
          complete(std::move(answer));
          short_of_memory = memory_ran_short();
          return true;
        });
      }
      EXPECT_EQ(calls, 1) << nth;
    }
    EXPECT_GT(nth, 10);
    EXPECT_LT(nth, 5000);
  }
}

/// Whether the call is stopped as soon as it has begun.
class FailuresOfMemoryWithAFuture : public FailuresOfMemory, public ::testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(Stopped, FailuresOfMemoryWithAFuture, ::testing::Bool());

TEST_P(FailuresOfMemoryWithAFuture, AreErrorsOrThrown) {
  const auto client = set_up().value();
  ASSERT_TRUE(client.commit(seed_request()));
  const BonusCommitRequest request = seed_request();
  for (const bool forever : {false, true}) {
    bool short_of_memory = true;
    int thrown = 0;
    long nth = 1;
    for (; short_of_memory && nth < 5000; ++nth) {
      const StopSource stop;
      CallOptions options;
      options.stop = stop.get_token();
      std::optional<CommitResult> ended;
      lasting = forever;
      allocations_left = nth;
      try {
        CommitFuture future = client.commit_async(request, options);
        if (GetParam()) stop.request_stop();
        ended.emplace(future.get());
      } catch (const std::bad_alloc&) {
        ++thrown;
      }
      short_of_memory = memory_ran_short();
      allocations_left = -1;
      if (ended && !*ended) expect_error_that_helps(ended->error(), "allocation " + std::to_string(nth) + ": ");
    }
    EXPECT_GE(thrown, 1) << "for the future itself";
    EXPECT_LE(thrown, 4);
    EXPECT_GT(nth, 10);
    EXPECT_LT(nth, 5000);
  }
}

TEST_F(FailuresOfMemory, InAnEventLoopAreErrors) {
  const auto loop = std::make_shared<PollingLoop>();
  const auto client = set_up(loop).value();
  const BonusCommitRequest request = seed_request();
  bool short_of_memory = true;
  int failures = 0;
  long nth = 1;
  for (; short_of_memory && nth < 5000; ++nth) {
    int calls = 0;
    std::optional<CommitResult> ended;
    BonusCommitClient::Callback callback = [&](CommitResult result) {
      short_of_memory = memory_ran_short();
      allocations_left = -1;
      if (++calls == 1) ended.emplace(std::move(result));
    };
    lasting = false;
    allocations_left = nth;
    client.commit_async(request, std::move(callback));
    while (!ended) {
      try {
        loop->run_until([&] { return ended.has_value(); });
      } catch (const std::bad_alloc&) {  // thrown by the loop itself
      }
    }
    EXPECT_EQ(calls, 1) << nth;
    if (*ended) continue;
    ++failures;
    expect_error_that_helps(ended->error(), "allocation " + std::to_string(nth) + ": ");
  }
  EXPECT_GT(failures, 10);
  EXPECT_LT(nth, 5000);
}

TEST_F(FailuresOfMemory, InABatchAreReportedForTheirOrderOrThrown) {
  const auto client = set_up().value();
  const std::vector<BonusCommitRequest> requests(3, seed_request());
  for (const bool forever : {false, true}) {
    bool short_of_memory = true;
    long nth = 1;
    for (; short_of_memory && nth < 5000; ++nth) {
      std::uint64_t credited = 0;
      std::uint64_t failed = 0;
      std::optional<Result<BatchSummary>> summary;
      const auto take = [&](const BonusCommitRequest&, const CommitResult& result) {
        ++(result ? credited : failed);
        return true;
      };
      lasting = forever;
      allocations_left = nth;
      try {
        summary.emplace(commit_all(client, requests, take));
      } catch (const std::bad_alloc&) {
      }
      short_of_memory = memory_ran_short();
      allocations_left = -1;
      EXPECT_LE(credited + failed, requests.size()) << nth;
      if (!summary || !*summary) continue;
      EXPECT_EQ((*summary)->credited, credited) << nth;
      EXPECT_EQ((*summary)->failed, failed) << nth;
      EXPECT_EQ(credited + failed, requests.size()) << nth;
    }
    EXPECT_GT(nth, 10);
    EXPECT_LT(nth, 5000);
  }
}

#if defined(__cpp_impl_coroutine)
/// Sets `ended` to the result of the commit. It stays empty if the coroutine threw.
Detached await_commit(const BonusCommitClient& client, const BonusCommitRequest& request,
                      std::optional<CommitResult>& ended, std::promise<void>& done) {
  try {
    CommitResult result = co_await client.commit_async(request);
    ended.emplace(std::move(result));
  } catch (const std::bad_alloc&) {
  }
  done.set_value();
}

TEST_F(FailuresOfMemory, InACoroutineAreErrorsOrThrown) {
  const auto client = set_up().value();
  ASSERT_TRUE(client.commit(seed_request()));
  const BonusCommitRequest request = seed_request();
  for (const bool forever : {false, true}) {
    bool short_of_memory = true;
    int thrown = 0;
    long nth = 1;
    for (; short_of_memory && nth < 5000; ++nth) {
      std::optional<CommitResult> ended;
      std::promise<void> done;
      lasting = forever;
      allocations_left = nth;
      try {
        await_commit(client, request, ended, done);
        done.get_future().wait();
      } catch (const std::bad_alloc&) {  // for the coroutine itself
      }
      short_of_memory = memory_ran_short();
      allocations_left = -1;
      if (!ended) ++thrown;
      if (ended && !*ended) expect_error_that_helps(ended->error(), "allocation " + std::to_string(nth) + ": ");
    }
    EXPECT_GE(thrown, 2) << "for the coroutine, and for the future";
    if (!forever) {
      EXPECT_LE(thrown, 8) << "for these and for the wait";
    }
    EXPECT_GT(nth, 10);
    EXPECT_LT(nth, 5000);
  }
}
#endif

/// Runs `way` with each allocation failing in turn. Each time it must give what it gives with enough memory, or throw.
template <typename Way>
void expect_same_with_short_memory(const std::string& what, const Way& way) {
  const std::string expected = way();
  long nth = 1;
  for (bool short_of_memory = true; short_of_memory && nth < 5000; ++nth) {
    std::optional<std::string> given;
    lasting = false;
    allocations_left = nth;
    try {
      given.emplace(way());
    } catch (const std::bad_alloc&) {
    }
    short_of_memory = memory_ran_short();
    allocations_left = -1;
    EXPECT_TRUE(given || short_of_memory) << what << ", allocation " << nth;
    EXPECT_NE(given, "accepted") << what << ", allocation " << nth;
    if (given) {
      EXPECT_EQ(*given, expected) << what << ", allocation " << nth;
    }
  }
  EXPECT_LT(nth, 5000) << what;
}

template <typename Loaded>
std::string said(const Result<Loaded>& loaded) {
  if (!loaded) return loaded.error().message;
  return "accepted";
}

TEST_F(FailuresOfMemory, OverAWrongKeyNeverAcceptIt) {
  const std::string key = read_text(file("apiclient_key.pem"));
  const std::string certificate = read_text(file("apiclient_cert.pem"));
  const std::string public_key = read_text(file("pub_key.pem"));
  const std::string without_hyphens = "-" + key.substr(5);
  const std::string base64 = "MI" + std::string(100, 'A');
  for (const std::string& text : {std::string(),
                                  std::string(" \n"),
                                  std::string("hello"),
                                  certificate + "-----BEGIN CERTIFICATE-----\n",
                                  public_key,
                                  key,
                                  std::string("-----BEGIN MESSAGE-----\nAAAA\n-----END MESSAGE-----\n"),
                                  without_hyphens,
                                  base64,
                                  std::string("LS0tLS1CRUdJTiBQ"),
                                  std::string("3082"),
                                  std::string("PK\x03\x04"),
                                  std::string("\xFF\xFE"),
                                  std::string("{\"kty\":1}"),
                                  std::string("<html>"),
                                  std::string("key.pem"),
                                  std::string("-----BEGIN X"),
                                  replaced(key, "\n", "\\n"),
                                  " " + key,
                                  "'" + key,
                                  replaced(key, "\n", "\r"),
                                  replaced(key, "\n", " "),
                                  other_forms().encrypted}) {
    const std::string what = text.substr(0, 20);
    const auto as_key = [&] { return said(Credentials::from_key("1900000001", "0A", text)); };
    const auto as_public_key = [&] { return said(PlatformKeys().add_public_key("PUB_KEY_ID_1", text)); };
    if (text != key) expect_same_with_short_memory(what, as_key);
    if (text != public_key) expect_same_with_short_memory(what, as_public_key);
    expect_same_with_short_memory(what, [&] { return said(Credentials::from_pem(text, key)); });
    expect_same_with_short_memory(what, [&] { return said(PlatformKeys().add_certificate(text)); });
  }
}

TEST_F(FailuresOfMemory, OverWrongCredentialsNeverAcceptThem) {
  const std::string key = read_text(file("apiclient_key.pem"));
  const std::string certificate = read_text(file("apiclient_cert.pem"));
  const PkeyHandle elliptic = make_elliptic_key();
  const PkeyHandle weak = make_rsa_key(1024);
  const auto of_weak = make_certificate({"1900000001", "0A", {}, false}, weak.get());
  const auto of_another_owner = make_certificate({"Tenpay.com sign", "0A", {}, false}, other_forms().key.get());
  const auto of_an_authority = make_certificate({"Root", "0A", {}, true}, other_forms().key.get());
  const std::string weak_p12 = pkcs12(weak.get(), of_weak.get(), "1900000001");
  const std::function<std::string()> ways[] = {
      [&] { return said(Credentials::from_key("", "0A", key)); },
      [&] { return said(Credentials::from_key("0A", "1900000001", key)); },
      [&] { return said(Credentials::from_key("1900000001", "", key)); },
      [&] { return said(Credentials::from_key("1900000001", "1900000001", key)); },
      [&] { return said(Credentials::from_key("1900000001", "0A:0B", key)); },
      [&] { return said(Credentials::from_key("1900000001", "0x0A", key)); },
      [&] { return said(Credentials::from_key("1900000001", "0A", private_key_pem(elliptic.get()))); },
      [&] { return said(Credentials::from_key("1900000001", "0A", private_key_pem(weak.get()))); },
      [&] { return said(Credentials::from_pem(certificate, private_key_pem(elliptic.get()))); },
      [&] { return said(Credentials::from_pem(certificate_pem(of_weak.get()), key)); },
      [&] { return said(Credentials::from_pem(certificate_pem(of_another_owner.get()), key)); },
      [&] { return said(Credentials::from_pem(certificate, other_forms().encrypted)); },
      [&] { return said(Credentials::from_pem(certificate, other_forms().encrypted, "passphrase\n")); },
      [&] { return said(Credentials::from_pem(certificate, other_forms().encrypted_pkcs8, "wrong ")); },
      [&] { return said(Credentials::from_pem(certificate, other_forms().encrypted_pkcs8, std::string(1025, 'x'))); },
      [&] { return said(Credentials::from_p12(weak_p12, "1900000001")); },
      [&] { return said(Credentials::from_p12(weak_p12, "1900000002")); },
      [&] { return said(Credentials::from_p12(weak_p12.substr(0, 500), "1900000001")); },
      [&] { return said(Credentials::from_p12(key, "1900000001")); },
      [&] { return said(Credentials::from_key_file("1900000001", "0A", file("missing.pem"))); },
      [&] { return said(Credentials::from_key_file("1900000001", "0A", "~/missing.pem")); },
      [&] { return said(Credentials::from_key_file("1900000001", "0A", sandbox_process->files)); },
      [&] { return said(Credentials::from_key_file("1900000001", "0A", key)); },
      [&] { return said(Credentials::from_pem_files(file("ca.pem"), file("pub_key.pem"))); },
      [&] { return said(Credentials::from_p12_file(file("pub_key.pem"), "1900000001")); },
      [&] { return said(PlatformKeys().add_public_key_file("0A", file("pub_key.pem"))); },
      [&] { return said(PlatformKeys().add_public_key_file("PUB_KEY_ID_1", file("ca.pem"))); },
      [&] { return said(PlatformKeys().add_certificate_file(file("apiclient_cert.pem"))); },
      [&] { return said(PlatformKeys().add_certificate(certificate_pem(of_an_authority.get()))); },
      [&] { return said(PlatformKeys().add_certificate(certificate + certificate)); },
  };
  for (const auto& way : ways) {
    const std::string what = way();
    EXPECT_NE(what, "accepted");
    expect_same_with_short_memory(what, way);
  }
}

TEST_F(FailuresOfMemory, InACallOfTheRelayLoseNoResult) {
  outbox::ResultQueue queue;
  outbox::ResultQueue::Results ended;
  ended.emplace_back(7, Error());
  CommitResult result = CommitReceipt{};
  lasting = true;
  allocations_left = 1;
  ended.front().second = std::move(result);
  queue.push(ended);
  const outbox::ResultQueue::Results taken = queue.take();
  allocations_left = -1;
  lasting = false;
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken.front().first, 7U);
  EXPECT_TRUE(taken.front().second);
}

TEST_F(FailuresOfMemory, InTheSetUpLeakNothing) {
  long nth = 1;
  for (bool short_of_memory = true; short_of_memory && nth < 20000; ++nth) {
    allocations_left = nth;
    try {
      const auto client = set_up();
      short_of_memory = memory_ran_short();
      allocations_left = -1;
      EXPECT_TRUE(client || short_of_memory);
    } catch (const std::bad_alloc&) {
      allocations_left = -1;
    }
  }
  EXPECT_GT(nth, 5);
  EXPECT_LT(nth, 20000);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

int main(int count, char** arguments) {
  wechatpay::bonus_commit::SandboxProcess process;
  wechatpay::bonus_commit::sandbox_process = &process;
  ::testing::InitGoogleTest(&count, arguments);
  ::testing::AddGlobalTestEnvironment(new wechatpay::bonus_commit::FirstUse);
  return RUN_ALL_TESTS();
}
