// The operator's hold on the ways out, with the real daemon and command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text.h"
#include "daemon_process.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::HasSubstr;

class UplinksProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    daemon_.configure(core::cat(
        "[uplink.his]\nkind = \"fhir\"\nurl = \"http://127.0.0.1:", free_port(), "/fhir\"\n"));
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  }
  bool is_paused() const { return daemon_.status()["uplinks"][std::size_t{0}]["paused"].boolean(); }

  DaemonProcess daemon_;
};

TEST_F(UplinksProcessTest, APauseIsShownAsAProblemAndOutlivesARestart) {
  EXPECT_EQ(daemon_.ask({"uplinks", "pause", "--uplink", "his"}).exit_code, 0);
  EXPECT_TRUE(is_paused());
  EXPECT_THAT(daemon_.status()["problems"].dump(), HasSubstr("uplinks resume --uplink his"));
  EXPECT_EQ(daemon_.stop(), 0);
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  EXPECT_TRUE(holds_within(20, [this] { return is_paused(); }));
  EXPECT_EQ(daemon_.ask({"uplinks", "resume"}).exit_code, 0);
  EXPECT_FALSE(is_paused());
  EXPECT_EQ(daemon_.status()["problems"].size(), 0u);
  const auto trail = daemon_.ask({"audit", "export", "--actor", "operator"}).out;
  EXPECT_THAT(trail, HasSubstr("pause"));
  EXPECT_THAT(trail, HasSubstr("resume"));
}

TEST_F(UplinksProcessTest, WhatIsAskedOfAnUplinkThatIsNotThereOrDoesNotAnswerFails) {
  EXPECT_EQ(daemon_.ask({"uplinks", "sync"}).exit_code, 0);
  const auto unknown = daemon_.ask({"uplinks", "pause", "--uplink", "pacs"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("there is no uplink \"pacs\""));
  const auto probed = daemon_.ask({"uplinks", "probe"});
  EXPECT_EQ(probed.exit_code, 1);
  EXPECT_THAT(probed.out, HasSubstr("127.0.0.1"));
}

}  // namespace
}  // namespace gateway::daemon
