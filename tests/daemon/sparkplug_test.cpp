// Sparkplug B byte by byte: what is compared with was written by npm's sparkplug-payload 1.0.3.
#include "daemon/ops/sparkplug.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sparkplug_b.pb.h>

#include "core/text.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kBdSeq = 7;

core::Wall after(std::chrono::seconds since_1970) { return core::Wall(since_1970); }

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

const std::string kRebirth =
    bytes_of("08e807121a0a144e6f646520436f6e74726f6c2f52656269727468200b7001");

sparkplug::Payload read(const std::string& bytes) {
  sparkplug::Payload payload;
  EXPECT_TRUE(payload.ParseFromString(bytes));
  return payload;
}

std::vector<std::string> names(const std::string& bytes) {
  std::vector<std::string> list;
  const auto payload = read(bytes);
  for (const auto& metric : payload.metrics()) list.push_back(metric.name());
  return list;
}

TEST(Sparkplug, WritesTheBytesThatAnotherImplementationWrites) {
  EXPECT_EQ(core::to_hex(sparkplug_death(kBdSeq, after(std::chrono::seconds(1)))),
            "08e807120e0a05626453657118e80720045807");
  SparkplugNode node;
  const SparkplugMetrics present{{"a", std::int64_t{-2}}, {"b", 0.5}, {"c", std::string("ready")}};
  EXPECT_EQ(core::to_hex(node.birth(present, kBdSeq, after(std::chrono::seconds(2)))),
            "08d00f120e0a05626453657118d00f20045807121d0a144e6f646520436f6e74726f6c2f52656269727468"
            "18d00f200b700012130a016118d00f200458feffffffffffffffff0112110a016218d00f200a6900000000"
            "0000e03f120f0a016318d00f200c7a0572656164791800");
}

TEST(Sparkplug, ReadsTheCommandOfAnotherImplementation) {
  EXPECT_TRUE(asks_for_rebirth(kRebirth).value());
  EXPECT_FALSE(
      asks_for_rebirth(bytes_of("08e807121a0a144e6f646520436f6e74726f6c2f52656269727468200b7000"))
          .value())
      << "false";
  EXPECT_FALSE(
      asks_for_rebirth(bytes_of("08e80712190a134e6f646520436f6e74726f6c2f5265626f6f74200b7001"))
          .value())
      << "another metric";
  EXPECT_FALSE(asks_for_rebirth("").value());
}

TEST(Sparkplug, HostileCommandsAskForNothing) {
  for (std::size_t length = 1; length < kRebirth.size(); ++length) {
    const auto asks = asks_for_rebirth(std::string_view(kRebirth).substr(0, length));
    EXPECT_FALSE(asks.ok() && *asks) << length;
  }
  EXPECT_FALSE(asks_for_rebirth("Quillfeather, Ondine").ok());
  EXPECT_FALSE(asks_for_rebirth(bytes_of("12ffffffff0f0a")).ok()) << "longer than it is";
  std::string nested;  // a Template in a Template in ...: groups are skipped, to a depth
  for (int i = 0; i < 10'000; ++i) nested += '\x0b';
  EXPECT_FALSE(asks_for_rebirth(nested).ok());
  std::string name = "Node Control/Rebirth";
  name.resize(200'000, '\0');
  sparkplug::Payload large;
  large.add_metrics()->set_name(name);
  EXPECT_FALSE(asks_for_rebirth(large.SerializeAsString()).value());
}

TEST(Sparkplug, NDataTellsWhatChangedInAnUnbrokenRow) {
  SparkplugNode node;
  SparkplugMetrics present{{"a", std::int64_t{1}}, {"b", true}, {"c", std::string("x")}};
  EXPECT_EQ(read(node.birth(present, kBdSeq, {})).seq(), 0U);
  EXPECT_EQ(node.data(present, {}), "") << "nothing changed";
  for (std::uint64_t i = 1; i <= 300; ++i) {
    present["a"] = static_cast<std::int64_t>(i + 1);
    const auto told = node.data(present, {});
    ASSERT_TRUE(told);
    ASSERT_EQ(read(*told).seq(), i % 256);
    ASSERT_THAT(names(*told), ElementsAre("a"));
  }
  present.erase("c");
  const auto gone = read(node.data(present, {}).value());
  ASSERT_EQ(gone.metrics_size(), 1);
  EXPECT_TRUE(gone.metrics(0).is_null());
  EXPECT_EQ(gone.metrics(0).datatype(), 12U);
  EXPECT_EQ(gone.metrics(0).value_case(), sparkplug::Metric::VALUE_NOT_SET);
  EXPECT_EQ(node.data(present, {}), "") << "it is told once that it is gone";
  present["c"] = std::string("x");
  EXPECT_THAT(names(node.data(present, {}).value()), ElementsAre("c")) << "the same as before";
}

TEST(Sparkplug, WhatIsNewOrOfAnotherTypeTakesABirth) {
  SparkplugNode node;
  node.birth({{"a", std::int64_t{1}}}, kBdSeq, {});
  EXPECT_FALSE(node.data({{"a", std::int64_t{1}}, {"b", true}}, {}));
  EXPECT_FALSE(node.data({{"a", 1.5}}, {}));
  node.birth({{"a", 1.5}}, kBdSeq, {});
  EXPECT_THAT(names(node.data({{"a", 2.5}}, {}).value()), ElementsAre("a"));
  EXPECT_EQ(read(node.birth({{"a", 2.5}}, kBdSeq, {})).seq(), 0U);
}

TEST(Sparkplug, HealthAndSamplesHaveNamesOfTheirPlace) {
  const Json health = *Json::parse(
      R"({"schema":1,"seq":4,"at":"2026-03-01T00:00:00.000Z","state":"ready","queue":null,"disk":{"free_bytes":5},)"
      R"("uplinks":[{"name":"pacs","paused":false}],"wear":[{"disk":"sda","passed":null,"used_percent":3}],)"
      R"("problems":[{"component":"dicom","problem":"port"},{"component":"dicom","problem":"peer"}]})");
  const Json samples = *Json::parse(
      R"([{"name":"clinic_gateway_uplink_up","labels":{"uplink":"his","kind":"fhir"},"value":1},)"
      R"({"name":"process_cpu_seconds_total","labels":{},"value":0.25}])");
  EXPECT_THAT(sparkplug_metrics(health, samples),
              UnorderedElementsAre(
                  Pair("health/state", SparkplugValue(std::string("ready"))),
                  Pair("health/disk/free_bytes", SparkplugValue(std::int64_t{5})),
                  Pair("health/uplinks/pacs/name", SparkplugValue(std::string("pacs"))),
                  Pair("health/uplinks/pacs/paused", SparkplugValue(false)),
                  Pair("health/wear/sda/disk", SparkplugValue(std::string("sda"))),
                  Pair("health/wear/sda/used_percent", SparkplugValue(std::int64_t{3})),
                  Pair("health/problems", SparkplugValue(std::string("dicom: port\ndicom: peer"))),
                  Pair("metrics/clinic_gateway_uplink_up/his/fhir", SparkplugValue(1.0)),
                  Pair("metrics/process_cpu_seconds_total", SparkplugValue(0.25))));
}

}  // namespace
}  // namespace gateway::daemon
