#include "core/text.h"
#include "daemon/api/fhir/interactions.h"
#include "daemon/version.h"
#include "sync/search_params.h"

namespace gateway::daemon::fhir {
namespace {

using core::cat;
using core::Json;

// The date of this statement's shape, not of its making: two boxes of one version say the same.
constexpr char kStatementDate[] = "2026-11-22";

Json codes(std::initializer_list<const char*> names) {
  Json list = Json::array();
  for (const char* name : names) list.add(Json::object({{"code", name}}));
  return list;
}

Json search_param(std::string_view name, std::string_view type) {
  return Json::object({{"name", name}, {"type", type}});
}

Json resource_row(std::string_view type) {
  Json row = Json::object({{"type", type}});
  row.set("interaction", codes({"read", "vread", "update", "patch", "delete", "history-instance",
                                "history-type", "create", "search-type"}));
  row.set("versioning", "versioned-update");
  row.set("readHistory", true);
  row.set("updateCreate", true);
  row.set("conditionalCreate", true);
  row.set("conditionalRead", "full-support");
  row.set("conditionalUpdate", true);
  row.set("conditionalDelete", "single");
  row.set("referencePolicy", Json::array({"literal", "local"}));
  Json includes = Json::array();
  Json params = Json::array({search_param("_id", "token"), search_param("_lastUpdated", "date")});
  for (const sync::SearchParam& param : sync::search_params_of(type)) {
    params.add(search_param(param.name, sync::to_string(param.kind)));
    if (param.kind == sync::SearchKind::reference) includes.add(cat(type, ":", param.name));
  }
  if (includes.size() > 0) row.set("searchInclude", std::move(includes));
  row.set("searchParam", std::move(params));
  return row;
}

}  // namespace

Json capability_statement(const std::string& base, const std::string& site) {
  Json statement = Json::object({{"resourceType", "CapabilityStatement"},
                                 {"status", "active"},
                                 {"date", kStatementDate},
                                 {"kind", "instance"}});
  statement.set("software", Json::object({{"name", "clinic-gateway"}, {"version", kVersion}}));
  statement.set("implementation",
                Json::object({{"description", cat("clinic gateway ", site)}, {"url", base}}));
  statement.set("fhirVersion", "4.0.1");
  statement.set("format", Json::array({kFhirJson, "json"}));
  statement.set("patchFormat", Json::array({"application/json-patch+json"}));
  Json rest = Json::object({{"mode", "server"}});
  rest.set("security",
           Json::object({{"cors", false},
                         {"description",
                          "mutual TLS or a bearer token; scopes in SMART's system/ syntax"}}));
  Json resources = Json::array();
  for (const std::string_view type : sync::searchable_types()) resources.add(resource_row(type));
  rest.set("resource", std::move(resources));
  rest.set("interaction", codes({"transaction", "batch", "history-system"}));
  statement.set("rest", Json::array({std::move(rest)}));
  return statement;
}

}  // namespace gateway::daemon::fhir
