// Records of named fields by small profiles: what the shipped ones do not show.
#include "adapters/fields/field_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/fields/documents.h"
#include "tests/crypto/scratch_folder.h"

namespace gateway::adapters::fields {
namespace {

using ::testing::HasSubstr;

class FieldMapping : public ::testing::Test {
 protected:
  FieldDevice device(const std::string& keys, const std::string& codes = "") {
    const std::string path = folder_.path() + "/test";
    core::Files& files = core::system_files();
    EXPECT_TRUE(files.make_folder(path).ok());
    const std::string head = "id = \"test\"\nrevision = 1\ndevice = \"Thing\"\nprotocol = ";
    EXPECT_TRUE(core::write_file_durably(files, path + "/profile.toml", head + keys).ok());
    EXPECT_TRUE(core::write_file_durably(files, path + "/codes.csv",
                                         "code,unit,loinc,display,ucum\n" + codes)
                    .ok());
    FieldDevice made;
    made.options.profile.name = "thing";
    made.options.profile.time_zone = "Africa/Blantyre";
    made.options.profile.patient_id_issuer = "urn:p";
    const auto profile = profiles::load_profile(files, path);
    EXPECT_TRUE(profile.ok()) << (profile.ok() ? "" : profile.error().message());
    if (profile.ok()) made.profile = *profile;
    return made;
  }
  sync::IncomingMessage map(const FieldDevice& device, std::string_view text) {
    sync::IncomingMessage out;
    auto whole = parse_document(device.profile.fields, text);
    EXPECT_TRUE(whole.ok()) << whole.error().message();
    crossings_ =
        map_fields({*whole, core::Json::object(), "2026-11-20T08:00:00Z", ""}, device, out);
    return out;
  }

  crypto::ScratchFolder folder_;
  std::vector<Crossing> crossings_;
};

TEST_F(FieldMapping, ARowOfATableBecomesAPatientAndObservations) {
  const FieldDevice scale = device(
      "\"folder\"\nformat = \"csv\"\ndelimiter = \";\"\ndecimal_separator = \",\"\n"
      "time = \"Date\"\ndate_order = \"dmy\"\n[patient]\nid = \"Id\"\n"
      "[field.weight]\npath = \"Weight\"\nunit = \"kg\"\n",
      "weight,kg,29463-7,Body weight,kg\n");
  const auto out = map(scale, "Id;Date;Weight\nP1;20/11/2026 10:02;071,50\n");
  EXPECT_EQ(out.dead_because, "");
  ASSERT_EQ(out.patient.ids.size(), 1U);
  EXPECT_EQ(out.patient.ids[0].value, "P1");
  const core::Json& observation = out.drafts.back().body;
  EXPECT_EQ(observation["effectiveDateTime"].text(), "2026-11-20T10:02:00+02:00");
  EXPECT_EQ(observation["valueQuantity"]["value"].number_text(), "71.50");
  EXPECT_THAT(observation["valueQuantity"].dump(), HasSubstr("071,50"));
  EXPECT_THAT(observation["code"].dump(), HasSubstr("29463-7"));
}

TEST_F(FieldMapping, TwoValuesOfOneTimeAreTwoResults) {
  const FieldDevice scale = device(
      "\"folder\"\nformat = \"csv\"\ntime = \"Date\"\n[patient]\nid = \"Id\"\n"
      "[field.weight]\npath = \"Weight\"\n");
  const std::string first = "Id,Date,Weight\nP1,2026-11-20,71.5\n";
  const auto alone = map(scale, first);
  const auto both = map(scale, first + "P1,2026-11-20,72.5\n");
  ASSERT_EQ(both.drafts.size(), alone.drafts.size() + 1);
  EXPECT_EQ(both.drafts[alone.drafts.size() - 1].seed, alone.drafts.back().seed)
      << "what came before it stays what it is";
  EXPECT_NE(both.drafts.back().seed, alone.drafts.back().seed);
}

TEST_F(FieldMapping, ALimitIsFlaggedAndTold) {
  const FieldDevice fridge = device(
      "\"folder\"\nformat = \"json\"\nsubject = \"device\"\n[field.temperature]\npath = \"t\"\n"
      "unit = \"Cel\"\nlow = \"2\"\nhigh = \"8\"\n");
  const auto out = map(fridge, R"({"t":9.10})");
  ASSERT_EQ(crossings_.size(), 1U);
  EXPECT_TRUE(crossings_[0].is_beyond);
  EXPECT_EQ(crossings_[0].text, "temperature 9.10 Cel, above 8");
  EXPECT_THAT(out.drafts.back().body["interpretation"].dump(), HasSubstr("\"H\""));
  EXPECT_FALSE(out.patient.is_required);
  map(fridge, R"({"t":8})");
  EXPECT_FALSE(crossings_[0].is_beyond);
  const auto dead = map(fridge, R"({"t":null})");
  ASSERT_EQ(crossings_.size(), 1U) << "a probe that says nothing";
  EXPECT_TRUE(crossings_[0].is_beyond);
  EXPECT_EQ(crossings_[0].text, "temperature is not told");
  EXPECT_THAT(dead.drafts.back().body["dataAbsentReason"].dump(), HasSubstr("unknown"));
  map(fridge, R"({"other":1})");
  EXPECT_TRUE(crossings_.empty()) << "it was not measured";
  map(fridge, R"({"t":""})");
  EXPECT_TRUE(crossings_[0].is_beyond);
}

TEST_F(FieldMapping, ARunFailureIsOfItsFieldOrOfAll) {
  const FieldDevice fridge = device(
      "\"folder\"\nformat = \"json\"\nsubject = \"device\"\nrun_failures = [\"null\"]\n"
      "[field.battery]\npath = \"b\"\nunit = \"%\"\n"
      "[field.temperature]\npath = \"probe.t\"\nrun_failures = [\"85\", \"-127...\"]\n");
  const auto value = [&](std::string_view text) {
    return map(fridge, text).drafts.back().body.dump();
  };
  EXPECT_THAT(value(R"({"b":85})"), HasSubstr(R"("value":85)"));
  for (const char* failure : {R"({"probe":{"t":85}})", R"({"probe":{"t":-127.00}})",
                              R"({"probe":{"t":null}})", R"({"b":null})"})
    EXPECT_THAT(value(failure), HasSubstr(R"("code":"error")")) << failure;
  EXPECT_THAT(map(fridge, R"({"probe":null})").dead_because, HasSubstr("none of the profile"));
}

TEST_F(FieldMapping, SeveralPatientsInOneDocumentAreNeverMixed) {
  const FieldDevice many = device(
      "\"folder\"\nformat = \"json\"\nrows = \"rows[*]\"\n[patient]\nid = \"id\"\n"
      "[field.x]\npath = \"x\"\n");
  const auto out = map(many, R"({"rows":[{"id":"1","x":1},{"id":"2","x":2}]})");
  EXPECT_EQ(out.dead_because, "it is of several patients");
  EXPECT_TRUE(out.drafts.empty());
  EXPECT_EQ(map(many, R"({"rows":[{"id":"1"}]})").dead_because,
            "none of the profile's values is in it");
  EXPECT_THAT(map(many, "{}").dead_because, HasSubstr("no measurement"));
}

TEST_F(FieldMapping, AProfileTakesNoKeyOfAnotherProtocol) {
  core::Files& files = core::system_files();
  const std::string path = folder_.path() + "/test";
  device("\"folder\"\n");
  const auto reason = [&](const std::string& keys) {
    EXPECT_TRUE(core::write_file_durably(files, path + "/profile.toml",
                                         "id = \"test\"\nrevision = 1\ndevice = \"x\"\n" + keys)
                    .ok());
    const auto profile = profiles::load_profile(files, path);
    return profile.ok() ? std::string() : profile.error().message();
  };
  EXPECT_THAT(reason("protocol = \"folder\"\nqc = [\"O-12=Q\"]\n"), HasSubstr("qc"));
  EXPECT_THAT(reason("protocol = \"astm\"\nrows = \"x\"\n"), HasSubstr("rows"));
  EXPECT_THAT(reason("protocol = \"folder\"\nformat = \"xml\"\n"), HasSubstr("no value is named"));
  EXPECT_THAT(reason("protocol = \"folder\"\ntime = \"a..b\"\n"), HasSubstr("is no path"));
}

}  // namespace
}  // namespace gateway::adapters::fields
