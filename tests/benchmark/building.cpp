// What the library costs when it is built into a program: CPU time of the compiler, and the size of the program.
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/benchmark/figures.hpp"
#include "tests/benchmark/measuring.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

namespace {

constexpr const char* why_parsing =
    "the standard library's headers, without which there is no std::function, cost more than that";

std::string output_of(const std::string& command) {
  CommandResult result = run(command);
  if (result.status != 0) throw std::runtime_error(command + " has failed");
  return result.output;
}

/// Parses the file without generating code. Returns CPU seconds.
double parse(const std::string& file) {
  const double before = cpu_seconds(RUSAGE_CHILDREN);
  output_of(shell_word(WECHATPAY_COMPILER) + " -std=c++17 -fsyntax-only -I" + shell_word(WECHATPAY_SOURCE "/include") +
            " " WECHATPAY_JSON_INCLUDE " " + shell_word(file));
  return cpu_seconds(RUSAGE_CHILDREN) - before;
}

/// The standard headers that one of our headers includes, directly or through our other headers.
std::string standard_headers(const std::string& header) {
  constexpr std::string_view standard = "#include <";
  constexpr std::string_view ours = "#include \"";
  std::string found;
  std::istringstream text(read_text(WECHATPAY_SOURCE "/include/" + header));
  for (std::string line; std::getline(text, line);) {
    if (line.rfind(standard, 0) == 0) found += line + "\n";
    const bool is_body = line.find(".ipp") != std::string::npos;  // included only in another configuration
    if (line.rfind(ours, 0) == 0 && !is_body) {
      found += standard_headers(line.substr(ours.size(), line.size() - ours.size() - 1));
    }
  }
  return found;
}

void parsing(const Arguments& arguments, Figures& figures) {
  const TemporaryFolder folder;
  const std::string json = folder.write("json.cpp", "#include <nlohmann/json.hpp>\n");
  const std::string ours = folder.write("ours.cpp", "#include <wechatpay/bonus_commit.hpp>\n");
  const std::string standard = folder.write("standard.cpp", standard_headers("wechatpay/bonus_commit.hpp"));
  std::vector<double> ratios;
  std::vector<double> standard_ratios;
  for (int round = 0; round < arguments.rounds(); ++round) {
    const double whole = parse(json);
    ratios.push_back(parse(ours) / whole);
    standard_ratios.push_back(parse(standard) / whole);
  }
  figures.add(Row{"CPU time for parsing `<wechatpay/bonus_commit.hpp>`, against `<nlohmann/json.hpp>`", median(ratios),
                  "x", "at most", 0.33, why_parsing});
  figures.add(Row{"of which the standard library's own headers", median(standard_ratios), "x"});
}

/// Bytes of code and data.
double size_of(const std::string& program) {
  std::istringstream sizes(output_of("size " + program));
  std::string titles;
  double text = 0;
  double data = 0;
  std::getline(sizes, titles);
  if (!(sizes >> text >> data)) throw std::runtime_error("size prints something else");
  return text + data;
}

void size(Figures& figures) {
  figures.add(Row{
      "The library's own code and data, linked statically into a stripped program (Release) that makes a client from "
      "files and commits",
      (size_of(WECHATPAY_WITH_CLIENT) - size_of(WECHATPAY_WITHOUT_CLIENT)) / 1024, "KiB"});
}

void measure_all(const Arguments& arguments) {
  Figures figures(arguments.figures);
  parsing(arguments, figures);
  size(figures);
}

}  // namespace
}  // namespace wechatpay::bonus_commit

int main(int count, char** values) { wechatpay::bonus_commit::measure_all({count, values}); }
