// What the console decides by itself: who may ask what, how long a session lives, how often a
// password may be tried, and the one sentence of the overview.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/api/console/overview.h"
#include "daemon/api/console/places.h"
#include "daemon/api/console/sessions.h"
#include "daemon/api/console/sign_in_limits.h"
#include "daemon/api/console/thumbnails.h"

namespace gateway::daemon::console {
namespace {

using core::Json;
using crypto::Role;
using namespace std::chrono_literals;

class HandClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return now_; }
  core::Wall wall() const override { return {}; }
  void pass(core::Milliseconds time) { now_ += time; }

 private:
  core::Monotonic now_{std::chrono::hours(100)};
};

const crypto::Account kMaria{"maria", Role::operating, ""};

TEST(Sessions, EndWhenThePersonIsIdleEvenWhileThePageIsNot) {
  HandClock clock;
  Sessions sessions(clock);
  const auto opened = sessions.open(kMaria);
  for (int i = 0; i < 29; ++i) {
    clock.pass(1min);
    ASSERT_TRUE(sessions.find(opened.token, Asker::page)) << i;
  }
  ASSERT_TRUE(sessions.find(opened.token, Asker::person));
  clock.pass(29min);
  ASSERT_TRUE(sessions.find(opened.token, Asker::page)) << "she was there 29 minutes ago";
  clock.pass(2min);
  EXPECT_FALSE(sessions.find(opened.token, Asker::page));
  EXPECT_FALSE(sessions.find(opened.token, Asker::person));
}

TEST(Sessions, EndAfterTwelveHoursWithTheirAccountAndWhenSignedOut) {
  HandClock clock;
  Sessions sessions(clock);
  const auto long_one = sessions.open(kMaria);
  for (int i = 0; i < 36; ++i) {
    ASSERT_TRUE(sessions.find(long_one.token, Asker::person)) << i;
    clock.pass(20min);
  }
  clock.pass(1min);
  EXPECT_FALSE(sessions.find(long_one.token, Asker::person));

  const auto one = sessions.open(kMaria);
  const auto other = sessions.open({"jon", Role::viewer, ""});
  sessions.end_of("maria");
  EXPECT_FALSE(sessions.find(one.token, Asker::person));
  ASSERT_TRUE(sessions.find(other.token, Asker::person));
  sessions.end(other.token);
  EXPECT_FALSE(sessions.find(other.token, Asker::person));
  EXPECT_FALSE(sessions.find("", Asker::person));
}

TEST(Sessions, HaveUnguessableTokensAndAreBounded) {
  HandClock clock;
  Sessions sessions(clock);
  const auto first = sessions.open(kMaria);
  EXPECT_EQ(first.token.size(), 64U);
  EXPECT_EQ(first.session.csrf.size(), 64U);
  EXPECT_NE(first.token, first.session.csrf);
  clock.pass(1s);
  for (int i = 0; i < 256; ++i) sessions.open(kMaria);
  EXPECT_FALSE(sessions.find(first.token, Asker::person)) << "the one idle longest made room";
}

TEST(Sessions, NoteEachLookOfThePersonAndNowAndThenThePages) {
  HandClock clock;
  Sessions sessions(clock);
  const auto opened = sessions.open(kMaria);
  EXPECT_TRUE(sessions.is_news(opened.token, "studies", Asker::person));
  EXPECT_TRUE(sessions.is_news(opened.token, "studies", Asker::page))
      << "what the trail did not take is still to be noted";
  sessions.noted(opened.token, "studies");
  EXPECT_TRUE(sessions.is_news(opened.token, "studies", Asker::person));
  EXPECT_FALSE(sessions.is_news(opened.token, "studies", Asker::page));
  EXPECT_TRUE(sessions.is_news(opened.token, "worklist", Asker::page));
  clock.pass(15min);
  EXPECT_TRUE(sessions.is_news(opened.token, "studies", Asker::page));
}

TEST(SignInLimits, LockANameOutLongerEachTimeAndForgetAfterASuccess) {
  HandClock clock;
  SignInLimits limits(clock);
  for (int i = 0; i < 4; ++i) limits.failed("maria", "10.0.0.1");
  EXPECT_EQ(limits.wait("maria", "10.0.0.1"), 0ms);
  limits.failed("maria", "10.0.0.1");
  EXPECT_EQ(limits.wait("maria", "10.0.0.1"), 1min);
  EXPECT_EQ(limits.wait("maria", "10.0.0.2"), 1min) << "from wherever";
  EXPECT_EQ(limits.wait("jon", "10.0.0.1"), 0ms);
  clock.pass(1min);
  EXPECT_EQ(limits.wait("maria", "10.0.0.1"), 0ms);
  limits.failed("maria", "10.0.0.1");
  EXPECT_EQ(limits.wait("maria", "10.0.0.1"), 2min);
  for (int i = 0; i < 9; ++i) limits.failed("maria", "10.0.0.1");
  EXPECT_EQ(limits.wait("maria", "10.0.0.1"), 15min) << "never longer";
  clock.pass(15min);
  limits.succeeded("maria", "10.0.0.1");
  limits.failed("maria", "10.0.0.1");
  EXPECT_EQ(limits.wait("maria", "10.0.0.1"), 0ms);
}

TEST(SignInLimits, LockAnAddressOutThatTriesManyNames) {
  HandClock clock;
  SignInLimits limits(clock);
  for (int i = 0; i < 20; ++i) limits.failed("name" + std::to_string(i), "10.0.0.1");
  EXPECT_EQ(limits.wait("another", "10.0.0.1"), 1min);
  EXPECT_EQ(limits.wait("another", "10.0.0.2"), 0ms);
  clock.pass(62min);
  EXPECT_EQ(limits.wait("another", "10.0.0.1"), 0ms);
}

TEST(Places, AreAListOfWhatIsAllowedAndToWhom) {
  const Place* const studies = find_place("GET", "studies");
  ASSERT_NE(studies, nullptr);
  EXPECT_EQ(studies->role, Role::viewer);
  EXPECT_TRUE(studies->shows_patients);
  EXPECT_EQ(route_of(*studies, "studies?limit=5"), "/v1/studies?limit=5");
  const Place* const review = find_place("POST", "reviews/12");
  ASSERT_NE(review, nullptr);
  EXPECT_EQ(review->role, Role::operating);
  EXPECT_EQ(route_of(*review, "reviews/12"), "/v1/reviews/12");
  ASSERT_NE(find_place("POST", "letters"), nullptr);
  EXPECT_EQ(find_place("POST", "letters")->role, Role::operating);
  ASSERT_NE(find_place("GET", "keys"), nullptr);
  EXPECT_EQ(find_place("GET", "keys")->role, Role::admin);
  EXPECT_EQ(find_place("GET", "audit")->role, Role::admin);
  for (const char* path : {"keys/unlock", "keys/rotate", "backup", "reviews/", "reviews/1/2",
                           "reviews/-1", "accounts/maria", "", "..", "retry"}) {
    EXPECT_EQ(find_place("GET", path), nullptr) << path;
  }
  for (const char* path : {"studies", "keys", "accounts", "rebuild-index", "pin"})
    EXPECT_EQ(find_place("POST", path), nullptr) << path;
  EXPECT_EQ(find_place("DELETE", "accounts/maria"), nullptr);
}

TEST(Thumbnails, AreOfWholeStudiesOnly) {
  EXPECT_EQ(study_of_thumbnail("studies/1.2.840/thumbnail"), "1.2.840");
  for (const char* path :
       {"studies", "studies/1.2.840", "studies/thumbnail", "studies//thumbnail",
        "studies/1.2/series/3/thumbnail", "studies/1.2/rendered", "studies/a/thumbnail",
        "studies/1.2/x/thumbnail", "studies/../thumbnail", "reviews/1.2/thumbnail"})
    EXPECT_EQ(study_of_thumbnail(path), std::nullopt) << path;
}

Json status(const char* text) {
  auto json = Json::parse(text);
  EXPECT_TRUE(json.ok());
  return json.ok() ? *json : Json();
}

TEST(Overview, SaysTheWorstThingInOneWord) {
  Json now = status(
      R"({"state":"ready","set_up":true,"queue":{"waiting":0,"parked":0,"letters":0},"reviews":{"open":0},)"
      R"("disk":{"free_bytes":100,"reserve_bytes":10},"uplinks":[{"name":"his","state":"up","last_success":"2026-03-01T08:00:00Z"},)"
      R"({"name":"pacs","state":"up","last_success":"2026-03-01T09:00:00Z"}],"problems":[]})");
  const auto said = [&] { return std::string(overview_document(now)["headline"].text()); };
  EXPECT_EQ(said(), "all_sent");
  EXPECT_EQ(overview_document(now)["level"].text(), "good");
  EXPECT_EQ(overview_document(now)["last_success"].text(), "2026-03-01T09:00:00Z");
  EXPECT_EQ(overview_document(now)["alarms"].size(), 0U);

  now.set("queue", status(R"({"waiting":7,"parked":0,"letters":0})"));
  EXPECT_EQ(said(), "sending");
  now.set("uplinks", status(R"([{"name":"his","state":"up"},{"name":"pacs","state":"down"}])"));
  EXPECT_EQ(said(), "link_down");
  EXPECT_EQ(overview_document(now)["link"]["state"].text(), "partly");
  now.set("queue", status(R"({"waiting":7,"parked":2,"letters":1})"));
  EXPECT_EQ(said(), "needs_person");
  EXPECT_EQ(overview_document(now)["alarms"].size(), 3U) << "the link, refused items, a message";
  now.set("queue", status(R"({"waiting":7,"parked":0,"letters":0,"criticals":2})"));
  now.set("problems", status(R"([{"component":"critical results","problem":"2 wait"}])"));
  EXPECT_EQ(said(), "needs_person") << "no part is down";
  EXPECT_EQ(overview_document(now)["alarms"].size(), 2U) << "the link, critical results";
  now.set("queue", status(R"({"waiting":7,"parked":0,"letters":0})"));
  now.set("problems", status(R"([{"component":"wear","problem":"disk sda: order another"}])"));
  EXPECT_EQ(said(), "needs_person") << "a worn disk still works";
  EXPECT_EQ(overview_document(now)["alarms"][0]["code"].text(), "wear");
  for (const char* component : {"restart", "power", "uplink his", "device monitor"}) {
    now.set("problems", core::Json::array({core::Json::object(
                            {{"component", component}, {"problem", "somebody sees to it"}})}));
    EXPECT_EQ(said(), "needs_person") << component << " says of no part that it is down";
    EXPECT_NE(overview_document(now)["alarms"][0]["code"].text(), "problem") << component;
  }
  now.set("problems", status(R"([{"component":"limit fridge","problem":"12 C is above 8 C"}])"));
  EXPECT_EQ(said(), "beyond_limit");
  EXPECT_EQ(overview_document(now)["level"].text(), "bad");
  EXPECT_EQ(overview_document(now)["alarms"][0]["code"].text(), "limit");
  EXPECT_EQ(overview_document(now)["alarms"][0]["component"].text(), "fridge");
  now.set("problems", status(R"([{"component":"disk failure","problem":"disk sda"}])"));
  EXPECT_EQ(said(), "part_down");
  now.set("problems", status(R"([{"component":"dicom","problem":"port 104 is in use"}])"));
  EXPECT_EQ(said(), "part_down");
  now.set("disk", status(R"({"free_bytes":5,"reserve_bytes":10})"));
  EXPECT_EQ(said(), "no_room");
  now.set("state", "locked");
  EXPECT_EQ(said(), "locked");
  now.set("set_up", false);
  EXPECT_EQ(said(), "not_set_up");
  now.set("state", "failed");
  EXPECT_EQ(said(), "failed");
}

TEST(Overview, OfAGatewayWithoutAHospitalIsGood) {
  const Json now = overview_document(
      status(R"({"state":"ready","queue":{"waiting":0,"parked":0},"uplinks":[],"problems":[]})"));
  EXPECT_EQ(now["headline"].text(), "stand_alone");
  EXPECT_EQ(now["link"]["state"].text(), "none");
}

}  // namespace
}  // namespace gateway::daemon::console
