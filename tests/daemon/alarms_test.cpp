#include "daemon/ops/alarms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gateway::daemon {
namespace {

using core::Json;
using sync::CentralAlarm;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Json parse(const char* text) { return *Json::parse(text); }

TEST(Alarms, NothingIsWrongAndNothingIsSaid) {
  const Json health = parse(
      R"({"problems":[],"uplinks":[{"name":"his","state":"up","parked":0},{"name":"pacs","state":"unknown","parked":null}]})");
  const Json certificates = parse(R"([{"key":"mqtt.ca_file","ends":"2027-01-01","days_left":22}])");
  EXPECT_THAT(alarms_of(health, certificates), IsEmpty());
}

TEST(Alarms, SeveralProblemsOfOnePartAreOneAlarm) {
  const Json health = parse(
      R"({"problems":[{"component":"storage","problem":"a"},{"component":"dicom","problem":"b"},{"component":"storage","problem":"c"}]})");
  EXPECT_THAT(alarms_of(health, Json::array()),
              ElementsAre(CentralAlarm{"part/storage", "critical", "a; c"},
                          CentralAlarm{"part/dicom", "warning", "b"}));
}

TEST(Alarms, AnUplinkThatIsDownAndWhatItRefusedAreTwo) {
  const Json health =
      parse(R"({"problems":[],"uplinks":[{"name":"his","state":"down","parked":3}]})");
  const auto alarms = alarms_of(health, Json::array());
  ASSERT_EQ(alarms.size(), 2U);
  EXPECT_EQ(alarms[0].name, "uplink/his");
  EXPECT_EQ(alarms[1].name, "refused/his");
}

TEST(Alarms, ACertificateWarnsForThreeWeeksAndIsCriticalOnceItHasEnded) {
  const Json certificates =
      parse(R"([{"key":"mqtt.certificate_file","ends":"2026-12-01","days_left":21},)"
            R"({"key":"api.certificate_file","ends":"2026-11-01","days_left":-1},)"
            R"({"key":"uplink.his.ca_file","ends":null,"days_left":null}])");
  const auto alarms = alarms_of(parse("{}"), certificates);
  ASSERT_EQ(alarms.size(), 3U);
  EXPECT_EQ(alarms[0].severity, "warning");
  EXPECT_THAT(alarms[0].text, HasSubstr("mqtt.certificate_file ends on 2026-12-01, in 21 days"));
  EXPECT_EQ(alarms[1].severity, "critical");
  EXPECT_THAT(alarms[1].text, HasSubstr("ended on 2026-11-01"));
  EXPECT_EQ(alarms[2].name, "certificate/uplink.his.ca_file");
}

}  // namespace
}  // namespace gateway::daemon
