#include "daemon/config_faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "daemon/settings.h"
#include "temp_folder.h"

namespace gateway::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConfigFaultsTest : public testing::Test {
 protected:
  void take(const std::string& text) {
    std::ofstream(folder_.path() + "/gateway.toml") << "[site]\nname = \"a\"\n" << text;
    reading_ = core::Config::read(folder_.path() + "/gateway.toml", all_config_keys());
    faults_ = leave_out_faults(reading_, all_config_keys());
  }
  const core::Config& config() const { return reading_.config; }

  const TempFolder folder_;
  core::Config::Reading reading_;
  ConfigFaults faults_;
};

TEST_F(ConfigFaultsTest, AnUnknownKeyIsLeftOutAlone) {
  take("[mqtt]\nhost = \"broker.example\"\nprot = 1883\n");
  EXPECT_THAT(faults_.fatal, IsEmpty());
  EXPECT_THAT(faults_.left_out, ElementsAre(HasSubstr("mqtt.prot: is not a known key")));
  EXPECT_TRUE(read_settings(config()).mqtt);
}

TEST_F(ConfigFaultsTest, AWrongValueTakesItsPartAlong) {
  take(
      "[mqtt]\nhost = \"broker.example\"\nport = 0\n"
      "[device.lab]\nprotocol = \"hl7\"\nport = 2575\ntimezone = \"Mars/Olympus\"\n"
      "[device.ward]\nprotocol = \"hl7\"\nport = 2576\n");
  EXPECT_THAT(faults_.fatal, IsEmpty());
  EXPECT_THAT(faults_.left_out,
              ElementsAre(HasSubstr("without [mqtt]"), HasSubstr("without [device.lab]")));
  EXPECT_FALSE(read_settings(config()).mqtt);
  EXPECT_THAT(config().names("device"), ElementsAre("ward"));
}

TEST_F(ConfigFaultsTest, WhatNothingWorksWithoutIsFatal) {
  for (const char* text :
       {"timezon = \"UTC\"\n", "[storage]\nstate_dir = \"relative\"\n", "[keys]\nx = 1\n",
        "[uplink.his]\nurl = \"https://his.example\"\n", "[mqtt\n"}) {
    take(text);
    EXPECT_EQ(faults_.fatal.size(), 1u) << text;
  }
}

TEST_F(ConfigFaultsTest, AnUplinkStaysSoThatNothingIsTakenForDelivered) {
  take("[uplink.pacs]\nkind = \"stow\"\nurl = \"http://pacs.example\"\n");
  EXPECT_THAT(faults_.fatal, IsEmpty());
  EXPECT_THAT(faults_.left_out, ElementsAre(HasSubstr("uplink.pacs.url")));
  EXPECT_THAT(config().names("uplink"), ElementsAre("pacs"));
}

TEST_F(ConfigFaultsTest, DicomIsNotServedOtherThanMeant) {
  take("[dicom]\nbind = \"nohost\"\n");
  EXPECT_THAT(faults_.fatal, IsEmpty());
  EXPECT_THAT(faults_.dicom, HasSubstr("dicom.bind"));
}

TEST_F(ConfigFaultsTest, DicomIsNotServedWithoutTheUsersOrRoutesThatWereMeant) {
  take("[dicom.peer.ct]\nae_title = \"CT1\"\nusers = [\"nobody\"]\n");
  EXPECT_THAT(faults_.dicom, HasSubstr("dicom.peer.ct.users"));
  take("[dicom.route.teaching]\nuplinks = [\"nowhere\"]\n");
  EXPECT_THAT(faults_.dicom, HasSubstr("dicom.route.teaching.uplinks"));
}

TEST_F(ConfigFaultsTest, ASensibleConfigurationHasNone) {
  take("[dicom]\nport = 11112\n");
  EXPECT_THAT(faults_.left_out, IsEmpty());
  EXPECT_THAT(faults_.dicom, IsEmpty());
}

}  // namespace
}  // namespace gateway::daemon
