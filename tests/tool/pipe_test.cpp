#include <gtest/gtest.h>
#include <wechatpay/bonus_commit/testing/client_fixture.hpp>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <sstream>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

#include "exit_status.hpp"
#include "pipe_message.hpp"
#include "pipe_run.hpp"
#include "tests/support/counting_transport.hpp"
#include "tests/support/failing_input.hpp"
#include "tests/support/support.hpp"

namespace wechatpay::bonus_commit::tool {

using namespace testing;
using nlohmann::ordered_json;

namespace {

LineReader::Line line(std::string text, std::uint64_t number = 1) {
  LineReader::Line made;
  made.text = std::move(text);
  made.number = number;
  made.ended = true;
  return made;
}

std::string order(const std::string& id, const std::string& out_trade_no = "1") {
  return R"({"id":)" + id + R"(,"card_id":"1","code":"2","out_trade_no":")" + out_trade_no +
         R"(","mchid":"4","sub_mchid":"5","bonus_value":6})";
}

TEST(PipeMessage, KeepsItsIdAsItWasGiven) {
  for (const char* id : {R"("a")", R"("消息 \"7\"")", "0", "-1", "9223372036854775807", "18446744073709551615"}) {
    const PipeMessage message = read_pipe_message(line(order(id)), {});
    EXPECT_EQ(message.fault, "");
    EXPECT_EQ(message.id, ordered_json::parse(id));
    EXPECT_EQ(message.order.out_trade_no, "1");
    EXPECT_EQ(message.order.bonus_value, 6);
  }
}

TEST(PipeMessage, WithAnIdThatJsonDoesNotKeepIsRefused) {
  for (const char* id : {"18446744073709551616", "1.5", "null", "true", "\"\"", "[1]", "{}"}) {
    const PipeMessage message = read_pipe_message(line(order(id), 7), {});
    EXPECT_EQ(message.fault, "line 7: its id must be a string or a whole number of 64 bits") << id;
    EXPECT_TRUE(message.id.is_null());
  }
  EXPECT_EQ(read_pipe_message(line(R"({"id":1,"id":2,"card_id":"1"})"), {}).fault,
            "line 1: has the member id twice: which one is right?");
}

TEST(PipeMessage, NamesWhatIsWrongWithItsOrderAndKeepsItsId) {
  const PipeMessage message = read_pipe_message(line(R"({"id":"m","card_id":"1","code":"2","bonus_value":0})", 3), {});
  EXPECT_EQ(message.id, "m");
  for (const char* field : {"line 3: ", "out_trade_no ", "mchid ", "bonus_value "}) {
    EXPECT_TRUE(contains(message.fault, field)) << field << message.fault;
  }
  EXPECT_TRUE(contains(read_pipe_message(line("nonsense", 4), {}).fault, "line 4: is not a JSON object"));
  EXPECT_TRUE(contains(read_pipe_message(line(R"({"id":1,"name":"2"})"), {}).fault, "has no member of an order"));
  LineReader::Line longer = line(order(R"("a,b,c")").substr(0, 40), 5);
  longer.too_long = true;
  EXPECT_EQ(read_pipe_message(longer, {}).fault, "line 5: is longer than 64 KiB");
  EXPECT_EQ(read_pipe_message(longer, {}).id, "a,b,c");
}

TEST(PipeMessage, KeepsItsIdWhateverElseIsWrong) {
  for (const char* text :
       {R"({"id":"m","bonus_value":"many"})", R"({"id":"m","card_id":1})", R"({"id":"m"})",
        R"({"id":"m","code":"1","code":"2"})", R"({"id":"m","name":"n"})", R"({"id":"m","bonus_value":NaN})",
        R"({"id":"m","code":"\ud800"})", R"({"id": "m" ,"code":)"}) {
    const PipeMessage message = read_pipe_message(line(text), {});
    EXPECT_EQ(message.id, "m") << text;
    EXPECT_NE(message.fault, "") << text;
  }
}

TEST(PipeMessage, OfALineThatIsNoJsonKeepsAnIdOfUpToNineCommas) {
  const auto id_with = [](int commas) {
    std::string id(1, 'a');
    for (int i = 0; i < commas; ++i) id += ",a";
    return id;
  };
  const auto read_id = [](const std::string& id) {
    return read_pipe_message(line(R"({"id":")" + id + R"(","code":)"), {}).id;
  };
  EXPECT_EQ(read_id(id_with(9)), id_with(9));
  EXPECT_TRUE(read_id(id_with(10)).is_null());
}

TEST(PipeMessage, OfALineThatTheInputEndsWithinSaysNothingOfItsOrder) {
  const std::string whole = order("42");
  for (std::size_t size = 1; size <= whole.size(); ++size) {
    LineReader::Line last = line(whole.substr(0, size));
    last.ended = false;
    const PipeMessage message = read_pipe_message(last, {});
    EXPECT_EQ(message.is_whole, size == whole.size()) << last.text;
    EXPECT_EQ(message.fault.empty(), size == whole.size()) << message.fault;
  }
}

TEST(PipeMessage, WithTensOfThousandsOfBracketsIsRefused) {
  const std::string brackets(30000, '[');
  const std::string deep = brackets + std::string(30000, ']');
  for (const std::string& text :
       {R"({"id":)" + deep + "}", R"({"id":1,"card_id":)" + deep + "}", R"({"id":1,"bonus_value":)" + deep + "}",
        R"({"more":)" + deep + R"(,"id":1})", R"({"id":)" + deep + ",", R"({"id":)" + brackets}) {
    EXPECT_NE(read_pipe_message(line(text), {}).fault, "") << text.substr(0, 30);
  }
}

TEST(PipeMessage, TakesWhatItLeavesOutFromTheDefaults) {
  BonusCommitRequest defaults;
  defaults.card_id = "9";
  defaults.mchid = "8";
  defaults.merchant_mode = MerchantMode::direct;
  const PipeMessage message =
      read_pipe_message(line(R"({"id":1,"code":"2","out_trade_no":"3","bonus_value":4})"), defaults);
  EXPECT_EQ(message.fault, "");
  EXPECT_EQ(message.order.card_id, "9");
  EXPECT_EQ(message.order.mchid, "8");
}

TEST(PipeMessage, TakesABlankMemberFromTheDefaults) {
  BonusCommitRequest defaults;
  defaults.mchid = "8";
  const PipeMessage message =
      read_pipe_message(line(replaced(order("1"), R"("mchid":"4")", R"("mchid":" ")")), defaults);
  EXPECT_EQ(message.fault, "");
  EXPECT_EQ(message.order.mchid, "8");
}

TEST(PipeMessage, NamesEachValueThatIsNotWhatWasMeant) {
  const PipeMessage message = read_pipe_message(line(R"({"id":"m","card_id":" 1","code":"NULL"})", 3), {});
  EXPECT_EQ(message.id, "m");
  EXPECT_TRUE(contains(message.fault, "line 3: card_id begins or ends with blanks")) << message.fault;
  EXPECT_TRUE(contains(message.fault, "; code is NULL, which means no value")) << message.fault;
}

Error error_of(ErrorKind kind, Remedy remedy, Outcome outcome) {
  Error error = transport_error(TransportFault::none, outcome, "words");
  error.kind = kind;
  error.remedy = remedy;
  return error;
}

TEST(PipeAnswer, OfACreditedOrderHasItsReceipt) {
  CommitReceipt receipt;
  receipt.request_id = "R";
  const ordered_json answer = pipe_answer("m", receipt, 0.5);
  EXPECT_EQ(answer["id"], "m");
  EXPECT_EQ(answer["result"], "credited");
  EXPECT_EQ(answer["receipt"]["request_id"], "R");
  EXPECT_FALSE(answer.contains("error"));
}

TEST(PipeAnswer, OfAnOrderThatMayBeRepeatedSaysWhen) {
  Error failure = transport_error(TransportFault::timeout, Outcome::unknown, "timed out");
  EXPECT_EQ(pipe_answer(1, failure, 0.0)["pause_seconds"], 4);
  EXPECT_EQ(pipe_answer(1, failure, 1.0)["pause_seconds"], 6);
  EXPECT_EQ(pipe_answer(1, failure, 1.0)["result"], "later");
  EXPECT_EQ(pipe_answer(1, failure, 1.0)["error"]["message"], "timed out");
  failure.retry_after = std::chrono::seconds(90);
  EXPECT_EQ(pipe_answer(1, failure, 1.0)["pause_seconds"], 90);
  const Error setup = error_of(ErrorKind::api_error, Remedy::correct_setup, Outcome::refused);
  EXPECT_EQ(pipe_answer(1, setup, 0.5)["pause_seconds"], 600);
  const Error permission = error_of(ErrorKind::api_error, Remedy::ask_wechat_pay, Outcome::refused);
  EXPECT_EQ(pipe_answer(1, permission, 0.5)["pause_seconds"], 600);
  const Error stopped = error_of(ErrorKind::cancelled, Remedy::retry_later, Outcome::not_sent);
  EXPECT_EQ(pipe_answer(1, stopped, 0.5)["pause_seconds"], 1);
}

TEST(PipeAnswer, OfAnOrderThatIsWrongIsDeadAndHasNoPause) {
  const ordered_json answer =
      pipe_answer(1, error_of(ErrorKind::invalid_request, Remedy::correct_request, Outcome::not_sent), 0.5);
  EXPECT_EQ(answer["result"], "dead");
  EXPECT_EQ(answer["error"]["kind"], "invalid_request");
  EXPECT_FALSE(answer.contains("pause_seconds"));
}

TEST(PipeAnswer, OfAnOrderThatWechatPayRefusesIsDeadOnlyIfItsAnswerVerifies) {
  Error refusal = error_of(ErrorKind::api_error, Remedy::correct_request, Outcome::refused);
  Answer& answer = refusal.tries.emplace_back().answer.emplace();
  answer.http_status = 400;
  answer.verification_fault = VerificationFault::none;
  EXPECT_EQ(pipe_answer(1, refusal, 0.5)["result"], "dead");
  EXPECT_FALSE(pipe_answer(1, refusal, 0.5).contains("pause_seconds"));
  answer.verification_fault = VerificationFault::signature_mismatch;
  EXPECT_EQ(pipe_answer(1, refusal, 0.5)["result"], "later");
  EXPECT_TRUE(pipe_answer(1, refusal, 0.5).contains("pause_seconds"));
}

/// Fails to write, like a pipe without a reader.
class Unread : public std::streambuf {
  int sync() override { return -1; }
  std::streamsize xsputn(const char*, std::streamsize count) override { return count; }
};

class PipeRunTest : public ::testing::Test {
 protected:
  BonusCommitClient client(std::shared_ptr<Transport> transport) {
    ClientOptions options;
    options.retry.max_tries = 1;
    return BonusCommitClient::create(wechat_pay_.credentials(), wechat_pay_.platform_keys(), std::move(transport),
                                     options)
        .value();
  }

  LineReader lines(int count) const {
    std::string text;
    for (int i = 1; i <= count; ++i) text += order(std::to_string(i), std::to_string(i)) + "\n";
    return LineReader::open(folder_.write("orders", text), ending_.descriptor()).value();
  }

  /// The answers, by id.
  std::map<int, std::string> results() const {
    std::map<int, std::string> results;
    std::istringstream lines(output_.str());
    for (std::string text; std::getline(lines, text);) {
      const auto answer = ordered_json::parse(text);
      EXPECT_TRUE(results.emplace(answer["id"], answer["result"]).second) << text;
    }
    return results;
  }

  const TemporaryFolder folder_;
  FakeWechatPay wechat_pay_;
  const WakeDescriptor ending_;
  PipeOptions options_;
  std::ostringstream output_;
};

TEST_F(PipeRunTest, SendsOneOrderAloneUntilOneHasSucceededThenAsManyAsMayBeInFlight) {
  options_.max_in_flight = 3;
  const auto transport = std::make_shared<CountingTransport>();
  PipeRun run(options_, lines(10), ending_, -1, output_);
  auto status = std::async(std::launch::async, [&, client = client(transport)] { return run.run(client); });
  transport->wait_for(1);
  EXPECT_EQ(transport->most_held(), 1);
  for (const std::size_t sent : {4U, 7U, 10U}) {
    transport->answer(wechat_pay_);
    transport->wait_for(sent);
    EXPECT_EQ(transport->sent(), sent);
  }
  transport->answer(wechat_pay_);
  EXPECT_EQ(status.get(), ExitStatus::success);
  EXPECT_EQ(transport->most_held(), 3);
  EXPECT_EQ(results().size(), 10);
  EXPECT_EQ(wechat_pay_.committed().size(), 10);
}

TEST_F(PipeRunTest, TakesNoFurtherOrderAfterAFaultOfTheSetUpAndAnswersWhatItTook) {
  const auto transport = std::make_shared<MockTransport>();
  Error setup = transport_error(TransportFault::tls, Outcome::not_sent, "not verified");
  setup.remedy = Remedy::correct_setup;
  transport->then([this](const HttpRequest& request) { return wechat_pay_.answer(request); }).then(setup);
  PipeRun run(options_, lines(10), ending_, -1, output_);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run.run(client(transport)), ExitStatus::usage);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(contains(said, "1 credited, 0 dead, 1 later\nEnded: ")) << said;
  EXPECT_EQ(results(), (std::map<int, std::string>{{1, "credited"}, {2, "later"}}));
}

TEST_F(PipeRunTest, TakesNoOrderDuringTheHaltAfterA429) {
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::time_point> sent;
  const auto transport = std::make_shared<MockTransport>();
  const auto answer = [&](const HttpRequest& request) {
    sent.push_back(Clock::now());
    return wechat_pay_.answer(request);
  };
  transport->then(answer).then([&](const HttpRequest& request) {
    sent.push_back(Clock::now());
    return wechat_pay_.error(429, "FREQUENCY_LIMITED", "too fast", request);
  });
  transport->otherwise(answer);
  options_.max_in_flight = 1;
  PipeRun run(options_, lines(3), ending_, -1, output_);
  EXPECT_EQ(run.run(client(transport)), ExitStatus::success);
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_GE(sent[2] - sent[1], std::chrono::seconds(1));
  EXPECT_EQ(results(), (std::map<int, std::string>{{1, "credited"}, {2, "later"}, {3, "credited"}}));
}

TEST_F(PipeRunTest, SaysThatFromTwentyFailuresInARowOnItSendsOneOrderAtATime) {
  const auto transport = std::make_shared<MockTransport>();
  transport->then([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  for (int i = 0; i < 20; ++i) transport->then(transport_error(TransportFault::timeout, Outcome::unknown, "timed out"));
  options_.max_in_flight = 1;
  PipeRun run(options_, lines(21), ending_, -1, output_);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run.run(client(transport)), ExitStatus::success);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(said,
            "20 failures in a row: from now on only one order at a time until one succeeds. The last failure: timeout "
            "(unknown)\n1 credited, 0 dead, 20 later\n");
}

TEST_F(PipeRunTest, AnswersWhatItHasReadAndEndsWhereItCannotReadOn) {
  const auto transport = std::make_shared<MockTransport>();
  transport->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  const FailingInput input(order("1", "1") + "\n" + order("2", "2") + "\n");
  PipeRun run(options_, LineReader::open("-", ending_.descriptor()).value(), ending_, -1, output_);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run.run(client(transport)), ExitStatus::usage);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(contains(said, "\nEnded: standard input: cannot be read: ")) << said;
  EXPECT_EQ(results(), (std::map<int, std::string>{{1, "credited"}, {2, "credited"}}));
}

TEST_F(PipeRunTest, SaysLaterOfALineThatTheInputEndsWithin) {
  const auto transport = std::make_shared<MockTransport>();
  transport->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  const std::string text = order("1") + "\n" + order("2").substr(0, 40);
  PipeRun run(options_, LineReader::open(folder_.write("orders", text), -1).value(), ending_, -1, output_);
  EXPECT_EQ(run.run(client(transport)), ExitStatus::success);
  EXPECT_EQ(results(), (std::map<int, std::string>{{1, "credited"}, {2, "later"}})) << output_.str();
}

TEST_F(PipeRunTest, EndsWhenNobodyReadsItsAnswers) {
  Unread unread;
  std::ostream output(&unread);
  const auto transport = std::make_shared<MockTransport>();
  transport->otherwise([this](const HttpRequest& request) { return wechat_pay_.answer(request); });
  options_.max_in_flight = 1;
  PipeRun run(options_, lines(1000), ending_, -1, output);
  EXPECT_EQ(run.run(client(transport)), ExitStatus::unknown);
  EXPECT_EQ(transport->requests().size(), 1);
}

}  // namespace

}  // namespace wechatpay::bonus_commit::tool
