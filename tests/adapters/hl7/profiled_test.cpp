// An HL7 analyzer's results by a profile: what the shipped ones do not show.
#include <gmock/gmock.h>

#include "tests/adapters/hl7/hl7_fixture.h"
#include "tests/crypto/scratch_folder.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using Outcome = sync::Taken::Outcome;
using ::testing::HasSubstr;

constexpr char kTubes[] = "urn:example:tubes";

class Hl7Profiled : public Hl7Test {
 protected:
  Hl7Profiled() { device_.specimen_id_issuer = kTubes; }

  core::Result<profiles::Profile> load(const std::string& keys, const std::string& codes = "") {
    const std::string path = scratch_.path() + "/test";
    core::Files& files = core::system_files();
    EXPECT_TRUE(files.make_folder(path).ok());
    const std::string head =
        "id = \"test\"\nrevision = 1\ndevice = \"Thing\"\nprotocol = \"hl7\"\n";
    EXPECT_TRUE(core::write_file_durably(files, path + "/profile.toml", head + keys).ok());
    EXPECT_TRUE(core::write_file_durably(files, path + "/codes.csv",
                                         "code,unit,loinc,display,ucum\n" + codes)
                    .ok());
    return profiles::load_profile(files, path);
  }
  void use(const std::string& keys, const std::string& codes = "") {
    auto profile = load("kind = \"analyzer\"\n" + keys, codes);
    ASSERT_TRUE(profile.ok()) << profile.error().message();
    profile_ = std::move(*profile);
  }
  Read read(std::string bytes) {
    return read_message(std::move(bytes), device_, "192.0.2.7", core::system_clock(), &profile_);
  }
  sync::Taken take_profiled(std::string bytes) {
    auto taken = held_->intake().take_now(*read(std::move(bytes)).incoming);
    EXPECT_TRUE(taken.ok());
    return taken.ok() ? *taken : sync::Taken();
  }
  /// The Observation of one OBX of the message.
  Json observation(std::string_view obx) {
    const Read made = read(cat(header("ORU^R01", "1"), kPid, "OBR|1||T1|K\r", obx, "\r"));
    for (const sync::Draft& draft : made.incoming->drafts) {
      if (draft.body["resourceType"].text() == "Observation") return draft.body;
    }
    return {};
  }
  /// A patient of the hospital and the order of a tube.
  void order(std::string_view tube) {
    pull(kPatient);
    const auto body = Json::parse(
        cat(R"({"resourceType":"ServiceRequest","id":"s1","status":"active","intent":"order",)",
            R"("identifier":[{"system":"urn:example:tubes","value":")", tube,
            R"("}],"subject":{"reference":"Patient/p1"}})"));
    ASSERT_TRUE(body.ok());
    write([&](crypto::Connection& c) -> core::Status {
      GW_CHECK(sync::put_resource(c, {"ServiceRequest", "s1"}, *body, "his", sync::kNow));
      return {};
    });
  }

  crypto::ScratchFolder scratch_;
  profiles::Profile profile_;
};

TEST_F(Hl7Profiled, ATubesNumberLeadsToItsOrderAndItsPatient) {
  use("specimen_id = [\"OBR-3.1\"]\n");
  order("T1");
  const auto taken = take_profiled(cat(header("ORU^R01", "1"), "PID|1||^^^^MR\rOBR|1||T1|K\r",
                                       "OBX|1|NM|K^Potassium||4.1|mmol/L|||||F\r"));
  EXPECT_EQ(taken.outcome, Outcome::stored) << taken.reason;
  const Json result = resource("Observation");
  EXPECT_EQ(result["subject"]["reference"].text(), "Patient/p1");
  EXPECT_EQ(result["basedOn"][0U]["reference"].text(), "ServiceRequest/s1");
  EXPECT_EQ(result["extension"][0U]["valueString"].text(), cat("test ", profile_.revision));
  EXPECT_EQ(resource("Specimen")["identifier"][0U]["system"].text(), kTubes);
  EXPECT_EQ(resources("Specimen"), 1);
}

TEST_F(Hl7Profiled, ATubeOfAnotherThanThePatientWhoIsNamedWaits) {
  use("specimen_id = [\"OBR-3.1\"]\n");
  order("T1");
  const auto taken =
      take_profiled(cat(header("ORU^R01", "1"), "PID|1||P9^^^^MR||Doe^Ann\rOBR|1||T1|K\r",
                        "OBX|1|NM|K^Potassium||4.1|mmol/L|||||F\r"));
  EXPECT_EQ(taken.outcome, Outcome::unassigned);
  EXPECT_THAT(taken.reason, HasSubstr("not that of the specimen's order"));
}

TEST_F(Hl7Profiled, ASpecimenOfItsOwnSegmentIsTheOneTheProfileFinds) {
  use("specimen_id = [\"SPM-2.1\"]\n");
  order("T1");
  take_profiled(cat(header("OUL^R22", "1"), kPid,
                    "SPM|1|T1||BLD^Blood|||||||||||||20260301090000+0100\rOBR|1|||K\r",
                    "OBX|1|NM|K||4.1|mmol/L|||||F\r"));
  EXPECT_EQ(resources("Specimen"), 1);
  const Json specimen = resource("Specimen");
  EXPECT_EQ(specimen["identifier"][0U]["value"].text(), "T1");
  EXPECT_EQ(specimen["type"]["text"].text(), "Blood");
  EXPECT_EQ(specimen["collection"]["collectedDateTime"].text(), "2026-03-01T09:00:00+01:00");
  EXPECT_EQ(resource("Observation")["basedOn"][0U]["reference"].text(), "ServiceRequest/s1");
}

TEST_F(Hl7Profiled, AControlIsNobodysResultAndAPatientsBesideItIsTaken) {
  use("qc = [\"OBR-4.1=QC...\"]\n");
  const std::string control = "OBR|1||7|QC1\rOBX|1|NM|K||7.9|mmol/L||HH|||F\r";
  EXPECT_TRUE(read(cat(header("ORU^R01", "1"), kPid, control)).is_control);
  take_profiled(cat(header("ORU^R01", "2"), kPid, control));
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM critical_result"), 0);
  take_profiled(
      cat(header("ORU^R01", "3"), kPid, control, "OBR|2||8|K\rOBX|1|NM|K||4.1|mmol/L|||||F\r"));
  EXPECT_EQ(resources("Observation"), 1);
}

TEST_F(Hl7Profiled, ADecimalCommaIsReadAndKeptBeside) {
  use("decimal_separator = \",\"\n", "K,mmol/L,2823-3,Potassium,mmol/L\n");
  const Json value = observation("OBX|1|NM|K||<3,50|mmol/L|3,5-5,1||||F")["valueQuantity"];
  EXPECT_EQ(value["value"].number_text(), "3.50");
  EXPECT_EQ(value["comparator"].text(), "<");
  EXPECT_EQ(value["code"].text(), "mmol/L");
  EXPECT_EQ(value["extension"][0U]["valueString"].text(), "3,50");
}

TEST_F(Hl7Profiled, ARunFailureIsNoValue) {
  use("run_failures = [\"---...\"]\n");
  const Json failed = observation("OBX|1|NM|K||----|mmol/L|||||F");
  EXPECT_EQ(failed["dataAbsentReason"]["coding"][0U]["code"].text(), "error");
  EXPECT_EQ(failed["dataAbsentReason"]["text"].text(), "----");
  EXPECT_TRUE(failed["valueString"].is_null());
}

TEST_F(Hl7Profiled, ACodeMayStandInOtherComponents) {
  use("code_components = [\"2\", \"3\"]\n", "pH^M,,2744-1,pH of arterial blood,\n");
  device_.autoverified = {"pH^M"};
  const Json code = observation("OBX|1|ST|^pH^M||7.36|||||F")["code"];
  EXPECT_EQ(code["coding"][0U]["code"].text(), "2744-1");
  EXPECT_EQ(code["coding"][1U]["code"].text(), "pH^M");
  EXPECT_EQ(code["text"].text(), "pH of arterial blood");
  const Read made = read(cat(header("ORU^R01", "1"), kPid, "OBX|1|ST|^pH^M||7.36|||||F\r"));
  EXPECT_TRUE(made.incoming->drafts.back().is_released);
}

TEST_F(Hl7Profiled, ALoincCodeTheMapHasNotIsTheDevicesOwn) {
  use("", "718-7,g/L,718-7,,g/L\n718-7,mmol/L,59260-0,,mmol/L\n26477-0,,,Atypical,\n");
  const auto coding = [&](std::string_view obx) { return observation(obx)["code"]["coding"]; };
  const Json same = coding("OBX|1|NM|718-7^HGB^LN||130|g/L|||||F");
  EXPECT_EQ(same.dump(), R"([{"system":"http://loinc.org","code":"718-7","display":"HGB"}])");
  const Json other = coding("OBX|1|NM|718-7^HGB^LN||8.1|mmol/L|||||F");
  EXPECT_EQ(other[0U]["code"].text(), "59260-0");
  EXPECT_EQ(other[1U]["system"].text(), "urn:clinic-gateway:device:lab");
  const Json none = coding("OBX|1|NM|26477-0^*ALY#^LN||0.1|10*9/L|||||F");
  EXPECT_EQ(none[0U]["system"].text(), "urn:clinic-gateway:device:lab");
  // What the map does not speak of stays as it was sent.
  EXPECT_EQ(coding("OBX|1|NM|777-3^PLT^LN||200|10*9/L|||||F")[0U]["system"].text(),
            "http://loinc.org");
}

TEST_F(Hl7Profiled, AnIdThatMeansNobodyIsNobodys) {
  use("no_patient_ids = [\"0\", \"ANON...\"]\n");
  for (const char* id : {"0", "ANON17"}) {
    const Read made = read(cat(header("ORU^R01", id), "PID|1||", id, "^^^^MR\rOBR|1||T1|K\r",
                               "OBX|1|NM|K||4.1|mmol/L|||||F\r"));
    EXPECT_TRUE(made.incoming->patient.ids.empty()) << id;
    EXPECT_TRUE(made.incoming->patient.draft.body["identifier"].is_null()) << id;
  }
}

TEST_F(Hl7Profiled, TheDeviceIsKnownByItsSerial) {
  use("serial = [\"MSH-3.2\"]\n");
  std::string message = oru("1", "5.0");
  message.replace(message.find("ANALYZER"), 8, "ANALYZER^SN7");
  take_profiled(message);
  EXPECT_EQ(resource("Device")["serialNumber"].text(), "SN7");
  EXPECT_THAT(std::string(resource("Observation")["device"]["reference"].text()),
              HasSubstr("Device/"));
}

TEST_F(Hl7Profiled, AKeyOfTheOtherKindOrAPlaceThatIsNoneNamesItself) {
  const auto why = [&](const std::string& keys) {
    const auto profile = load(keys);
    return profile.ok() ? std::string() : profile.error().message();
  };
  EXPECT_THAT(why("kind = \"analyzer\"\ninterval_s = 300\n"), HasSubstr("interval_s"));
  EXPECT_THAT(why("qc = [\"MSH-11=Q\"]\n"), HasSubstr("qc"));
  EXPECT_THAT(why("kind = \"analyzer\"\nqc = [\"O-12=Q\"]\n"), HasSubstr("like OBR-3 or OBR-3.1"));
  EXPECT_THAT(why("kind = \"analyzer\"\npatient_id = [\"PID-3\"]\n"), HasSubstr("patient_id"));
  EXPECT_EQ(why(""), "") << "a monitor's, as before there were others";
}

}  // namespace
}  // namespace gateway::adapters::hl7
