// The real daemon with a thermometer at a real Mosquitto: what it says is taken once, whatever is
// killed when, and a refrigerator that is too warm is told at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "central_listener.h"

namespace gateway::daemon {
namespace {

using core::Json;
using ::testing::HasSubstr;

constexpr std::size_t kFirst = 0;
constexpr char kTopic[] = "coldchain/pharmacy/vaccines-1/reading";

class MqttDevices : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CentralListener::installed()) GTEST_SKIP() << "mosquitto is not installed";
    daemon_.configure(
        central_.table() +
        "[broker.ward]\nhost = \"127.0.0.1\"\nplain = true\nport = " + central_.port() +
        "\n[profiles]\nshipped_dir = \"" GATEWAY_PROFILES
        "\"\nsite_dir = \"/nonexistent\"\n[device.fridge]\nprotocol = \"mqtt\"\n"
        "broker = \"ward\"\nprofile = \"mqtt-fridge-thermometer\"\ntopic = \"" +
        kTopic + "\"\n");
    ASSERT_TRUE(central_.open());
  }
  void say(const std::string& payload) const {
    EXPECT_EQ(run_command(
                  {"mosquitto_pub", "-p", central_.port(), "-q", "1", "-t", kTopic, "-m", payload})
                  .exit_code,
              0);
  }
  void start() {
    daemon_.set_environment("CLINIC_GATEWAY_CRASH_AT", "");
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  }
  Json device() const { return daemon_.status()["mqtt_devices"]["devices"][kFirst]; }
  std::int64_t count(const char* what) const {
    return device()["counts"][what].integer().value_or(0);
  }
  /// Says it until it is heard: the subscription comes in its own time.
  bool has_been_heard() {
    return holds_within(30, [&] {
      say(R"({"temperature":5.0})");
      return count("stored") > 0;
    });
  }
  bool is_told(const std::string& event) const {
    return holds_within(30, [&] {
      for (const auto& one : central_.heard("events")) {
        if (one.json["alarm"].text() == "limit/fridge" && one.json["event"].text() == event)
          return true;
      }
      return false;
    });
  }

  CentralListener central_;
  DaemonProcess daemon_;
};

TEST_F(MqttDevices, ATooWarmRefrigeratorIsAnAlarmUntilItIsColdAgain) {
  start();
  ASSERT_TRUE(has_been_heard()) << daemon_.log();
  say(R"({"temperature":9.1})");
  EXPECT_TRUE(is_told("raised")) << central_.text();
  EXPECT_THAT(daemon_.ask({"devices", "list"}).out, HasSubstr("above 8"));
  say(R"({"temperature":7.9})");
  EXPECT_TRUE(is_told("cleared")) << central_.text();
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
}

TEST_F(MqttDevices, KilledBetweenCommitAndAcknowledgmentItIsOneResult) {
  start();
  ASSERT_TRUE(has_been_heard()) << daemon_.log();
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
  // The broker keeps it until the gateway is back.
  say(R"({"temperature":6.5})");
  daemon_.set_environment("CLINIC_GATEWAY_CRASH_AT", "message-committed:1");
  daemon_.start();
  ASSERT_TRUE(holds_within(30, [&] { return !daemon_.running(); })) << daemon_.log();
  start();
  EXPECT_TRUE(holds_within(30, [&] { return count("repeated") == 1; })) << daemon_.log();
  EXPECT_EQ(count("stored"), 0);
  say(R"({"temperature":6.5})");
  EXPECT_TRUE(holds_within(30, [&] { return count("stored") == 1; })) << daemon_.log();
  EXPECT_EQ(count("repeated"), 1);
}

}  // namespace
}  // namespace gateway::daemon
