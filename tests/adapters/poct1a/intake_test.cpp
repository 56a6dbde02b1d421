// What becomes of a POCT1-A device's documents, and what it hears: the conversation on real
// holdings.
#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <random>

#include "adapters/poct1a/conversation.h"
#include "adapters/poct1a/message_reader.h"
#include "adapters/poct1a/rehearsal.h"
#include "tests/sync/records_fixture.h"

namespace gateway::adapters::poct1a {
namespace {

using core::cat;
using core::Json;
using ::testing::HasSubstr;

constexpr std::size_t kFirst = 0;

class Poct1aTest : public sync::RecordsTest {
 protected:
  void SetUp() override {
    sync::RecordsTest::SetUp();
    Poct1aDevice device;
    device.options.profile.name = "meter";
    device.options.profile.time_zone = "Europe/Madrid";
    device.options.profile.patient_id_issuer = sync::kIssuer;
    device.options.profile.specimen_id_issuer = "urn:example:tubes";
    auto profile = profiles::load_profile(core::system_files(),
                                          std::string(GATEWAY_PROFILES) + "/nova-statstrip");
    ASSERT_TRUE(profile.ok()) << profile.error().message();
    device.profile = std::move(*profile);
    served_ = std::make_unique<ServedDevice>(std::move(device));
    door_.open(held_);
    connect();
  }
  void TearDown() override {
    conversation_.reset();
    door_.close();
    sync::RecordsTest::TearDown();
  }

  void connect() {
    conversation_ = make_conversation(*served_, door_, core::system_clock(), "192.0.2.7");
  }
  /// The answers to what is in these bytes.
  std::string say(std::string_view bytes) {
    std::vector<frame::FrameEvent> events;
    conversation_->framer().feed(bytes, core::system_clock().monotonic(), events);
    std::string all;
    for (frame::FrameEvent& event : events) {
      boost::asio::io_context loop;
      boost::asio::co_spawn(loop, answer_to(std::move(event), all), boost::asio::detached);
      loop.run();
    }
    return all;
  }
  core::net::Awaitable<void> answer_to(frame::FrameEvent event, std::string& all) {
    all += co_await conversation_->answer(std::move(event));
  }
  /// "AA 7" of an acknowledgment.
  static std::string verdict(std::string_view answer) {
    const auto document = Document::parse(answer, "");
    if (!document.ok()) return std::string(answer);
    const Json& ack = object(document->root(), "ACK");
    return cat(value(ack, "ACK.type_cd"), ' ', value(ack, "ACK.ack_control_id"));
  }
  static std::string hello(std::string_view id = "1", std::string_view serial = "SN-1") {
    return cat("<HEL.R01><HDR><HDR.control_id V=\"", id, "\"/></HDR><DEV><DEV.serial_id V=\"",
               serial, "\"/></DEV></HEL.R01>");
  }
  static std::string service(std::string_view glucose, std::string_view patient,
                             std::string_view at = "2026-03-01T09:05:00",
                             std::string_view unit = "mg/dL", std::string_view more = "") {
    return cat("<SVC><SVC.role_cd V=\"OBS\"/><SVC.observation_dttm V=\"", at,
               "\"/><PT><PT.patient_id V=\"", patient,
               "\"/><OBS><OBS.observation_id V=\"Glu\"/><OBS.value V=\"", glucose, "\" U=\"", unit,
               "\"/><OBS.status_cd V=\"A\"/></OBS></PT>", more, "</SVC>");
  }
  static std::string observations(std::string_view id, std::string_view services,
                                  std::string_view type = "OBS.R01") {
    return cat("<", type, "><HDR><HDR.control_id V=\"", id, "\"/></HDR>", services, "</", type,
               ">");
  }
  Json result() {
    const auto json = Json::parse(
        text("SELECT v.body FROM resource r JOIN resource_version v USING (type, id, version)"
             " WHERE r.type = 'Observation' ORDER BY r.id LIMIT 1"));
    return json.ok() ? *json : Json();
  }
  std::int64_t messages() { return count("SELECT count(*) FROM message"); }

  sync::HoldingsDoor door_;
  std::unique_ptr<ServedDevice> served_;
  std::unique_ptr<frame::Conversation> conversation_;
};

TEST_F(Poct1aTest, AResultKeepsItsDigitsItsZoneIsAssumedAndItWaitsForARelease) {
  EXPECT_EQ(verdict(say(hello())), "AA 1");
  EXPECT_EQ(messages(), 0) << "a hello is not kept";
  EXPECT_EQ(verdict(say(observations("2", service("065.80", "P1")))), "AA 2");
  const Json made = result();
  EXPECT_EQ(made["valueQuantity"]["value"].number_text(), "65.80");
  EXPECT_EQ(made["valueQuantity"]["extension"][kFirst]["valueString"].text(), "065.80");
  EXPECT_EQ(made["effectiveDateTime"].text(), "2026-03-01T09:05:00+01:00");
  EXPECT_EQ(made["_effectiveDateTime"]["extension"][kFirst]["valueString"].text(), "Europe/Madrid");
  EXPECT_EQ(made["status"].text(), "preliminary");
  EXPECT_EQ(made["code"]["coding"][kFirst]["code"].text(), "2341-6");
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Device'"
                  " AND EXISTS (SELECT 1 FROM resource_version v WHERE v.id = resource.id"
                  " AND v.body LIKE '%SN-1%')"),
            1);
}

TEST_F(Poct1aTest, WhatComesAgainAfterANewHelloHearsTheSameAndChangesNothing) {
  say(hello());
  const std::string first = say(observations("2", service("88", "P1")));
  const auto versions = count("SELECT count(*) FROM resource_version");
  connect();
  say(hello("9"));
  EXPECT_EQ(say(observations("2", service("88", "P1"))), first);
  EXPECT_EQ(say(observations("3", service("88", "P1"))).empty(), false);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version"), versions);
  EXPECT_EQ(messages(), 2);
}

TEST_F(Poct1aTest, AControlBecomesNothingHoweverItIsTold) {
  EXPECT_EQ(verdict(say(observations("1", service("40", "P1"), "OBS.R02"))), "AA 1");
  std::string lqc = service("40", "P1");
  lqc.replace(lqc.find("\"OBS\""), 5, "\"LQC\"");
  EXPECT_EQ(verdict(say(observations("2", lqc))), "AA 2");
  EXPECT_EQ(verdict(say(observations("3", service("40", "P1", "2026-03-01T09:05:00", "mg/dL",
                                                  "<CTC><CTC.name V=\"L1\"/></CTC>")))),
            "AA 3");
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE kind = 'POCT1-A control'"), 3);
}

TEST_F(Poct1aTest, ServicesOfSeveralPatientsAreMessagesOfTheirOwn) {
  EXPECT_EQ(verdict(say(observations("5", service("88", "P1") + service("99", "P2")))), "AA 5");
  EXPECT_EQ(messages(), 2);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Patient'"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Observation'"), 2);
}

TEST_F(Poct1aTest, NobodysResultWaitsAndIsFoundAgainByItsKeptBytes) {
  say(hello("1", "SN-7"));
  EXPECT_EQ(verdict(say(observations("2", service("88", "UNKNOWN")))), "AA 2");
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'unassigned'"), 1);
  const auto kept = held_->database().read_value<sync::KeptMessage>(
      [](crypto::Connection& c) { return sync::read_kept_message(c, 1); });
  ASSERT_TRUE(kept.ok());
  const auto again = decoder_of(served_->device).decode(kept->bytes);
  ASSERT_EQ(again->drafts.size(), 2U);
  EXPECT_EQ(again->drafts[0].body["serialNumber"].text(), "SN-7");
}

TEST_F(Poct1aTest, AnOperatorsIdIsNoPatients) {
  say(observations("2", service("88", "OP1", "2026-03-01T09:05:00", "mg/dL",
                                "<OPR><OPR.operator_id V=\"OP1\"/></OPR>")));
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'unassigned'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
}

TEST_F(Poct1aTest, AnImpossibleUnitIsHeldForAPerson) {
  EXPECT_EQ(verdict(say(observations("2", service("88", "P1", "2026-03-01T09:05:00", "g/L")))),
            "AA 2");
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'dead'"), 1);
}

TEST_F(Poct1aTest, ACriticalValueIsOneByTheDevicesOwnLimitsWhateverElseItSaysOfIt) {
  int number = 1;
  for (const char* flag : {"", "H", ">"}) {
    for (const char* glucose : {"400", "&gt;300"}) {
      const std::string patient = cat("P", ++number);
      std::string sent = observations(cat(number), service(glucose, patient));
      std::string limit = "<OBS.critical_lo-hi_limit V=\"[60;300]\"/>";
      if (*flag != '\0')
        limit += cat("<OBS.interpretation_cd V=\"", *flag == '>' ? "&gt;" : flag, "\"/>");
      sent.insert(sent.find("<OBS.status_cd"), limit);
      say(sent);
      EXPECT_EQ(count("SELECT count(*) FROM critical_result"), number - 1) << flag << glucose;
    }
  }
}

TEST_F(Poct1aTest, AnEditOfWhatIsNotHeldForThePatientWaitsForAPerson) {
  const std::string edited = "<SVC.reason_cd V=\"EDT\"/>";
  const auto edit = [&](std::string_view id, std::string_view glucose, std::string_view patient) {
    std::string sent = observations(id, service(glucose, patient));
    return sent.insert(sent.find("<SVC.observation_dttm"), edited);
  };
  say(observations("2", service("88", "P1")));
  EXPECT_EQ(verdict(say(edit("3", "90", "P1"))), "AA 3");
  EXPECT_EQ(result()["valueQuantity"]["value"].number_text(), "90");
  EXPECT_EQ(verdict(say(edit("4", "90", "P2"))), "AA 4");
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'unassigned'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Observation'"), 1);
  EXPECT_THAT(text("SELECT reason FROM message WHERE state = 'unassigned'"),
              HasSubstr("another patient's record"));
}

TEST_F(Poct1aTest, WhatCannotBeReadIsKeptAndRefused) {
  EXPECT_THAT(say("<!DOCTYPE A [<!ENTITY e \"x\">]><OBS.R01>&e;</OBS.R01>"), HasSubstr("\"AE\""));
  EXPECT_EQ(messages(), 1);
  EXPECT_THAT(text("SELECT reason FROM message"), HasSubstr("document type declaration"));
  EXPECT_THAT(say("\x0b<OBS.R01><\x1c\r"), HasSubstr("\"AE\""));
  EXPECT_EQ(messages(), 2);
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
}

TEST_F(Poct1aTest, LockedNothingIsAcknowledged) {
  door_.close();
  EXPECT_EQ(verdict(say(hello())), "AE 1");
  EXPECT_EQ(verdict(say(observations("2", service("88", "P1")))), "AE 2");
  door_.open(held_);
  EXPECT_EQ(messages(), 0);
}

TEST_F(Poct1aTest, AnswersToTheHostAreNotAnswered) {
  EXPECT_EQ(say("<ACK.R01><HDR/><ACK/></ACK.R01>"), "");
  EXPECT_EQ(say("<ESC.R01><HDR/><ESC/></ESC.R01>"), "");
  EXPECT_EQ(verdict(say("<REQ.R01><HDR><HDR.control_id V=\"4\"/></HDR></REQ.R01>")), "AE 4");
  EXPECT_EQ(verdict(say("<KPA.R01><HDR><HDR.control_id V=\"5\"/></HDR></KPA.R01>")), "AA 5");
}

TEST_F(Poct1aTest, AClockThatIsWrongIsTold) {
  say("<HEL.R01><HDR><HDR.creation_dttm V=\"2001-01-01T00:00:00Z\"/></HDR></HEL.R01>");
  const Json report = served_->traffic.report(served_->device.options, core::system_clock().wall());
  EXPECT_LT(report["clock_ahead_s"].integer().value_or(0), -300);
  EXPECT_THAT(std::string(report["problem"].text()), HasSubstr("behind the gateway's"));
}

/// Whatever a device sends, reading it ends.
TEST_F(Poct1aTest, NoDamageOfAFixtureHarms) {
  std::mt19937 random(3);
  constexpr std::string_view kTelling = "<>/?!\"'=&;[]\x0b\x1c\r\n .019V\xff";
  const std::string fixture =
      hello() + observations("2", service("88", "P1") + service("99", "P2"));
  for (int round = 0; round < 2'000; ++round) {
    std::string text = fixture;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0) {
        text[at] = kTelling[random() % kTelling.size()];
      } else {
        text.insert(at, text.substr(random() % text.size(), random() % 60));
      }
    }
    const auto made = rehearse(served_->device.profile, text);
    if (made.ok()) {
      EXPECT_TRUE(Json::parse(made->dump()).ok()) << text;
    }
  }
}

}  // namespace
}  // namespace gateway::adapters::poct1a
