#include "adapters/hl7/mllp_framer.h"

#include <gtest/gtest.h>

#include <random>

namespace gateway::adapters::hl7 {
namespace {

using frame::FrameEvent;
using Kind = FrameEvent::Kind;
using Events = std::vector<FrameEvent>;

constexpr std::size_t kMax = 64;
const core::Monotonic kNow{};

Events events_of(std::string_view bytes) {
  const auto framer = make_mllp_framer(kMax);
  Events events;
  framer->feed(bytes, kNow, events);
  return events;
}

TEST(MllpFramer, CutsMessagesOutOfOneWrite) {
  EXPECT_EQ(events_of("\x0bMSH|one\r\x1c\r\x0bMSH|two\r\x1c\r"),
            (Events{{Kind::message, "MSH|one\r"}, {Kind::message, "MSH|two\r"}}));
}

TEST(MllpFramer, SkipsWhatStandsBeforeTheStartByte) {
  const auto framer = make_mllp_framer(kMax);
  Events events;
  framer->feed("junk\r\n\x0bMSH|\x1c\r\n", kNow, events);
  EXPECT_EQ(events, (Events{{Kind::message, "MSH|"}}));
  EXPECT_EQ(framer->skipped(), 4U);
}

TEST(MllpFramer, KeepsControlBytesInsideAMessage) {
  EXPECT_EQ(events_of("\x0bMSH|a\x1c"
                      "b\x0b"
                      "c\x1c\r"),
            (Events{{Kind::message,
                     "MSH|a\x1c"
                     "b\x0b"
                     "c"}}));
}

TEST(MllpFramer, LetsANewMessageEndAnUnfinishedOne) {
  EXPECT_EQ(events_of("\x0bMSH|cut\x0bMSH|whole\x1c\r"),
            (Events{{Kind::broken, "MSH|cut"}, {Kind::message, "MSH|whole"}}));
}

TEST(MllpFramer, EndsAMessageWithoutReturnAfterAPause) {
  const auto framer = make_mllp_framer(kMax);
  Events events;
  framer->feed("\x0bMSH|a\x1c", kNow, events);
  EXPECT_TRUE(events.empty());
  ASSERT_TRUE(framer->due());
  framer->tick(*framer->due(), events);
  EXPECT_EQ(events, (Events{{Kind::message, "MSH|a"}}));
  EXPECT_FALSE(framer->in_message());
}

TEST(MllpFramer, ReportsAMessageBeyondTheLimitOnceAndGoesOn) {
  const std::string large(200, 'x');
  const Events events = events_of("\x0bMSH|" + large + "\x1c\r\x0bMSH|next\x1c\r");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].kind, Kind::oversize);
  EXPECT_EQ(events[1], (FrameEvent{Kind::message, "MSH|next"}));
}

// Any split of the same bytes must give the same events.
TEST(MllpFramer, GivesTheSameEventsHoweverTheBytesAreSplit) {
  std::mt19937 random(20'261'122);
  const std::string_view pieces[] = {
      "\x0b", "\x1c", "\r", "\n", "MSH|",
      "FHS|", "M",    "MS", "x",  "0123456789012345678901234567890123456789"};
  for (int round = 0; round < 3'000; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i) bytes += pieces[random() % std::size(pieces)];
    const auto framer = make_mllp_framer(kMax);
    Events split;
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::size_t piece = std::min<std::size_t>(rest.size(), 1 + random() % 7);
      framer->feed(rest.substr(0, piece), kNow, split);
      rest.remove_prefix(piece);
    }
    ASSERT_EQ(split, events_of(bytes)) << "round " << round;
  }
}

TEST(MllpFramer, TakesBackItsOwnFrame) {
  EXPECT_EQ(events_of(mllp_frame("MSH|x\r")), (Events{{Kind::message, "MSH|x\r"}}));
}

}  // namespace
}  // namespace gateway::adapters::hl7
