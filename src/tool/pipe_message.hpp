// The messages of `pipe`: one order per input line, one result per output line.
#ifndef WECHATPAY_SRC_TOOL_PIPE_MESSAGE_HPP
#define WECHATPAY_SRC_TOOL_PIPE_MESSAGE_HPP

#include <wechatpay/bonus_commit/receipt.hpp>
#include <wechatpay/bonus_commit/request.hpp>

#include <nlohmann/json.hpp>
#include <string>

#include "line_reader.hpp"

namespace wechatpay::bonus_commit::tool {

struct PipeMessage {
  nlohmann::ordered_json id{};  ///< as received; null if it cannot be read
  BonusCommitRequest order{};
  std::string fault{};   ///< empty, or why the line is not an order; it begins with the line's number
  bool is_whole = true;  ///< false: the input ended within the line, so it says nothing about the order
};

/// The order in a line. Missing fields are taken from `defaults`. Its member `id` must be a string or a 64-bit integer:
/// JSON libraries do not preserve other numbers exactly.
PipeMessage read_pipe_message(const LineReader::Line& line, const BonusCommitRequest& defaults);

/// The line with the result of an order. `result` is `credited`, with `receipt`; `dead`, with `error`, if a repetition
/// would fail in the same way; or `later`, with `error` and `pause_seconds`. `random`: from 0 to 1.
nlohmann::ordered_json pipe_answer(const nlohmann::ordered_json& id, const CommitResult& result, double random);

}  // namespace wechatpay::bonus_commit::tool

#endif
