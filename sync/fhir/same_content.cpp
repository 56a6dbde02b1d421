#include "sync/fhir/same_content.h"

#include <algorithm>
#include <map>

#include "core/text.h"

namespace gateway::sync {

using core::Json;

Json without_meta(Json resource) {
  resource.erase("meta");
  return resource;
}

bool same_value(const Json& a, const Json& b) {
  if (a.is_object() && b.is_object()) {
    return a.size() == b.size() &&
           std::all_of(a.members().begin(), a.members().end(), [&](const Json::Member& member) {
             return same_value(member.second, b[std::string_view(member.first)]);
           });
  }
  if (a.is_array() && b.is_array()) {
    return a.size() == b.size() &&
           std::equal(a.items().begin(), a.items().end(), b.items().begin(), same_value);
  }
  return a == b;
}

std::string canonical_text(const Json& value) {
  if (value.is_object()) {
    std::map<std::string_view, const Json*> sorted;
    for (const auto& [member, inner] : value.members()) sorted.emplace(member, &inner);
    std::string text = "{";
    for (const auto& [member, inner] : sorted)
      text += core::cat(Json(member).dump(), ':', canonical_text(*inner), ',');
    return text + '}';
  }
  if (value.is_array()) {
    std::string text = "[";
    for (const Json& item : value.items()) text += canonical_text(item) + ',';
    return text + ']';
  }
  return value.dump();
}

bool same_content(const Json& a, const Json& b) {
  if (!a.is_object() || !b.is_object()) return same_value(a, b);
  const auto counts = [](const Json& resource, std::string_view member) {
    // A server may generate the narrative; it says nothing the elements do not say.
    return member != "meta" &&
           (member != "text" || resource["text"]["status"].text() == "additional");
  };
  const auto counted = [&](const Json& resource) {
    return std::ranges::count_if(resource.members(), [&](const Json::Member& member) {
      return counts(resource, member.first);
    });
  };
  return counted(a) == counted(b) &&
         std::ranges::all_of(a.members(), [&](const Json::Member& member) {
           const std::string_view name = member.first;
           return !counts(a, name) || (counts(b, name) && same_value(member.second, b[name]));
         });
}

}  // namespace gateway::sync
