// What is wrong with the command line, in words that help and quote no secret.
#ifndef WECHATPAY_BONUS_COMMIT_CLI_ARGUMENTS_HPP
#define WECHATPAY_BONUS_COMMIT_CLI_ARGUMENTS_HPP

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

/// What is wrong before any option is looked at; empty where nothing is: a key in the place of its file's name, in an
/// argument or in the environment, or a command that does not exist.
std::string fault_of_arguments(const CLI::App& app, const std::vector<std::string>& arguments);

/// Why the arguments could not be parsed.
std::string explain(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments);

/// Has the option refuse what cannot be a file's name.
CLI::Option* takes_file_name(CLI::Option* option);

#endif
