// A monitor's stream by the shipped profile: what is sent on, and what stays as samples.
#include "adapters/hl7/vitals.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "hl7_fixture.h"
#include "sync/samples.h"

namespace gateway::adapters::hl7 {
namespace {

using std::chrono::seconds;

const core::Wall kBegin{std::chrono::hours(500'000)};

Vital heart_rate(int value, int at_s, const std::string& flag = "") {
  return {1, "P1|hr", "147842", std::to_string(value), flag, kBegin + seconds(at_s)};
}

class Sampler : public ::testing::Test {
 protected:
  /// Whether it is sent; what is sent is noted.
  bool sends(const Vital& vital) {
    const auto due = sampler_.due({vital});
    sampler_.note_sent({vital}, due);
    return due[0];
  }
  VitalsSampler sampler_{{.interval = seconds(300), .change = {{"147842", 20.0}}}};
};

TEST_F(Sampler, SendsTheFirstAndThenOneInAnInterval) {
  EXPECT_TRUE(sends(heart_rate(70, 0)));
  for (int at = 1; at < 300; ++at) EXPECT_FALSE(sends(heart_rate(70 + at % 10, at))) << at;
  EXPECT_TRUE(sends(heart_rate(70, 300)));
}

TEST_F(Sampler, SendsWhatChangedMuchOrBeganAnAlarmAtOnce) {
  EXPECT_TRUE(sends(heart_rate(70, 0)));
  EXPECT_FALSE(sends(heart_rate(89, 1)));
  EXPECT_TRUE(sends(heart_rate(90, 2)));
  EXPECT_FALSE(sends(heart_rate(71, 3)));
  EXPECT_TRUE(sends(heart_rate(71, 4, "L")));
  EXPECT_FALSE(sends(heart_rate(71, 5, "L")));
  EXPECT_TRUE(sends(heart_rate(71, 6)));
}

TEST_F(Sampler, AStreamOfItsOwnIsEachPatientsEachMetricAndPlace) {
  Vital other = heart_rate(70, 1);
  other.stream = "P2|hr";
  EXPECT_TRUE(sends(heart_rate(70, 0)));
  EXPECT_TRUE(sends(other));
}

TEST_F(Sampler, WithoutAnIntervalEverythingIsSent) {
  VitalsSampler all{{}};
  all.note_sent({heart_rate(70, 0)}, {true});
  EXPECT_TRUE(all.due({heart_rate(70, 0)})[0]);
}

TEST_F(Sampler, ATimeBeforeTheLastIsThinnedOutLikeTheRest) {
  EXPECT_TRUE(sends(heart_rate(70, 1'000)));
  EXPECT_FALSE(sends(heart_rate(70, 900)));
  EXPECT_TRUE(sends(heart_rate(70, 600)));
}

class Samples : public Hl7Test {
 protected:
  bool keep(const std::string& bytes, const std::string& device = "monitor") {
    auto message = std::make_shared<sync::SampleMessage>();
    message->device = device;
    message->bytes = bytes;
    message->value_count = 20;
    boost::asio::io_context loop;
    std::optional<core::Result<bool>> answer;
    boost::asio::co_spawn(
        loop,
        [](auto holdings, auto kept, auto& told) -> core::net::Awaitable<void> {
          told = co_await sync::keep_sample(std::move(holdings), std::move(kept),
                                            core::system_clock());
        }(held_, std::move(message), answer),
        boost::asio::detached);
    loop.run();
    EXPECT_TRUE(answer && answer->ok());
    return answer && answer->ok() && **answer;
  }
  std::int64_t pack(const std::string& before) {
    std::int64_t packed = 0;
    write([&](crypto::Connection& connection) -> core::Status {
      GW_TRY(packed, sync::pack_samples(connection, before));
      return {};
    });
    return packed;
  }
  std::vector<std::string> read(std::size_t count_max) {
    std::vector<std::string> texts;
    EXPECT_TRUE(held_->database()
                    .read([&](crypto::Connection& connection) -> core::Status {
                      GW_TRY(const auto kept, sync::read_samples(connection, "monitor", count_max));
                      for (const auto& one : kept) texts.push_back(one.bytes);
                      return {};
                    })
                    .ok());
    return texts;
  }
  core::Json report() { return *held_->database().read_value<core::Json>(sync::samples_report); }
};

constexpr char kPast[] = "2000-01-01T00:00:00.000Z";
constexpr char kFuture[] = "2999-01-01T00:00:00.000Z";

TEST_F(Samples, AreKeptOnceAndReadBackAsTheyCame) {
  EXPECT_TRUE(keep("first\r\nwith lines\n"));
  EXPECT_TRUE(keep("second"));
  EXPECT_FALSE(keep("second"));
  EXPECT_TRUE(keep("of another", "other"));
  EXPECT_EQ(pack(kPast), 0);
  EXPECT_EQ(pack(kFuture), 2);
  EXPECT_TRUE(keep("third"));
  EXPECT_EQ(read(10), (std::vector<std::string>{"first\r\nwith lines\n", "second", "third"}));
  EXPECT_EQ(read(2), (std::vector<std::string>{"second", "third"}));
  const core::Json counted = report();
  ASSERT_EQ(counted.size(), 2U);
  EXPECT_EQ(counted[0U]["device"].text(), "monitor");
  EXPECT_EQ(counted[0U]["messages"].integer(), 3);
  EXPECT_EQ(counted[0U]["values"].integer(), 60);
}

TEST_F(Samples, GoWithTheirBlockWhenTheyAreOld) {
  keep("first");
  EXPECT_EQ(pack(kFuture), 1);
  std::int64_t gone = -1;
  const auto expire = [&](const char* before) {
    write([&](crypto::Connection& connection) -> core::Status {
      GW_TRY(gone, sync::expire_samples(connection, before, 10));
      return {};
    });
    return gone;
  };
  EXPECT_EQ(expire(kPast), 0);
  EXPECT_EQ(expire(kFuture), 1);
  EXPECT_TRUE(read(10).empty());
}

TEST_F(Samples, AFullBlockTakesATenthOfItsMessages) {
  const auto profile =
      profiles::load_profile(core::system_files(), GATEWAY_PROFILES "/pcd-01-monitor");
  ASSERT_TRUE(profile.ok());
  const auto fixture = core::read_whole_file(
      core::system_files(), GATEWAY_PROFILES "/pcd-01-monitor/fixtures/one-set.hl7", 1 << 20);
  ASSERT_TRUE(fixture.ok());
  std::int64_t bytes = 0;
  for (std::int64_t i = 0; i < sync::kSamplesOfBlockMax; ++i) {
    // Its id and one value differ each time.
    std::string one = *fixture;
    one.replace(one.find("|72|") + 1, 2, std::to_string(60 + i * 7 % 40));
    one += core::cat("ZID|", i * 7'919, "\r");
    bytes += static_cast<std::int64_t>(one.size());
    keep(one);
  }
  EXPECT_EQ(pack(kPast), sync::kSamplesOfBlockMax);
  const auto packed = report()[0U]["bytes"].integer().value_or(bytes);
  RecordProperty("bytes", std::to_string(bytes));
  RecordProperty("packed", std::to_string(packed));
  EXPECT_LT(packed * 10, bytes);
}

TEST_F(Samples, WhatIsNotDueLeavesTheMessage) {
  const auto profile =
      profiles::load_profile(core::system_files(), GATEWAY_PROFILES "/pcd-01-monitor");
  const auto fixture = core::read_whole_file(
      core::system_files(), GATEWAY_PROFILES "/pcd-01-monitor/fixtures/one-set.hl7", 1 << 20);
  ASSERT_TRUE(profile.ok() && fixture.ok());
  const Read read = read_message(*fixture, device_, "192.0.2.7", core::system_clock(), &*profile);
  ASSERT_TRUE(read.vitals.has_value());
  ASSERT_EQ(read.vitals->size(), 8U);
  ASSERT_EQ(read.incoming->drafts.size(), 9U);
  std::vector<bool> due(8, false);
  EXPECT_FALSE(keep_due(*read.incoming, *read.vitals, due));
  EXPECT_EQ(read.incoming->drafts.size(), 1U);  // the device
}

}  // namespace
}  // namespace gateway::adapters::hl7
