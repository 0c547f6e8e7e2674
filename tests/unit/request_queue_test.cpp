// The transport's policy, step by step. Time is an argument, and libcurl is not involved.
#include "src/curl/request_queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace wechatpay::bonus_commit::curl {

namespace {

using Kind = RequestQueue::Action::Kind;

constexpr milliseconds patience{100};

class Queue : public ::testing::Test {
 protected:
  static TimePoint at(int ms) { return TimePoint(milliseconds(1000 + ms)); }

  void add(const std::string& name, int start = 0, int deadline = 10000, const std::string& host = "https://a") {
    Requests one;
    one.emplace_back();
    one.front().http.origin = host;
    one.front().http.path = name;
    one.front().options.fresh_connection = fresh_;
    one.front().options.stop = stop_;
    one.front().start = at(start);
    one.front().deadline = at(deadline);
    queue_.add(one);
  }

  /// The actions that poll() returns at a moment, until there are no more: "start 1 start 2 ".
  std::string poll(int ms) {
    std::string asked;
    for (auto action = queue_.poll(at(ms)); action.kind != Kind::none; action = queue_.poll(at(ms))) {
      QueuedRequest& request = action.request.front();
      if (action.kind == Kind::complete) {
        asked += std::string(to_string(action.fault)) + " " + request.http.path + " ";
        continue;
      }
      asked += (action.fresh_connection ? "fresh " : "start ") + request.http.path + " ";
      running_[request.http.path].swap(action.request);
    }
    return asked;
  }

  QueuedRequest& running(const std::string& name) { return running_[name].front(); }
  void connected(const std::string& name, Protocol protocol) { queue_.connected(running(name), protocol); }
  void finished(const std::string& name, Protocol protocol = Protocol::unknown, bool connection_failed = false) {
    queue_.finished(running(name), protocol, connection_failed);
  }

  /// A host that is known to speak `protocol`.
  void know(Protocol protocol) {
    add("first");
    poll(0);
    connected("first", protocol);
    finished("first", protocol);
  }

  RequestQueue queue_{2, patience};
  std::map<std::string, Requests> running_;
  bool fresh_ = false;
  StopToken stop_;
};

TEST_F(Queue, StartsARequestAtOnce) {
  EXPECT_EQ(queue_.next_moment(), never);
  add("1");
  EXPECT_LE(queue_.next_moment(), at(0));
  EXPECT_EQ(poll(0), "start 1 ");
  EXPECT_EQ(running("1").turn, at(0));
  EXPECT_EQ(queue_.next_moment(), never);
}

TEST_F(Queue, HoldsARequestUntilItsPauseIsOver) {
  add("1", 50);
  EXPECT_EQ(poll(0), "");
  EXPECT_EQ(queue_.next_moment(), at(50));
  EXPECT_EQ(poll(49), "");
  EXPECT_EQ(poll(50), "start 1 ");
}

TEST_F(Queue, StartsNoMoreThanItMayAndFirstComeFirstServed) {
  know(Protocol::http1);
  for (const char* name : {"1", "2", "3", "4"}) add(name);
  EXPECT_EQ(poll(0), "start 1 start 2 ");
  finished("2");
  EXPECT_LE(queue_.next_moment(), at(1));
  EXPECT_EQ(poll(1), "start 3 ");
  add("5");
  finished("1");
  finished("3");
  EXPECT_EQ(poll(2), "start 4 start 5 ");
}

TEST_F(Queue, DoesNotLetOneHostHoldUpAnother) {
  know(Protocol::http1);
  for (const char* name : {"1", "2", "3"}) add(name);
  add("elsewhere", 0, 10000, "https://b");
  EXPECT_EQ(poll(0), "start 1 start 2 start elsewhere ");
}

TEST_F(Queue, CompletesARequestThatGotNoTurnBeforeItsDeadline) {
  know(Protocol::http1);
  add("1");
  add("2");
  add("3", 0, 70);
  EXPECT_EQ(poll(0), "start 1 start 2 ");
  EXPECT_EQ(queue_.next_moment(), at(70));
  EXPECT_EQ(poll(70), "no free connection 3 ");
  EXPECT_EQ(queue_.next_moment(), never);
}

TEST_F(Queue, StartsNoRequestWhoseDeadlineHasPassedWhileTheDriverWasBusy) {
  add("1", 0, 70);
  add("2", 50, 70);
  EXPECT_EQ(poll(70), "timeout 1 timeout 2 ");
  add("3", 200, 270);
  EXPECT_EQ(poll(100), "");
  EXPECT_EQ(poll(300), "timeout 3 ");
  EXPECT_EQ(queue_.next_moment(), never);
}

TEST_F(Queue, LetsTheFirstRequestToAHostGoAloneUntilItsProtocolIsKnown) {
  add("1");
  add("2");
  EXPECT_EQ(poll(0), "start 1 ");
  EXPECT_EQ(queue_.next_moment(), at(100));
  connected("1", Protocol::http1);
  EXPECT_LE(queue_.next_moment(), at(1));
  EXPECT_EQ(poll(1), "start 2 ");
}

TEST_F(Queue, LearnsFromTheFirstAnswerWhereTheHandshakeDoesNotTell) {
  add("1");
  add("2");
  poll(0);
  connected("1", Protocol::unknown);
  EXPECT_EQ(poll(1), "");
  finished("1", Protocol::http2);
  EXPECT_EQ(poll(2), "start 2 ");
}

TEST_F(Queue, KnowsWhetherRequestsInProgressMayShareAConnection) {
  EXPECT_FALSE(queue_.may_share_connections());
  add("1");
  EXPECT_FALSE(queue_.may_share_connections());
  poll(0);
  EXPECT_TRUE(queue_.may_share_connections()) << "the protocol is not known yet";
  connected("1", Protocol::http1);
  EXPECT_FALSE(queue_.may_share_connections());
  finished("1", Protocol::http1);
  add("2");
  poll(1);
  connected("2", Protocol::http2);
  EXPECT_TRUE(queue_.may_share_connections());
  finished("2", Protocol::http2);
  EXPECT_FALSE(queue_.may_share_connections());
}

TEST_F(Queue, LetsTheOthersFollowOverAnHttp2ConnectionThatStands) {
  know(Protocol::http2);
  add("1");
  add("2");
  EXPECT_EQ(poll(0), "start 1 ") << "whether the kept connection is still there is not known";
  connected("1", Protocol::http2);
  EXPECT_EQ(poll(0), "start 2 ");
  connected("2", Protocol::http2);
  finished("1");
  add("3");
  EXPECT_EQ(poll(0), "start 3 ") << "the connection is that of the second now";
}

TEST_F(Queue, LetsNobodyWaitForLongForTheOneThatOpensAConnection) {
  add("1");
  add("2");
  add("soon", 0, 60);
  EXPECT_EQ(poll(0), "start 1 ");
  EXPECT_EQ(poll(60), "timeout soon ") << "not for want of a free connection";
  EXPECT_EQ(queue_.next_moment(), at(100));
  EXPECT_EQ(poll(100), "start 2 ");
}

TEST_F(Queue, LetsTheNextOpenAConnectionWhereTheFirstFails) {
  add("1");
  add("2");
  EXPECT_EQ(poll(0), "start 1 ");
  finished("1");
  EXPECT_EQ(poll(1), "start 2 ");
}

TEST_F(Queue, UsesNoHttp2ConnectionAfterOneOfItsRequestsHasFailed) {
  know(Protocol::http2);
  add("1");
  add("2");
  poll(0);
  connected("1", Protocol::http2);
  poll(0);
  connected("2", Protocol::http2);
  const unsigned before = running("2").generation;
  finished("1", Protocol::unknown, true);
  add("3");
  add("4");
  EXPECT_EQ(poll(1), "start 3 ");
  EXPECT_NE(running("3").generation, before) << "another connection";
  finished("2");
  EXPECT_EQ(poll(1), "") << "which opens alone";
  connected("3", Protocol::http2);
  EXPECT_EQ(poll(1), "start 4 ");
  EXPECT_EQ(running("4").generation, running("3").generation);
}

TEST_F(Queue, ChangesNoGenerationForAFailureOfAnEarlierOne) {
  know(Protocol::http2);
  add("1");
  add("2");
  poll(0);
  connected("1", Protocol::http2);
  poll(0);
  connected("2", Protocol::http2);
  finished("1", Protocol::unknown, true);
  add("3");
  poll(1);
  connected("3", Protocol::http2);
  finished("2", Protocol::unknown, true);
  add("4");
  EXPECT_EQ(poll(1), "start 4 ");
  EXPECT_EQ(running("4").generation, running("3").generation);
}

TEST_F(Queue, AsksForAFreshConnectionWhereTheRequestDoes) {
  know(Protocol::http1);
  fresh_ = true;
  add("1");
  add("2");
  EXPECT_EQ(poll(0), "fresh 1 fresh 2 ");
}

TEST_F(Queue, TakesAnHttp2ConnectionThatOthersUseForFresh) {
  know(Protocol::http2);
  fresh_ = true;
  add("1");
  add("2");
  EXPECT_EQ(poll(0), "fresh 1 ");
  connected("1", Protocol::http2);
  EXPECT_EQ(poll(0), "start 2 ");
}

TEST_F(Queue, GivesBackWhatIsStopped) {
  know(Protocol::http1);
  add("1");
  add("2");
  poll(0);
  const StopSource source;
  stop_ = source.get_token();
  add("waits");
  add("is delayed", 50);
  poll(0);
  add("has just come");
  stop_ = StopToken();
  add("goes on");
  EXPECT_TRUE(queue_.take_stopped().empty());
  source.request_stop();
  EXPECT_EQ(queue_.take_stopped().size(), 3U);
  finished("1");
  EXPECT_EQ(poll(60), "start goes on ");
}

TEST_F(Queue, GivesBackEverythingAtTheEnd) {
  know(Protocol::http1);
  for (const char* name : {"1", "2", "waits"}) add(name);
  poll(0);
  add("is delayed", 50);
  poll(0);
  add("has just come");
  EXPECT_EQ(queue_.take_all().size(), 3U);
  EXPECT_EQ(queue_.next_moment(), never);
  EXPECT_EQ(poll(20000), "");
}

}  // namespace
}  // namespace wechatpay::bonus_commit::curl
