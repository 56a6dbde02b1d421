#include "core/log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <ostream>
#include <string>

#include "core/json.h"
#include "core/log_limiter.h"
#include "core/patient_text.h"
#include "core/text.h"

namespace gateway::core {
namespace {

using Admission = LogLimiter::Admission;
using std::chrono::seconds;

const LogLimiter::Place kFlooding{"adapters/hl7/hl7_server.cpp", 83};
const LogLimiter::Place kQuiet{"sync/service.cpp", 234};

TEST(LogLimiter, AFloodOfOnePlaceIsCutAndCountedAndTheOthersAreHeard) {
  LogLimiter limiter;
  const Monotonic start{};
  for (int i = 1; i < LogLimiter::kLinesMax; ++i)
    ASSERT_EQ(limiter.admit(kFlooding, start), Admission::write);
  EXPECT_EQ(limiter.admit(kFlooding, start), Admission::write_as_last);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(limiter.admit(kFlooding, start), Admission::drop);
  EXPECT_EQ(limiter.admit(kQuiet, start), Admission::write);
  EXPECT_TRUE(limiter.take_dropped(start + seconds(29)).empty());

  const auto dropped = limiter.take_dropped(start + seconds(30));
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_EQ(dropped[0].place, kFlooding);
  EXPECT_EQ(dropped[0].lines, 1000U);
  EXPECT_TRUE(limiter.take_dropped(start + seconds(31)).empty()) << "told once";
  EXPECT_EQ(limiter.admit(kFlooding, start + seconds(31)), Admission::write);
}

TEST(LogLimiter, WhatWasDroppedIsToldAtTheEndAlsoBeforeItsTime) {
  LogLimiter limiter;
  for (int i = 0; i <= LogLimiter::kLinesMax; ++i) limiter.admit(kFlooding, Monotonic{});
  const auto dropped = limiter.take_dropped(Monotonic{}, true);
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_EQ(dropped[0].lines, 1U);
}

TEST(LogLimiter, APlaceThatWritesNowAndThenIsNeverCut) {
  LogLimiter limiter;
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(limiter.admit(kFlooding, Monotonic{} + seconds(i)), Admission::write);
}

TEST(Log, TheFloodOfAPlaceSaysWhatIsLeftOut) {
  testing::internal::CaptureStderr();
  for (int i = 0; i < LogLimiter::kLinesMax + 7; ++i) log_info("test", cat("line ", i, "\nforged"));
  log_info("test", "another place");
  settle_log();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("I test: line 0 forged\n"), said.npos) << said;
  EXPECT_NE(said.find("I test: line 49 forged (this comes too often"), said.npos) << said;
  EXPECT_EQ(said.find("line 50"), said.npos);
  EXPECT_NE(said.find("I test: another place\n"), said.npos);
  EXPECT_NE(said.find("W log: 7 lines of tests/core/log_test.cpp:"), said.npos) << said;
}

TEST(Log, RemembersWhereSomethingWasLoggedAndNotWhat) {
  testing::internal::CaptureStderr();
  log_warn("test", "not kept");
  const int line = __LINE__ - 1;
  testing::internal::GetCapturedStderr();
  const LogTrace last = recent_log().back();
  EXPECT_EQ(last.level, Level::warn);
  EXPECT_EQ(last.component, "test");
  EXPECT_EQ(last.file, "tests/core/log_test.cpp");
  EXPECT_EQ(last.line, line);
}

template <class T>
concept Appendable = requires(std::string& out, const T& part) {
  append_text(out, part);
};
template <class T>
concept Streamable = requires(std::ostream& out, const T& part) {
  out << part;
};
template <class T>
concept Loggable = requires(const T& part) {
  log_info("test", part);
};

// What these refuse, does not compile.
static_assert(Appendable<std::string> && Streamable<std::string> && Loggable<std::string>);
static_assert(!Appendable<PatientText>);
static_assert(!Streamable<PatientText>);
static_assert(!Loggable<PatientText>);
static_assert(!std::convertible_to<PatientText, std::string_view>);
static_assert(!std::constructible_from<std::string, PatientText>);
static_assert(!std::constructible_from<Json, PatientText>);
static_assert(!std::constructible_from<Error, Code, PatientText>);

TEST(PatientText, GoesInLikeATextAndComesOutByItsNameOnly) {
  const PatientText name = std::string("Roe^Jane");
  EXPECT_TRUE(name == "Roe^Jane");
  EXPECT_FALSE(name.empty());
  EXPECT_EQ(name.for_the_record(), "Roe^Jane");
}

}  // namespace
}  // namespace gateway::core
