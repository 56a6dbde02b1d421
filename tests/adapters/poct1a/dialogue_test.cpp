// What the host says, and when: documents and time in.
#include "adapters/poct1a/dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/poct1a/host_documents.h"
#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::adapters::poct1a {
namespace {

using core::cat;
using frame::FrameEvent;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// A device at the other end, with a clock of its own.
class Poct1aDialogue : public ::testing::Test {
 protected:
  void hear(std::string_view type, std::string_view body = "") {
    const std::string bytes = cat("<", type, ">", body, "</", type, ">");
    std::vector<FrameEvent> events;
    dialogue_->feed(bytes, now_, events);
    ASSERT_EQ(events.size(), 1U);
    const auto document = Document::parse(events[0].bytes, "");
    ASSERT_TRUE(document.ok()) << document.error().message();
    dialogue_->heard(*document, now_);
  }
  void greet(std::string_view directives = "SET_TIME START_CONTINUOUS") {
    std::string can;
    while (!directives.empty()) {
      const auto end = std::min(directives.find(' '), directives.size());
      can += cat("<DSC.directives_supported_cd V=\"", directives.substr(0, end), "\"/>");
      directives.remove_prefix(std::min(end + 1, directives.size()));
    }
    hear("HEL.R01", cat("<DEV><DSC>", can, "</DSC></DEV>"));
  }
  void status(int waiting) {
    hear("DST.R01", cat("<DST><DST.new_observations_qty V=\"", waiting, "\"/></DST>"));
  }
  /// What the host says within this time: "REQ", "SET_TIME", "START_CONTINUOUS", "END" or "".
  std::string wait(core::Milliseconds time = milliseconds(200)) {
    now_ += time;
    std::vector<FrameEvent> events;
    if (const auto due = dialogue_->due(); due && now_ >= *due) dialogue_->tick(now_, events);
    if (events.empty()) return {};
    dialogue_->said(cat(++said_));
    std::string said = say({cat(said_), "2026-11-20T10:00:00+02:00"}, dialogue_->next_step());
    for (const char* one : {"SET_TIME", "START_CONTINUOUS", "END", "REQ"}) {
      if (said.find(one) != said.npos) return one;
    }
    return said;
  }
  void accept() { hear("ACK.R01", cat("<ACK><ACK.type_cd V=\"AA\"/>", ack_of(), "</ACK>")); }
  std::string ack_of() const { return cat("<ACK.ack_control_id V=\"", said_, "\"/>"); }

  core::Monotonic now_{seconds(1'000)};
  std::unique_ptr<Dialogue> dialogue_ = Dialogue::create(1U << 20, true);
  int said_ = 0;
};

TEST_F(Poct1aDialogue, ObservationsThenTheClockThenStaying) {
  greet();
  EXPECT_EQ(wait(), "");
  status(2);
  EXPECT_EQ(wait(milliseconds(50)), "") << "not in one breath with the answer";
  EXPECT_EQ(wait(), "REQ");
  hear("OBS.R01");
  hear("OBS.R02");
  EXPECT_EQ(wait(), "");
  hear("EOT.R01");
  EXPECT_EQ(wait(), "SET_TIME");
  accept();
  EXPECT_EQ(wait(), "START_CONTINUOUS");
  accept();
  EXPECT_EQ(wait(seconds(60)), "");
  status(1);
  EXPECT_EQ(wait(), "") << "a device that stays sends of itself";
}

TEST_F(Poct1aDialogue, ADeviceThatCannotStayIsTold) {
  greet("SET_TIME");
  status(0);
  EXPECT_EQ(wait(), "SET_TIME");
  accept();
  EXPECT_EQ(wait(), "END");
  accept();
  EXPECT_EQ(wait(seconds(60)), "");
}

TEST_F(Poct1aDialogue, ADeviceThatDoesNotSayWhatItCanIsAskedForNothingButItsResults) {
  hear("HEL.R01");
  status(1);
  EXPECT_EQ(wait(), "REQ");
  hear("EOT.R01");
  EXPECT_EQ(wait(seconds(60)), "");
}

TEST_F(Poct1aDialogue, WhatIsRefusedIsNotAskedAgain) {
  greet();
  status(0);
  EXPECT_EQ(wait(), "SET_TIME");
  hear("ESC.R01", cat("<ESC><ESC.esc_control_id V=\"", said_, "\"/></ESC>"));
  EXPECT_EQ(wait(), "START_CONTINUOUS");
  hear("ACK.R01", cat("<ACK><ACK.type_cd V=\"AE\"/>", ack_of(), "</ACK>"));
  EXPECT_EQ(wait(), "END");
}

TEST_F(Poct1aDialogue, AnAnswerToSomethingElseIsNoAnswer) {
  greet();
  status(0);
  EXPECT_EQ(wait(), "SET_TIME");
  hear("ACK.R01", "<ACK><ACK.ack_control_id V=\"77\"/></ACK>");
  EXPECT_EQ(wait(), "");
}

TEST_F(Poct1aDialogue, NobodyIsWaitedForForever) {
  greet();
  status(1);
  EXPECT_EQ(wait(), "REQ");
  EXPECT_EQ(wait(seconds(29)), "");
  hear("OBS.R01");
  EXPECT_EQ(wait(seconds(29)), "") << "they are coming";
  EXPECT_EQ(wait(seconds(2)), "");
  EXPECT_EQ(wait(), "SET_TIME");
}

TEST_F(Poct1aDialogue, AnAcknowledgedRequestIsStillWaitedFor) {
  greet();
  status(1);
  EXPECT_EQ(wait(), "REQ");
  accept();
  EXPECT_EQ(wait(), "");
  hear("EOT.R01");
  EXPECT_EQ(wait(), "SET_TIME");
}

TEST_F(Poct1aDialogue, TheClockIsSetAgainAfterADay) {
  greet();
  status(0);
  EXPECT_EQ(wait(), "SET_TIME");
  accept();
  EXPECT_EQ(wait(), "START_CONTINUOUS");
  accept();
  now_ += hours(23);
  hear("KPA.R01");
  EXPECT_EQ(wait(), "");
  now_ += hours(1);
  hear("KPA.R01");
  EXPECT_EQ(wait(), "SET_TIME");
}

TEST_F(Poct1aDialogue, NothingIsSaidAfterTheEnd) {
  greet();
  status(1);
  hear("END.R01", "<TRM/>");
  EXPECT_EQ(wait(seconds(60)), "");
}

TEST_F(Poct1aDialogue, NothingIsSaidIntoTheMiddleOfADocument) {
  greet();
  status(1);
  std::vector<FrameEvent> events;
  dialogue_->feed("<OBS.R01>", now_, events);
  EXPECT_FALSE(dialogue_->due().has_value());
}

TEST_F(Poct1aDialogue, ItSpeaksInTheDevicesOwnFrame) {
  EXPECT_EQ(dialogue_->framed("<A/>"), "<A/>");
  std::vector<FrameEvent> events;
  dialogue_->feed("\x0b<HEL.R01/>\x1c\r", now_, events);
  EXPECT_EQ(dialogue_->framed("<A/>"), "\x0b<A/>\x1c\r");
  EXPECT_EQ(dialogue_->framed(""), "");
}

TEST(Poct1aHostDocuments, ATextIsWrittenSoThatItIsOne) {
  const std::string ack = acknowledge({"7", "now"}, "a<b>&\"c\"\x01", "no");
  const auto document = Document::parse(ack, "");
  ASSERT_TRUE(document.ok()) << document.error().message();
  const core::Json& answer = object(document->root(), "ACK");
  EXPECT_EQ(value(answer, "ACK.ack_control_id"), "a<b>&\"c\"");
  EXPECT_EQ(value(answer, "ACK.type_cd"), "AE");
  EXPECT_EQ(value(answer, "ACK.note_txt"), "no");
  EXPECT_EQ(document->control_id(), "7");
}

TEST(Poct1aHostDocuments, TheTimeIsThatOfTheSite) {
  const auto at = core::parse_instant("2026-07-01T08:00:00Z");
  ASSERT_TRUE(at.has_value());
  EXPECT_EQ(local_time(*at, "Europe/Madrid"), "2026-07-01T10:00:00+02:00");
  EXPECT_THAT(say({"1", "2026-07-01T10:00:00+02:00"}, Step::set_time),
              HasSubstr("<TM.dttm V=\"2026-07-01T10:00:00+02:00\"/>"));
}

}  // namespace
}  // namespace gateway::adapters::poct1a
