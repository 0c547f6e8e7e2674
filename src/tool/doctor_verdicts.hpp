// What doctor concludes from files, the environment and one answer.
#ifndef WECHATPAY_SRC_TOOL_DOCTOR_VERDICTS_HPP
#define WECHATPAY_SRC_TOOL_DOCTOR_VERDICTS_HPP

#include <wechatpay/bonus_commit/credentials.hpp>
#include <wechatpay/bonus_commit/error.hpp>
#include <wechatpay/bonus_commit/platform_keys.hpp>
#include <wechatpay/bonus_commit/receipt.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace wechatpay::bonus_commit::tool {

/// What was found at each step, printed as it comes or kept for --json.
class Findings {
 public:
  explicit Findings(bool json) : json_(json) {}

  void begin_host(const std::string& origin);  ///< the next steps are about it

  void good(std::string_view step, const std::string& what) { add("ok", step, what); }
  void doubtful(std::string_view step, const std::string& what) { add("look", step, what); }
  void bad(std::string_view step, const std::string& what) { add("BAD", step, what); }
  void open(std::string_view step, const std::string& what) { add("?", step, what); }

  /// A step that could not be judged now, and should be looked at later.
  void undecided(std::string_view step, const std::string& what);

  int bad_steps() const { return bad_; }
  int undecided_steps() const { return undecided_; }

  /// The whole document.
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

/// Whether one of the platform keys is the merchant's own, under which no answer verifies; says so where it is.
bool judge_own_key(const Credentials& credentials, const PlatformKeys& keys, Findings& findings);

/// Variables that other programs heed, and this one does not; `is_set` tells of one. Their values may hold passwords,
/// and are neither asked for nor shown.
void judge_environment(const std::function<bool(const char*)>& is_set, bool has_proxy, bool has_ca_file,
                       Findings& findings);

/// How far the try came, and what the answer says, if one came. `through_proxy`: it is the proxy whose name is looked
/// up and that is connected to.
void judge_commit(const Try& made, bool through_proxy, const CommitResult& result, Findings& findings);

}  // namespace wechatpay::bonus_commit::tool

#endif
