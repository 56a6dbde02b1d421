// Critical results that an app wrote through the FHIR API.
#include "sync/critical_results.h"

#include <gmock/gmock.h>

#include "sync/clinic_edit.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using ::testing::HasSubstr;

class CriticalEdits : public RecordsTest {
 protected:
  static std::string potassium(std::string_view value, std::string_view flag) {
    return core::cat(R"({"resourceType":"Observation","id":"k1","status":"final",)",
                     R"("code":{"text":"Potassium"},"subject":{"reference":"Patient/p1"},)",
                     R"("valueQuantity":{"value":)", value, R"(,"unit":"mmol/L"},)",
                     R"("interpretation":[{"coding":[{"code":")", flag, R"("}]}]})");
  }
  void edit(const std::string& text) {
    const auto body = Json::parse(text);
    ASSERT_TRUE(body.ok()) << body.error().message();
    write([&](Connection& c) -> core::Status {
      const Editing editing{held_->audit(), core::system_clock(), held_->options().worklist,
                            fhir_uplinks_,  "client:ward",        "192.0.2.9"};
      GW_TRY(const auto version, store_edit(c, editing, {"Observation", "k1"}, *body, "update"));
      (void)version;
      return {};
    });
  }
  Json open_ones() {
    const auto report = held_->database().read_value<Json>(criticals_report);
    EXPECT_TRUE(report.ok());
    return report.value()["criticals"];
  }
};

TEST_F(CriticalEdits, OneIsAlarmedOnceAndUntilSomebodyTakesNote) {
  edit(potassium("4.1", "N"));
  EXPECT_EQ(open_ones().size(), 0U);
  edit(potassium("7.2", "HH"));
  edit(potassium("7.2", "HH"));
  const Json open = open_ones();
  ASSERT_EQ(open.size(), 1U);
  const Json& alarm = open[std::size_t{0}];
  EXPECT_EQ(alarm["number"].integer(), -1);
  EXPECT_EQ(alarm["device"].text(), "client:ward");
  EXPECT_EQ(alarm["patient"].text(), "Patient/p1");
  EXPECT_THAT(alarm["results"].dump(), HasSubstr(R"("value":"7.2 mmol/L","flag":"HH")"));
  EXPECT_THAT(alarm["results"].dump(), HasSubstr(R"("resource":"Observation/k1")"));
  write([](Connection& c) { return acknowledge_critical(c, -1, "operator", kNow); });
  EXPECT_EQ(open_ones().size(), 0U);
}

TEST_F(CriticalEdits, AnotherCriticalValueIsAnotherAlarm) {
  edit(potassium("7.2", "HH"));
  edit(potassium("2.1", "LL"));
  EXPECT_EQ(open_ones().size(), 2U);
  edit(potassium("4.0", "N"));
  EXPECT_EQ(open_ones().size(), 2U) << "nobody has taken note yet";
}

}  // namespace
}  // namespace gateway::sync
