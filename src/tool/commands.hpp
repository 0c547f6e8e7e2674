// The tool's commands. Each function adds a command and its arguments to the command line. If that command is given, it
// runs after parsing and sets the exit status.
#ifndef WECHATPAY_SRC_TOOL_COMMANDS_HPP
#define WECHATPAY_SRC_TOOL_COMMANDS_HPP

#include <CLI/CLI.hpp>

#include <string>

#include "exit_status.hpp"

namespace wechatpay::bonus_commit::tool {

void add_commit(CLI::App& app, int& status);
void add_backfill(CLI::App& app, int& status);
void add_pipe(CLI::App& app, int& status);
void add_check(CLI::App& app, int& status);
void add_doctor(CLI::App& app, int& status);
void add_outbox(CLI::App& app, int& status);
void add_relay(CLI::App& app, int& status);
void add_explain(CLI::App& app, int& status);
void add_sandbox(CLI::App& app, int& status);
void add_completion(CLI::App& app, int& status);

/// The actions of `outbox`, separated by spaces.
std::string outbox_actions();

}  // namespace wechatpay::bonus_commit::tool

#endif
