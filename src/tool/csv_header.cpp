#include "csv_header.hpp"

#include <wechatpay/bonus_commit/stages/text.hpp>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "csv.hpp"
#include "order_values.hpp"
#include "similar_names.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace stages;

namespace {

bool has(const std::vector<std::string>& columns, std::string_view name) {
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

std::optional<std::vector<std::string>> columns_of(std::string_view text, char delimiter) {
  auto columns = split_csv(text, delimiter);
  if (!columns) return std::nullopt;
  for (std::string& column : *columns) column = without_blanks(column);
  return columns;
}

std::size_t fields_between(char delimiter, std::string_view text) {
  return fields_among(columns_of(text, delimiter).value_or(std::vector<std::string>()));
}

char best_delimiter(std::string_view text) {
  char best = ',';
  std::size_t most = 0;
  for (const char candidate : {',', ';', '\t'}) {
    const auto columns = columns_of(text, candidate);
    const std::size_t found = columns ? 2 * fields_among(*columns) + (columns->size() > 1 ? 1 : 0) : 0;
    if (found <= most) continue;
    most = found;
    best = candidate;
  }
  return best;
}

/// The delimiter of the columns if it is not one of the supported ones; empty if none is found.
std::string foreign_delimiter(const std::string& text) {
  for (std::string delimiter : {"||", "|", "\x01", "\x1F", "^", "~", ":", "#", "\uFF0C", "\uFF1B", "\u3001", " "}) {
    std::vector<std::string> columns;
    std::size_t begin = 0;
    for (std::size_t end = 0; end != std::string::npos; begin = end + delimiter.size()) {
      end = text.find(delimiter, begin);
      columns.emplace_back(without_blanks(std::string_view(text).substr(begin, end - begin)));
    }
    if (fields_among(columns) > 1) return delimiter;
  }
  return "";
}

constexpr std::pair<std::string_view, std::string_view> names_in_use[] = {
    {"card_id", "\u4F1A\u5458\u5361\u6A21\u677Fid"},
    {"card_id", "\u4F1A\u5458\u5361id"},
    {"code", "\u4F1A\u5458\u5361code"},
    {"code", "\u4F1A\u5458\u5361\u53F7"},
    {"out_trade_no", "\u5546\u6237\u8BA2\u5355\u53F7"},
    {"out_trade_no", "\u8BA2\u5355\u53F7"},
    {"mchid", "\u76F4\u8FDE\u5546\u6237\u53F7"},
    {"mchid", "\u5546\u6237\u53F7"},
    {"mchid", "merchantid"},
    {"sub_mchid", "\u5B50\u5546\u6237\u53F7"},
    {"sub_mchid", "\u7279\u7EA6\u5546\u6237\u53F7"},
    {"sub_mchid", "submerchantid"},
    {"bonus_value", "\u79EF\u5206"},
    {"bonus_value", "\u79EF\u5206\u503C"},
    {"merchant_mode", "\u5546\u6237\u6A21\u5F0F"}};

/// The column whose name is a known synonym of `field`; empty if there is none.
std::string other_name(std::string_view field, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string plain = plain_name(name);
    for (const auto& [meant, other] : names_in_use) {
      if (meant == field && plain == other) return name;
    }
  }
  return "";
}

std::vector<std::string> columns_not_read(const std::vector<std::string>& columns) {
  std::vector<std::string> others;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(others), [](const std::string& column) {
    return std::find(order_fields.begin(), order_fields.end(), column) == order_fields.end();
  });
  return others;
}

/// The column that probably means `field` but has another name; empty if there is none.
std::string column_like(const std::string& field, const std::vector<std::string>& columns) {
  const std::vector<std::string> others = columns_not_read(columns);
  const std::string other = other_name(field, others);
  return other.empty() ? similar_name(field, others) : other;
}

/// The fields that neither a column nor a default provides, each with advice.
std::vector<std::string> missing_fields(const std::vector<std::string>& columns, const BonusCommitRequest& defaults) {
  std::vector<std::string> missing;
  const auto require = [&](const std::string& field, const std::string& help) {
    if (has(columns, field)) return;
    const std::string like = column_like(field, columns);
    std::string& advice = missing.emplace_back(field);
    if (!like.empty()) advice.append(": is it ").append(printable(like, 40)).append("?");
    if (!help.empty()) advice.append(" (").append(help).append(")");
  };
  if (defaults.card_id.empty()) require("card_id", "or --card-id for all rows");
  require("code", "");
  require("out_trade_no", "");
  const bool one_mode = !has(columns, "merchant_mode");
  if (one_mode && defaults.mchid.empty() && defaults.merchant_mode != MerchantMode::partner) {
    require("mchid", "or --mchid for all rows, or --merchant-mode partner if rows have only sub_mchid");
  }
  if (one_mode && defaults.sub_mchid.empty() && defaults.merchant_mode != MerchantMode::direct) {
    require("sub_mchid", "or --sub-mchid for all rows, or --merchant-mode direct if rows have only mchid");
  }
  require("bonus_value", "");
  return missing;
}

}  // namespace

std::size_t fields_among(const std::vector<std::string>& columns) {
  return static_cast<std::size_t>(std::count_if(order_fields.begin(), order_fields.end(),
                                                [&columns](std::string_view field) { return has(columns, field); }));
}

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + shown_value(name);
  return printable(all, 300);
}

std::string fault_of_near_name(const char* kind, const std::vector<std::string>& fields,
                               const std::vector<std::string>& others) {
  for (const std::string_view field : order_fields) {
    if (has(fields, field)) continue;
    std::string near = other_name(field, others);
    const std::string wanted = plain_name(field);
    const std::size_t most_edits = wanted.size() < 8 ? 1 : 2;  // so that card_no is not taken for card_id
    for (const std::string& name : others) {
      if (near.empty() && name.size() <= 100 && edits_between(wanted, plain_name(name)) <= most_edits) near = name;
    }
    if (!near.empty()) {
      std::string fault(kind);
      return fault.append(" ").append(printable(near, 40)).append(" is not read: is it ").append(field).append("?");
    }
  }
  return "";
}

char announced_delimiter(std::string_view line) {
  line.remove_prefix(static_cast<std::size_t>(without_blanks(line).data() - line.data()));
  if (line.front() == '"') line.remove_prefix(1);
  const std::size_t sign = line.find_first_not_of(' ', 3);
  if (sign == std::string_view::npos || plain_name(line.substr(0, 3)) != "sep" || line[sign] != '=') return 0;
  const std::size_t at = line.find_first_not_of(" \r", sign + 1);
  if (at == std::string_view::npos) return 0;
  const char delimiter = line[at];
  const bool only_that = line.find_first_not_of(std::string("\" \r") + delimiter, at) == std::string_view::npos;
  return only_that ? delimiter : '\0';
}

Result<CsvHeader> CsvHeader::read(std::string text, char announced, const BonusCommitRequest& defaults) {
  if (text.find('\r') != std::string::npos) {
    return configuration_error("its lines end with CR only: convert it with tr '\\r' '\\n' < FILE");
  }
  CsvHeader header;
  header.delimiter = announced != 0 ? announced : best_delimiter(text);
  auto columns = columns_of(text, header.delimiter);
  if (!columns) return configuration_error("the quotes in its header are malformed");
  header.columns = *std::move(columns);
  const std::string has_columns = "; its header has: " + listed(header.columns);
  for (const std::string& column : header.columns) {
    const bool is_read =
        column == "error" || std::find(order_fields.begin(), order_fields.end(), column) != order_fields.end();
    if (is_read && std::count(header.columns.begin(), header.columns.end(), column) > 1) {
      return configuration_error(
          std::string("the column ").append(column).append(" is there twice").append(has_columns));
    }
  }
  const char fitting = best_delimiter(text);
  if (fitting != header.delimiter && fields_among(header.columns) == 0 && fields_between(fitting, text) > 0) {
    return configuration_error("its first line announces \"" + printable(std::string(1, announced), 4) +
                               "\" between columns, but its header has \"" + printable(std::string(1, fitting), 4) +
                               "\" there: which one is right?");
  }
  if (const auto missing = missing_fields(header.columns, defaults); !missing.empty()) {
    std::string message = missing.size() == 1 ? "there is no column " : "there are no columns ";
    for (const std::string& field : missing) message += (&field == &missing.front() ? "" : ", ") + field;
    const std::string delimiter = foreign_delimiter(text);
    const bool is_header = fields_among(header.columns) > 0 || !delimiter.empty() ||
                           std::any_of(order_fields.begin(), order_fields.end(), [&header](std::string_view field) {
                             return !column_like(std::string(field), header.columns).empty();
                           });
    message += is_header ? has_columns.c_str() : "; its first line is not a header of orders";
    if (!delimiter.empty()) {
      message += "; \"" + printable(delimiter, 4) + "\" separates them: commas, semicolons and tabs are read";
    } else if (!is_utf8(text)) {
      message += std::string("; it is not UTF-8: ") + utf8_advice;
    }
    return configuration_error(message);
  }
  if (std::string(",;\t").find(header.delimiter) == std::string::npos) {
    return configuration_error("its first line announces \"" + printable(std::string(1, header.delimiter), 4) +
                               "\" between columns: commas, semicolons and tabs are read");
  }
  const std::string near = fault_of_near_name("column", header.columns, columns_not_read(header.columns));
  if (!near.empty()) return configuration_error(near + has_columns);
  header.error_at = static_cast<std::size_t>(std::find(header.columns.begin(), header.columns.end(), "error") -
                                             header.columns.begin());
  header.text = std::move(text);
  return header;
}

}  // namespace wechatpay::bonus_commit::tool
