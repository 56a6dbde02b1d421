// `clinic-gateway reviews` against a daemon whose clinic and hospital changed the same things.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text.h"
#include "stopped_state.h"
#include "sync/fhir_pull.h"
#include "sync/outbox.h"
#include "sync/reconcile.h"
#include "sync/replica.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::HasSubstr;
using testing::Not;

constexpr char kNow[] = "2026-03-01T08:00:00.000Z";

Json parse(const std::string& text) {
  auto json = Json::parse(text);
  return json.ok() ? std::move(*json) : Json();
}

Json patient(const std::string& id, const char* version, const char* gender) {
  return parse(core::cat(R"({"resourceType":"Patient","id":")", id, R"(","meta":{"versionId":")",
                         version, R"("},"name":[{"family":"Roe"}],"gender":")", gender, R"("})"));
}

class ReviewsProcess : public testing::Test {
 protected:
  void SetUp() override {
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
    ASSERT_EQ(daemon_.stop(), 0);
    for (const char* id : {"p1", "p2"}) conflict(id);
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  }
  /// The hospital's first version is agreed on, the clinic edits it, then the hospital does.
  void conflict(const std::string& id) {
    const auto held = open_stopped(daemon_);
    ASSERT_NE(held, nullptr);
    const auto made = held->database().write([&](crypto::Connection& connection) -> core::Status {
      const sync::Reconciling with{held->audit(), core::system_clock(), "his"};
      const sync::WorklistOptions worklist;
      GW_CHECK(sync::apply_pulled(connection, with, patient(id, "1", "female"), worklist));
      const sync::ResourceKey key{"Patient", id};
      GW_CHECK(sync::put_resource(connection, key, patient(id, "1", "other"), "clinic", kNow));
      GW_CHECK(sync::queue_row(connection, "his", "resource", key.text(), 0, std::nullopt, kNow));
      GW_CHECK(sync::apply_pulled(connection, with, patient(id, "2", "male"), worklist));
      return {};
    });
    ASSERT_TRUE(made.ok()) << made.error().message();
  }
  /// For people: without --json.
  Finished say(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {GATEWAY_COMMAND, "--socket", daemon_.socket()});
    return run_command(arguments);
  }

  DaemonProcess daemon_;
};

TEST_F(ReviewsProcess, AreListedShownAndDecided) {
  const Finished listed = daemon_.ask({"reviews"});
  ASSERT_EQ(listed.exit_code, 0) << listed.err;
  const Json reviews = parse(listed.out)["reviews"];
  ASSERT_EQ(reviews.size(), 2u) << listed.out;
  EXPECT_EQ(reviews[std::size_t{0}]["state"].text(), "open");
  EXPECT_EQ(reviews[std::size_t{0}]["resource"].text(), "Patient/p1");
  const Finished table = say({"reviews"});
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_THAT(table.out, HasSubstr("NUMBER"));
  EXPECT_THAT(table.out, HasSubstr("Patient/p2"));

  const Finished shown = daemon_.ask({"reviews", "show", "1"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_EQ(parse(shown.out)["ours"]["gender"].text(), "other");
  EXPECT_EQ(parse(shown.out)["theirs"]["gender"].text(), "male");
  const Finished sides = say({"reviews", "show", "1"});
  EXPECT_THAT(sides.out, HasSubstr("to be decided"));
  EXPECT_THAT(sides.out, HasSubstr(R"("gender":"other")"));
  EXPECT_THAT(sides.out, HasSubstr(R"("gender":"male")"));

  const Finished ours = daemon_.ask({"reviews", "take", "1", "ours"});
  ASSERT_EQ(ours.exit_code, 0) << ours.err;
  EXPECT_EQ(parse(ours.out)["state"].text(), "decided") << ours.out;
  const Finished theirs = say({"reviews", "take", "2", "theirs"});
  ASSERT_EQ(theirs.exit_code, 0) << theirs.err;
  EXPECT_THAT(theirs.out, HasSubstr("Patient/p2: decided"));
  const std::string queue = daemon_.ask({"queue"}).out;
  EXPECT_THAT(queue, HasSubstr("Patient/p1")) << "ours goes to the hospital";
  EXPECT_THAT(queue, Not(HasSubstr("Patient/p2"))) << "theirs is there already";
  EXPECT_EQ(daemon_.ask({"audit", "verify"}).exit_code, 0);

  ASSERT_EQ(daemon_.stop(), 0);
  const auto held = open_stopped(daemon_);
  ASSERT_NE(held, nullptr);
  const auto gender = [&](const char* id) {
    const auto body = held->database().read_value<std::string>(
        [id](crypto::Connection& connection) -> core::Result<std::string> {
          GW_TRY(const auto held_one, sync::read_resource(connection, {"Patient", id}));
          return std::string(held_one ? held_one->body["gender"].text() : "");
        });
    return body.ok() ? *body : body.error().message();
  };
  EXPECT_EQ(gender("p1"), "other");
  EXPECT_EQ(gender("p2"), "male");
}

TEST_F(ReviewsProcess, TheLosingSideComesBackByADecisionTakenAgain) {
  ASSERT_EQ(daemon_.ask({"reviews", "take", "1", "theirs"}).exit_code, 0);
  EXPECT_EQ(daemon_.ask({"reviews", "take", "1", "ours"}).exit_code, 0);
  EXPECT_THAT(daemon_.ask({"queue"}).out, HasSubstr("Patient/p1"));
}

TEST_F(ReviewsProcess, WhatIsHeldNowIsShownBeforeItIsUndone) {
  EXPECT_EQ(daemon_.ask({"reviews", "take", "1", "ours"}).exit_code, 0);
  ASSERT_EQ(daemon_.stop(), 0);
  {
    const auto held = open_stopped(daemon_);
    ASSERT_NE(held, nullptr);
    const auto made = held->database().write([](crypto::Connection& connection) -> core::Status {
      GW_CHECK(sync::put_resource(connection, {"Patient", "p1"}, patient("p1", "3", "unknown"),
                                  "his", kNow));
      return {};
    });
    ASSERT_TRUE(made.ok());
  }
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  const Finished refused = daemon_.ask({"reviews", "take", "1", "theirs"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(parse(refused.out)["error"]["code"].text(), "exists") << refused.out;
  const Finished told = say({"reviews", "take", "1", "theirs"});
  EXPECT_THAT(told.out, HasSubstr("now (version"));
  EXPECT_THAT(told.out, HasSubstr(R"("gender":"unknown")"));
  const std::string seen =
      parse(daemon_.ask({"reviews", "show", "1"}).out)["held_version"].number_text();
  EXPECT_EQ(daemon_.ask({"reviews", "take", "1", "held"}).exit_code, 0);
  EXPECT_EQ(daemon_.ask({"reviews", "take", "1", "theirs", "--seen", seen}).exit_code, 0);
}

TEST_F(ReviewsProcess, AGroupIsEditedFromStandardInput) {
  const auto edit = [&](const std::string& elements) {
    return run_command({GATEWAY_COMMAND, "--socket", daemon_.socket(), "--json", "reviews", "edit",
                        "1", "identity"},
                       elements);
  };
  EXPECT_EQ(edit("no json").exit_code, 1);
  EXPECT_EQ(edit(R"({"telecom":[]})").exit_code, 1);
  const Finished done = edit(R"({"gender":"unknown","birthDate":"1980-01-02"})");
  ASSERT_EQ(done.exit_code, 0) << done.err;
  const Json now = parse(done.out)["decisions"][std::size_t{0}]["now"];
  EXPECT_EQ(now["gender"].text(), "unknown") << done.out;
  EXPECT_EQ(parse(done.out)["state"].text(), "decided");
  EXPECT_THAT(daemon_.ask({"queue"}).out, HasSubstr("Patient/p1"));
}

TEST_F(ReviewsProcess, BadInputSaysWhatIsWrong) {
  const Finished unknown = daemon_.ask({"reviews", "show", "77"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("77"));
  EXPECT_EQ(parse(unknown.out)["error"]["code"].text(), "not-found") << unknown.out;
  EXPECT_EQ(daemon_.ask({"reviews", "take", "77", "ours"}).exit_code, 1);
  EXPECT_EQ(daemon_.ask({"reviews", "show", "one"}).exit_code, 2);
  EXPECT_EQ(daemon_.ask({"reviews", "show"}).exit_code, 2);
  EXPECT_EQ(daemon_.ask({"reviews", "take", "1", "both"}).exit_code, 2);
  const Finished group = daemon_.ask({"reviews", "take", "1", "ours", "--group", "no such"});
  EXPECT_EQ(group.exit_code, 1);
  EXPECT_THAT(group.err, HasSubstr("identity"));
  EXPECT_EQ(parse(daemon_.ask({"reviews", "show", "1"}).out)["state"].text(), "open");
}

}  // namespace
}  // namespace gateway::daemon
