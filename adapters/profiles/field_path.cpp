#include "adapters/profiles/field_path.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace gateway::adapters::profiles {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kFoundMax = 10'000;
constexpr std::size_t kStepsMax = 16;

/// Several are an array, one stands alone: both are a list.
void flatten(const Json& value, std::vector<const Json*>& out) {
  if (value.is_null() || out.size() >= kFoundMax) return;
  if (!value.is_array()) return out.push_back(&value);
  for (const Json& item : value.items()) flatten(item, out);
}

}  // namespace

std::string text_of(const Json& value) {
  if (value.is_number()) return value.number_text();
  if (value.is_bool()) return value.boolean() ? "true" : "false";
  if (value.is_object()) return std::string(core::trim(value["#text"].text()));
  return std::string(core::trim(value.text()));
}

/// NAME, NAME[*], NAME[3], NAME[MEMBER=VALUE].
core::Status FieldPath::take_step(std::string_view& rest, Step& step) {
  const auto end = rest.find_first_of(".[");
  step.name = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end);
  if (step.name.empty()) return core::Error(core::Code::invalid, "a name is empty");
  if (!rest.starts_with('[')) return {};
  const auto close = rest.find(']');
  if (close == rest.npos) return core::Error(core::Code::invalid, "a [ has no ]");
  const std::string_view inside = rest.substr(1, close - 1);
  rest.remove_prefix(close + 1);
  if (inside == "*") return {};
  if (const auto equals = inside.find('='); equals != inside.npos && equals > 0) {
    step.test = inside.substr(0, equals);
    step.value = inside.substr(equals + 1);
    return {};
  }
  std::size_t index = 0;
  const auto [stop, code] = std::from_chars(inside.data(), inside.data() + inside.size(), index);
  if (code != std::errc() || stop != inside.data() + inside.size())
    return core::Error(core::Code::invalid,
                       cat("[", inside, "] is no place; write [*], [0] or ", "[name=value]"));
  step.index = index;
  return {};
}

core::Result<FieldPath> FieldPath::parse(std::string_view text) {
  FieldPath path;
  std::string_view rest = core::trim(text);
  if (rest.starts_with('/')) path.origin_ = Origin::whole;
  if (rest.starts_with('$')) path.origin_ = Origin::context;
  if (path.origin_ != Origin::row) rest.remove_prefix(1);
  while (true) {
    Step step;
    if (auto taken = take_step(rest, step); !taken.ok())
      return core::Error(core::Code::invalid,
                         cat("\"", text, "\" is no path: ", taken.error().message()));
    path.steps_.push_back(std::move(step));
    if (rest.empty()) return path;
    if (rest[0] != '.' || path.steps_.size() == kStepsMax)
      return core::Error(core::Code::invalid, cat("\"", text, "\" is no path"));
    rest.remove_prefix(1);
  }
}

/// What stands behind the first `steps` of them.
std::vector<const Json*> FieldPath::walk(const FieldRow& in, std::size_t steps) const {
  const Json* begin = origin_ == Origin::row     ? in.row
                      : origin_ == Origin::whole ? in.whole
                                                 : in.context;
  std::vector<const Json*> found;
  if (begin == nullptr || steps_.empty()) return found;
  flatten(*begin, found);
  for (std::size_t i = 0; i < steps; ++i) {
    const Step& step = steps_[i];
    std::vector<const Json*> next;
    for (const Json* value : found) flatten((*value)[step.name], next);
    if (!step.test.empty())
      std::erase_if(next,
                    [&](const Json* one) { return text_of((*one)[step.test]) != step.value; });
    if (step.index)
      next =
          *step.index < next.size() ? std::vector{next[*step.index]} : std::vector<const Json*>();
    found = std::move(next);
  }
  return found;
}

std::vector<const Json*> FieldPath::find(const FieldRow& in) const {
  return walk(in, steps_.size());
}

bool FieldPath::is_null(const FieldRow& in) const {
  if (steps_.empty()) return false;
  const auto holders = walk(in, steps_.size() - 1);
  return std::ranges::any_of(holders, [&](const Json* holder) {
    return std::ranges::any_of(holder->members(), [&](const Json::Member& member) {
      return member.first == steps_.back().name && member.second.is_null();
    });
  });
}

std::string FieldPath::text(const FieldRow& in) const {
  const auto found = find(in);
  return found.empty() ? std::string() : text_of(*found[0]);
}

}  // namespace gateway::adapters::profiles
