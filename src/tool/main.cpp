// wechatpay-bonus-commit: the command-line tool.
#include <fcntl.h>
#include <unistd.h>
#include <wechatpay/bonus_commit/curl_transport.hpp>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"

using namespace wechatpay::bonus_commit;
using namespace wechatpay::bonus_commit::tool;

namespace {

/// Wraps help at 100 columns. CLI11 leaves long lines to the terminal, which breaks them inside words.
class WrappingFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    std::istringstream text(CLI::Formatter::make_help(app, std::move(name), mode));
    std::string wrapped;
    for (std::string line; std::getline(text, line);) wrapped += wrap(line);
    return wrapped;
  }

 private:
  static std::string wrap(std::string line) {
    const std::size_t width = 100;
    const std::size_t gap = line.rfind("  ", 30);  // precedes the description of an option
    const std::size_t text = line.find_first_not_of(' ', gap == std::string::npos ? 0 : gap);
    const std::size_t indent = std::min(line.size(), text);
    std::string wrapped;
    while (line.size() > width) {
      const std::size_t space = line.rfind(' ', width);
      if (space == std::string::npos || space <= indent) break;
      wrapped.append(line, 0, space).append("\n");
      line.replace(0, space + 1, indent, ' ');
    }
    return wrapped + line + "\n";
  }
};

/// Opens the descriptors 0, 1 and 2 if they are closed. Otherwise the next file or socket would get such a number.
void open_standard_descriptors() {
  int descriptor = 0;
  while (descriptor >= 0 && descriptor <= STDERR_FILENO) descriptor = ::open("/dev/null", O_RDWR);
  if (descriptor >= 0) ::close(descriptor);
}

}  // namespace

int main(int count, char** arguments) {
  open_standard_descriptors();
  CLI::App app(
      "Marks the points shown on WeChat Pay's payment result page as credited.\n\n"
      "To try it without WeChat Pay, run `wechatpay-bonus-commit sandbox` in one terminal. It prints an `export` "
      "command; run that in a second terminal, then use `doctor`, `commit` and `backfill` there.",
      "wechatpay-bonus-commit");
  app.set_version_flag("--version", WECHATPAY_BONUS_COMMIT_VERSION);
  app.formatter(std::make_shared<WrappingFormatter>());
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 credited, or no problem found; 1 refused, or a problem found; 2 wrong arguments, options or key "
      "files; 3 unknown, the commit may have taken effect; 4 not sent; 130 interrupted.\n"
      "`wechatpay-bonus-commit COMMAND --help` explains one command, `man wechatpay-bonus-commit` all of them.");

  int status = ExitStatus::success;
  add_commit(app, status);
  add_backfill(app, status);
  add_pipe(app, status);
  add_check(app, status);
  add_doctor(app, status);
  add_outbox(app, status);
  add_relay(app, status);
  add_explain(app, status);
  add_sandbox(app, status);
  add_completion(app, status);
  const std::vector<std::string> given(arguments + 1, arguments + count);
  if (const std::string fault = fault_of_arguments(app, given); !fault.empty()) {
    std::cerr << fault << "\n";
    return ExitStatus::usage;
  }
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == EXIT_SUCCESS) return app.exit(error);
    std::cerr << explain(app, error, given) << "\n`wechatpay-bonus-commit ";
    for (const CLI::App* command : app.get_subcommands()) std::cerr << command->get_name() << " ";
    std::cerr << "--help` lists the options.\n";
    return ExitStatus::usage;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return ExitStatus::usage;
  }
  return status;
}
