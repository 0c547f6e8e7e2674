// Makes the table and the chart from the measurements.
//   write_figures FIGURES NGINX FOLDER
#include <curl/curl.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/benchmark/figures.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit {

namespace {

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream text(line);
  for (std::string field; std::getline(text, field, '\t');) fields.push_back(field);
  fields.resize(7);  // empty fields at the end are not read
  return fields;
}

/// Four digits, which is more than the measurements are accurate to.
std::string number(double value) {
  char text[32];
  const int decimals = value == std::round(value) || std::abs(value) >= 1000 ? 0 : std::abs(value) >= 10 ? 1 : 3;
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string target_of(const Row& row) {
  if (row.bound.empty()) return "";
  std::ostringstream text;
  text << row.bound << " " << row.target << " " << row.unit;
  return text.str();
}

std::string verdict_on(const Row& row) {
  if (row.bound.empty()) return "";
  if (row.reached()) return "yes";
  return row.if_missed.empty() ? "no" : "no: " + row.if_missed;
}

std::string table(const std::vector<Row>& rows) {
  std::string text =
      "# What a commit costs\n\n"
      "Written by `bash tests/benchmark/run.sh`: medians of rounds in one run. \"By hand\" is the same commits by "
      "libcurl and OpenSSL alone, with everything prepared that can be ([baseline.hpp](baseline.hpp)), by turns with "
      "the library's. The server is nginx on another core, over TLS.\n\n"
      "![CPU time of a commit beside that of the same by hand](figures.svg)\n\n"
      "| what | measured | to reach | reached |\n|---|---|---|---|\n";
  for (const Row& row : rows) {
    text += "| " + row.what + " | " + number(row.measured) + " " + row.unit + " | " + target_of(row) + " | " +
            verdict_on(row) + " |\n";
  }
  return text;
}

/// In "nginx version: nginx/1.22.1", the relevant part follows the space.
std::string machine(const std::string& nginx) {
  std::string server = run(shell_word(nginx) + " -v 2>&1").output;
  server.erase(0, server.rfind(' ') + 1);
  server.erase(server.find_last_not_of('\n') + 1);
  return std::to_string(std::thread::hardware_concurrency()) + " cores; OpenSSL " +
         OpenSSL_version(OPENSSL_VERSION_STRING) + ", libcurl/" + curl_version_info(CURLVERSION_NOW)->version + ", " +
         server + ", compiled by " WECHATPAY_COMPILER_NAME ".\n";
}

class Chart {
 public:
  explicit Chart(const std::vector<Bars>& cases) {
    double most = 1;
    for (const Bars& one : cases) most = std::max({most, one.by_hand, one.ours});
    text(0, 18, title, " class='title'");
    legend(0, "hand", "by hand");
    legend(90, "ours", "with this library");
    int y = 62;
    for (const Bars& one : cases) {
      text(0, y + 20, one.what);
      bar(y, one.by_hand, most, "hand");
      bar(y + 15, one.ours, most, "ours");
      y += 42;
    }
    height_ = y;
  }

  std::string svg() const {
    const std::string size = "640' height='" + std::to_string(height_) + "'";
    return "<svg xmlns='http://www.w3.org/2000/svg' width='" + size + " viewBox='0 0 640 " + std::to_string(height_) +
           "' role='img'>\n<title>" + title + "</title>\n" + style + drawn_ + "</svg>\n";
  }

 private:
  static constexpr const char* title = "Client CPU for one commit, in microseconds";
  static constexpr int left = 170;
  static constexpr int longest = 410;
  static constexpr const char* style =
      "<style>\n"
      "text { font: 13px system-ui, sans-serif; fill: #1f2328; }\n"
      ".title { font-weight: bold; }\n"
      ".hand { fill: #9aa4af; }\n"
      ".ours { fill: #1a7f37; }\n"
      "@media (prefers-color-scheme: dark) {\n"
      "  text { fill: #e6edf3; }\n"
      "  .hand { fill: #6e7681; }\n"
      "  .ours { fill: #3fb950; }\n"
      "}\n"
      "</style>\n";

  void text(int x, int y, const std::string& words, const std::string& attribute = "") {
    drawn_ +=
        "<text x='" + std::to_string(x) + "' y='" + std::to_string(y) + "'" + attribute + ">" + words + "</text>\n";
  }

  void box(int x, int y, int width, int height, const std::string& kind) {
    drawn_ += "<rect class='" + kind + "' x='" + std::to_string(x) + "' y='" + std::to_string(y) + "' width='" +
              std::to_string(width) + "' height='" + std::to_string(height) + "'/>\n";
  }

  void legend(int x, const std::string& kind, const std::string& words) {
    box(left + x, 34, 12, 12, kind);
    text(left + x + 18, 45, words);
  }

  void bar(int y, double value, double most, const std::string& kind) {
    const int width = static_cast<int>(std::lround(value / most * longest));
    box(left, y, width, 13, kind);
    text(left + width + 6, y + 11, std::to_string(std::lround(value)));
  }

  std::string drawn_;
  int height_ = 0;
};

void write(const std::string& figures, const std::string& nginx, const std::string& folder) {
  std::vector<Row> rows;
  std::vector<Bars> cases;
  std::istringstream lines(read_text(figures));
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> fields = fields_of(line);
    if (fields[0] == "row") {
      rows.push_back({fields[1], std::stod(fields[2]), fields[3], fields[4], std::stod(fields[5]), fields[6]});
    } else {
      cases.push_back({fields[1], std::stod(fields[2]), std::stod(fields[3])});
    }
  }
  std::ofstream markdown(folder + "/figures.md");
  markdown << table(rows) << "\n" << machine(nginx);
  std::ofstream svg(folder + "/figures.svg");
  svg << Chart(cases).svg();
  if (rows.empty() || cases.empty() || !markdown.flush() || !svg.flush()) {
    throw std::runtime_error("the figures are not complete, or cannot be written to " + folder);
  }
}

}  // namespace
}  // namespace wechatpay::bonus_commit

int main(int count, char** arguments) {
  if (count != 4) return 2;
  wechatpay::bonus_commit::write(arguments[1], arguments[2], arguments[3]);
}
