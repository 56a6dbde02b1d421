// Uplinks that come, go and change their names, over holdings that were there before.
#include "sync/uplink_filling.h"

#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

class UplinkFillingTest : public RecordsTest {
 protected:
  void open_with(std::vector<std::string> images, std::vector<std::string> fhir) {
    image_uplinks_ = std::move(images);
    fhir_uplinks_ = std::move(fhir);
    open();
  }
  std::int64_t rows_of(const std::string& uplink, const std::string& kind) {
    return count(core::cat("SELECT count(*) FROM outbox WHERE uplink = '", uplink, "' AND kind = '",
                           kind, "'"));
  }
  void deliver_all(const std::string& uplink) {
    while (true) {
      const Claim claimed = claim(uplink, 50);
      if (claimed.rows.empty()) return;
      for (const OutboxRow& row : claimed.rows) {
        Verdict verdict;
        verdict.what = Verdict::What::done;
        verdict.number = row.number;
        verdict.remote_version = "1";
        verdict.local_version = 1;
        record(uplink, verdict);
      }
    }
  }
  /// As the push leaves it.
  void study_was_made() {
    const Json study = study_resource();
    write([&](Connection& c) -> core::Status {
      const ResourceKey key{"ImagingStudy", std::string(study["id"].text())};
      GW_CHECK(
          put_resource(c, key, study, "clinic", core::to_instant(core::system_clock().wall())));
      return {};
    });
  }
  Json studies() {
    auto made =
        held_->database().read_value<Json>([](Connection& c) { return studies_report(c, 10); });
    EXPECT_TRUE(made.ok()) << made.error().message();
    return *made;
  }
};

TEST_F(UplinkFillingTest, WhatWasTakenInBeforeAnUplinkWasConfiguredIsQueuedForIt) {
  open_with({}, {});
  for (int number = 0; number < 12; ++number)
    store(facts("1.2", core::cat("1.2.3.", number)), core::cat("pixels ", number));
  EXPECT_EQ(studies()[std::size_t{0}]["delivered"].integer(), 0);
  EXPECT_EQ(count("SELECT count(*) FROM outbox"), 0);

  open_with({"pacs"}, {"his"});
  EXPECT_EQ(rows_of("pacs", "instance"), 12);
  // Its study, and the patient that was registered with it.
  EXPECT_EQ(rows_of("his", "resource"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE perhaps_sent = 0"), 0);
  EXPECT_EQ(studies()[std::size_t{0}]["waiting"].integer(), 12);
  deliver_all("pacs");
  EXPECT_EQ(studies()[std::size_t{0}]["delivered"].integer(), 12);
  // The patient first: the study refers to it.
  EXPECT_EQ(claim("his").rows.size(), 1u);
}

TEST_F(UplinkFillingTest, WhatIsQueuedOrConfirmedIsNotQueuedAgain) {
  store(facts("1.2", "1.2.3"), "first");
  store(facts("1.2", "1.2.4"), "second");
  const Claim claimed = claim("pacs", 1);
  Verdict verdict;
  verdict.what = Verdict::What::done;
  verdict.number = claimed.rows[0].number;
  record("pacs", verdict);
  study_was_made();
  deliver_all("his");
  // As after an update from a version that did not remember.
  write([](Connection& c) { return c.run("DELETE FROM filled_uplink"); });
  open();
  EXPECT_EQ(rows_of("pacs", "instance"), 1);
  EXPECT_EQ(rows_of("his", "resource"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM filled_uplink"), 2);
}

TEST_F(UplinkFillingTest, AnUplinkThatComesBackGetsWhatCameMeanwhile) {
  store(facts("1.2", "1.2.3"), "first");
  deliver_all("pacs");
  study_was_made();
  deliver_all("his");
  open_with({}, {});
  open_with({"pacs"}, {"his"});
  EXPECT_EQ(count("SELECT count(*) FROM outbox"), 0);
  open_with({}, {});
  store(facts("1.2", "1.2.4"), "second");
  open_with({"pacs"}, {"his"});
  EXPECT_EQ(rows_of("pacs", "instance"), 1);
  EXPECT_EQ(rows_of("his", "resource"), 1);
}

TEST_F(UplinkFillingTest, AnotherCopyUnderTheSameUidWaitsForAPersonThereToo) {
  open_with({}, {});
  store(facts("1.2", "1.2.3"), "first");
  EXPECT_EQ(store(facts("1.2", "1.2.3"), "other"), StoreOutcome::other_copy);
  open_with({"pacs"}, {});
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE state = 'waiting'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE state = 'parked'"), 1);
}

TEST_F(UplinkFillingTest, WhatLeftByRetentionIsNotQueued) {
  open_with({}, {});
  store(facts("1.2", "1.2.3"), "first");
  write([](Connection& c) { return c.run("UPDATE dicom_instance SET state = 'evicted'"); });
  open_with({"pacs"}, {});
  EXPECT_EQ(rows_of("pacs", "instance"), 0);
}

TEST_F(UplinkFillingTest, AHospitalsOwnRecordsAreNotSentToAnother) {
  pull(kPatient);
  open_with({"pacs"}, {"other"});
  EXPECT_EQ(rows_of("other", "resource"), 0);
}

}  // namespace
}  // namespace gateway::sync
