// Topics and messages of MQTT devices, by small profiles.
#include "adapters/mqtt/arrival.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gateway::adapters::mqtt {
namespace {

using profiles::FieldPath;
using profiles::TopicPattern;
using ::testing::HasSubstr;

TopicPattern pattern(std::string_view text) {
  auto parsed = TopicPattern::parse(text);
  EXPECT_TRUE(parsed.ok());
  return parsed.ok() ? *parsed : TopicPattern();
}

MqttDevice thermometer() {
  MqttDevice device;
  device.device.options.profile.name = "fridge";
  device.device.options.profile.time_zone = "Africa/Blantyre";
  profiles::FieldMap& map = device.device.profile.fields;
  map.format = "json";
  map.is_of_device = true;
  map.topic = pattern("cold/{room}/{fridge}");
  map.serial = *FieldPath::parse("$topic.fridge");
  map.time = *FieldPath::parse("at");
  map.date_order = profiles::DateOrder::unix_epoch;
  map.measured.push_back({"t", *FieldPath::parse("readings[0].t"), "Cel", "2", "8", {}});
  device.topic = map.topic;
  return device;
}

const core::Json& last_body(const ReadArrival& read) { return read.message->drafts.back().body; }

TEST(Topic, NamesTheLevelsThatDiffer) {
  const TopicPattern cold = pattern("cold/{room}/{fridge}");
  EXPECT_EQ(cold.filter(), "cold/+/+");
  const auto parts = cold.match("cold/ward/7");
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ((*parts)["room"].text(), "ward");
  EXPECT_EQ((*parts)["fridge"].text(), "7");
  EXPECT_FALSE(cold.match("cold/ward").has_value());
  EXPECT_FALSE(cold.match("warm/ward/7").has_value());
  EXPECT_EQ(pattern("/a/{b}").filter(), "/a/+");
  EXPECT_TRUE(cold.meets(pattern("cold/ward/{any}")));
  EXPECT_FALSE(cold.meets(pattern("cold/ward/7/t")));
  EXPECT_FALSE(cold.meets(pattern("warm/ward/7")));
}

TEST(Topic, IsRefusedWhereItLeavesOpenWhatFollows) {
  for (const char* text : {"", "a/#", "a/+/b", "a/{B}", "a/x{b}", "a/{}"})
    EXPECT_FALSE(TopicPattern::parse(text).ok()) << text;
}

TEST(Arrival, IsReadByItsProfileAndTheTopicsParts) {
  const auto read = read_arrival(
      arrival_of("cold/ward/7", R"({"at":1795162500,"readings":[{"t":4.60}]})", thermometer()),
      thermometer());
  EXPECT_EQ(read.message->dead_because, "");
  EXPECT_EQ(last_body(read)["effectiveDateTime"].text(), "2026-11-20T08:15:00.000+00:00");
  EXPECT_EQ(last_body(read)["valueQuantity"]["value"].number_text(), "4.60");
  EXPECT_THAT(read.message->drafts[0].body.dump(), HasSubstr("\"7\""));
  EXPECT_FALSE(read.crossings.at(0).is_beyond);
}

TEST(Arrival, ThatNamesItsTimeIsTheSameWheneverItComes) {
  Arrival arrival =
      arrival_of("cold/ward/7", R"({"at":1795162500123,"readings":[{"t":5}]})", thermometer());
  EXPECT_TRUE(arrival.names_time);
  const std::string bytes = pack(arrival);
  arrival.came_at = "2026-11-20T08:15:09.000Z";
  arrival.packet_id = 7;
  EXPECT_EQ(pack(arrival), bytes);
}

TEST(Arrival, WithoutATimeIsOfTheMomentItCame) {
  Arrival arrival = arrival_of("cold/ward/7", R"({"readings":[{"t":9}]})", thermometer());
  EXPECT_FALSE(arrival.names_time);
  arrival.came_at = "2026-11-20T08:15:09.000Z";
  arrival.packet_id = 7;
  const auto kept = unpack(pack(arrival));
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->packet_id, 7);
  const auto read = read_arrival(*kept, thermometer());
  EXPECT_THAT(last_body(read)["effectiveDateTime"].text(), HasSubstr("08:15:09"));
  ASSERT_EQ(read.crossings.size(), 1U);
  EXPECT_EQ(read.crossings[0].text, "t 9 Cel, above 8");
  EXPECT_EQ(read.message->bytes, pack(arrival));
}

TEST(Arrival, ThatCannotBeReadIsKeptWithTheReason) {
  const auto read =
      read_arrival(arrival_of("cold/ward/7", R"({"readings":[)", thermometer()), thermometer());
  EXPECT_NE(read.message->dead_because, "");
  EXPECT_TRUE(read.message->drafts.empty());
  EXPECT_THAT(read.message->bytes, HasSubstr("{\"readings\":["));
  EXPECT_FALSE(unpack("MSH|").ok());
}

}  // namespace
}  // namespace gateway::adapters::mqtt
