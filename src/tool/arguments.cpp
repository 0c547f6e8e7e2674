#include "arguments.hpp"

#include <unistd.h>
#include <wechatpay/bonus_commit/stages/file_name.hpp>
#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iomanip>
#include <limits>
#include <sstream>
#include <string_view>
#include <system_error>

#include "order_values.hpp"
#include "similar_names.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

constexpr std::string_view begin_of_key = "-----BEGIN";

/// The name of an environment variable that contains a key itself; empty if none of the tool's variables does.
std::string variable_with_key() {
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const bool ours = text.substr(0, 10) == "WECHATPAY_";
    if (ours && text.find(begin_of_key) != std::string_view::npos) return std::string(text.substr(0, text.find('=')));
  }
  return "";
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string meant(const std::string& name) {
  if (name.empty()) return "";
  return "; did you mean " + name + "?";
}

/// Why `argument` is not accepted. A word that is not an option may be a secret, so its position is shown instead.
std::string explain_left_over(const CLI::App& app, const std::string& argument,
                              const std::vector<std::string>& arguments) {
  const auto commands = app.get_subcommands();
  const bool one_dash_and_a_word = argument.size() > 2 && argument.front() == '-' && argument[1] != '-';
  if (!starts_with(argument, "-") || one_dash_and_a_word) {
    const auto place = std::find(arguments.begin(), arguments.end(), argument) - arguments.begin() + 1;
    return "argument " + std::to_string(place) + " is not an option and not expected here";
  }
  const std::string option = shown_value(argument.substr(0, argument.find('=')));
  if (commands.empty()) return option + " must come after a command: give the command first";
  const CLI::App& command = *commands.front();
  const std::string plain = plain_name(option);
  if (plain == "dryrun" || option == "-n") {
    return "there is no option " + option + ": `check FILE` checks a file of orders without sending anything";
  }
  return command.get_name() + " has no option " + option + meant(similar_name(option, options_of(command)));
}

/// Names the required options of `command` that are missing, of which there is at least one.
std::string missing_options(const CLI::App& command) {
  std::string missing;
  std::size_t count = 0;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_required() || option->count() > 0) continue;
    missing += (count == 0 ? "" : ", ") + option->get_name();
    ++count;
  }
  return missing + (count == 1 ? " is required" : " are required");
}

/// CLI11's message about a value that it cannot convert, with the value removed.
std::string without_value(const std::string& message) {
  constexpr std::string_view begin = "Could not convert: ";
  if (!starts_with(message, begin)) return "the value of an option is not valid";
  return message.substr(begin.size(), message.find(" = ") - begin.size()) + ": the value is not valid";
}

/// A number as text without trailing zeros: 0.001.
std::string as_text(double number) {
  std::ostringstream text;
  text << std::setprecision(10) << number;
  return text.str();
}

}  // namespace

std::string fault_of_arguments(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].find(begin_of_key) != std::string::npos) {
      return "argument " + std::to_string(i + 1) + " is the content of a key or certificate: give the name of its file";
    }
  }
  if (const std::string variable = variable_with_key(); !variable.empty()) {
    return variable + " is the content of a key or certificate: give the name of its file";
  }
  if (arguments.empty() || arguments[0].empty() || arguments[0].front() == '-') return "";
  const auto commands = commands_of(app);
  if (std::find(commands.begin(), commands.end(), arguments[0]) != commands.end()) return "";
  std::string all;
  for (const std::string& command : commands) all += (all.empty() ? "" : ", ") + command;
  return "there is no command " + shown_value(arguments[0]) + meant(similar_name(arguments[0], commands)) +
         "\nThe commands are: " + all;
}

std::string explain(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  const auto left_over = app.remaining(true);
  if (!left_over.empty()) return explain_left_over(app, left_over.front(), arguments);
  const auto commands = app.get_subcommands();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) && !commands.empty()) {
    return missing_options(*commands.front());
  }
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ConversionError)) return without_value(error.what());
  return printable(error.what(), 1000);
}

CLI::Option* takes_file_name(CLI::Option* option) {
  return option->check([](const std::string& name) { return file_name_fault(name); }, "");
}

CLI::Option* takes_whole_number(CLI::Option* option, std::uint64_t lowest, std::uint64_t highest) {
  const bool bounded = highest < std::numeric_limits<std::uint64_t>::max();
  std::string range = std::to_string(lowest);
  range.append(bounded ? " to " : " or more");
  if (bounded) range.append(std::to_string(highest));
  return option->check(
      [lowest, highest, range](const std::string& text) {
        std::uint64_t number = 0;
        const char* const end = text.data() + text.size();
        const auto [last, error] = std::from_chars(text.data(), end, number);
        const bool taken = error == std::errc() && last == end && number >= lowest && number <= highest;
        return taken ? std::string() : "must be a whole number, " + range;
      },
      range);
}

CLI::Option* takes_number(CLI::Option* option, double lowest, double highest) {
  const std::string range = as_text(lowest) + " to " + as_text(highest);
  return option->check(
      [lowest, highest, range](const std::string& text) {
        char* last = nullptr;
        const double number = std::strtod(text.c_str(), &last);
        const bool taken = last == text.c_str() + text.size() && number >= lowest && number <= highest;
        return taken && !text.empty() ? std::string() : "must be a number, " + range;
      },
      range);
}

CLI::Option* takes_one_of(CLI::Option* option, const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return option->check(
      [words, all](const std::string& text) {
        return std::find(words.begin(), words.end(), text) != words.end() ? std::string() : "must be one of " + all;
      },
      all);
}

}  // namespace wechatpay::bonus_commit::tool
