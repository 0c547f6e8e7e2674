// The database of the outbox: the arguments of `outbox` and `relay`.
#ifndef WECHATPAY_SRC_TOOL_DATABASE_OPTIONS_HPP
#define WECHATPAY_SRC_TOOL_DATABASE_OPTIONS_HPP

#include <wechatpay/bonus_commit/result.hpp>

#include <CLI/CLI.hpp>
#include <string>

namespace wechatpay::bonus_commit::tool {

struct DatabaseOptions {
  std::string argument;  ///< a URL without a password
  std::string file;      ///< a file whose first line is the URL

  void add_to(CLI::App& command);

  /// The URL from the argument, the file or WECHATPAY_DATABASE. Errors do not quote it.
  Result<std::string> url() const;
};

}  // namespace wechatpay::bonus_commit::tool

#endif
