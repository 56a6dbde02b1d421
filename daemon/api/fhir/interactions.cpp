#include "daemon/api/fhir/interactions.h"

#include <algorithm>

#include "core/text.h"
#include "sync/fhir/resource_rules.h"
#include "sync/search_params.h"

namespace gateway::daemon::fhir {
namespace {

using core::cat;
using core::Code;
using core::Error;

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const auto slash = path.find('/');
    segments.emplace_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return segments;
}

bool is_served(std::string_view type) {
  const auto& types = sync::searchable_types();
  return std::find(types.begin(), types.end(), type) != types.end();
}

Error not_with(const std::string& method) {
  return {Code::invalid, cat("this place does not answer ", method)};
}

core::Result<Interaction> of_type(const std::string& method, Interaction what) {
  if (method == "GET") {
    what.kind = Kind::search;
  } else if (method == "POST") {
    what.kind = Kind::create;
  } else if (method == "PUT") {
    what.kind = Kind::update;
  } else if (method == "PATCH") {
    what.kind = Kind::patch;
  } else if (method == "DELETE") {
    what.kind = Kind::remove;
  } else {
    return not_with(method);
  }
  return what;
}

core::Result<Interaction> of_instance(const std::string& method, Interaction what) {
  if (method == "POST") return not_with(method);
  if (method == "GET") {
    what.kind = Kind::read;
    return what;
  }
  return of_type(method, std::move(what));
}

core::Result<Interaction> of_history(const std::string& method,
                                     const std::vector<std::string>& segments, Interaction what) {
  if (method != "GET") return not_with(method);
  what.kind = segments.size() == 4   ? Kind::vread
              : segments.size() == 3 ? Kind::history_instance
                                     : Kind::history_type;
  if (what.kind == Kind::vread) what.version = segments[3];
  return what;
}

core::Result<Interaction> of_system(const std::string& method, const std::string& name) {
  Interaction what;
  if (name.empty()) {
    what.kind = Kind::bundle;
    if (method != "POST") return not_with(method);
    return what;
  }
  if (method != "GET") return not_with(method);
  what.kind = name == "metadata" ? Kind::capabilities : Kind::history_system;
  return what;
}

char letter_of(Kind kind) {
  switch (kind) {
    case Kind::search:
      return 's';
    case Kind::create:
      return 'c';
    case Kind::update:
    case Kind::patch:
      return 'u';
    case Kind::remove:
      return 'd';
    default:
      return 'r';
  }
}

}  // namespace

core::Result<Interaction> interaction_of(const FhirRequest& request) {
  const auto segments = segments_of(request.path);
  // HEAD is GET whose body stays behind.
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  if (segments.empty()) return of_system(method, "");
  if (segments.size() == 1 && (segments[0] == "metadata" || segments[0] == "_history"))
    return of_system(method, segments[0]);
  if (!is_served(segments[0])) {
    return Error(Code::not_found, cat("this server has no resources of that type; see /metadata"));
  }
  Interaction what;
  what.type = segments[0];
  if (segments.size() == 1) return of_type(method, std::move(what));
  if (segments.size() == 2 && segments[1] == "_search") {
    if (method != "POST") return not_with(method);
    what.kind = Kind::search;
    return what;
  }
  if (segments.size() == 2 && segments[1] == "_history")
    return of_history(method, segments, std::move(what));
  if (!sync::is_resource_id(segments[1])) {
    return Error(Code::not_found, "an id is 1 to 64 of A-Z, a-z, 0-9, - and .");
  }
  what.id = segments[1];
  if (segments.size() == 2) return of_instance(method, std::move(what));
  if (segments[2] != "_history" || segments.size() > 4)
    return Error(Code::not_found, "there is nothing at this place");
  return of_history(method, segments, std::move(what));
}

std::string allowed_methods(FhirRequest request) {
  std::string allowed;
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}) {
    request.method = method;
    if (interaction_of(request).ok()) allowed += cat(allowed.empty() ? "" : ", ", method);
  }
  return allowed;
}

std::optional<FhirResponse> refuse_without_scope(const ApiClient& client, char what,
                                                 std::string_view type) {
  if (client.may(what, type)) return std::nullopt;
  return refusal(403, "forbidden",
                 cat("client ", client.name, " has no scope system/", type, ".", what,
                     "; whoever runs the gateway can add it"));
}

std::optional<FhirResponse> refuse_interaction(const ApiClient& client, const Interaction& what) {
  if (what.kind == Kind::capabilities || what.kind == Kind::bundle) return std::nullopt;
  const std::string_view type = what.type.empty() ? std::string_view("*") : what.type;
  return refuse_without_scope(client, letter_of(what.kind), type);
}

FhirResponse perform(Desk& desk, const FhirRequest& request, const Interaction& what) {
  if (auto refused = refuse_interaction(desk.client, what)) return std::move(*refused);
  switch (what.kind) {
    case Kind::read:
      return answer_read(desk, request, what);
    case Kind::vread:
      return answer_vread(desk, what);
    case Kind::history_instance:
    case Kind::history_type:
    case Kind::history_system:
      return answer_history(desk, request, what);
    case Kind::search:
      return answer_search(desk, request, what.type);
    case Kind::create:
      return answer_create(desk, request, what.type);
    case Kind::update:
      return answer_update(desk, request, what);
    case Kind::patch:
      return answer_patch(desk, request, what);
    case Kind::remove:
      return answer_remove(desk, request, what);
    case Kind::capabilities:
    case Kind::bundle:
      break;
  }
  return refusal(400, "invalid", "a Bundle holds no Bundle and no metadata request");
}

}  // namespace gateway::daemon::fhir
