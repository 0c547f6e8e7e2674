// Finds names that were probably meant.
#ifndef WECHATPAY_SRC_TOOL_SIMILAR_NAMES_HPP
#define WECHATPAY_SRC_TOOL_SIMILAR_NAMES_HPP

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wechatpay::bonus_commit::tool {

/// `name` without differences in spelling: case, blanks, underscores and other ASCII punctuation.
inline std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool kept =
        upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
    if (kept) plain += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain;
}

/// The number of letters to change, add, remove or swap with a neighbour in order to turn `a` into `b`.
inline std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = above;
    above = row;
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

/// The closest of `names` to `given`; empty if none is close.
inline std::string similar_name(std::string_view given, const std::vector<std::string>& names) {
  const std::string wanted = plain_name(given);
  std::string nearest;
  std::size_t fewest = wanted.size() < 5 ? 2 : 3;  // one edit in a short name, two in others
  for (const std::string& name : names) {
    if (name.size() > 100) continue;
    const std::size_t edits = edits_between(wanted, plain_name(name));
    if (edits >= fewest) continue;
    fewest = edits;
    nearest = name;
  }
  return nearest;
}

}  // namespace wechatpay::bonus_commit::tool

#endif
