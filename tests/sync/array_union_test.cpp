// The union of arrays: what each side added, removed and changed, items that say the same included.
#include "sync/array_union.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "core/text.h"
#include "sync/fhir/same_content.h"

namespace gateway::sync {
namespace {

using core::Json;

Json json(std::string_view text) {
  auto parsed = Json::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return *parsed;
}

constexpr std::string_view kKey[] = {"use"};

/// Each letter is a telephone number of one use, as an array.
Json numbers(std::string_view letters) {
  Json items = Json::array();
  for (const char letter : letters)
    items.add(Json::object({{"use", "home"}, {"value", std::string(1, letter)}}));
  return items;
}

struct Told {
  std::string letters;
  bool is_disputed = false;
  bool operator==(const Told&) const = default;
};
void PrintTo(const Told& told, std::ostream* out) {
  *out << told.letters << (told.is_disputed ? " disputed" : "");
}

Told united(std::string_view base, std::string_view ours, std::string_view theirs) {
  const ArrayUnion result = unite({numbers(base), numbers(ours), numbers(theirs)}, kKey);
  Told told{"", !result.disputed.empty()};
  for (const Json& item : result.items.items()) told.letters += item["value"].text();
  return told;
}

TEST(ArrayUnion, GoesByKeyAndNeverByIndex) {
  const std::string_view key[] = {"system"};
  const auto result =
      unite({json(R"([{"system":"a","v":1},{"system":"b","v":1}])"),
             json(R"([{"system":"b","v":2},{"system":"c","v":1}])"),
             json(R"([{"system":"d","v":1},{"system":"a","v":1},{"system":"b","v":1}])")},
            key);
  EXPECT_EQ(result.disputed, "");
  EXPECT_EQ(result.items.dump(),
            R"([{"system":"d","v":1},{"system":"b","v":2},{"system":"c","v":1}])");
}

TEST(ArrayUnion, DisputesWhatBothChanged) {
  EXPECT_EQ(united("A", "B", "C"), (Told{"C", true}));
  EXPECT_EQ(united("A", "B", ""), (Told{"B", true}));
  EXPECT_EQ(united("A", "", "C"), (Told{"C", true}));
  EXPECT_EQ(united("", "B", "C"), (Told{"C", true}));
  EXPECT_EQ(united("A", "B", "A"), (Told{"B", false}));
  EXPECT_EQ(united("A", "B", "B"), (Told{"B", false}));
}

TEST(ArrayUnion, TellsItemsOfOneKeyApartByWhatTheySay) {
  // Each side removed another one.
  EXPECT_EQ(united("AB", "B", "A"), (Told{"", false}));
  EXPECT_EQ(united("AB", "CAB", "B"), (Told{"BC", false}));
  EXPECT_EQ(united("A", "AB", "CA"), (Told{"CAB", false}));
  EXPECT_EQ(united("AB", "XB", "AY"), (Told{"XY", false}));
  EXPECT_EQ(united("AB", "BA", "AB"), (Told{"AB", false}));
  EXPECT_EQ(united("AB", "XB", "YB"), (Told{"YB", true}));
  EXPECT_EQ(united("AA", "A", "AA"), (Told{"A", false}));
  EXPECT_EQ(united("A", "AA", "A"), (Told{"AA", false}));
}

TEST(ArrayUnion, WithoutAKeyAnItemIsNamedByAllItSays) {
  const auto result = unite({json(R"(["a"])"), json(R"(["a","o"])"), json(R"(["t"])")}, {});
  EXPECT_EQ(result.disputed, "");
  EXPECT_EQ(result.items.dump(), R"(["t","o"])");
}

std::map<std::string, int> counted(const Json& items) {
  std::map<std::string, int> counts;
  for (const Json& item : items.items()) ++counts[canonical_text(item)];
  return counts;
}

Json random_numbers(std::mt19937& random) {
  Json items = Json::array();
  for (unsigned left = random() % 4; left > 0; --left) {
    const char* uses[] = {"home", "work"};
    items.add(Json::object({{"use", uses[random() % 2]}, {"value", core::cat("n", random() % 3)}}));
  }
  return items;
}

TEST(ArrayUnion, TakesEveryAdditionAndEveryRemovalOfEitherSideOnce) {
  std::mt19937 random(20261123);
  for (int round = 0; round < 20'000; ++round) {
    const UnionSides sides{random_numbers(random), random_numbers(random), random_numbers(random)};
    const bool is_keyed = round % 2 == 0;
    const auto result = is_keyed ? unite(sides, kKey) : unite(sides, {});
    auto base = counted(sides.base);
    auto ours = counted(sides.ours);
    auto theirs = counted(sides.theirs);
    auto items = counted(result.items);
    SCOPED_TRACE(core::cat(sides.base.dump(), '\n', sides.ours.dump(), '\n', sides.theirs.dump(),
                           '\n', result.items.dump()));
    std::map<std::string, int> all = ours;
    all.insert(theirs.begin(), theirs.end());
    all.insert(base.begin(), base.end());
    for (const auto& [value, ignored] : all) {
      const int b = base[value];
      const int o = ours[value];
      const int t = theirs[value];
      const bool both_added = o > b && t > b;
      const bool both_removed = o < b && t < b;
      const int expected = both_added ? std::max(o, t) : both_removed ? std::min(o, t) : o + t - b;
      if (result.disputed.empty()) {
        ASSERT_EQ(items[value], expected) << value;
      } else {
        ASSERT_LE(items[value], std::max(o, t)) << value;
      }
      items.erase(value);
    }
    ASSERT_TRUE(items.empty()) << "invented";
    // Which side is which matters only for what is disputed, and for the order.
    const UnionSides swapped{sides.base, sides.theirs, sides.ours};
    const auto other = is_keyed ? unite(swapped, kKey) : unite(swapped, {});
    ASSERT_EQ(other.disputed.empty(), result.disputed.empty());
    if (result.disputed.empty()) {
      ASSERT_EQ(counted(other.items), counted(result.items));
    }
  }
}

}  // namespace
}  // namespace gateway::sync
