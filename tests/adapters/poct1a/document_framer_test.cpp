// POCT1-A documents cut out of a stream: bytes in, events out.
#include "adapters/poct1a/document_framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace gateway::adapters::poct1a {
namespace {

using frame::FrameEvent;
using Kind = FrameEvent::Kind;
using ::testing::ElementsAre;

std::vector<FrameEvent> events_of(std::string_view bytes, std::size_t bytes_max = 1U << 20) {
  const auto framer = DocumentFramer::create(bytes_max);
  std::vector<FrameEvent> events;
  framer->feed(bytes, {}, events);
  return events;
}

std::vector<std::string> documents_in(std::string_view bytes) {
  std::vector<std::string> all;
  for (const FrameEvent& event : events_of(bytes))
    all.push_back(event.kind == Kind::message ? event.bytes : "broken:" + event.bytes);
  return all;
}

TEST(DocumentFramer, ABareDocumentEndsWithItsRoot) {
  EXPECT_THAT(documents_in("<A.R01><X V=\"1\"/><Y><Z/></Y></A.R01>\r\n<B/> <C>t</C >"),
              ElementsAre("<A.R01><X V=\"1\"/><Y><Z/></Y></A.R01>", "<B/>", "<C>t</C >"));
}

TEST(DocumentFramer, WhatLooksLikeATagButIsNoneEndsNothing) {
  const std::string_view document =
      "<?xml version=\"1.0\"?><!-- </A> <B> --><A x='>' y=\"/>\"><![CDATA[</A><?xml ]]><B a='<'/>"
      "<?pi </A> ?></A>";
  EXPECT_THAT(documents_in(document), ElementsAre(document));
}

TEST(DocumentFramer, ADeclarationOfATypeDoesNotHideTheEnd) {
  const std::string_view document = "<!DOCTYPE A [<!ENTITY e \"<A>\"> <!ELEMENT A ANY>]><A>&e;</A>";
  EXPECT_THAT(documents_in(document), ElementsAre(document));
}

TEST(DocumentFramer, AFrameOfMllpIsTakenOff) {
  const auto framer = DocumentFramer::create(1U << 20);
  std::vector<FrameEvent> events;
  framer->feed("<A/>", {}, events);
  EXPECT_FALSE(framer->is_mllp());
  framer->feed("\x0b<B>\r</B>\r\x1c\r\x0b<C/>\x1c", {}, events);
  EXPECT_TRUE(framer->is_mllp());
  EXPECT_THAT(events, ElementsAre(FrameEvent{Kind::message, "<A/>"},
                                  FrameEvent{Kind::message, "<B>\r</B>\r"},
                                  FrameEvent{Kind::message, "<C/>"}));
  EXPECT_EQ(framer->skipped(), 0U);
}

TEST(DocumentFramer, AnotherBeginningBreaksOff) {
  EXPECT_THAT(documents_in("<A V=\"1><?xml version='1.0'?><B/>"),
              ElementsAre("broken:<A V=\"1>", "<?xml version='1.0'?><B/>"));
  EXPECT_THAT(documents_in("\x0b<A>\x0b<B/>\x1c"), ElementsAre("broken:<A>", "<B/>"));
  EXPECT_THAT(documents_in("<A><B>\x0b<C/>\x1c"), ElementsAre("broken:<A><B>", "<C/>"));
}

TEST(DocumentFramer, ADocumentBeyondTheLimitIsToldOnceAndTheNextOneComes) {
  const std::string large = "<A>" + std::string(300, 'x') + "</A>";
  EXPECT_THAT(events_of(large + "<B/>", 100),
              ElementsAre(FrameEvent{Kind::oversize, large.substr(0, 101)},
                          FrameEvent{Kind::message, "<B/>"}));
  EXPECT_THAT(events_of("\x0b" + large + "\x1c\r\x0b<B/>\x1c\r", 100),
              ElementsAre(FrameEvent{Kind::oversize, large.substr(0, 101)},
                          FrameEvent{Kind::message, "<B/>"}));
}

TEST(DocumentFramer, WhatStandsBetweenIsSkippedAndCounted) {
  const auto framer = DocumentFramer::create(1U << 20);
  std::vector<FrameEvent> events;
  framer->feed("\xef\xbb\xbf<A/>noise\r\n", {}, events);
  EXPECT_THAT(events, ElementsAre(FrameEvent{Kind::message, "<A/>"}));
  EXPECT_EQ(framer->skipped(), 8U);
  EXPECT_FALSE(framer->in_message());
  framer->feed("<A", {}, events);
  EXPECT_TRUE(framer->in_message());
}

TEST(DocumentFramer, HoweverTheBytesAreSplitTheEventsAreTheSame) {
  std::mt19937 random(7);
  constexpr std::string_view kTelling = "<>/?![]-\"'\x0b\x1c\r&xml CDATA";
  constexpr std::string_view kPieces[] = {"<?xml version=\"1.0\"?>",
                                          "<A.R01>",
                                          "</A.R01>",
                                          "<![CDATA[",
                                          "]]>",
                                          "<!--",
                                          "-->",
                                          "<B V=\"1\"/>",
                                          "\x0b",
                                          "\x1c\r"};
  for (int round = 0; round < 3'000; ++round) {
    std::string bytes;
    for (auto parts = random() % 30; parts > 0; --parts) {
      if (random() % 3 == 0) {
        bytes += kTelling[random() % kTelling.size()];
      } else {
        bytes += kPieces[random() % std::size(kPieces)];
      }
    }
    const auto whole = events_of(bytes, 60);
    const auto framer = DocumentFramer::create(60);
    std::vector<FrameEvent> split;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t length = 1 + random() % 5;
      framer->feed(std::string_view(bytes).substr(at, length), {}, split);
      at += length;
    }
    ASSERT_EQ(whole, split) << bytes;
  }
}

}  // namespace
}  // namespace gateway::adapters::poct1a
