#include "sync/element_groups.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "core/text.h"
#include "sync/fhir/same_content.h"

namespace gateway::sync {
namespace {

using core::Json;

constexpr std::string_view kOfMeta = "meta.";

/// The hospital's to say.
constexpr std::array<std::string_view, 3> kNotMerged = {"resourceType", "id", "meta"};

bool is_merged(std::string_view member) {
  return std::ranges::find(kNotMerged, member) == kNotMerged.end();
}

/// A primitive's extensions ("_birthDate", "meta._profile") belong to its element.
std::string element_of(std::string_view member) {
  const bool is_of_meta = member.starts_with(kOfMeta);
  std::string_view name = is_of_meta ? member.substr(kOfMeta.size()) : member;
  if (name.starts_with('_')) name.remove_prefix(1);
  return core::cat(is_of_meta ? kOfMeta : "", name);
}

}  // namespace

Json as_elements(const Json& resource) {
  if (!resource.is_object()) return resource;
  Json elements = Json::object();
  for (const auto& [member, value] : resource.members()) {
    if (member == "text" && !has_own_narrative(resource)) continue;
    if (member != "meta") {
      elements.set(member, value);
      continue;
    }
    Json servers = Json::object();  // holds meta's place even where it is empty
    for (const auto& [inner, said] : value.members()) {
      if (is_servers_own(inner)) servers.append_member(inner, said);
    }
    elements.set("meta", std::move(servers));
    for (const auto& [inner, said] : value.members()) {
      if (!is_servers_own(inner)) elements.set(core::cat(kOfMeta, inner), said);
    }
  }
  return elements;
}

Json as_resource(const Json& elements) {
  if (!elements.is_object()) return elements;
  Json meta = elements["meta"].is_object() ? elements["meta"] : Json::object();
  for (const auto& [member, value] : elements.members()) {
    if (member.starts_with(kOfMeta)) meta.set(member.substr(kOfMeta.size()), value);
  }
  Json resource = Json::object();
  bool is_placed = meta.size() == 0;
  for (const auto& [member, value] : elements.members()) {
    if (member != "meta" && !member.starts_with(kOfMeta)) {
      resource.append_member(member, value);
    } else if (!std::exchange(is_placed, true)) {
      resource.append_member("meta", meta);
    }
  }
  return resource;
}

std::vector<Group> groups_of(std::string_view type, const MergePolicy& policy,
                             const std::vector<const Json*>& versions) {
  std::vector<Group> groups;
  std::map<std::string, std::size_t, std::less<>> by_name;
  for (const Json* version : versions) {
    for (const auto& [member, value] : version->members()) {
      if (!is_merged(member)) continue;
      const std::string element = element_of(member);
      const ElementGroup* row = policy.group_of(type, element);
      std::string name = row ? std::string(row->name) : element;
      const auto [at, fresh] = by_name.emplace(name, groups.size());
      if (fresh) groups.push_back({std::move(name), row, {}});
      groups[at->second].members.insert(member);
    }
  }
  return groups;
}

Json part(const Json& elements, const Group& group) {
  Json some = Json::object();
  for (const auto& [member, value] : elements.members()) {
    if (group.members.contains(member)) some.append_member(member, value);
  }
  return some;
}

Json with_part(const Json& elements, const std::set<std::string>& members, const Json& part) {
  Json replaced = Json::object();
  std::set<std::string_view> placed;
  for (const auto& [member, value] : elements.members()) {
    if (!members.contains(member)) {
      replaced.append_member(member, value);
    } else if (const Json& now = part[std::string_view(member)]; !now.is_null()) {
      replaced.append_member(member, now);
      placed.insert(member);
    }
  }
  for (const auto& [member, value] : part.members()) {
    if (!placed.contains(member)) replaced.append_member(member, value);
  }
  return replaced;
}

}  // namespace gateway::sync
