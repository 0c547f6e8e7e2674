// The arguments of `relay`, and the options of the relay that follow from them.
#ifndef WECHATPAY_SRC_TOOL_RELAY_OPTIONS_HPP
#define WECHATPAY_SRC_TOOL_RELAY_OPTIONS_HPP

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>

#include "connection.hpp"
#include "database_options.hpp"
#include "src/outbox/relay.hpp"

namespace wechatpay::bonus_commit::tool {

struct RelayArguments {
  Connection connection;
  DatabaseOptions database;
  std::size_t max_in_flight = 64;
  double rate = 0;
  unsigned lease = 90;
  bool never_give_up = false;
  bool fair = false;
  unsigned delay = 0;
  std::string merchant_mode;
  std::string metrics;  ///< empty: none

  void add_to(CLI::App& command);
};

/// `merchant`: who signs the requests.
outbox::RelayOptions relay_options(const RelayArguments& options, const std::string& merchant);

}  // namespace wechatpay::bonus_commit::tool

#endif
