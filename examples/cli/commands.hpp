// The tool's commands. Each adds its arguments to the command line; if it is the one that is given, it runs when the
// line has been parsed and leaves its exit status.
#ifndef WECHATPAY_BONUS_COMMIT_CLI_COMMANDS_HPP
#define WECHATPAY_BONUS_COMMIT_CLI_COMMANDS_HPP

#include <CLI/CLI.hpp>

/// How the tool ends, for scripts. The manual page has the same table.
enum ExitStatus {
  success = 0,        ///< credited; of several, all; nothing wrong
  refused = 1,        ///< WeChat Pay says no; or something is wrong that `check` or `doctor` found
  usage = 2,          ///< arguments, a key file or an option cannot work: nothing was sent
  unknown = 3,        ///< it may have been done: start again with the same values
  not_sent = 4,       ///< nothing was sent
  interrupted = 130,  ///< Ctrl-C or SIGTERM, as shells count
};

void add_commit(CLI::App& app, int& status);
void add_backfill(CLI::App& app, int& status);
void add_check(CLI::App& app, int& status);
void add_doctor(CLI::App& app, int& status);
void add_sandbox(CLI::App& app, int& status);
void add_completion(CLI::App& app, int& status);

#endif
