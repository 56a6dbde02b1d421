#include "daemon/api/fhir/references.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "core/text.h"
#include "daemon/api/fhir/interactions.h"
#include "sync/fhir/resource_rules.h"
#include "sync/replica.h"

namespace gateway::daemon::fhir {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

/// What the text of an element becomes; nothing: it stays.
using Text = std::optional<std::string>;
using Rewrite = std::function<core::Result<Text>(std::string_view element, std::string_view text)>;

core::Result<Json> rewritten(const Json& value, std::string_view element, const Rewrite& rewrite) {
  if (value.is_string()) {
    GW_TRY(Text text, rewrite(element, value.text()));
    return text ? Json(std::move(*text)) : value;
  }
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& item : value.items()) {
      GW_TRY(Json made, rewritten(item, element, rewrite));
      out.add(std::move(made));
    }
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [name, member] : value.members()) {
    GW_TRY(Json made, rewritten(member, name, rewrite));
    out.append_member(name, std::move(made));
  }
  return out;
}

/// One operation of a JSON Patch: its value is what its path says.
core::Result<Json> rewritten_operation(const Json& operation, const Rewrite& rewrite) {
  const std::string_view path = operation["path"].text();
  Json out = Json::object();
  for (const auto& [name, member] : operation.members()) {
    const bool is_value = name == "value";
    GW_TRY(Json made,
           rewritten(member, is_value ? path.substr(path.rfind('/') + 1) : name, rewrite));
    out.append_member(name, std::move(made));
  }
  return out;
}

/// A resource, or a JSON Patch, which is an array.
core::Result<Json> rewritten_body(const Json& body, const Rewrite& rewrite) {
  if (!body.is_array()) return rewritten(body, "", rewrite);
  Json out = Json::array();
  for (const Json& operation : body.items()) {
    if (!operation.is_object()) return body;  // no patch: said when its turn comes
    GW_TRY(Json made, rewritten_operation(operation, rewrite));
    out.add(std::move(made));
  }
  return out;
}

/// By the name of an element whether it is of type url, uri, oid or uuid.
bool is_link(std::string_view element) {
  if (element == "url" || element == "uri") return true;
  constexpr std::string_view kEnds[] = {"Url", "Uri", "Oid", "Uuid"};
  return std::any_of(std::begin(kEnds), std::end(kEnds),
                     [&](std::string_view end) { return element.ends_with(end); });
}

/// "http://a/fhir" of "http://a/fhir/Patient/1"; empty when it is no URL of a resource.
std::string_view base_of(std::string_view full_url) {
  full_url = full_url.substr(0, full_url.find("/_history/"));
  const auto id = full_url.rfind('/');
  if (id == std::string_view::npos || id == 0) return {};
  const auto type = full_url.rfind('/', id - 1);
  const auto scheme = full_url.find("://");
  if (type == std::string_view::npos || scheme == std::string_view::npos || type < scheme + 3)
    return {};
  return sync::parse_reference(full_url.substr(type + 1)) ? full_url.substr(0, type)
                                                          : std::string_view();
}

/// What stands before the '?' of a search; nothing: it is none.
std::optional<std::string> searched_type(std::string_view reference) {
  const auto question = reference.find('?');
  if (question == std::string_view::npos || sync::is_absolute_url(reference)) return std::nullopt;
  return std::string(reference.substr(0, question));
}

/// The reference that the condition fits; nothing: it fits none.
core::Result<Text> find_fitting(Desk& desk, const std::string& type, std::string_view query) {
  if (sync::required_elements(type) == nullptr)
    return Error(Code::invalid, "a conditional reference is to no type of this server");
  if (!desk.client.may('s', type)) {
    return Error(Code::invalid, cat("a conditional reference needs the scope system/", type, ".s"));
  }
  GW_TRY(const auto pairs, sync::parse_query_pairs(query));
  const Matched matched = match_one(desk, type, pairs);
  if (matched.refused) {
    const Json& issue = matched.refused->body["issue"][std::size_t{0}];
    return Error(Code::invalid,
                 cat("a conditional reference to ", type, ": ", issue["diagnostics"].text()));
  }
  return matched.id.empty() ? Text() : Text(cat(type, "/", matched.id));
}

}  // namespace

void FullUrls::add(const std::string& full_url, std::string reference) {
  if (!full_url.empty()) known_.emplace(full_url, std::move(reference));
}

core::Result<Json> FullUrls::resolved(const Json& body, std::string_view full_url) const {
  const std::string_view base = base_of(full_url);
  return rewritten_body(body,
                        [&](std::string_view element, std::string_view text) -> core::Result<Text> {
                          const bool is_reference = element == "reference";
                          if (!is_reference && !is_link(element)) return Text();
                          if (const auto found = known_.find(text); found != known_.end())
                            return Text(found->second);
                          if (!is_reference) return Text();
                          if (text.starts_with("urn:uuid:"))
                            return Error(Code::invalid, cat(text, " is the fullUrl of no entry"));
                          if (base.empty() || !sync::parse_reference(text)) return Text();
                          const auto found = known_.find(cat(base, "/", text));
                          return found == known_.end() ? Text() : Text(found->second);
                        });
}

bool has_conditional(const Json& body) {
  bool found = false;
  const auto looked = rewritten_body(
      body, [&](std::string_view element, std::string_view text) -> core::Result<Text> {
        found = found || (element == "reference" && searched_type(text));
        return Text();
      });
  return looked.ok() && found;
}

core::Result<ConditionsMet> conditions_met(Desk& desk, const Json& body) {
  ConditionsMet out;
  const Rewrite rewrite = [&](std::string_view element,
                              std::string_view text) -> core::Result<Text> {
    const auto type = searched_type(text);
    if (element != "reference" || !type) return Text();
    GW_TRY(Text fitting, find_fitting(desk, *type, text.substr(type->size() + 1)));
    if (!fitting) out.unfit = *type;
    return fitting;
  };
  GW_TRY(out.body, rewritten_body(body, rewrite));
  return out;
}

Json without_own_base(const Json& body, std::string_view base) {
  auto made = rewritten(body, "",
                        [&](std::string_view element, std::string_view text) -> core::Result<Text> {
                          if (element != "reference" || !text.starts_with(base)) return Text();
                          text.remove_prefix(base.size());
                          if (!text.starts_with('/') || !sync::parse_reference(text.substr(1)))
                            return Text();
                          return Text(text.substr(1));
                        });
  if (!made.ok()) return body;
  return std::move(*made);
}

}  // namespace gateway::daemon::fhir
