// Where images go and how soon, by the site's rules.
#include "sync/routes.h"

#include <gmock/gmock.h>

#include "sync/eviction.h"
#include "sync/options.h"
#include "sync/rebuild.h"
#include "sync/study_actions.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

core::Result<std::vector<RouteRule>> rules_in(const std::string& rules) {
  auto config = core::Config::parse(
      "[uplink.pacs]\nkind = \"stow\"\nurl = \"https://p\"\n[uplink.teaching]\nkind = \"stow\"\n"
      "url = \"https://t\"\n[uplink.his]\nkind = \"fhir\"\nurl = \"https://h\"\n" +
          rules,
      "gateway.toml", sync_config_keys());
  if (!config.ok()) return config.error();
  return route_rules(*config, image_uplinks(*config));
}

Route route(const std::string& rules, const Arrival& arrival) {
  const auto read = rules_in(rules);
  EXPECT_TRUE(read.ok()) << read.error().message();
  return read.ok() ? route_of(*read, arrival) : Route();
}

TEST(Routes, WithoutRulesEverythingGoesEverywhereInTheTurnOfItsOrder) {
  const Route plain = route("", {"GW", "CT1", "CT", "Chest", Turn::routine});
  EXPECT_EQ(plain.uplinks, std::nullopt);
  EXPECT_EQ(plain.turn, Turn::routine);
  EXPECT_EQ(route("", {"GW", "CT1", "CT", "Chest", Turn::stat}).turn, Turn::stat);
}

TEST(Routes, TheFirstRuleThatFitsAndNamesUplinksDecides) {
  const std::string rules =
      "[dicom.route.1-urgent]\ncalled_ae_titles = [\"STAT*\"]\npriority = \"stat\"\n"
      "[dicom.route.2-teaching]\ncalled_ae_titles = [\"TEACH\"]\nuplinks = [\"teaching\"]\n"
      "[dicom.route.3-mr]\nmodalities = [\"MR\"]\nuplinks = [\"teaching\", \"pacs\"]\n";
  const auto to = [&](std::string_view called, std::string_view modality) {
    return route(rules, {called, "X", modality, "", Turn::routine});
  };
  EXPECT_THAT(to("TEACH", "MR").uplinks, Optional(ElementsAre("teaching")));
  EXPECT_THAT(to("GW", "MR").uplinks, Optional(ElementsAre("pacs", "teaching")));
  EXPECT_THAT(to("STAT1", "MR").uplinks, Optional(ElementsAre("pacs", "teaching")));
  EXPECT_EQ(to("STAT1", "MR").turn, Turn::stat);
  EXPECT_EQ(to("GW", "CT").uplinks, std::nullopt);
  EXPECT_EQ(to("GW", "CT").turn, Turn::routine);
}

TEST(Routes, EveryConditionOfARuleHasToHold) {
  const std::string rules =
      "[dicom.route.stroke]\ncalling_ae_titles = [\"CT?\"]\nmodalities = [\"CT\", \"MR\"]\n"
      "study_descriptions = [\"*Ictus*\"]\norder_priorities = [\"urgent\", \"asap\"]\n"
      "priority = \"stat\"\n";
  const Arrival fitting{"GW", "CT1", "CT",
                        "CRANEO (\xc3\x8d"
                        "CTUS)",
                        Turn::asap};
  EXPECT_EQ(route(rules, fitting).turn, Turn::stat);
  Arrival other = fitting;
  other.calling_ae_title = "CT10";
  EXPECT_EQ(route(rules, other).turn, Turn::asap);
  other = fitting;
  other.modality = "US";
  EXPECT_EQ(route(rules, other).turn, Turn::asap);
  other = fitting;
  other.study_description = "Craneo";
  EXPECT_EQ(route(rules, other).turn, Turn::asap);
  other = fitting;
  other.order = Turn::routine;
  EXPECT_EQ(route(rules, other).turn, Turn::routine);
}

TEST(Routes, ARuleNeverMakesAnOrderWait) {
  const std::string rules = "[dicom.route.all]\npriority = \"routine\"\n";
  EXPECT_EQ(route(rules, {"GW", "CT1", "CT", "", Turn::stat}).turn, Turn::stat);
}

TEST(Routes, AMistakeNamesItsPlaceAndWhatToDo) {
  const auto mistake = [](const std::string& rule) {
    const auto read = rules_in("[dicom.route.a]\n" + rule);
    return read.ok() ? std::string() : read.error().message();
  };
  EXPECT_THAT(mistake("uplinks = [\"his\"]\n"),
              HasSubstr("gateway.toml:11: dicom.route.a.uplinks: there is no [uplink.his] that "
                        "takes images"));
  EXPECT_THAT(mistake("modalities = [\"CT\"]\n"), HasSubstr("it decides nothing"));
  EXPECT_THAT(mistake("order_priorities = [\"now\"]\npriority = \"stat\"\n"),
              HasSubstr("\"now\" is none of stat, asap, urgent, routine"));
  EXPECT_THAT(mistake("priority = \"now\"\n"), HasSubstr("dicom.route.a.priority"));
  EXPECT_EQ(mistake("uplinks = []\n"), "");
}

class RoutedTest : public RecordsTest {
 protected:
  static RouteRule to(const std::string& called, std::vector<std::string> uplinks) {
    RouteRule rule;
    rule.called_ae_titles = {called};
    rule.uplinks = std::move(uplinks);
    return rule;
  }
  void open_with(std::vector<std::string> images, std::vector<RouteRule> routes) {
    image_uplinks_ = std::move(images);
    routes_ = std::move(routes);
    open();
  }
  std::string queued() {
    return text(
        "SELECT group_concat(place) FROM (SELECT i.sop_instance_uid || '>' || o.uplink AS place"
        " FROM outbox o JOIN dicom_instance i ON i.row = CAST(o.subject AS INTEGER)"
        " WHERE o.kind = 'instance' ORDER BY 1)");
  }
  std::int64_t row_of(const std::string& uid) {
    return count(core::cat("SELECT row FROM dicom_instance WHERE sop_instance_uid = '", uid, "'"));
  }
  void verify(const std::string& uid, const std::string& uplink) {
    const std::int64_t row = row_of(uid);
    write([&](Connection& c) {
      return c.run(
          "INSERT OR REPLACE INTO dicom_delivery (instance, uplink, proof, at)"
          " VALUES (?, ?, 'verified', ?)",
          row, uplink, kNow);
    });
  }
  std::uint64_t evicted(const std::string& uid) {
    const auto gone = evict(*held_, core::system_clock(), {row_of(uid)});
    EXPECT_TRUE(gone.ok());
    return gone.ok() ? gone->instances : 0;
  }
};

TEST_F(RoutedTest, AnImageIsQueuedOnlyForTheUplinksOfItsRoute) {
  open_with({"pacs", "teaching"}, {to("TEACH", {"teaching"}), to("HERE", {})});
  store(facts("1.2", "1.2.1"), "a", "TEACH");
  store(facts("1.3", "1.3.1"), "b", "GW");
  store(facts("1.4", "1.4.1"), "c", "HERE");
  EXPECT_EQ(queued(), "1.2.1>teaching,1.3.1>pacs,1.3.1>teaching");
}

TEST_F(RoutedTest, AnUplinkAddedLaterGetsWhatHasNoRouteOfItsOwn) {
  open_with({"pacs"}, {to("ONLYPACS", {"pacs"})});
  store(facts("1.2", "1.2.1"), "a", "ONLYPACS");
  store(facts("1.3", "1.3.1"), "b", "GW");
  open_with({"pacs", "second"}, {});
  EXPECT_EQ(queued(), "1.2.1>pacs,1.3.1>pacs,1.3.1>second");
}

TEST_F(RoutedTest, SentAgainItGoesItsRouteUnlessAPersonNamesAnother) {
  open_with({"pacs", "teaching"}, {to("TEACH", {"teaching"})});
  store(facts("1.2", "1.2.1"), "a", "TEACH");
  ASSERT_TRUE(send_study(*held_, core::system_clock(), "1.2", "").ok());
  EXPECT_EQ(queued(), "1.2.1>teaching");
  ASSERT_TRUE(send_study(*held_, core::system_clock(), "1.2", "pacs").ok());
  EXPECT_EQ(queued(), "1.2.1>pacs,1.2.1>teaching");
}

TEST_F(RoutedTest, ItMayGoOnceTheUplinksOfItsRouteHaveProvenIt) {
  open_with({"pacs", "teaching"}, {to("TEACH", {"teaching"}), to("HERE", {})});
  store(facts("1.2", "1.2.1"), "a", "TEACH");
  store(facts("1.3", "1.3.1"), "b", "GW");
  store(facts("1.4", "1.4.1"), "c", "HERE");
  for (const char* uid : {"1.2.1", "1.3.1", "1.4.1"}) verify(uid, "teaching");
  StudyCursor cursor;
  Asking asking;
  asking.image_uplinks = image_uplinks_;
  std::vector<HeldStudy> held;
  write([&](Connection& c) -> core::Status {
    GW_TRY(held, held_studies(c, asking, "~", 10, cursor));
    return {};
  });
  ASSERT_EQ(held.size(), 3u);
  EXPECT_TRUE(held[0].instances[0].confirmed);
  EXPECT_FALSE(held[1].instances[0].confirmed);
  EXPECT_FALSE(held[2].instances[0].confirmed);
  EXPECT_EQ(evicted("1.2.1"), 1u);
  EXPECT_EQ(evicted("1.3.1"), 0u);
  EXPECT_EQ(evicted("1.4.1"), 0u);
}

TEST_F(RoutedTest, ImagesOfAStatOrderOvertake) {
  pull(kPatient);
  pull(kOrder);
  store(facts("1.2", "1.2.1"), "a");
  store(facts(worklist()[0].study_instance_uid, "1.3.1"), "b");
  const Claim claimed = claim("pacs", 1);
  ASSERT_EQ(claimed.rows.size(), 1u);
  EXPECT_EQ(claimed.rows[0].subject, std::to_string(row_of("1.3.1")));
}

TEST_F(RoutedTest, AnOrderThatBecomesStatHurriesTheImagesThatWait) {
  pull(kPatient);
  std::string order(kOrder);
  order.replace(order.find("\"stat\""), 6, "\"routine\"");
  pull(order);
  store(facts("1.2", "1.2.1"), "a");
  store(facts(worklist()[0].study_instance_uid, "1.3.1"), "b");
  std::string urgent(kOrder);
  urgent.replace(urgent.find("\"versionId\":\"1\""), 15, "\"versionId\":\"2\"");
  pull(urgent);
  const Claim claimed = claim("pacs", 1);
  ASSERT_EQ(claimed.rows.size(), 1u);
  EXPECT_EQ(claimed.rows[0].subject, std::to_string(row_of("1.3.1")));
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'ImagingStudy/%' AND turn = 0"),
            1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance' AND turn = 3"), 1);
}

TEST_F(RoutedTest, ARebuiltIndexKnowsWhichTitleWasCalled) {
  open_with({"pacs", "teaching"}, {to("TEACH", {"teaching"})});
  take_in("1.2", "1.2.1", "a", "TEACH");
  held_.reset();
  for (const char* name : {"gateway.db", "gateway.db-wal", "gateway.db-shm"})
    std::filesystem::remove(folder_ + "/" + name);
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  open();
  EXPECT_EQ(queued(), "1.2.1>teaching");
}

}  // namespace
}  // namespace gateway::sync
