// What a broker's session hands over, into the real database.
#include "adapters/mqtt/broker_intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sync/records_fixture.h"

namespace gateway::adapters::mqtt {
namespace {

using core::net::MqttMessage;
using ::testing::HasSubstr;

constexpr char kTopic[] = "coldchain/pharmacy/vaccines-1/reading";
constexpr std::size_t kFirst = 0;

class Broker : public sync::RecordsTest {
 protected:
  void SetUp() override {
    RecordsTest::SetUp();
    door_.open(held_);
    const auto profile = profiles::load_profile(
        core::system_files(), std::string(GATEWAY_PROFILES) + "/mqtt-fridge-thermometer");
    ASSERT_TRUE(profile.ok());
    MqttDevice fridge;
    fridge.device.options.profile.name = "fridge";
    fridge.device.options.message_bytes_max = 1'000;
    fridge.device.profile = *profile;
    fridge.broker = "ward";
    fridge.topic = profile->fields.topic;
    options_.name = "ward";
    options_.devices = {fridge};
    begin();
  }
  void TearDown() override {
    intake_.reset();
    door_.close();
    RecordsTest::TearDown();
  }
  /// As after a start.
  void begin() {
    intake_ = std::make_unique<BrokerIntake>(options_, door_, core::system_clock(),
                                             [this] { ++limits_told_; });
    intake_->begin_session();
  }
  core::Status say(const std::string& payload, int packet_id = 1, bool is_resumed = false) {
    MqttMessage message;
    message.topic = kTopic;
    message.payload = payload;
    message.packet_id = packet_id;
    message.is_resumed = is_resumed;
    return intake_->take(message);
  }
  std::int64_t observations() {
    return count("SELECT count(*) FROM resource WHERE type = 'Observation'");
  }
  core::Json device() const { return intake_->report("")[kFirst]; }
  std::int64_t counted(const char* what) const {
    return device()["counts"][what].integer().value_or(-1);
  }

  sync::HoldingsDoor door_;
  BrokerOptions options_;
  std::unique_ptr<BrokerIntake> intake_;
  int limits_told_ = 0;
};

TEST_F(Broker, TheSameWordsLaterAreAnotherMeasurement) {
  EXPECT_TRUE(say(R"({"temperature":5})", 1).ok());
  EXPECT_TRUE(say(R"({"temperature":5})", 2).ok());
  EXPECT_EQ(observations(), 2);
}

TEST_F(Broker, WhatWasTakenButNotAcknowledgedIsKnownAgainAlsoAfterAStart) {
  EXPECT_TRUE(say(R"({"temperature":5})", 1).ok());
  EXPECT_TRUE(say(R"({"at":"2026-11-20T10:15:00Z","temperature":6})", 2).ok());
  EXPECT_TRUE(say(R"({"temperature":7})", 3).ok());
  begin();
  EXPECT_TRUE(say(R"({"temperature":5})", 1, true).ok());
  EXPECT_TRUE(say(R"({"at":"2026-11-20T10:15:00Z","temperature":6})", 2, true).ok());
  EXPECT_TRUE(say(R"({"temperature":7})", 3, true).ok());
  EXPECT_EQ(counted("repeated"), 3);
  EXPECT_EQ(observations(), 3);
  // Once something new has come, the same number and words are new too.
  EXPECT_TRUE(say(R"({"temperature":8})", 4, true).ok());
  EXPECT_TRUE(say(R"({"temperature":7})", 3, true).ok());
  EXPECT_EQ(observations(), 5);
}

TEST_F(Broker, ABrokerThatForgotTheSessionSendsNothingAgain) {
  EXPECT_TRUE(say(R"({"temperature":5})", 1).ok());
  begin();
  EXPECT_TRUE(say(R"({"temperature":5})", 1, false).ok());
  EXPECT_EQ(observations(), 2);
}

TEST_F(Broker, WhileLockedNothingIsTaken) {
  door_.close();
  const auto taken = say(R"({"temperature":5})");
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code(), core::Code::locked);
}

TEST_F(Broker, ATooWarmRefrigeratorIsToldOnceAndRememberedAcrossAStart) {
  EXPECT_TRUE(say(R"({"temperature":9.1})", 1).ok());
  EXPECT_TRUE(say(R"({"temperature":9.4})", 2).ok());
  EXPECT_EQ(limits_told_, 1);
  EXPECT_THAT(device()["limits"][kFirst].text(), HasSubstr("9.4 C, above 8"));
  begin();
  EXPECT_THAT(device()["limits"][kFirst].text(), HasSubstr("9.4 C, above 8"));
  EXPECT_TRUE(say(R"({"temperature":-127})", 3).ok());
  EXPECT_THAT(device()["limits"][kFirst].text(), HasSubstr("not told"));
  EXPECT_TRUE(say(R"({"temperature":7.9})", 4).ok());
  EXPECT_EQ(device()["limits"].size(), 0U);
}

TEST_F(Broker, WhatCannotBeReadWaitsForAPersonAndHoldsUpNothing) {
  EXPECT_TRUE(say("warm", 1).ok());
  EXPECT_TRUE(say(std::string(2'000, '7'), 2).ok());
  EXPECT_TRUE(say(R"({"temperature":5})", 3).ok());
  EXPECT_EQ(counted("dead"), 2);
  EXPECT_EQ(counted("stored"), 1);
}

TEST_F(Broker, ARetainedValueOfUnknownAgeAndAStrangersAreLeft) {
  MqttMessage message;
  message.topic = kTopic;
  message.payload = R"({"temperature":5})";
  message.is_retained = true;
  EXPECT_TRUE(intake_->take(message).ok());
  message.topic = "elsewhere";
  EXPECT_TRUE(intake_->take(message).ok());
  EXPECT_EQ(observations(), 0);
}

}  // namespace
}  // namespace gateway::adapters::mqtt
