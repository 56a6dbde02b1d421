// Where a device speaks at an MQTT broker: levels divided by "/", each one's text or a named part
// that stands for one level: "coldchain/{room}/{fridge}". What a part stood for is $topic.fridge in
// the profile's paths. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace gateway::adapters::profiles {

class TopicPattern {
 public:
  /// Code::invalid says what is wrong with the text.
  static core::Result<TopicPattern> parse(std::string_view text);

  bool empty() const { return levels_.empty(); }
  /// MQTT 3.1.1, 4.7.1: "coldchain/+/+".
  std::string filter() const;
  /// {"room":"pharmacy",...}; nothing: the topic is another.
  std::optional<core::Json> match(std::string_view topic) const;
  /// Some topic fits both.
  bool meets(const TopicPattern& other) const;

 private:
  struct Level {
    std::string text;
    bool is_part = false;  // `text` is its name
  };
  std::vector<Level> levels_;
};

}  // namespace gateway::adapters::profiles
