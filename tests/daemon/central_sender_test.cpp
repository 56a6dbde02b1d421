// What the sender does with the broker's answers, with the real database.
#include "daemon/ops/central_sender.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <optional>

#include "tests/sync/records_fixture.h"

namespace gateway::daemon {
namespace {

using core::Json;
using sync::CentralAlarm;
using testing::ElementsAre;

class CentralSenderTest : public sync::RecordsTest {
 protected:
  struct Sent {
    Json event;
    std::function<void(bool)> answered;
  };

  void SetUp() override {
    RecordsTest::SetUp();
    door_.open(held_);
    start("boot");
  }
  void TearDown() override {
    sender_.reset();
    lane_.stop();
    door_.close();
    RecordsTest::TearDown();
  }
  /// As at a start of the daemon.
  void start(const std::string& boot_id) {
    sender_.emplace(loop_.get_executor(), door_, lane_, core::system_clock(), boot_id,
                    [this](const std::string& topic, const std::string& payload, bool retained,
                           std::function<void(bool)> answered) {
                      EXPECT_EQ(topic, "events");
                      EXPECT_FALSE(retained);
                      sent_.push_back({*Json::parse(payload), std::move(answered)});
                    });
  }
  bool runs_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(10));
    }
    return condition();
  }
  bool waits(std::int64_t events) {
    return runs_until([&] { return count("SELECT COUNT(*) FROM central_message") == events; });
  }
  /// "sequence event" and whether it is historical.
  static std::string told(const Sent& sent) {
    return core::cat(sent.event["sequence"].integer().value_or(0), ' ', sent.event["event"].text(),
                     sent.event["historical"].boolean() ? " historical" : "");
  }
  std::vector<std::string> all_told() const {
    std::vector<std::string> list;
    for (const Sent& sent : sent_) list.push_back(told(sent));
    return list;
  }

  const std::vector<CentralAlarm> down_{{"uplink/his", "warning", "does not get through"}};
  boost::asio::io_context loop_;
  sync::HoldingsDoor door_;
  BlockingLane lane_;
  std::vector<Sent> sent_;
  std::optional<CentralSender> sender_;
};

TEST_F(CentralSenderTest, OnlyWhatCameAboutBeforeTheSessionIsHistorical) {
  sender_->note(down_);
  ASSERT_TRUE(waits(1));
  sender_->on_standing(true);
  ASSERT_TRUE(runs_until([&] { return sent_.size() == 1; }));
  sent_[0].answered(true);
  ASSERT_TRUE(waits(0));
  sender_->note({});
  ASSERT_TRUE(runs_until([&] { return sent_.size() == 2; }));
  EXPECT_THAT(all_told(), ElementsAre("1 raised historical", "2 cleared"));
}

TEST_F(CentralSenderTest, TheFirstEventOfASessionThatFoundNothingIsNotHistorical) {
  sender_->on_standing(true);
  sender_->wake();
  sender_->note({});
  sender_->note(down_);
  ASSERT_TRUE(runs_until([&] {
    if (sent_.empty()) sender_->note(down_);
    return !sent_.empty();
  }));
  EXPECT_EQ(told(sent_[0]), "1 raised");
}

TEST_F(CentralSenderTest, WhatASessionLeftUnansweredGoesAgainUnderTheSameNumber) {
  sender_->on_standing(true);
  loop_.run_one_for(std::chrono::seconds(30));
  sender_->note(down_);
  ASSERT_TRUE(runs_until([&] { return sent_.size() == 1; }));
  sender_->on_standing(false);
  sent_[0].answered(false);
  sender_->on_standing(true);
  ASSERT_TRUE(runs_until([&] { return sent_.size() == 2; }));
  EXPECT_THAT(all_told(), ElementsAre("1 raised", "1 raised historical"));
  EXPECT_EQ(count("SELECT COUNT(*) FROM central_message"), 1);
  sent_[1].answered(true);
  EXPECT_TRUE(waits(0));
}

TEST_F(CentralSenderTest, WhatTheBrokerTookButNobodyForgotComesAgainWithItsOldBootId) {
  sender_->on_standing(true);
  loop_.run_one_for(std::chrono::seconds(30));
  sender_->note(down_);
  ASSERT_TRUE(runs_until([&] { return sent_.size() == 1; }));
  start("boot after it");
  sender_->on_standing(true);
  ASSERT_TRUE(runs_until([&] { return sent_.size() == 2; }));
  EXPECT_EQ(sent_[1].event["sequence"].integer(), sent_[0].event["sequence"].integer());
  EXPECT_EQ(sent_[1].event["boot_id"].text(), "boot");
  EXPECT_TRUE(sent_[1].event["historical"].boolean());
}

TEST_F(CentralSenderTest, AQueueLongerThanABatchGoesOutInOrder) {
  for (int i = 0; i < 50; ++i) {
    write([&](crypto::Connection& c) {
      return sync::queue_central(c, "events", "", Json::object({{"event", "raised"}}));
    });
  }
  sender_->on_standing(true);
  std::size_t answered = 0;
  ASSERT_TRUE(runs_until([&] {
    for (; answered < sent_.size(); ++answered) sent_[answered].answered(true);
    return answered == 50;
  }));
  for (std::size_t i = 0; i < sent_.size(); ++i)
    EXPECT_EQ(sent_[i].event["sequence"].integer(), static_cast<std::int64_t>(i + 1));
  EXPECT_TRUE(waits(0));
}

}  // namespace
}  // namespace gateway::daemon
