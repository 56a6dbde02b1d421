#include "adapters/profiles/topic_pattern.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::adapters::profiles {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kBytesMax = 1'024;

std::vector<std::string_view> levels_of(std::string_view topic) {
  std::vector<std::string_view> levels;
  while (true) {
    const auto end = topic.find('/');
    levels.push_back(topic.substr(0, end));
    if (end == topic.npos) return levels;
    topic.remove_prefix(end + 1);
  }
}

bool is_name(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == text.npos;
}

}  // namespace

core::Result<TopicPattern> TopicPattern::parse(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return core::Error(core::Code::invalid, cat("\"", text, "\" is no topic: ", why));
  };
  if (text.empty() || text.size() > kBytesMax || text.find('\0') != text.npos)
    return wrong(cat("write one of up to ", kBytesMax, " bytes"));
  TopicPattern pattern;
  for (const std::string_view level : levels_of(text)) {
    if (level.find_first_of("+#") != level.npos)
      return wrong("write {name} for a level that differs; what follows cannot be left open");
    const bool is_part = level.starts_with('{') && level.ends_with('}');
    Level one{std::string(is_part ? level.substr(1, level.size() - 2) : level), is_part};
    if (is_part ? !is_name(one.text) : level.find_first_of("{}") != level.npos)
      return wrong("a part is a whole level: {name}, in small letters");
    pattern.levels_.push_back(std::move(one));
  }
  return pattern;
}

std::string TopicPattern::filter() const {
  std::string filter;
  for (const Level& level : levels_) filter += cat('/', level.is_part ? "+" : level.text);
  return filter.substr(filter.empty() ? 0 : 1);
}

std::optional<Json> TopicPattern::match(std::string_view topic) const {
  const auto levels = levels_of(topic);
  if (levels.size() != levels_.size()) return std::nullopt;
  Json parts = Json::object();
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (levels_[i].is_part) {
      parts.set(levels_[i].text, levels[i]);
    } else if (levels_[i].text != levels[i]) {
      return std::nullopt;
    }
  }
  return parts;
}

bool TopicPattern::meets(const TopicPattern& other) const {
  return std::ranges::equal(levels_, other.levels_, [](const Level& ours, const Level& theirs) {
    return ours.is_part || theirs.is_part || ours.text == theirs.text;
  });
}

}  // namespace gateway::adapters::profiles
