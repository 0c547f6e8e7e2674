/// Measurements, as lines of a file. Each benchmark adds its own lines. write_figures makes the table and the chart.
#ifndef WECHATPAY_TESTS_BENCHMARK_FIGURES_HPP
#define WECHATPAY_TESTS_BENCHMARK_FIGURES_HPP

#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

namespace wechatpay::bonus_commit {

/// A row of the table.
struct Row {
  std::string what;
  double measured = 0;
  std::string unit;
  std::string bound{};      ///< "at most" or "at least"; empty if there is no target
  double target = 0;        ///< in the same unit
  std::string if_missed{};  ///< the reason, if the target is missed

  bool reached() const { return bound == "at most" ? measured <= target : measured >= target; }
};

/// Two bars of the chart, in microseconds.
struct Bars {
  std::string what;
  double by_hand = 0;
  double ours = 0;
};

class Figures {
 public:
  explicit Figures(const std::string& file) : file_(file, std::ios::app) {
    if (!file_) throw std::runtime_error(file + " cannot be written");
  }

  void add(const Row& row) {
    std::cout << row.what << ": " << row.measured << " " << row.unit << std::endl;
    file_ << "row\t" << row.what << "\t" << row.measured << "\t" << row.unit << "\t" << row.bound << "\t" << row.target
          << "\t" << row.if_missed << std::endl;
  }

  void add(const Bars& bars) {
    file_ << "bars\t" << bars.what << "\t" << bars.by_hand << "\t" << bars.ours << std::endl;
  }

 private:
  std::ofstream file_;
};

/// The arguments of every benchmark: FIGURES NGINX [--short]
struct Arguments {
  Arguments(int count, char** values)
      : figures(count > 2 ? values[1] : ""),
        nginx(count > 2 ? values[2] : ""),
        brief(count > 3 && std::string(values[3]) == "--short") {
    if (count <= 2) throw std::invalid_argument("run.sh tells how this is called");
  }

  std::string figures;
  std::string nginx;
  bool brief;

  /// A median needs at least 7 rounds.
  int rounds(int in_full = 7) const { return brief ? 1 : in_full; }
};

}  // namespace wechatpay::bonus_commit

#endif
