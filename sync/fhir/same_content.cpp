#include "sync/fhir/same_content.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"

namespace gateway::sync {

using core::Json;

namespace {

/// What names each label or tag. A server may store them in any order, each once, with the display
/// it knows for the code.
Json names_of(const Json& labels) {
  std::set<std::string> names;
  for (const Json& label : labels.items()) {
    const bool is_coded = !label["code"].text().empty();
    names.insert(is_coded ? core::cat(label["system"].text(), '|', label["code"].text())
                          : canonical_text(label));
  }
  Json sorted = Json::array();
  for (const std::string& name : names) sorted.add(name);
  return sorted;
}

Json counted_meta(const Json& meta) {
  Json counted = Json::object();
  for (const auto& [member, value] : meta.members()) {
    if (is_servers_own(member)) continue;
    const bool is_set = member == "security" || member == "tag" || member == "profile";
    Json said = is_set ? names_of(value) : value;
    if (!is_set || said.size() > 0) counted.append_member(member, std::move(said));
  }
  return counted;
}

}  // namespace

bool is_servers_own(std::string_view meta_member) {
  return meta_member == "versionId" || meta_member == "lastUpdated" || meta_member == "source";
}

bool has_own_narrative(const Json& resource) {
  return resource["text"]["status"].text() == "additional";
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
    return member != "meta" && (member != "text" || has_own_narrative(resource));
  };
  const auto counted = [&](const Json& resource) {
    return std::ranges::count_if(resource.members(), [&](const Json::Member& member) {
      return counts(resource, member.first);
    });
  };
  return counted(a) == counted(b) && same_value(counted_meta(a["meta"]), counted_meta(b["meta"])) &&
         std::ranges::all_of(a.members(), [&](const Json::Member& member) {
           const std::string_view name = member.first;
           return !counts(a, name) || (counts(b, name) && same_value(member.second, b[name]));
         });
}

}  // namespace gateway::sync
