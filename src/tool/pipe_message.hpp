// What goes through `pipe`: an order to a line, and what became of it to a line.
#ifndef WECHATPAY_SRC_TOOL_PIPE_MESSAGE_HPP
#define WECHATPAY_SRC_TOOL_PIPE_MESSAGE_HPP

#include <wechatpay/bonus_commit/receipt.hpp>
#include <wechatpay/bonus_commit/request.hpp>

#include <nlohmann/json.hpp>
#include <string>

#include "line_reader.hpp"

namespace wechatpay::bonus_commit::tool {

struct PipeMessage {
  nlohmann::ordered_json id{};  ///< as it was given; null where it cannot be read
  BonusCommitRequest order{};
  std::string fault{};  ///< empty, or why the line is no order; it begins with the line's number
};

/// The order of a line; fields that it leaves out are those of `defaults`. Its member `id` is a string or a whole
/// number of 64 bits, since others do not come back from JSON as they went in.
PipeMessage read_pipe_message(const LineReader::Line& line, const BonusCommitRequest& defaults);

/// The line that tells what became of the order: `result` is `credited`, with the `receipt`; `dead`, with the `error`,
/// where a repetition would end likewise; or `later`, with the `error` and `pause_seconds`. `random`: from 0 to 1.
nlohmann::ordered_json pipe_answer(const nlohmann::ordered_json& id, const CommitResult& result, double random);

}  // namespace wechatpay::bonus_commit::tool

#endif
