// A POCT1-A device on a real socket: what it hears, when, and what a recording of it holds.
#include <gmock/gmock.h>

#include "adapters/frame/called_devices.h"
#include "adapters/frame/line_recorder.h"
#include "adapters/poct1a/conversation.h"
#include "tests/fakes/device_line.h"
#include "tests/sync/records_fixture.h"

namespace gateway::adapters::poct1a {
namespace {

using fakes::DeviceLine;
using ::testing::HasSubstr;

class Poct1aServer : public sync::RecordsTest {
 protected:
  void SetUp() override {
    sync::RecordsTest::SetUp();
    Poct1aDevice device;
    device.options.profile.name = "meter";
    device.options.profile.patient_id_issuer = sync::kIssuer;
    device.options.listener.name = "meter";
    device.options.sets_clock = true;
    device.options.listener.bind = "127.0.0.1";
    auto profile = profiles::load_profile(core::system_files(),
                                          std::string(GATEWAY_PROFILES) + "/nova-statstrip");
    ASSERT_TRUE(profile.ok());
    device.profile = std::move(*profile);
    served_ = std::make_unique<ServedDevice>(std::move(device));
    door_.open(held_);
    devices_.add(
        served_->device.options, served_->traffic,
        [this](const std::string& peer) {
          return make_conversation(*served_, door_, core::system_clock(), peer);
        },
        [this](core::Json& report) { served_->tell(report); });
    ASSERT_TRUE(devices_.start().ok());
  }
  void TearDown() override {
    devices_.stop();
    door_.close();
    sync::RecordsTest::TearDown();
  }

  sync::HoldingsDoor door_;
  std::unique_ptr<ServedDevice> served_;
  frame::CalledDevices devices_{"poct1a", core::system_clock()};
};

constexpr char kHello[] =
    "<HEL.R01><HDR><HDR.control_id V=\"1\"/></HDR><DEV><DEV.serial_id V=\"SN\"/><DSC>"
    "<DSC.directives_supported_cd V=\"SET_TIME\"/><DSC.directives_supported_cd "
    "V=\"START_CONTINUOUS\"/></DSC></DEV></HEL.R01>";
constexpr char kStatus[] =
    "<DST.R01><HDR><HDR.control_id V=\"2\"/></HDR><DST><DST.new_observations_qty V=\"1\"/>"
    "<DST.condition_cd V=\"R\"/></DST></DST.R01>";
constexpr char kResult[] =
    "<OBS.R01><HDR><HDR.control_id V=\"3\"/></HDR><SVC><SVC.role_cd V=\"OBS\"/>"
    "<SVC.observation_dttm V=\"2026-03-01T09:05:00Z\"/><PT><PT.patient_id V=\"P1\"/><OBS>"
    "<OBS.observation_id V=\"Glu\"/><OBS.value V=\"88\" U=\"mg/dL\"/></OBS></PT></SVC></OBS.R01>";
constexpr char kEnd[] = "<EOT.R01><HDR><HDR.control_id V=\"4\"/></HDR><EOT/></EOT.R01>";

TEST_F(Poct1aServer, ItAnswersAsksSetsTheClockAndAsksToStay) {
  auto* const recorder = devices_.recorder("meter");
  ASSERT_NE(recorder, nullptr);
  EXPECT_EQ(devices_.recorder("other"), nullptr);
  ASSERT_TRUE(recorder->begin(core::system_clock().monotonic()));
  DeviceLine line(devices_.port("meter"));
  line.say(kHello);
  EXPECT_THAT(line.hear("</ACK.R01>"), HasSubstr("ack_control_id V=\"1\""));
  line.say(kStatus);
  EXPECT_THAT(line.hear("</ACK.R01>"), HasSubstr("ack_control_id V=\"2\""));
  EXPECT_THAT(line.hear("</REQ.R01>"), HasSubstr("ROBS"));
  line.say(kResult);
  EXPECT_THAT(line.hear("</ACK.R01>"), HasSubstr("\"AA\""));
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Observation'"), 1);
  line.say(kEnd);
  line.hear("</ACK.R01>");
  const std::string clock = line.hear("</DTV.R02>");
  EXPECT_THAT(clock, HasSubstr("SET_TIME"));
  const auto id = clock.find("control_id V=\"") + 14;
  line.say(core::cat("<ACK.R01><ACK><ACK.type_cd V=\"AA\"/><ACK.ack_control_id V=\"",
                     clock.substr(id, clock.find('"', id) - id), "\"/></ACK></ACK.R01>"));
  EXPECT_THAT(line.hear("</DTV.R01>"), HasSubstr("START_CONTINUOUS"));

  const auto recording = recorder->end();
  ASSERT_TRUE(recording.has_value());
  EXPECT_THAT(*recording, HasSubstr("START_CONTINUOUS"));
  const auto heard = frame::heard_in(*recording);
  ASSERT_TRUE(heard.ok());
  ASSERT_EQ(heard->size(), 1U);
  EXPECT_TRUE((*heard)[0].starts_with(core::cat(kHello, kStatus, kResult, kEnd, "<ACK.R01>")));
  EXPECT_EQ(devices_.report()["devices"][std::size_t{0}]["condition"].text(), "R");
}

TEST_F(Poct1aServer, WhatComesInPiecesAndFramedIsAnsweredFramed) {
  DeviceLine line(devices_.port("meter"));
  for (const char c : core::cat('\x0b', kHello, "\x1c\r")) line.say(std::string(1, c));
  const std::string answer = line.hear("\x1c\r");
  EXPECT_TRUE(answer.starts_with('\x0b'));
  EXPECT_THAT(answer, HasSubstr("ack_control_id V=\"1\""));
}

}  // namespace
}  // namespace gateway::adapters::poct1a
