// What is wrong with the command line, in words that help and quote no secret.
#ifndef WECHATPAY_SRC_TOOL_ARGUMENTS_HPP
#define WECHATPAY_SRC_TOOL_ARGUMENTS_HPP

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace wechatpay::bonus_commit::tool {

/// What is wrong before any option is looked at; empty where nothing is: a key in the place of its file's name, in an
/// argument or in the environment, or a command that does not exist.
std::string fault_of_arguments(const CLI::App& app, const std::vector<std::string>& arguments);

/// Why the arguments could not be parsed.
std::string explain(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments);

/// Has the option refuse what cannot be a file's name.
CLI::Option* takes_file_name(CLI::Option* option);

// CLI11's own checks quote the value, which may be a secret that stands in the wrong place. These do not.

/// Has the option take decimal digits alone, for a number in this range.
CLI::Option* takes_whole_number(CLI::Option* option, std::uint64_t lowest, std::uint64_t highest);

/// Has the option take a number in this range.
CLI::Option* takes_number(CLI::Option* option, double lowest, double highest);

/// Has the option take one of these words.
CLI::Option* takes_one_of(CLI::Option* option, const std::vector<std::string>& words);

}  // namespace wechatpay::bonus_commit::tool

#endif
