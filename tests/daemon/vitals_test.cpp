#include "daemon/ops/vitals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "daemon/ops/power.h"
#include "daemon/ops/wear.h"
#include "json_schema.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::HasSubstr;
using testing::Not;

Json schema(const std::string& name) {
  const auto text = core::read_whole_file(
      core::system_files(), std::string(GATEWAY_SOURCE_DIR) + "/docs/mqtt/" + name, 1 << 20);
  EXPECT_TRUE(text.ok());
  auto json = Json::parse(*text);
  EXPECT_TRUE(json.ok());
  return *json;
}

Vitals ready_vitals() {
  Vitals vitals;
  vitals.opening = {OpeningState::ready, "", core::Wall{}, "passphrase", true};
  vitals.version = "1.2.3";
  vitals.site = "clinic-1";
  vitals.boot_id = "0190aaaa-0000-7000-8000-000000000000";
  vitals.uptime_s = 75;
  vitals.queue = *Json::parse(
      R"({"waiting":3,"parked":1,"oldest_age_s":12,"inbox":{"waiting":6,"oldest_age_s":70},"by_uplink":[)"
      R"({"uplink":"his","waiting":2,"parked":1,"oldest_age_s":12,"last_success":"2026-03-02T00:00:00.000Z"}]})");
  vitals.reviews = *Json::parse(R"({"open":2,"oldest_age_s":86400})");
  vitals.uplinks = *Json::parse(
      R"([{"name":"his","kind":"fhir","state":"down","last_success":"2026-03-01T00:00:00.000Z",)"
      R"("last_error":"the HIS says: Patient Banda, Chisomo is unknown","in_flight":0},)"
      R"({"name":"pacs","kind":"stow","state":"unknown","last_success":null,"last_error":"","in_flight":0}])");
  vitals.dicom = *Json::parse(
      R"({"name":"dicom","state":"running","reason":"","last_seen":"2026-03-01T00:00:00.000Z","counts":{"stored":7,"note":"Banda"}})");
  vitals.storage = *Json::parse(
      R"({"retention":{"state":"making_room","evicted":3,"evicted_bytes":4096,"verified":5,"differing":1,"missing":0,)"
      R"("problem":"uplink pacs: Banda, Chisomo"},"prefetch":{"state":"waiting","studies":2,"instances":9,"bytes":99,)"
      R"("given_up":1,"held_bytes":88,"problem":"uplink pacs: Banda, Chisomo"},"scrub":{"state":"running","started_at":"2026-03-01T00:00:00.000Z",)"
      R"("finished_at":null,"objects":9,"bytes":90,"damaged":1,"repaired":1,"damaged_now":0,"database":"ok",)"
      R"("database_checked_at":"2026-03-01T00:00:00.000Z"}})");
  vitals.mqtt = {true, true, 2, "", 4};
  vitals.disk = {1u << 30, 1u << 20};
  vitals.power = power_document(read_power("OB DISCHRG", "87", "1260"));
  vitals.wear =
      wear_document({{.disk = "sda", .passed = true, .used_percent = 3}, {.disk = "vda"}});
  vitals.problems = {{"dicom", "dicom.port 11112 is in use"}};
  return vitals;
}

TEST(Power, IsReadFromTheWordsOfUpsd) {
  using Supply = PowerState::Supply;
  EXPECT_EQ(read_power("OL CHRG", "100", "").supply, Supply::mains);
  EXPECT_EQ(read_power("OL CHRG", "100", "").runtime_s, std::nullopt);
  EXPECT_EQ(read_power("OB DISCHRG", "87.5", "1260").supply, Supply::battery);
  EXPECT_EQ(read_power("OB DISCHRG", "87.5", "1260").charge_percent, 87);
  EXPECT_EQ(read_power("OB LB", "9", "60").supply, Supply::ending);
  EXPECT_EQ(read_power("FSD OL", "", "").supply, Supply::ending);
  EXPECT_EQ(read_power("OL LB", "20", "").supply, Supply::mains) << "a tired battery, charging";
  EXPECT_EQ(read_power("OFF", "", "").supply, Supply::unknown);
  EXPECT_THAT(read_power("", "-3", "x").problem, HasSubstr("ups.status"));
  EXPECT_EQ(parse_ups("ups@box.example:3500")->port, 3500);
  for (const char* wrong :
       {"", "ups", "@host", "ups@", "ups@host:", "ups@host:0", "ups@host:99999"})
    EXPECT_FALSE(parse_ups(wrong).ok()) << wrong;
}

TEST(Vitals, SaysWhatIsQueuedForAnUplinkThatIsNotConfigured) {
  Vitals vitals = ready_vitals();
  vitals.problems.clear();
  EXPECT_EQ(status_document(vitals)["problems"].size(), 0u);
  vitals.queue = *Json::parse(
      R"({"waiting":4,"parked":1,"by_uplink":[{"uplink":"his","waiting":1,"parked":0},)"
      R"({"uplink":"former","waiting":0,"parked":0},{"uplink":"renamed","waiting":3,"parked":1}]})");
  const Json problems = health_document(vitals, 1)["problems"];
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_NE(problems[std::size_t{0}]["problem"].text().find("4 items are queued for \"renamed\""),
            std::string_view::npos);
}

TEST(Vitals, HealthFitsItsSchemaInEveryState) {
  const Json rules = schema("health.schema.json");
  Vitals vitals = ready_vitals();
  EXPECT_EQ(schema_violation(rules, health_document(vitals, 1)), "");
  Vitals locked;
  locked.site = "clinic-1";
  EXPECT_EQ(schema_violation(rules, health_document(locked, 2)), "");
  vitals.opening.state = OpeningState::failed;
  vitals.disk.free_bytes.reset();
  EXPECT_EQ(schema_violation(rules, health_document(vitals, 3)), "");
}

TEST(Vitals, StatusFitsItsSchemaAndSoDoesTheWill) {
  const Json rules = schema("status.schema.json");
  EXPECT_EQ(schema_violation(rules, mqtt_status_document(ready_vitals())), "");
  const Json will = mqtt_offline_document("0190aaaa-0000-7000-8000-000000000000");
  EXPECT_EQ(schema_violation(rules, will), "");
  EXPECT_EQ(will["state"].text(), "offline");
}

TEST(Vitals, TheSchemaCheckItselfFindsMistakes) {
  Json broken = health_document(ready_vitals(), 1);
  broken.set("patient", "x");
  EXPECT_THAT(schema_violation(schema("health.schema.json"), broken), HasSubstr("unknown patient"));
  broken.erase("patient");
  broken.erase("seq");
  EXPECT_THAT(schema_violation(schema("health.schema.json"), broken), HasSubstr("lacks seq"));
}

TEST(Vitals, APeersWordsStayInTheClinic) {
  const Vitals vitals = ready_vitals();
  EXPECT_THAT(health_document(vitals, 1).dump(), Not(HasSubstr("Banda")));
  EXPECT_THAT(mqtt_status_document(vitals).dump(), Not(HasSubstr("Banda")));
  EXPECT_THAT(status_document(vitals).dump(), HasSubstr("Banda"));
}

TEST(Vitals, ALastSuccessBeforeARestartIsRemembered) {
  const Json health = health_document(ready_vitals(), 1);
  EXPECT_EQ(health["uplinks"][0]["last_success"].text(), "2026-03-02T00:00:00.000Z");
  EXPECT_EQ(health["uplinks"][0]["waiting"].integer(), 2);
  EXPECT_TRUE(health["uplinks"][1]["last_success"].is_null());
}

TEST(Vitals, StatusSaysWhatIsWrong) {
  const Json status = status_document(ready_vitals());
  EXPECT_EQ(status["state"].text(), "ready");
  EXPECT_EQ(status["problems"][0]["component"].text(), "dicom");
  EXPECT_EQ(status["queue"]["oldest_age_s"].integer(), 12);
  EXPECT_EQ(status["reviews"]["open"].integer(), 2);
  EXPECT_EQ(health_document(ready_vitals(), 1)["reviews"]["oldest_age_s"].integer(), 86'400);
  EXPECT_EQ(health_document(ready_vitals(), 1)["inbox"]["oldest_age_s"].integer(), 70);
  EXPECT_EQ(status["inbox"]["waiting"].integer(), 6);
  EXPECT_TRUE(status["mqtt"]["connected"].boolean());
  EXPECT_TRUE(status["queue"]["by_uplink"].is_null());
}

TEST(Vitals, RefusingForLackOfSpaceIsAProblemUntilThereIsRoomOrSuccess) {
  Vitals vitals = ready_vitals();
  EXPECT_FALSE(space_problem(vitals));
  // The refused image itself is gone from the disk again.
  vitals.disk.free_bytes = vitals.disk.reserve_bytes + 1;
  EXPECT_FALSE(space_problem(vitals));
  vitals.dicom.set("out_of_space", true);
  ASSERT_TRUE(space_problem(vitals));
  EXPECT_THAT(space_problem(vitals)->text, HasSubstr("an image was refused for lack of space"));
  vitals.disk.free_bytes = 2 * vitals.disk.reserve_bytes;
  EXPECT_FALSE(space_problem(vitals));
  vitals.disk.free_bytes = vitals.disk.reserve_bytes - 1;
  ASSERT_TRUE(space_problem(vitals));
  EXPECT_THAT(space_problem(vitals)->text, HasSubstr("nothing new is taken in"));
}

TEST(Vitals, StorageNamesTheWorstThatIsWrong) {
  Vitals vitals = ready_vitals();
  EXPECT_EQ(health_document(vitals, 1)["storage"]["state"].text(), "making_room");
  vitals.disk.free_bytes = vitals.disk.reserve_bytes - 1;
  EXPECT_EQ(health_document(vitals, 1)["storage"]["state"].text(), "full");
  Json scrub = vitals.storage["scrub"];
  scrub.set("damaged_now", 2);
  vitals.storage.set("scrub", scrub);
  EXPECT_EQ(health_document(vitals, 1)["storage"]["state"].text(), "damaged");
  EXPECT_TRUE(health_document(Vitals(), 1)["storage"].is_null());
}

}  // namespace
}  // namespace gateway::daemon
