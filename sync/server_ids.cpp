#include "sync/server_ids.h"

#include <algorithm>
#include <array>

#include "core/net/http.h"
#include "core/text.h"
#include "sync/reference_order.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Json;
using crypto::Connection;

/// R4 types whose identifier is missing or a single one.
bool is_marked_by_tag(std::string_view type) {
  constexpr std::array<std::string_view, 9> kTypes = {
      "AuditEvent",  "Binary",     "Bundle",     "Composition",
      "Linkage",     "Parameters", "Provenance", "QuestionnaireResponse",
      "Subscription"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}

bool is_mark(const Json& identifier_or_tag) {
  return identifier_or_tag["system"].text() == kMarkSystem;
}

/// The id of ours that a resource just read is marked with; empty: none.
std::string marked_id(const Json& resource) {
  for (const Json& identifier : resource["identifier"].items())
    if (is_mark(identifier)) return std::string(identifier["value"].text());
  for (const Json& tag : resource["meta"]["tag"].items())
    if (is_mark(tag)) return std::string(tag["code"].text());
  return {};
}

/// A list of what stands there, also where somebody entered one thing without a list around it.
Json as_list(const Json& held) {
  if (held.is_array()) return held;
  return held.is_null() ? Json::array() : Json::array({held});
}

Json marked(Json body, const ResourceKey& ours) {
  if (is_marked_by_tag(ours.type)) {
    Json meta = body["meta"].is_object() ? body["meta"] : Json::object();
    Json tags = as_list(meta["tag"]);
    tags.add(Json::object({{"system", kMarkSystem}, {"code", ours.id}}));
    meta.set("tag", std::move(tags));
    body.set("meta", std::move(meta));
    return body;
  }
  Json identifiers = as_list(body["identifier"]);
  identifiers.add(Json::object({{"system", kMarkSystem}, {"value", ours.id}}));
  body.set("identifier", std::move(identifiers));
  return body;
}

Json without_marks(const Json& items) {
  Json kept = Json::array();
  for (const Json& item : items.items())
    if (!is_mark(item)) kept.add(item);
  return kept;
}

void set_or_erase(Json& object, std::string_view member, Json value) {
  if (value.size() > 0) {
    object.set(member, std::move(value));
  } else {
    object.erase(member);
  }
}

void unmark(Json& resource) {
  if (std::ranges::any_of(resource["identifier"].items(), is_mark))
    set_or_erase(resource, "identifier", without_marks(resource["identifier"]));
  if (std::ranges::any_of(resource["meta"]["tag"].items(), is_mark)) {
    Json meta = resource["meta"];
    set_or_erase(meta, "tag", without_marks(meta["tag"]));
    set_or_erase(resource, "meta", std::move(meta));
  }
}

std::string named_otherwise(std::string_view reference, const ServerNames& names) {
  for (const auto& [from, to] : names) {
    const std::string_view rest = reference.substr(std::min(from.size(), reference.size()));
    if (reference.starts_with(from) && (rest.empty() || rest.front() == '/')) return cat(to, rest);
  }
  return std::string(reference);
}

/// Notes what a marked resource stands for, where that is one of ours and not known yet.
core::Status adopt_marked(Connection& connection, std::string_view uplink, const Json& resource) {
  const ResourceKey ours{std::string(resource["resourceType"].text()), marked_id(resource)};
  if (ours.id.empty() || ours.id == resource["id"].text()) return {};
  GW_TRY(const bool is_ours, was_made_here(connection, ours));
  if (!is_ours) return {};
  GW_TRY(const std::string known, server_id_of(connection, uplink, ours));
  return known.empty() ? put_server_id(connection, uplink, ours, resource["id"].text())
                       : core::Status();
}

}  // namespace

core::Result<bool> has_server_ids(Connection& connection, std::string_view uplink) {
  GW_TRY(const auto any,
         connection.integer("SELECT 1 FROM server_id WHERE uplink = ? LIMIT 1", uplink));
  return any.has_value();
}

core::Result<std::string> server_id_of(Connection& connection, std::string_view uplink,
                                       const ResourceKey& ours) {
  GW_TRY(auto id, connection.text("SELECT server_id FROM server_id WHERE uplink = ? AND type = ?"
                                  " AND id = ?",
                                  uplink, ours.type, ours.id));
  return id.value_or("");
}

core::Result<ResourceKey> our_key_of(Connection& connection, std::string_view uplink,
                                     const ResourceKey& theirs) {
  GW_TRY(auto id, connection.text("SELECT id FROM server_id WHERE uplink = ? AND type = ?"
                                  " AND server_id = ?",
                                  uplink, theirs.type, theirs.id));
  return ResourceKey{theirs.type, id.value_or(theirs.id)};
}

core::Status put_server_id(Connection& connection, std::string_view uplink, const ResourceKey& ours,
                           std::string_view server_id) {
  return connection.run(
      "INSERT INTO server_id (uplink, type, id, server_id) VALUES (?, ?, ?, ?)"
      " ON CONFLICT (uplink, type, id) DO UPDATE SET server_id = excluded.server_id",
      uplink, ours.type, ours.id, server_id);
}

core::Result<ServerNames> names_there(Connection& connection, std::string_view uplink,
                                      const Json& body) {
  ServerNames names;
  GW_TRY(const bool any, has_server_ids(connection, uplink));
  if (!any) return names;
  for (const ResourceKey& target : references_of(body)) {
    GW_TRY(const std::string id, server_id_of(connection, uplink, target));
    if (!id.empty()) names.emplace_back(target.text(), cat(target.type, '/', id));
  }
  return names;
}

bool carries_mark(const Json& resource, const ResourceKey& ours) {
  return resource["resourceType"].text() == ours.type && marked_id(resource) == ours.id;
}

std::string mark_query(const ResourceKey& ours) {
  return cat(is_marked_by_tag(ours.type) ? "_tag=" : "identifier=",
             core::net::url_encode(cat(kMarkSystem, '|', ours.id)));
}

Json with_names(const Json& body, const ServerNames& names) {
  if (body.is_array()) {
    Json out = Json::array();
    for (const Json& item : body.items()) out.add(with_names(item, names));
    return out;
  }
  if (names.empty() || !body.is_object()) return body;
  Json out = Json::object();
  for (const auto& [member, inner] : body.members()) {
    if (member == "reference" && inner.is_string()) {
      out.append_member(member, named_otherwise(inner.text(), names));
    } else {
      out.append_member(member, member == "contained" ? inner : with_names(inner, names));
    }
  }
  return out;
}

Json as_marked(Json body, const ResourceKey& ours, std::string_view server_id) {
  Json out = marked(std::move(body), ours);
  if (server_id.empty()) {
    out.erase("id");
  } else {
    out.set("id", server_id);
  }
  return out;
}

core::Status to_our_ids(Connection& connection, std::string_view uplink, Json& resource) {
  GW_CHECK(adopt_marked(connection, uplink, resource));
  GW_TRY(const bool any, has_server_ids(connection, uplink));
  if (!any) return {};
  ServerNames names;
  for (const ResourceKey& target : references_of(resource)) {
    GW_TRY(const ResourceKey ours, our_key_of(connection, uplink, target));
    if (ours.id != target.id) names.emplace_back(target.text(), ours.text());
  }
  if (!names.empty()) resource = with_names(resource, names);
  const ResourceKey theirs{std::string(resource["resourceType"].text()),
                           std::string(resource["id"].text())};
  GW_TRY(const ResourceKey ours, our_key_of(connection, uplink, theirs));
  if (ours.id == theirs.id) return {};
  unmark(resource);
  resource.set("id", ours.id);
  return {};
}

core::Result<bool> refers_to_unnamed(Connection& connection, std::string_view uplink,
                                     const Json& resource) {
  for (const ResourceKey& target : references_of(resource)) {
    GW_TRY(const auto held, connection.integer("SELECT 1 FROM resource WHERE type = ? AND id = ?",
                                               target.type, target.id));
    if (held) continue;
    // '0' is the character behind '/': every subject of the type.
    GW_TRY(const auto creation,
           connection.integer(
               "SELECT 1 FROM outbox o WHERE o.kind = 'resource' AND o.subject > ? || '/'"
               " AND o.subject < ? || '0' AND o.uplink = ? AND (o.state = 'sending'"
               " OR o.perhaps_sent = 1) AND NOT EXISTS (SELECT 1 FROM server_id s"
               " WHERE s.uplink = o.uplink AND s.type = ?1"
               " AND s.id = substr(o.subject, length(?1) + 2)) AND NOT EXISTS (SELECT 1"
               " FROM resource_base b WHERE b.uplink = o.uplink AND b.type = ?1"
               " AND b.id = substr(o.subject, length(?1) + 2)) LIMIT 1",
               target.type, target.type, uplink));
    if (creation) return true;
  }
  return false;
}

}  // namespace gateway::sync
