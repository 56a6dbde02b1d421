// Recordings of a device's connections.
#include "adapters/frame/line_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gateway::adapters::frame {
namespace {

using ::testing::ElementsAre;

const core::Monotonic kNow{std::chrono::seconds(10)};

TEST(LineRecorder, WhatWasHeardComesOutForEachConnectionAsItWas) {
  LineRecorder recorder;
  const auto first = recorder.next_connection();
  const auto second = recorder.next_connection();
  recorder.note(first, Direction::heard, "before", kNow);
  ASSERT_TRUE(recorder.begin(kNow));
  EXPECT_FALSE(recorder.begin(kNow)) << "one at a time";
  recorder.note(second, Direction::heard, "b\n1 1 H 3\n", kNow);
  recorder.note(first, Direction::heard, std::string("a\0", 2), kNow);
  recorder.note(first, Direction::said, "answer", kNow);
  recorder.note(first, Direction::heard, "A", kNow + std::chrono::seconds(1));
  const auto recording = recorder.end();
  ASSERT_TRUE(recording.has_value());
  EXPECT_FALSE(recorder.end().has_value());
  const auto heard = heard_in(*recording);
  ASSERT_TRUE(heard.ok()) << heard.error().message();
  EXPECT_THAT(*heard, ElementsAre(std::string("a\0A", 3), "b\n1 1 H 3\n"));
}

TEST(LineRecorder, WhatIsTooMuchEndsItWhole) {
  LineRecorder recorder;
  recorder.begin(kNow);
  const std::string piece(1U << 20, 'x');
  for (int i = 0; i < 6; ++i) recorder.note(1, Direction::heard, piece, kNow);
  EXPECT_TRUE(recorder.state().is_full);
  EXPECT_LE(recorder.state().bytes, LineRecorder::kBytesMax);
  const auto heard = heard_in(*recorder.end());
  ASSERT_TRUE(heard.ok());
  EXPECT_EQ((*heard)[0].size(), 3U << 20);
}

TEST(LineRecorder, WhatIsNoRecordingIsRefused) {
  EXPECT_FALSE(heard_in("").ok());
  for (const char* rest : {"0 1 H 5\nabc", "0 1 H\n", "x", "0 1 H 99999999999999999999\n", "0 1 "})
    EXPECT_FALSE(heard_in(std::string("clinic-gateway-capture 1\n") + rest).ok()) << rest;
}

}  // namespace
}  // namespace gateway::adapters::frame
