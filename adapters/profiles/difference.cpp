#include "adapters/profiles/difference.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::adapters::profiles {
namespace {

using core::cat;
using core::Json;

void compare(const std::string& place, const Json& expected, const Json& actual,
             std::vector<std::string>& lines) {
  if (expected.is_object() && actual.is_object()) {
    for (const auto& [member, value] : expected.members())
      compare(cat(place, place.empty() ? "" : ".", member), value, actual[std::string_view(member)],
              lines);
    for (const auto& [member, value] : actual.members()) {
      if (expected[std::string_view(member)].is_null())
        lines.push_back(
            cat(place, place.empty() ? "" : ".", member, ": not expected, came ", value.dump()));
    }
    return;
  }
  if (expected.is_array() && actual.is_array()) {
    for (std::size_t i = 0; i < std::max(expected.size(), actual.size()); ++i)
      compare(cat(place, '[', i, ']'), expected[i], actual[i], lines);
    return;
  }
  if (expected == actual) return;
  lines.push_back(cat(place, ": expected ", expected.is_null() ? "nothing" : expected.dump(),
                      ", came ", actual.is_null() ? "nothing" : actual.dump()));
}

void write(const Json& value, const std::string& indent, std::string& out) {
  const std::string inner = indent + "  ";
  const bool is_list = value.is_array() && value.size() > 0;
  const bool is_object = value.is_object() && value.size() > 0;
  if (!is_list && !is_object) {
    out += value.dump();
    return;
  }
  out += is_list ? "[" : "{";
  bool is_first = true;
  const auto next = [&] {
    out += cat(is_first ? "\n" : ",\n", inner);
    is_first = false;
  };
  for (const Json& item : value.items()) {
    next();
    write(item, inner, out);
  }
  for (const auto& [member, item] : value.members()) {
    next();
    out += cat(Json(member).dump(), ": ");
    write(item, inner, out);
  }
  out += cat("\n", indent, is_list ? "]" : "}");
}

}  // namespace

std::vector<std::string> difference(const Json& expected, const Json& actual) {
  std::vector<std::string> lines;
  compare("", expected, actual, lines);
  return lines;
}

std::string pretty(const Json& value) {
  std::string out;
  write(value, "", out);
  return out + "\n";
}

}  // namespace gateway::adapters::profiles
