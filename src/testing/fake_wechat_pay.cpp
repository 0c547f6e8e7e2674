#include "wechatpay/bonus_commit/testing/fake_wechat_pay.hpp"
#include "wechatpay/bonus_commit/client_options.hpp"

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "src/testing/certificate_list.hpp"
#include "src/testing/checks.hpp"
#include "src/testing/pki.hpp"
#include "src/testing/test_keys.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN
namespace testing {

namespace {

/// Read once per process.
struct Keys {
  PkeyHandle merchant = read_key(merchant_test_key);
  PkeyHandle platform_public_key = read_key(public_key_test_key);
  PkeyHandle platform_certificate = read_key(certificate_test_key);
};

Keys& keys() {
  static Keys made;
  return made;
}

}  // namespace

struct FakeWechatPay::State {
  FakeWechatPayOptions options;
  Merchant merchant;
  std::string merchant_key_pem;
  std::string merchant_certificate_pem;
  std::string merchant_p12;
  std::string public_key_pem;
  std::string public_key_id = "PUB_KEY_ID_0119000000012026112300000000000001";
  std::string certificate_pem;
  std::string certificate_serial;
  std::string api_v3_key = "SandboxAPIv3Key0123456789ABCDEFG";  // not secret: it is published in this source
  CertificateHandle certificate;

  std::atomic<MerchantStage> stage;
  NonceMemory nonces;
  mutable std::atomic<std::uint64_t> answers{0};
  mutable std::mutex mutex;

  struct Order {
    CommittedOrder committed{};
    std::uint64_t turn = 0;
  };
  std::map<std::tuple<std::string, std::string, std::string>, Order> orders;
  std::map<std::uint64_t, const CommittedOrder*> by_turn;  ///< the latest commit is last
  std::uint64_t turn = 0;

  std::int64_t now() const {
    return std::chrono::duration_cast<std::chrono::seconds>(options.clock().time_since_epoch()).count();
  }

  /// The names of the keys that can sign this merchant's answers.
  std::vector<std::string> keys_of_stage() const {
    switch (stage.load()) {
      case MerchantStage::switching: return {public_key_id, certificate_serial};
      case MerchantStage::certificates: return {certificate_serial};
      default: return {public_key_id};
    }
  }

  HttpResponse certificates() const {
    if (stage == MerchantStage::public_key) {
      return error_response(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。");
    }
    return {200,
            {{"Content-Type", "application/json; charset=utf-8"}},
            certificate_list(certificate.get(), certificate_serial, certificate_pem, api_v3_key)};
  }

  void remember(const BonusCommitRequest& commit) {
    const std::lock_guard<std::mutex> lock(mutex);
    Order& order = orders[{commit.out_trade_no, commit.card_id, commit.code}];
    order.committed.request = commit;
    ++order.committed.times;
    by_turn.erase(order.turn);
    order.turn = ++turn;
    by_turn[order.turn] = &order.committed;
  }
};

std::string to_string(MerchantStage stage) {
  switch (stage) {
    case MerchantStage::public_key: return "public-key";
    case MerchantStage::switching: return "switching";
    case MerchantStage::certificates: return "certificates";
  }
  return "unknown";
}

FakeWechatPay::FakeWechatPay(FakeWechatPayOptions options) : state_(std::make_unique<State>()) {
  State& state = *state_;
  Keys& own = keys();
  const auto merchant = make_certificate({options.mchid, "", {}, false}, own.merchant.get());
  auto platform = make_certificate({"Tenpay.com sign", "", {}, false}, own.platform_certificate.get());
  state.merchant_key_pem = private_key_pem(own.merchant.get());
  state.merchant_certificate_pem = testing::certificate_pem(merchant.get());
  state.merchant_p12 = pkcs12(own.merchant.get(), merchant.get(), options.mchid);
  state.public_key_pem = testing::public_key_pem(own.platform_public_key.get());
  state.certificate_pem = testing::certificate_pem(platform.get());
  state.merchant = {options.mchid,
                    serial_no_of(merchant.get()),
                    own.merchant.get(),
                    &state.nonces,
                    {{"the private key of WeChat Pay's public key", own.platform_public_key.get()},
                     {"the private key of WeChat Pay's platform certificate", own.platform_certificate.get()}}};
  state.certificate_serial = serial_no_of(platform.get());
  state.certificate = std::move(platform);
  state.stage = options.stage;
  state.options = std::move(options);
}

FakeWechatPay::~FakeWechatPay() = default;

Credentials FakeWechatPay::credentials() const {
  return Credentials::from_pem(state_->merchant_certificate_pem, state_->merchant_key_pem).value();
}

PlatformKeys FakeWechatPay::platform_keys() const {
  PlatformKeys store;
  const MerchantStage now = stage();
  if (now != MerchantStage::public_key) static_cast<void>(store.add_certificate(state_->certificate_pem).value());
  if (now != MerchantStage::certificates) {
    static_cast<void>(store.add_public_key(state_->public_key_id, state_->public_key_pem).value());
  }
  return store;
}

MerchantStage FakeWechatPay::stage() const noexcept { return state_->stage; }
void FakeWechatPay::set_stage(MerchantStage stage) noexcept { state_->stage = stage; }

const std::string& FakeWechatPay::merchant_key_pem() const noexcept { return state_->merchant_key_pem; }
const std::string& FakeWechatPay::merchant_certificate_pem() const noexcept { return state_->merchant_certificate_pem; }
const std::string& FakeWechatPay::merchant_p12() const noexcept { return state_->merchant_p12; }
const std::string& FakeWechatPay::public_key_pem() const noexcept { return state_->public_key_pem; }
const std::string& FakeWechatPay::public_key_id() const noexcept { return state_->public_key_id; }
const std::string& FakeWechatPay::certificate_pem() const noexcept { return state_->certificate_pem; }
const std::string& FakeWechatPay::certificate_serial() const noexcept { return state_->certificate_serial; }
const std::string& FakeWechatPay::api_v3_key() const noexcept { return state_->api_v3_key; }

HttpResponse FakeWechatPay::sign(HttpResponse response, const HttpRequest& request, std::chrono::seconds ago) const {
  const std::uint64_t number = ++state_->answers;
  char request_id[40];
  static_cast<void>(
      std::snprintf(request_id, sizeof request_id, "08%016llX10EA05-0", static_cast<unsigned long long>(number)));
  const std::string nonce = random_nonce().value_or(std::to_string(number));

  const bool announces_public_key = header_value(request.headers, "Wechatpay-Serial") == state_->public_key_id;
  const MerchantStage now = stage();
  const bool by_public_key =
      now == MerchantStage::public_key || (now == MerchantStage::switching && announces_public_key);
  EVP_PKEY* const key = by_public_key ? keys().platform_public_key.get() : keys().platform_certificate.get();
  const std::string timestamp = std::to_string(state_->now() - ago.count());
  const std::string message = timestamp + "\n" + nonce + "\n" + response.body + "\n";

  HttpHeaders& headers = response.headers;
  if (header_value(headers, "Request-ID").empty()) headers.push_back({"Request-ID", request_id});
  headers.push_back({"Wechatpay-Nonce", nonce});
  headers.push_back({"Wechatpay-Serial", by_public_key ? state_->public_key_id : state_->certificate_serial});
  headers.push_back({"Wechatpay-Signature", sign_with(key, message)});
  headers.push_back({"Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048"});
  headers.push_back({"Wechatpay-Timestamp", timestamp});
  return response;
}

HttpResponse FakeWechatPay::error(int status, std::string_view code, std::string_view message,
                                  const HttpRequest& request, std::string_view detail) const {
  nlohmann::ordered_json json;
  if (!detail.empty()) json = nlohmann::ordered_json::parse(detail);
  return sign(error_response(status, code, message, json), request);
}

HttpResponse FakeWechatPay::answer(const HttpRequest& request) {
  BonusCommitRequest commit;
  auto refusal = check_target(request);
  if (!refusal) refusal = check_headers(request, state_->keys_of_stage());
  if (!refusal) refusal = check_authorization(request, state_->merchant, state_->now());
  const bool is_commit = target_of(request) == Target::commit;
  if (!refusal && is_commit) refusal = read_commit(request, state_->merchant, commit);
  if (refusal && !refusal->is_signed) return refusal->response;
  if (refusal) return sign(refusal->response, request);
  if (!is_commit) return sign(state_->certificates(), request);
  state_->remember(commit);
  return sign({204, {}, ""}, request);
}

std::vector<CommittedOrder> FakeWechatPay::committed() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  std::vector<CommittedOrder> orders;
  orders.reserve(state_->orders.size());
  for (const auto& [key, order] : state_->orders) orders.push_back(order.committed);
  return orders;
}

std::vector<CommittedOrder> FakeWechatPay::latest_committed(std::size_t most) const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  std::vector<CommittedOrder> orders;
  for (auto at = state_->by_turn.rbegin(); at != state_->by_turn.rend() && orders.size() < most; ++at) {
    orders.push_back(*at->second);
  }
  return orders;
}

std::size_t FakeWechatPay::count_committed() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->orders.size();
}

std::size_t FakeWechatPay::times_committed(std::string_view out_trade_no) const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  std::size_t times = 0;
  for (auto at = state_->orders.lower_bound({std::string(out_trade_no), "", ""});
       at != state_->orders.end() && std::get<0>(at->first) == out_trade_no; ++at) {
    times += at->second.committed.times;
  }
  return times;
}

}  // namespace testing
WECHATPAY_BONUS_COMMIT_END
