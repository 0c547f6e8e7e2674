// What `doctor` concludes from files, the environment and one answer.
#ifndef WECHATPAY_SRC_TOOL_DOCTOR_VERDICTS_HPP
#define WECHATPAY_SRC_TOOL_DOCTOR_VERDICTS_HPP

#include <wechatpay/bonus_commit/credentials.hpp>
#include <wechatpay/bonus_commit/error.hpp>
#include <wechatpay/bonus_commit/platform_keys.hpp>
#include <wechatpay/bonus_commit/receipt.hpp>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace wechatpay::bonus_commit::tool {

/// The findings of each step, printed immediately or kept for --json.
class Findings {
 public:
  explicit Findings(bool json) : json_(json) {}

  void begin_host(const std::string& origin);  ///< the next steps are about this host

  void good(std::string_view step, const std::string& what) { add("ok", step, what); }
  void doubtful(std::string_view step, const std::string& what) { add("look", step, what); }
  void bad(std::string_view step, const std::string& what) { add("BAD", step, what); }
  void open(std::string_view step, const std::string& what) { add("?", step, what); }

  /// A step without a clear result now, which should be checked later.
  void undecided(std::string_view step, const std::string& what);

  int bad_steps() const { return bad_; }
  int undecided_steps() const { return undecided_; }

  /// The complete document.
  nlohmann::ordered_json as_json() const;

 private:
  void add(const std::string& verdict, std::string_view step, const std::string& what);

  const bool json_;
  std::string origin_;
  nlohmann::ordered_json steps_ = nlohmann::ordered_json::array();
  int bad_ = 0;
  int undecided_ = 0;
};

void judge_credentials(const Result<Credentials>& credentials, std::chrono::system_clock::time_point now,
                       Findings& findings);

void judge_platform_keys(const Result<PlatformKeys>& keys, Findings& findings);

/// Whether one of the platform keys is the merchant's own key, with which no answer verifies. If so, it is reported.
bool judge_own_key(const Credentials& credentials, const PlatformKeys& keys, Findings& findings);

/// Reports variables that other programs use and this one ignores. `is_set`: whether a variable is set. Their values
/// may contain passwords, so they are neither read nor shown.
void judge_environment(const std::function<bool(const char*)>& is_set, bool has_proxy, bool has_ca_file,
                       Findings& findings);

/// How far the try got, and what the answer shows if there is one. `through_proxy`: the name lookup and the connection
/// are those of the proxy.
void judge_commit(const Try& made, bool through_proxy, const CommitResult& result, Findings& findings);

}  // namespace wechatpay::bonus_commit::tool

#endif
