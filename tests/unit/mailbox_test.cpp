// When the mailbox wakes the driver.
#include "src/curl/mailbox.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace wechatpay::bonus_commit::curl {

namespace {

class Mail : public ::testing::Test {
 protected:
  Mail() {
    mailbox_.wake_by([this] {
      ++woken_;
      return reachable_;
    });
  }

  Mailbox::Posted post() {
    Requests one;
    one.emplace_back();
    return mailbox_.post(one);
  }

  Mailbox mailbox_;
  int woken_ = 0;
  bool reachable_ = true;
};

TEST_F(Mail, WakesADriverThatSleepsOnceForAllThatComesIn) {
  ASSERT_TRUE(mailbox_.sleeps());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(post(), Mailbox::Posted::taken);
  mailbox_.post_stop();
  EXPECT_EQ(woken_, 1);
  const auto mail = mailbox_.take();
  EXPECT_EQ(mail.requests.size(), 10U);
  EXPECT_TRUE(mail.stops);
  EXPECT_FALSE(mail.closed);
}

TEST_F(Mail, WakesNoDriverThatIsAwake) {
  static_cast<void>(mailbox_.take());
  post();
  EXPECT_EQ(woken_, 0);
  EXPECT_FALSE(mailbox_.sleeps()) << "it must look first";
  EXPECT_EQ(mailbox_.take().requests.size(), 1U);
  EXPECT_TRUE(mailbox_.sleeps());
}

TEST_F(Mail, TakesNoRequestThatNobodyWouldLookAt) {
  ASSERT_TRUE(mailbox_.sleeps());
  reachable_ = false;
  EXPECT_EQ(post(), Mailbox::Posted::driver_unreachable);
  reachable_ = true;
  EXPECT_EQ(post(), Mailbox::Posted::taken);
  EXPECT_EQ(mailbox_.take().requests.size(), 1U);
}

TEST_F(Mail, IsThereForTheDriverBeforeWhoWakesItGoesOn) {
  std::size_t found = 0;
  mailbox_.wake_by([&] {
    std::thread driver([&] { found = mailbox_.take().requests.size(); });
    driver.join();
    return true;
  });
  ASSERT_TRUE(mailbox_.sleeps());
  EXPECT_EQ(post(), Mailbox::Posted::taken);
  EXPECT_EQ(found, 1U);
}

TEST_F(Mail, TakesARequestThatTheDriverHasSeenThoughItCouldNotBeWoken) {
  mailbox_.wake_by([this] {
    static_cast<void>(mailbox_.take());
    return false;
  });
  ASSERT_TRUE(mailbox_.sleeps());
  EXPECT_EQ(post(), Mailbox::Posted::taken);
}

TEST_F(Mail, WakesADriverAgainThatCouldNotBeWoken) {
  ASSERT_TRUE(mailbox_.sleeps());
  reachable_ = false;
  mailbox_.post_stop();
  reachable_ = true;
  mailbox_.post_stop();
  EXPECT_EQ(woken_, 2);
  EXPECT_TRUE(mailbox_.take().stops);
}

TEST_F(Mail, HasTheDriverLookForARequestThatWasStoppedOnItsWay) {
  const StopSource source;
  Requests one;
  one.emplace_back();
  one.front().options.stop = source.get_token();
  source.request_stop();
  EXPECT_EQ(mailbox_.post(one), Mailbox::Posted::taken);
  EXPECT_TRUE(mailbox_.take().stops);
  post();
  EXPECT_FALSE(mailbox_.take().stops);
}

TEST_F(Mail, TakesNothingOnceItIsClosed) {
  post();
  mailbox_.close();
  EXPECT_EQ(post(), Mailbox::Posted::closed);
  const auto mail = mailbox_.take();
  EXPECT_EQ(mail.requests.size(), 1U) << "what came before is not lost";
  EXPECT_TRUE(mail.closed);
}

}  // namespace
}  // namespace wechatpay::bonus_commit::curl
