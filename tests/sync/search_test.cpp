// The search index and the queries on it, on a real database.
#include "sync/search.h"

#include <gmock/gmock.h>

#include "records_fixture.h"
#include "sync/search_date.h"
#include "sync/search_index.h"

namespace gateway::sync {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

Json json(std::string_view text) {
  auto parsed = Json::parse(text);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message();
  return *parsed;
}

TEST(TimeSpan, IsAsLongAsItsText) {
  const auto length = [](std::string_view text) {
    const auto span = time_span(text);
    return span ? span->high - span->low : -1;
  };
  EXPECT_EQ(length("2026"), 365LL * 86'400'000);
  EXPECT_EQ(length("2024-02"), 29LL * 86'400'000);
  EXPECT_EQ(length("2026-12"), 31LL * 86'400'000);
  EXPECT_EQ(length("2026-03-01"), 86'400'000);
  EXPECT_EQ(length("2026-03-01T08:00Z"), 60'000);
  EXPECT_EQ(length("2026-03-01T08:00:00+01:00"), 1'000);
  EXPECT_EQ(length("2026-03-01T08:00:00.5Z"), 100);
  EXPECT_EQ(length("2026-03-01T08:00:00.123Z"), 1);
}

TEST(TimeSpan, KnowsZonesAndRefusesWhatIsNoDate) {
  EXPECT_EQ(time_span("2026-03-01T08:00:00+02:00")->low, time_span("2026-03-01T06:00:00Z")->low);
  EXPECT_EQ(time_span("2026-03-01T08:00:00 02:00")->low, time_span("2026-03-01T06:00:00Z")->low);
  EXPECT_EQ(instant_text(time_span("2026-03-01T08:00:00.123Z")->low), "2026-03-01T08:00:00.123Z");
  for (const char* text : {"", "26", "2026-13", "2026-02-30", "2026-03-01T25:00:00Z", "today",
                           "2026-03-01T08", "2026-03-01T08:00:00+99:00", "2026-3-1"}) {
    EXPECT_FALSE(time_span(text)) << text;
  }
}

TEST(SearchValues, AreWhatATypeIsFoundBy) {
  const SearchValues values = search_values(
      "Observation",
      json(
          R"({"resourceType":"Observation","status":"final","identifier":[{"system":"s","value":"v"}],)"
          R"("code":{"coding":[{"system":"http://loinc.org","code":"2345-7"},{"code":"GLU"}],"text":"Glucose"},)"
          R"("subject":{"reference":"Patient/p1/_history/3"},"effectivePeriod":{"start":"2026-03"},)"
          R"("performer":[{"reference":"#contained"}]})"));
  EXPECT_TRUE(values.tokens.contains({"code", "2345-7", "http://loinc.org"}));
  EXPECT_TRUE(values.tokens.contains({"code", "GLU", ""}));
  EXPECT_TRUE(values.tokens.contains({"identifier", "v", "s"}));
  EXPECT_TRUE(values.tokens.contains({"status", "final", ""}));
  ASSERT_EQ(values.references.size(), 1u);
  EXPECT_TRUE(values.references.contains({"subject", "Patient/p1"}));
  ASSERT_EQ(values.dates.size(), 1u);
  EXPECT_EQ(std::get<1>(*values.dates.begin()), time_span("2026-03")->low);
}

TEST(ParseSearch, SaysWhatItDoesNotKnow) {
  const auto lenient =
      parse_search("Patient", *parse_query_pairs("name=roe&shoe-size=43&_count=5"), {});
  ASSERT_TRUE(lenient.ok());
  EXPECT_THAT(lenient->ignored, ElementsAre("shoe-size"));
  EXPECT_EQ(write_query_pairs(lenient->used), "name=roe&_count=5");
  const auto strict = parse_search("Patient", *parse_query_pairs("shoe-size=43"), {true, ""});
  ASSERT_FALSE(strict.ok());
  EXPECT_THAT(strict.error().message(), HasSubstr("shoe-size"));
}

TEST(ParseSearch, RefusesWhatItCannotRead) {
  for (const char* query :
       {"birthdate=yesterday", "gender:exact=x", "gender:missing=perhaps", "_count=-1", "_page=x",
        "subject=a/b/c d", "general-practitioner.name=x", "name.family=x",
        "general-practitioner:Organization.type:not=x"}) {
    EXPECT_FALSE(parse_search("Patient", *parse_query_pairs(query), {}).ok() &&
                 parse_search("Patient", *parse_query_pairs(query), {true, ""}).ok())
        << query;
  }
  EXPECT_FALSE(parse_query_pairs("name=%zz").ok());
  EXPECT_FALSE(parse_search("Patient", {{"name", std::string(200, ',') + "x"}}, {}).ok());
}

TEST(ParseSearch, ASummaryOfCountAsksForNoResources) {
  for (const char* query :
       {"_summary=count", "_summary=count&_count=10", "_count=10&_summary=count"})
    EXPECT_EQ(parse_search("Patient", *parse_query_pairs(query), {})->count, 0) << query;
}

class SearchTest : public RecordsTest {
 protected:
  void put(std::string_view text) {
    const Json body = json(text);
    const ResourceKey key{std::string(body["resourceType"].text()), std::string(body["id"].text())};
    write([&](Connection& c) -> core::Status {
      GW_TRY(const auto version, put_resource(c, key, body, "clinic", kNow));
      EXPECT_GT(version, 0);
      return {};
    });
  }
  void observe(const std::string& id, const std::string& patient, const std::string& code,
               const std::string& date) {
    put(core::cat(R"({"resourceType":"Observation","id":")", id,
                  R"(","status":"final","code":{"coding":[{"system":"http://loinc.org","code":")",
                  code, R"("}]},"subject":{"reference":"Patient/)", patient,
                  R"("},"effectiveDateTime":")", date, R"("})"));
  }
  SearchPage page(std::string_view type, std::string_view query,
                  const std::optional<SearchPlace>& after = {}) {
    auto parsed = parse_search(type, *parse_query_pairs(query), {true, "https://gw/fhir", zone_});
    EXPECT_TRUE(parsed.ok()) << parsed.error().message();
    if (!parsed.ok()) return {};
    if (after) parsed->after = after;
    auto found = held_->database().read_value<SearchPage>(
        [&](Connection& c) { return run_search(c, *parsed); });
    EXPECT_TRUE(found.ok()) << found.error().message();
    return found.ok() ? *found : SearchPage();
  }
  std::vector<std::string> ids(std::string_view type, std::string_view query) {
    return page(type, query).ids;
  }

  std::string zone_;
};

TEST_F(SearchTest, FindsPeopleByNameDateAndIdentifier) {
  put(kPatient);
  put(R"({"resourceType":"Patient","id":"p2","name":[{"family":"Núñez","given":["José"]}],"birthDate":"1975-11","gender":"male"})");
  EXPECT_THAT(ids("Patient", "name=ro"), ElementsAre("p1"));
  EXPECT_THAT(ids("Patient", "family=nunez&given=JOS"), ElementsAre("p2"));
  EXPECT_THAT(ids("Patient", "name:contains=une"), ElementsAre("p2"));
  EXPECT_THAT(ids("Patient", "identifier=urn:oid:2.25.1|P1"), ElementsAre("p1"));
  EXPECT_THAT(ids("Patient", "identifier=P1"), ElementsAre("p1"));
  EXPECT_THAT(ids("Patient", "identifier=urn:other|P1"), IsEmpty());
  EXPECT_THAT(ids("Patient", "birthdate=1980"), ElementsAre("p1"));
  EXPECT_THAT(ids("Patient", "birthdate=1975-11-05"), IsEmpty());
  EXPECT_THAT(ids("Patient", "birthdate=lt1976"), ElementsAre("p2"));
  EXPECT_THAT(ids("Patient", "birthdate=ge1975-11&birthdate=le1980-01-02"),
              ElementsAre("p1", "p2"));
  EXPECT_THAT(ids("Patient", "gender:not=male"), ElementsAre("p1"));
  EXPECT_THAT(ids("Patient", "gender=male,female&_sort=-birthdate"), ElementsAre("p1", "p2"));
  EXPECT_THAT(ids("Patient", "_id=p2,p9"), ElementsAre("p2"));
  EXPECT_THAT(ids("Patient", "_sort=family"), ElementsAre("p2", "p1"));
}

TEST_F(SearchTest, ADayIsTheClinicsDayAndThatOfAResourceItsOwn) {
  observe("night", "p1", "2345-7", "2026-03-04T23:30:00Z");  // half past one on the fifth, there
  observe("day", "p1", "2345-7", "2026-03-05");
  observe("later", "p1", "2345-7", "2026-03-05T23:00:00Z");
  observe("month", "p1", "2345-7", "2026-03");
  EXPECT_THAT(ids("Observation", "date=2026-03-05"), UnorderedElementsAre("day", "later"));
  zone_ = "Africa/Blantyre";
  EXPECT_THAT(ids("Observation", "date=2026-03-05"), UnorderedElementsAre("day", "night"));
  EXPECT_THAT(ids("Observation", "date=ne2026-03-05"), UnorderedElementsAre("later", "month"));
  EXPECT_THAT(ids("Observation", "date=lt2026-03-05"), UnorderedElementsAre("month"));
  EXPECT_THAT(ids("Observation", "date=le2026-03-05"),
              UnorderedElementsAre("month", "day", "night"));
  EXPECT_THAT(ids("Observation", "date=ge2026-03-06"), UnorderedElementsAre("later", "month"));
  EXPECT_THAT(ids("Observation", "date=sa2026-03-05"), UnorderedElementsAre("later"));
  EXPECT_THAT(ids("Observation", "date=eb2026-03-06"), UnorderedElementsAre("day", "night"));
  EXPECT_THAT(ids("Observation", "date=2026-03-05T01:30"), UnorderedElementsAre("night"));
  EXPECT_THAT(ids("Observation", "date=2026-03-05T00:00:00Z"), IsEmpty());
  EXPECT_THAT(ids("Observation", "date=2026-03"),
              UnorderedElementsAre("month", "day", "night", "later"));
  put(kPatient);
  EXPECT_THAT(ids("Patient", "birthdate=1980-01-02"), ElementsAre("p1"));
}

TEST_F(SearchTest, KnowsWhatIsMissingAndWhatIsExact) {
  put(kPatient);
  put(R"({"resourceType":"Patient","id":"p2","name":[{"family":"Núñez"}],"gender":"male"})");
  put(R"({"resourceType":"Patient","id":"p3"})");
  EXPECT_THAT(ids("Patient", "name:missing=true"), ElementsAre("p3"));
  EXPECT_THAT(ids("Patient", "name:missing=false"), ElementsAre("p1", "p2"));
  EXPECT_THAT(ids("Patient", "birthdate:missing=true&gender:missing=false"), ElementsAre("p2"));
  EXPECT_THAT(ids("Patient", "family:exact=Núñez"), ElementsAre("p2"));
  EXPECT_THAT(ids("Patient", "family:exact=nunez"), IsEmpty());
  EXPECT_THAT(ids("Patient", "family:exact=Núñ"), IsEmpty());
  put(R"({"resourceType":"Patient","id":"p2","name":[{"family":"Nunez"}],"gender":"male"})");
  EXPECT_THAT(ids("Patient", "family:exact=Núñez"), IsEmpty());
  EXPECT_THAT(ids("Patient", "family:exact=Nunez"), ElementsAre("p2"));
  observe("o1", "p1", "2345-7", "2026-03-01");
  put(R"({"resourceType":"Observation","id":"o2","status":"final","code":{"text":"x"},)"
      R"("subject":{"reference":"Group/g1"}})");
  EXPECT_THAT(ids("Observation", "patient:missing=true"), ElementsAre("o2"));
  EXPECT_THAT(ids("Observation", "subject:missing=true"), IsEmpty());
}

TEST_F(SearchTest, WhoHasADateOfDeathIsDeceased) {
  put(R"({"resourceType":"Patient","id":"p1"})");
  put(R"({"resourceType":"Patient","id":"p2","deceasedDateTime":"2026-03-01"})");
  put(R"({"resourceType":"Patient","id":"p3","deceasedBoolean":false})");
  put(R"({"resourceType":"Patient","id":"p4","deceasedBoolean":true})");
  EXPECT_THAT(ids("Patient", "deceased=true"), ElementsAre("p2", "p4"));
  EXPECT_THAT(ids("Patient", "deceased=false"), ElementsAre("p1", "p3"));
}

TEST_F(SearchTest, FollowsReferencesAndOneStepOfAChain) {
  put(kPatient);
  observe("o1", "p1", "2345-7", "2026-03-01T08:00:00Z");
  observe("o2", "p2", "2345-7", "2026-03-02");
  observe("o3", "p1", "718-7", "2026-02");
  EXPECT_THAT(ids("Observation", "patient=p1"), ElementsAre("o1", "o3"));
  EXPECT_THAT(ids("Observation", "subject=Patient/p1&code=http://loinc.org|2345-7"),
              ElementsAre("o1"));
  EXPECT_THAT(ids("Observation", "subject:Patient=p2"), ElementsAre("o2"));
  EXPECT_THAT(ids("Observation", "subject=https://gw/fhir/Patient/p2"), ElementsAre("o2"));
  EXPECT_THAT(ids("Observation", "patient.identifier=urn:oid:2.25.1|P1&_sort=-date"),
              ElementsAre("o1", "o3"));
  EXPECT_THAT(ids("Observation", "subject:Patient.name=roe&date=2026-02"), ElementsAre("o3"));
  EXPECT_THAT(ids("Observation", "date=ge2026-03-01&_sort=date"), ElementsAre("o1", "o2"));
  EXPECT_EQ(*page("Observation", "code=2345-7&_summary=count").total, 2);
}

TEST_F(SearchTest, PagesNeitherRepeatNorSkipWhateverComesMeanwhile) {
  for (int i = 0; i < 9; ++i)
    observe(core::cat("o", i), "p1", "1-1", core::cat("2026-03-0", i + 1));
  std::vector<std::string> seen;
  std::optional<SearchPlace> after;
  do {
    const SearchPage found = page("Observation", "patient=p1&_sort=-date&_count=2", after);
    seen.insert(seen.end(), found.ids.begin(), found.ids.end());
    after = found.next;
    observe(core::cat("new", seen.size()), "p1", "1-1", "2026-04-01");
  } while (after);
  EXPECT_THAT(seen, ElementsAre("o8", "o7", "o6", "o5", "o4", "o3", "o2", "o1", "o0"));
}

TEST_F(SearchTest, SortsByOneKeyAfterTheOtherAcrossPages) {
  const auto person = [&](std::string_view id, std::string_view family, std::string_view born) {
    put(core::cat(R"({"resourceType":"Patient","id":")", id, R"(","name":[{"family":")", family,
                  R"("}],"birthDate":")", born, R"("})"));
  };
  person("p1", "Roe", "1980-01-02");
  person("p2", "Doe", "1975-11-05");
  person("p3", R"(Doe, \"Q\")", "1999-01-01");
  person("p4", "Roe", "1990-01-02");
  person("p5", "Roe", "1980-01-02");
  put(R"({"resourceType":"Patient","id":"p6","birthDate":"2000-01-01"})");
  for (const auto& [sort, expected] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"family,-birthdate", {"p2", "p3", "p4", "p5", "p1", "p6"}},
           {"-family,birthdate,-_id", {"p5", "p1", "p4", "p3", "p2", "p6"}},
           {"-family,birthdate", {"p1", "p5", "p4", "p3", "p2", "p6"}}}) {
    std::vector<std::string> seen;
    std::optional<SearchPlace> after;
    do {
      const SearchPage found = page("Patient", core::cat("_count=1&_sort=", sort), after);
      ASSERT_EQ(found.ids.size(), 1U);
      seen.push_back(found.ids.front());
      // As a client brings it back.
      const auto back =
          QueryPairs{{"_sort", sort}, {"_page", found.next ? write_place(*found.next) : ""}};
      const auto parsed = parse_search("Patient", back, {true, ""});
      ASSERT_TRUE(parsed.ok()) << parsed.error().message();
      after = parsed->after;
    } while (after);
    EXPECT_EQ(seen, expected) << sort;
  }
}

TEST_F(SearchTest, APlaceOfAnotherSortIsRefused) {
  for (const auto* place : {R"(["a","b","p1"])", R"(["p1"])", R"([])", R"(["a",1])", "a,p1", "{}",
                            R"(["a","../p1"])"}) {
    const auto parsed =
        parse_search("Patient", {{"_page", place}, {"_sort", "family"}}, {true, ""});
    EXPECT_FALSE(parsed.ok()) << place;
  }
  EXPECT_FALSE(parse_search("Patient", {{"_sort", "family,gender"}}, {true, ""}).ok());
}

TEST_F(SearchTest, ANewVersionIsFoundByWhatItSaysNow) {
  observe("o1", "p1", "1-1", "2026-03-01");
  observe("o1", "p2", "1-1", "2026-03-01");
  EXPECT_THAT(ids("Observation", "patient=p1"), IsEmpty());
  EXPECT_THAT(ids("Observation", "patient=p2"), ElementsAre("o1"));
  write([](Connection& c) -> core::Status {
    GW_TRY(const auto tombstone, delete_resource(c, {"Observation", "o1"}, "clinic", kNow));
    EXPECT_EQ(tombstone, 3);
    return {};
  });
  EXPECT_THAT(ids("Observation", "patient=p2"), IsEmpty());
  EXPECT_EQ(count("SELECT count(*) FROM search_reference"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM search_token"), 0);
  observe("o1", "p2", "1-1", "2026-03-01");
  EXPECT_THAT(ids("Observation", "patient=p2"), ElementsAre("o1"));
}

TEST_F(SearchTest, WhatAnOlderVersionStoredIsIndexedWhenTheHoldingsOpen) {
  observe("o1", "p1", "1-1", "2026-03-01");
  write([](Connection& c) -> core::Status {
    GW_CHECK(c.run("DELETE FROM search_reference"));
    return c.run("UPDATE search_state SET parameters = 0");
  });
  open();
  EXPECT_THAT(ids("Observation", "patient=p1"), ElementsAre("o1"));
}

TEST_F(SearchTest, TheOrderOfVersionsDoesNotGoBackWithTheClock) {
  observe("o1", "p1", "1-1", "2026-03-01");
  write([](Connection& c) -> core::Status {
    GW_TRY(const auto version,
           put_resource(c, {"Patient", "p9"}, json(R"({"resourceType":"Patient","id":"p9"})"),
                        "clinic", "1970-01-01T00:00:05.000Z"));
    EXPECT_EQ(version, 1);
    return {};
  });
  EXPECT_THAT(ids("Patient", core::cat("_lastUpdated=ge", kNow)), ElementsAre("p9"));
}

}  // namespace
}  // namespace gateway::sync
