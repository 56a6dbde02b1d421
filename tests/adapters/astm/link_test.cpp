// The link layer of LIS01-A2 alone: bytes and time in, events out.
#include "adapters/astm/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/text.h"

namespace gateway::adapters::astm {
namespace {

using core::cat;
using frame::FrameEvent;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

const std::string kAckText(1, kAck);
const std::string kNakText(1, kNak);

/// A device and the link on one wire, with a clock of its own.
class AstmLink : public ::testing::Test {
 protected:
  /// What the link says to these bytes: "part:...", "opened", "closed", or the reply itself.
  std::vector<std::string> hear(std::string_view bytes) {
    events_.clear();
    link_->feed(bytes, now_, events_);
    return said();
  }
  std::vector<std::string> wait(core::Milliseconds time) {
    now_ += time;
    events_.clear();
    if (const auto due = link_->due(); due && now_ >= *due) link_->tick(now_, events_);
    return said();
  }
  std::vector<std::string> said() const {
    std::vector<std::string> all;
    for (const FrameEvent& event : events_) {
      all.push_back(event.kind == FrameEvent::Kind::opened   ? "opened"
                    : event.kind == FrameEvent::Kind::closed ? "closed"
                    : event.kind == FrameEvent::Kind::part   ? "part:" + event.bytes
                                                             : event.bytes);
    }
    return all;
  }
  static std::string frame(int number, std::string_view text, char end = kEtx) {
    const std::string body = cat(number, text);
    return cat(kStx, body, end, checksum_text(body, end, profiles::Checksum::standard), "\r\n");
  }

  core::Monotonic now_{seconds(1'000)};
  std::unique_ptr<Link> link_ = Link::create({});
  std::vector<FrameEvent> events_;
};

TEST_F(AstmLink, FramesBetweenEnqAndEotComeOutInOrder) {
  EXPECT_THAT(hear("\x05"), ElementsAre("opened"));
  EXPECT_THAT(hear(frame(1, "H|\\^&\r")), ElementsAre("part:H|\\^&\r"));
  EXPECT_THAT(hear(frame(2, "R|1|^^^A|", kEtb)), ElementsAre("part:R|1|^^^A|"));
  EXPECT_THAT(hear(frame(3, "5\r")), ElementsAre("part:5\r"));
  EXPECT_THAT(hear("\x04"), ElementsAre("closed"));
}

TEST_F(AstmLink, AFrameSentAgainIsAcknowledgedAndNotTakenTwice) {
  hear("\x05");
  hear(frame(1, "H|\\^&\r"));
  EXPECT_THAT(hear(frame(1, "H|\\^&\r")), ElementsAre(kAckText));
  EXPECT_THAT(hear(frame(1, "H|other\r")), ElementsAre(kNakText));
  EXPECT_THAT(hear(frame(3, "L|1\r")), ElementsAre(kNakText));
  EXPECT_THAT(hear(frame(2, "L|1\r")), ElementsAre("part:L|1\r"));
}

TEST_F(AstmLink, FrameNumbersWrapAfterSeven) {
  hear("\x05");
  hear(frame(1, "H|\\^&\r"));
  for (int number = 2; number <= 17; ++number)
    EXPECT_THAT(hear(frame(number % 8, cat("C|", number, "\r"))),
                ElementsAre(cat("part:C|", number, "\r")));
}

TEST_F(AstmLink, AWrongCheckCharacterIsRefused) {
  hear("\x05");
  std::string damaged = frame(1, "H|\\^&\r");
  damaged[4] ^= 1;
  EXPECT_THAT(hear(damaged), ElementsAre(kNakText));
  EXPECT_THAT(hear(frame(1, "H|\\^&\r")), ElementsAre("part:H|\\^&\r"));
}

TEST_F(AstmLink, AnyOneByteThatChangesLosesAndInventsNothing) {
  const std::vector<std::string> frames{frame(1, "H|\\^&\r"), frame(2, "P|1\r"),
                                        frame(3, "R|1|^^^A|2.0\r"), frame(4, "L|1|N\r")};
  for (std::size_t which = 0; which < frames.size(); ++which) {
    for (std::size_t at = 0; at < frames[which].size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        if (static_cast<char>(byte) == frames[which][at]) continue;
        link_ = Link::create({});
        hear("\x05");
        for (std::size_t before = 0; before < which; ++before) hear(frames[before]);
        std::string damaged = frames[which];
        damaged[at] = static_cast<char>(byte);
        std::vector<std::string> answers = hear(damaged);
        for (const auto time : {milliseconds(600), milliseconds(5'000)}) {
          for (std::string& more : wait(time)) answers.push_back(std::move(more));
        }
        // Nothing positive came but for the very text; a device that heard nothing sends again.
        const std::string text = frames[which].substr(2, frames[which].find(kEtx) - 2);
        for (const std::string& answer : answers) {
          EXPECT_NE(answer, kAckText);
          EXPECT_NE(answer, "opened");
          if (answer.starts_with("part:")) {
            EXPECT_EQ(answer.substr(5), text);
          }
        }
      }
    }
  }
}

TEST_F(AstmLink, AnySplitOfTheBytesGivesTheSameEvents) {
  const std::string bytes = cat("\x05", frame(1, "H|\\^&\r"), "junk", frame(2, "P|1|", kEtb),
                                frame(2, "P|1|", kEtb), frame(3, "x\r"), frame(7, "bad\r"),
                                frame(4, "L|1\r"), "\x04\x05", frame(1, "H|\\^&\r"), "\x04");
  const std::vector<std::string> whole = hear(bytes);
  ASSERT_EQ(whole.size(), 11U);
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    link_ = Link::create({});
    events_.clear();
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t length = 1 + random() % 9;
      link_->feed(std::string_view(bytes).substr(at, length), now_, events_);
      at += length;
    }
    EXPECT_EQ(said(), whole);
  }
}

TEST_F(AstmLink, NoiseNeverHarms) {
  std::mt19937 random(11);
  constexpr std::string_view kAlphabet = "\x02\x03\x04\x05\x06\x15\x17\r\n01H|AF";
  for (int round = 0; round < 2'000; ++round) {
    link_ = Link::create({});
    for (int i = 0; i < 60; ++i) {
      hear(std::string(1, kAlphabet[random() % kAlphabet.size()]));
      if (random() % 10 == 0) wait(milliseconds(random() % 40'000));
      if (random() % 20 == 0) link_->offer("H|\\^&\rL|1\r");
      if (random() % 20 == 0) link_->refuse();
    }
  }
}

TEST_F(AstmLink, AMissingLineEndOrEnqIsTolerated) {
  const std::string first = frame(1, "H|\\^&\r");
  EXPECT_THAT(hear(first.substr(0, first.size() - 2)), ElementsAre());
  EXPECT_THAT(wait(milliseconds(600)), ElementsAre("part:H|\\^&\r"));
  EXPECT_THAT(hear(frame(2, "L|1|N")), ElementsAre("part:L|1|N\r"));
}

TEST_F(AstmLink, SilenceEndsATransmissionAndAFrame) {
  hear("\x05");
  hear(
      "\x02"
      "1H|");
  EXPECT_THAT(wait(seconds(5)), ElementsAre(kNakText));
  EXPECT_THAT(wait(seconds(26)), ElementsAre("closed"));
  EXPECT_THAT(hear(frame(2, "P|1\r")), ElementsAre(kNakText));
}

TEST_F(AstmLink, WhatIsRefusedStaysRefusedUntilTheDeviceBeginsAnew) {
  hear("\x05");
  hear(frame(1, "H|\\^&\r"));
  link_->refuse();
  EXPECT_THAT(hear(frame(1, "H|\\^&\r")), ElementsAre(kNakText));
  EXPECT_THAT(hear(frame(2, "P|1\r")), ElementsAre(kNakText));
  EXPECT_THAT(hear("\x04"), ElementsAre("closed"));
  EXPECT_THAT(hear("\x05"), ElementsAre("opened"));
}

TEST_F(AstmLink, AnEnqInTheMiddleIsRefusedOnceAndThenBeginsAnew) {
  hear("\x05");
  hear(frame(1, "H|\\^&\r"));
  EXPECT_THAT(hear("\x05"), ElementsAre(kNakText));
  EXPECT_THAT(hear("\x05"), ElementsAre("closed", "opened"));
}

TEST_F(AstmLink, AMessageGoesOutFrameByFrame) {
  ASSERT_TRUE(link_->offer("H|\\^&\r" + cat("O|1|", std::string(300, 'x')) + "\rL|1\r"));
  EXPECT_THAT(wait(seconds(0)), ElementsAre("\x05"));
  const auto frames = make_frames("H|\\^&\r" + cat("O|1|", std::string(300, 'x')) + "\rL|1\r", {});
  ASSERT_EQ(frames.size(), 4U);
  for (const std::string& one : frames) EXPECT_THAT(hear(kAckText), ElementsAre(one));
  EXPECT_THAT(hear(kAckText), ElementsAre("\x04"));
  EXPECT_EQ(link_->sent(), 1U);
}

TEST_F(AstmLink, MessagesWaitForOneAnotherAndNotWithoutEnd) {
  ASSERT_TRUE(link_->offer("H|1\r"));
  EXPECT_THAT(wait(seconds(0)), ElementsAre("\x05"));
  ASSERT_TRUE(link_->offer("H|2\r"));
  EXPECT_THAT(hear(kAckText), ElementsAre(make_frames("H|1\r", {})[0]));
  EXPECT_THAT(hear(kAckText), ElementsAre("\x04"));
  EXPECT_THAT(wait(seconds(0)), ElementsAre("\x05"));
  EXPECT_THAT(hear(kAckText), ElementsAre(make_frames("H|2\r", {})[0]));
  EXPECT_THAT(hear(kAckText), ElementsAre("\x04"));
  EXPECT_EQ(link_->sent(), 2U);
  EXPECT_EQ(link_->due(), std::nullopt);
  int offered = 0;
  while (offered < 1'000 && link_->offer("H|3\r")) ++offered;
  EXPECT_EQ(offered, 32);
}

TEST_F(AstmLink, ARefusedFrameGoesAgainSixTimesAndThenTheMessageIsGivenUp) {
  link_->offer("H|\\^&\r");
  wait(seconds(0));
  const std::string first = make_frames("H|\\^&\r", {})[0];
  EXPECT_THAT(hear(kAckText), ElementsAre(first));
  for (int i = 0; i < 5; ++i) EXPECT_THAT(hear(kNakText), ElementsAre(first));
  EXPECT_THAT(hear(kNakText), ElementsAre("\x04"));
  EXPECT_EQ(link_->given_up(), 1U);
}

TEST_F(AstmLink, InAContentionTheDeviceWins) {
  link_->offer("H|\\^&\r");
  wait(seconds(0));
  EXPECT_THAT(hear("\x05"), ElementsAre());
  EXPECT_THAT(wait(seconds(1)), ElementsAre());
  EXPECT_THAT(hear("\x05"), ElementsAre("opened"));
  hear(frame(1, "H|\\^&\r"));
  EXPECT_THAT(hear("\x04"), ElementsAre("closed"));
  EXPECT_THAT(wait(seconds(0)), ElementsAre("\x05"));
}

TEST_F(AstmLink, ABusyDeviceIsAskedAgainAfterTenSecondsAndASilentOneNotAtAll) {
  link_->offer("H|\\^&\r");
  wait(seconds(0));
  EXPECT_THAT(hear(kNakText), ElementsAre());
  EXPECT_THAT(wait(seconds(9)), ElementsAre());
  EXPECT_THAT(wait(seconds(1)), ElementsAre("\x05"));
  EXPECT_THAT(wait(seconds(15)), ElementsAre("\x04"));
}

TEST_F(AstmLink, AnInterruptIsHeededAndTheMessageSentLater) {
  link_->offer("H|\\^&\r");
  wait(seconds(0));
  hear(kAckText);
  EXPECT_THAT(hear("\x04"), ElementsAre("\x04"));
  EXPECT_THAT(wait(seconds(15)), ElementsAre("\x05"));
}

TEST(AstmChecksum, VariantsDifferInWhatTheySum) {
  using profiles::Checksum;
  EXPECT_EQ(checksum_text("1H", kEtx, Checksum::standard), "7C");
  EXPECT_EQ(checksum_text("1H", kEtx, Checksum::without_end), "79");
  EXPECT_EQ(checksum_text("1H", kEtx, Checksum::with_start), "7E");
}

}  // namespace
}  // namespace gateway::adapters::astm
