// Messages about errors in the command line. They help, and quote no secret.
#ifndef WECHATPAY_SRC_TOOL_ARGUMENTS_HPP
#define WECHATPAY_SRC_TOOL_ARGUMENTS_HPP

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace wechatpay::bonus_commit::tool {

/// What is wrong before any option is checked: a key in place of its file's name, in an argument or in the environment,
/// or a command that does not exist. Empty if nothing is wrong.
std::string fault_of_arguments(const CLI::App& app, const std::vector<std::string>& arguments);

/// Why the arguments could not be parsed.
std::string explain(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments);

/// Makes the option refuse a value that cannot be a file name.
CLI::Option* takes_file_name(CLI::Option* option);

// CLI11's own checks quote the value, which may be a secret in the wrong place. These checks do not quote it.

/// Makes the option accept only decimal digits, for a number in this range.
CLI::Option* takes_whole_number(CLI::Option* option, std::uint64_t lowest, std::uint64_t highest);

/// Makes the option accept only a number in this range.
CLI::Option* takes_number(CLI::Option* option, double lowest, double highest);

/// Makes the option accept only one of these words.
CLI::Option* takes_one_of(CLI::Option* option, const std::vector<std::string>& words);

}  // namespace wechatpay::bonus_commit::tool

#endif
