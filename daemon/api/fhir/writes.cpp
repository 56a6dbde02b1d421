#include "core/ids.h"
#include "core/text.h"
#include "daemon/api/fhir/interactions.h"
#include "daemon/api/fhir/references.h"
#include "sync/fhir/json_patch.h"
#include "sync/fhir/resource_rules.h"
#include "sync/search.h"

namespace gateway::daemon::fhir {
namespace {

using core::cat;
using core::Json;

FhirResponse written(Desk& desk, const sync::ResourceKey& key, std::int64_t version, int status) {
  FhirResponse response;
  response.status = status;
  response.version = version;
  response.location = cat(key.text(), "/_history/", version);
  const auto newest = sync::read_newest(desk.connection, key);
  if (newest.ok() && *newest) response.at = (*newest)->at;
  return response;
}

/// The answer to a write as the client wants it.
FhirResponse answered(Desk& desk, const FhirRequest& request, const sync::ResourceKey& key,
                      std::int64_t version, int status, std::string_view done) {
  FhirResponse response = written(desk, key, version, status);
  const Want want = request.want.value_or(Want::representation);
  if (want == Want::outcome) {
    response.body = outcome("information", "informational", done);
  } else if (want == Want::representation) {
    auto held = sync::read_resource(desk.connection, key);
    if (!held.ok()) return refusal_of(held.error());
    response.body = shown(std::move((*held)->body), version, response.at);
  }
  return response;
}

FhirResponse store(Desk& desk, const FhirRequest& request, const sync::ResourceKey& key,
                   const Json& body, std::string_view action, int status) {
  const auto version = sync::store_edit(desk.connection, desk.editing, key, body, action);
  if (!version.ok()) return refusal_of(version.error());
  return answered(desk, request, key, *version, status, cat(action, " done"));
}

/// What a conditional create finds; a client that may not read learns only that it is there.
FhirResponse found_instead(Desk& desk, FhirRequest request, const sync::ResourceKey& key) {
  const auto newest = sync::read_newest(desk.connection, key);
  if (!newest.ok()) return refusal_of(newest.error());
  if (!desk.client.may('r', key.type)) request.want = Want::minimal;
  return answered(desk, request, key, (*newest)->version, 200, "it exists already");
}

/// The resource with its id where FHIR's examples have it: after resourceType.
Json with_id(const Json& resource, const std::string& id) {
  if (resource["id"].text() == id) return resource;
  Json out = Json::object();
  for (const auto& [name, value] : resource.members()) {
    if (name != "id") out.append_member(name, value);
    if (name == "resourceType") out.append_member("id", id);
  }
  return out;
}

FhirResponse not_held(const std::string& place) {
  return refusal(404, "not-found", cat(place, " is not held here"));
}

/// If-Match and If-None-Match against what is held.
std::optional<FhirResponse> refuse_stale(const FhirRequest& request,
                                         const std::optional<sync::VersionFacts>& newest) {
  const bool held = newest && !newest->deleted;
  if (held && read_tags(request.if_none_match).names(newest->version)) {
    return refusal(412, "conflict",
                   cat("version ", newest->version, " is held, and If-None-Match wants it not to"));
  }
  if (request.if_match.empty()) return std::nullopt;
  const NamedVersions wanted = read_tags(request.if_match);
  if (!wanted.any && wanted.versions.empty())
    return refusal(400, "invalid", "If-Match must be a version, W/\"3\", or *");
  if (held && wanted.names(newest->version)) return std::nullopt;
  if (wanted.any)
    return refusal(412, "conflict", "nothing is held there, and If-Match: * wants something to be");
  return refusal(412, "conflict",
                 cat("it was changed meanwhile: version ", held ? newest->version : 0,
                     " is held, If-Match names ", wanted.versions[0], "; read it and edit that"));
}

/// What an update or patch works on, by id or by the condition in the query.
struct Target {
  sync::ResourceKey key;
  std::optional<sync::VersionFacts> newest;
  std::optional<FhirResponse> refused;
};

Target find_target(Desk& desk, const FhirRequest& request, const Interaction& what) {
  Target target{{what.type, what.id}, std::nullopt, std::nullopt};
  if (what.id.empty()) {
    Matched matched = match_one(desk, what.type, request.query);
    if (matched.refused) {
      target.refused = std::move(matched.refused);
      return target;
    }
    target.key.id = matched.id;
    if (matched.id.empty()) return target;
  }
  auto newest = sync::read_newest(desk.connection, target.key);
  if (!newest.ok()) {
    target.refused = refusal_of(newest.error());
    return target;
  }
  target.newest = *newest;
  target.refused = refuse_stale(request, target.newest);
  return target;
}

/// A condition that fits none makes a new resource, and never one that somebody else holds by its
/// id.
std::optional<FhirResponse> refuse_unfound(Desk& desk, const FhirRequest& request,
                                           const sync::ResourceKey& wanted) {
  if (auto refused = refuse_stale(request, std::nullopt)) return refused;
  if (wanted.id.empty()) return std::nullopt;
  const auto newest = sync::read_newest(desk.connection, wanted);
  if (!newest.ok()) return refusal_of(newest.error());
  if (!*newest) return std::nullopt;
  return refusal(409, "conflict",
                 cat("the condition fits none, but ", wanted.text(),
                     " is held, or was; update it by its id, or leave the id out"));
}

std::optional<FhirResponse> refuse_body(const std::string& type, const Json& body) {
  const auto good = sync::check_resource(type, body);
  if (good.ok()) return std::nullopt;
  return refusal(422, "invariant", good.error().message());
}

/// Rules that need the version before.
std::optional<FhirResponse> refuse_change(Desk& desk, const sync::ResourceKey& key,
                                          const Json& after) {
  auto held = sync::read_resource(desk.connection, key);
  if (!held.ok()) return refusal_of(held.error());
  if (!*held) return std::nullopt;
  const auto good = sync::check_transition(key.type, (*held)->body, after);
  if (good.ok()) return std::nullopt;
  return refusal_of(good.error());
}

}  // namespace

FhirResponse answer_create(Desk& desk, const FhirRequest& request, const std::string& type) {
  const Json body = without_own_base(request.body, desk.base);
  if (auto refused = refuse_body(type, body)) return std::move(*refused);
  if (!request.query.empty()) {
    return refusal(400, "invalid", "a condition for a create goes into If-None-Exist, not the URL");
  }
  if (!request.if_none_exist.empty()) {
    auto condition = condition_of(request.if_none_exist);
    if (!condition.ok()) return refusal_of(condition.error());
    Matched matched = match_one(desk, type, *condition);
    if (matched.refused) return std::move(*matched.refused);
    if (!matched.id.empty()) return found_instead(desk, request, {type, matched.id});
  }
  const sync::ResourceKey key{
      type, request.new_id.empty() ? core::new_uuid(desk.editing.clock) : request.new_id};
  return store(desk, request, key, with_id(body, key.id), "create", 201);
}

FhirResponse answer_update(Desk& desk, const FhirRequest& request, const Interaction& what) {
  const Json body = without_own_base(request.body, desk.base);
  if (auto refused = refuse_body(what.type, body)) return std::move(*refused);
  const std::string given(body["id"].text());
  if (!what.id.empty() && given != what.id) {
    return refusal(400, "invalid", cat("the resource's id must be that of the URL, ", what.id));
  }
  Target target = find_target(desk, request, what);
  if (target.refused) return std::move(*target.refused);
  if (target.key.id.empty()) {
    if (auto refused = refuse_unfound(desk, request, {what.type, given}))
      return std::move(*refused);
    target.key.id = given.empty() ? request.new_id : given;
  }
  if (target.key.id.empty()) target.key.id = core::new_uuid(desk.editing.clock);
  if (!given.empty() && given != target.key.id) {
    return refusal(400, "invalid", "the resource's id is not that of the one the condition fits");
  }
  const bool creates = !target.newest || target.newest->deleted;
  if (creates) {
    if (auto refused = refuse_without_scope(desk.client, 'c', what.type))
      return std::move(*refused);
  }
  if (auto refused = refuse_change(desk, target.key, body)) return std::move(*refused);
  return store(desk, request, target.key, with_id(body, target.key.id), "update",
               creates ? 201 : 200);
}

FhirResponse answer_patch(Desk& desk, const FhirRequest& request, const Interaction& what) {
  Target target = find_target(desk, request, what);
  if (target.newest && target.newest->deleted) return was_deleted(target.key, *target.newest);
  if (target.refused) return std::move(*target.refused);
  if (!target.newest) return not_held(cat(what.type, "/", what.id));
  auto held = sync::read_resource(desk.connection, target.key);
  if (!held.ok()) return refusal_of(held.error());
  // To what the client has read.
  auto patched = sync::apply_json_patch(shown((*held)->body, (*held)->version, target.newest->at),
                                        request.body);
  if (!patched.ok()) return refusal_of(patched.error());
  *patched = without_own_base(*patched, desk.base);
  if (auto refused = refuse_body(what.type, *patched)) return std::move(*refused);
  if ((*patched)["id"].text() != target.key.id)
    return refusal(422, "business-rule", "a patch must not change the id");
  const auto good = sync::check_transition(what.type, (*held)->body, *patched);
  if (!good.ok()) return refusal_of(good.error());
  FhirRequest told = request;
  if (!desk.client.may('r', what.type)) told.want = Want::minimal;
  return store(desk, told, target.key, *patched, "patch", 200);
}

std::optional<FhirResponse> refuse_referred(Desk& desk, const std::string& reference) {
  auto referrers = sync::find_referrers(desk.connection, reference, 1);
  if (!referrers.ok()) return refusal_of(referrers.error());
  if (referrers->empty()) return std::nullopt;
  return refusal(409, "conflict",
                 cat("others refer to it, such as ", referrers->front(),
                     "; change or delete these first, or mark it entered-in-error"));
}

FhirResponse answer_remove(Desk& desk, const FhirRequest& request, const Interaction& what) {
  Target target = find_target(desk, request, what);
  if (target.refused) return std::move(*target.refused);
  FhirResponse nothing;
  nothing.status = 204;
  if (!target.newest || target.newest->deleted) {
    if (target.newest) nothing.version = target.newest->version;
    return nothing;
  }
  if (desk.keeps_referred) {
    if (auto refused = refuse_referred(desk, target.key.text())) return std::move(*refused);
  }
  const auto version = sync::store_removal(desk.connection, desk.editing, target.key);
  if (!version.ok()) return refusal_of(version.error());
  nothing.version = *version;
  return nothing;
}

}  // namespace gateway::daemon::fhir
