// The merchant's credentials, WeChat Pay's keys and the origins: the arguments of every command that sends requests.
#ifndef WECHATPAY_SRC_TOOL_CONNECTION_HPP
#define WECHATPAY_SRC_TOOL_CONNECTION_HPP

#include <wechatpay/bonus_commit.hpp>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace wechatpay::bonus_commit::tool {

struct Connection {
  std::string certificate_file;
  std::string key_file;
  std::string p12_file;
  std::string passphrase_file;
  std::string signing_mchid;
  std::string serial_no;
  std::string public_key_file;
  std::string public_key_id;
  std::vector<std::string> platform_certificate_files;
  std::vector<std::string> origins = ClientOptions().origins;
  std::string ca_file;
  std::string proxy;

  void add_to(CLI::App& command);

  Result<Credentials> credentials() const;
  std::string passphrase_file_warning() const;  ///< a warning if others may read the file; empty if they may not
  Result<PlatformKeys> platform_keys() const;
  Result<std::shared_ptr<CurlTransport>> transport(std::size_t max_connections = CurlOptions().max_connections) const;

  /// Creates a client from all arguments. `options` apply except for the origins, which are set here.
  Result<BonusCommitClient> client(ClientOptions options,
                                   std::size_t max_connections = CurlOptions().max_connections) const;

  /// The same with credentials() that were already read: a key or passphrase from a pipe can be read only once.
  Result<BonusCommitClient> client(Credentials credentials, ClientOptions options, std::size_t max_connections) const;
};

}  // namespace wechatpay::bonus_commit::tool

#endif
