#include "daemon/reload_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/text.h"
#include "daemon/device_listeners.h"
#include "daemon/settings.h"
#include "temp_folder.h"

namespace gateway::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

core::Config config(const std::string& text) {
  auto read =
      core::Config::parse("[site]\nname = \"a\"\n" + text, "gateway.toml", all_config_keys());
  EXPECT_TRUE(read.ok()) << read.error().message();
  return std::move(*read);
}

ReloadPlan plan(const std::string& now, const std::string& next) {
  return plan_reload(config(now), {}, config(next), {});
}

constexpr char kLab[] = "[device.lab]\nprotocol = \"hl7\"\nport = 4000\n";

TEST(ReloadPlan, WhatSaysTheSameConcernsNobody) {
  const ReloadPlan same = plan(kLab, kLab);
  EXPECT_THAT(same.taken, IsEmpty());
  EXPECT_THAT(same.at_restart, IsEmpty());
  EXPECT_THAT(same.listeners, IsEmpty());
}

TEST(ReloadPlan, ADeviceConcernsItsOwnListener) {
  const std::string more = std::string(kLab) + "[device.ward]\nprotocol = \"hl7\"\nport = 4001\n";
  EXPECT_THAT(plan(kLab, more).listeners, ElementsAre("device ward"));
  EXPECT_THAT(plan(more, kLab).listeners, ElementsAre("device ward"));
  EXPECT_THAT(plan(kLab, "[device.lab]\nprotocol = \"hl7\"\nport = 4001\n").listeners,
              ElementsAre("device lab"));
}

TEST(ReloadPlan, ADeviceThatSpeaksAtABrokerConcernsAllThatDo) {
  const std::string at_broker =
      "[broker.ward]\nhost = \"127.0.0.1\"\nplain = true\n"
      "[device.fridge]\nprotocol = \"mqtt\"\nbroker = \"ward\"\nprofile = \"p\"\n";
  EXPECT_THAT(plan("", at_broker).listeners, ElementsAre("mqtt-devices"));
  EXPECT_THAT(plan("[device.fridge]\nprotocol = \"hl7\"\nport = 4000\n", at_broker).listeners,
              ElementsAre("device fridge", "mqtt-devices"));
}

TEST(ReloadPlan, DicomIsOneListenerButNotWhatIngestWasOpenedWith) {
  const ReloadPlan own = plan("", "[dicom.peer.ct]\nae_title = \"CT1\"\n");
  EXPECT_THAT(own.listeners, ElementsAre("dicom"));
  EXPECT_THAT(own.kept, IsEmpty());
  const ReloadPlan others = plan("",
                                 "[dicom]\npatient_id_issuer = \"urn:oid:1.2\"\n"
                                 "[dicom.route.us]\nmodalities = [\"US\"]\nuplinks = [\"p\"]\n");
  EXPECT_THAT(others.listeners, IsEmpty());
  EXPECT_THAT(others.kept, ElementsAre("dicom.patient_id_issuer", "dicom.route"));
}

TEST(ReloadPlan, AnUplinkChangesButComesAndGoesByARestart) {
  const std::string his = "[uplink.his]\nkind = \"fhir\"\nurl = \"https://his/fhir\"\n";
  const ReloadPlan moved = plan(his, "[uplink.his]\nkind = \"fhir\"\nurl = \"https://h/fhir\"\n");
  EXPECT_TRUE(moved.uplinks);
  EXPECT_THAT(moved.taken, ElementsAre("uplink.his.url"));
  const ReloadPlan added =
      plan(his, his + "[uplink.pacs]\nkind = \"stow\"\nurl = \"https://pacs\"\n");
  EXPECT_FALSE(added.uplinks);
  EXPECT_THAT(added.at_restart, ElementsAre("uplink.pacs.kind", "uplink.pacs.url"));
  EXPECT_THAT(added.kept, ElementsAre("uplink.pacs"));
  EXPECT_THAT(plan(his, "[uplink.his]\nkind = \"stow\"\nurl = \"https://his/fhir\"\n").kept,
              ElementsAre("uplink.his"));
}

TEST(ReloadPlan, ThePeerOfAnUplinkThatStaysStaysWithIt) {
  const std::string both =
      "[dicom.peer.arc]\nae_title = \"ARC\"\nhost = \"arc\"\nport = 104\n[uplink.pacs]\nkind = "
      "\"dicom\"\npeer = \"arc\"\n";
  const ReloadPlan gone = plan(both, "");
  EXPECT_THAT(gone.kept, ElementsAre("uplink.pacs", "dicom.peer.arc"));
  EXPECT_THAT(gone.taken, IsEmpty());
  EXPECT_EQ(gone.at_restart.size(), 5U);
  const std::string user = "[dicom.user.tech]\nusername = \"t\"\npasscode_file = \"/p\"\n";
  const ReloadPlan with_user = plan("[dicom.peer.arc]\nae_title = \"ARC\"\nusers = [\"tech\"]\n" +
                                        user + "[uplink.pacs]\nkind = \"dicom\"\npeer = \"arc\"\n",
                                    "");
  EXPECT_THAT(with_user.kept, ElementsAre("uplink.pacs", "dicom.peer.arc", "dicom.user.tech"));
  EXPECT_THAT(with_user.taken, IsEmpty());
}

TEST(ReloadPlan, EveryOtherPartIsItsOwn) {
  EXPECT_TRUE(plan("", "[log]\nlevel = \"debug\"\n").log_level);
  EXPECT_TRUE(plan("", "[retention]\nkeep_days = 3\n").uplinks);
  EXPECT_TRUE(plan("", "[prefetch]\nquota_mb = 3\n").uplinks);
  EXPECT_TRUE(plan("", "[power]\nups = \"u@h\"\n").power);
  EXPECT_TRUE(plan("", "[metrics]\ntoken_sha256 = \"x\"\n").console);
  EXPECT_TRUE(plan("", "[api]\nport = 8444\n").api);
  EXPECT_THAT(plan("", "[mqtt]\nhost = \"b\"\n[audit]\ncheckpoint_every_s = 9\n").kept,
              ElementsAre("audit", "mqtt"));
}

TEST(ReloadPlan, AFileThatWasWrittenAgainIsAChange) {
  const TempFolder folder;
  const std::string file = folder.path() + "/file";
  std::ofstream(file) << "one";
  const core::Config both = config("[api]\ncertificate_file = \"" + file +
                                   "\"\n[mqtt]\nhost = \"b\"" + "\nca_file = \"" + file + "\"\n");
  const FileMarks before = file_marks(both);
  EXPECT_THAT(plan_reload(both, before, both, file_marks(both)).taken, IsEmpty());
  std::ofstream(file + ".new") << "two";
  ASSERT_EQ(::rename((file + ".new").c_str(), file.c_str()), 0);
  const ReloadPlan renewed = plan_reload(both, before, both, file_marks(both));
  EXPECT_THAT(renewed.taken, ElementsAre("api.certificate_file"));
  EXPECT_TRUE(renewed.api);
  EXPECT_THAT(renewed.at_restart, IsEmpty()) << "the session with the broker looks by itself";
}

TEST(ReloadPlan, APasswordThatWasWrittenAgainIsOneTheBrokersSessionsDoNotSee) {
  const TempFolder folder;
  const std::string file = folder.path() + "/password";
  std::ofstream(file) << "one";
  const core::Config both =
      config("[mqtt]\nhost = \"b\"\npassword_file = \"" + file +
             "\"\n[broker.ward]\nhost = \"w\"\npassword_file = \"" + file + "\"\n");
  const FileMarks before = file_marks(both);
  std::ofstream(file + ".new") << "two";
  ASSERT_EQ(::rename((file + ".new").c_str(), file.c_str()), 0);
  const ReloadPlan renewed = plan_reload(both, before, both, file_marks(both));
  EXPECT_THAT(renewed.taken, ElementsAre("broker.ward.password_file"));
  EXPECT_THAT(renewed.listeners, ElementsAre(kBrokersListener));
  EXPECT_THAT(renewed.at_restart, ElementsAre("mqtt.password_file"));
}

}  // namespace
}  // namespace gateway::daemon
