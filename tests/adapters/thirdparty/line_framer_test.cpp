// Lines of a third-party adapter cut out of a stream: bytes in, events out.
#include "adapters/thirdparty/line_framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace gateway::adapters::thirdparty {
namespace {

using frame::FrameEvent;
using Kind = FrameEvent::Kind;
using ::testing::ElementsAre;

constexpr std::size_t kFirstMax = 10;
constexpr std::size_t kLineMax = 20;

std::vector<FrameEvent> events_of(std::string_view bytes) {
  const auto framer = make_line_framer(kFirstMax, kLineMax);
  std::vector<FrameEvent> events;
  framer->feed(bytes, {}, events);
  return events;
}

TEST(LineFramer, ALineEndsWithItsLineFeedAndEmptyOnesArePassedOver) {
  EXPECT_THAT(
      events_of("\n\r\nhello\r\n\n{\"a\":1}\nunfinished"),
      ElementsAre(FrameEvent{Kind::message, "hello"}, FrameEvent{Kind::message, "{\"a\":1}"}));
}

TEST(LineFramer, TheFirstLineIsShortAndTheLaterOnesMayBeLong) {
  EXPECT_THAT(events_of("0123456789\n01234567890123456789\n"),
              ElementsAre(FrameEvent{Kind::message, "0123456789"},
                          FrameEvent{Kind::message, "01234567890123456789"}));
  EXPECT_THAT(
      events_of("0123456789A\nnext\n"),
      ElementsAre(FrameEvent{Kind::oversize, "0123456789"}, FrameEvent{Kind::message, "next"}));
}

TEST(LineFramer, ALineBeyondTheLimitIsToldOnceAndTheNextOneComes) {
  const std::string large(3 * kLineMax, 'x');
  EXPECT_THAT(events_of("hello\n" + large + "\nnext\n"),
              ElementsAre(FrameEvent{Kind::message, "hello"},
                          FrameEvent{Kind::oversize, large.substr(0, kLineMax)},
                          FrameEvent{Kind::message, "next"}));
}

TEST(LineFramer, UntilTheHelloIsThereAConnectionIsInTheMiddleOfAMessage) {
  const auto framer = make_line_framer(kFirstMax, kLineMax);
  std::vector<FrameEvent> events;
  EXPECT_TRUE(framer->in_message());
  framer->feed("\n", {}, events);
  EXPECT_TRUE(framer->in_message());
  framer->feed("hello\n", {}, events);
  EXPECT_FALSE(framer->in_message());
  framer->feed("x", {}, events);
  EXPECT_TRUE(framer->in_message());
  framer->feed(std::string(2 * kLineMax, 'x'), {}, events);
  EXPECT_TRUE(framer->in_message());
  framer->feed("\n", {}, events);
  EXPECT_FALSE(framer->in_message());
}

TEST(LineFramer, HoweverTheBytesAreSplitTheEventsAreTheSame) {
  std::mt19937 random(11);
  constexpr std::string_view kTelling = "\n\r{}\"x ";
  for (int round = 0; round < 3'000; ++round) {
    std::string bytes;
    for (auto length = random() % 120; length > 0; --length) {
      // Lines of every length around the two limits.
      bytes += random() % 3 == 0 ? kTelling[random() % kTelling.size()] : 'y';
    }
    const auto whole = events_of(bytes);
    const auto framer = make_line_framer(kFirstMax, kLineMax);
    std::vector<FrameEvent> split;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t length = 1 + random() % 7;
      framer->feed(std::string_view(bytes).substr(at, length), {}, split);
      at += length;
    }
    ASSERT_EQ(whole, split) << bytes;
  }
}

}  // namespace
}  // namespace gateway::adapters::thirdparty
