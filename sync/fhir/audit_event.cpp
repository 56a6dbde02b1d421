#include "sync/fhir/audit_event.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Json;

constexpr char kDicom[] = "http://dicom.nema.org/resources/ontology/DCM";
constexpr char kEventType[] = "http://terminology.hl7.org/CodeSystem/audit-event-type";
constexpr char kInteraction[] = "http://hl7.org/fhir/restful-interaction";
constexpr char kEntityType[] = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
constexpr char kEntityRole[] = "http://terminology.hl7.org/CodeSystem/object-role";
constexpr char kSourceType[] = "http://terminology.hl7.org/CodeSystem/security-source-type";

Json coding(const char* system, std::string_view code, std::string_view display) {
  return Json::object({{"system", system}, {"code", code}, {"display", display}});
}

struct ActionRow {
  std::string_view ours;
  const char* action;  // AuditEvent.action
  const char* interaction;
};
constexpr std::array<ActionRow, 9> kActions = {{
    {"create", "C", "create"},
    {"store", "C", "create"},
    {"read", "R", "read"},
    {"search", "E", "search"},
    {"update", "U", "update"},
    {"send", "R", "read"},
    {"delete", "D", "delete"},
    {"evict", "D", "delete"},
    {"shred", "D", "delete"},
}};

const ActionRow* find_action(std::string_view name) {
  const auto found = std::ranges::find(kActions, name, &ActionRow::ours);
  return found == kActions.end() ? nullptr : &*found;
}

Json type_of(const crypto::AuditRow& row, const ActionRow* action) {
  if (row.actor.starts_with("ae:")) {
    return coding(kDicom, "110104", "DICOM Instances Transferred");
  }
  if (action != nullptr) return coding(kEventType, "rest", "RESTful Operation");
  if (row.action == "unlock") return coding(kDicom, "110113", "Security Alert");
  return coding(kDicom, "110100", "Application Activity");
}

Json subtype_of(const crypto::AuditRow& row, const ActionRow* action) {
  if (action != nullptr) return coding(kInteraction, action->interaction, action->interaction);
  return Json::object({{"system", "urn:clinic-gateway:audit-action"}, {"code", row.action}});
}

bool succeeded(const std::string& outcome) {
  return outcome == "success" || outcome == "delivered" || outcome.starts_with("stored");
}

/// "ae:CT1" -> the modality, "uplink:pacs" -> a system, else a person or the gateway itself.
Json actor_of(const crypto::AuditRow& row) {
  const bool device = row.actor.starts_with("ae:") || row.actor.starts_with("uplink:");
  const bool own = row.actor == "gateway" || row.actor == "passphrase file";
  Json agent = Json::object(
      {{"type",
        Json::object({{"coding", Json::array({coding(kDicom, "110153", "Source Role ID")})}})},
       {"who", Json::object({{"display", row.actor}})},
       {"requestor", !own}});
  if (!row.source.empty()) {
    // 2: IP address; 1: machine name (FHIR value set network-type).
    const bool address =
        device && row.source.find_first_not_of("0123456789abcdef.:") == row.source.npos;
    agent.set("network", Json::object({{"address", row.source}, {"type", address ? "2" : "1"}}));
  }
  return agent;
}

Json gateway_of(const std::string& site) {
  return Json::object(
      {{"type",
        Json::object({{"coding", Json::array({coding(kDicom, "110152", "Destination Role ID")})}})},
       {"who", Json::object({{"display", cat("clinic-gateway ", site)}})},
       {"requestor", false}});
}

Json entity(std::string_view what, const char* type, const char* role, const char* role_name) {
  Json reference = Json::object();
  // A reference only where it is one: rows of the gateway's own tables are named.
  const bool is_resource =
      !what.empty() && what[0] >= 'A' && what[0] <= 'Z' && what.find('/') != std::string_view::npos;
  reference.set(is_resource ? "reference" : "display", what);
  return Json::object(
      {{"what", std::move(reference)},
       {"type", coding(kEntityType, type, type[0] == '1' ? "Person" : "System Object")},
       {"role", coding(kEntityRole, role, role_name)}});
}

}  // namespace

Json audit_event(const crypto::AuditRow& row, const std::string& site) {
  const ActionRow* const action = find_action(row.action);
  Json event = Json::object({{"resourceType", "AuditEvent"}, {"id", cat("audit-", row.sequence)}});
  event.set("type", type_of(row, action));
  event.set("subtype", Json::array({subtype_of(row, action)}));
  event.set("action", action != nullptr ? action->action : "E");
  event.set("recorded", row.at);
  event.set("outcome", succeeded(row.outcome) ? "0" : "8");
  if (!row.outcome.empty()) event.set("outcomeDesc", row.outcome);
  event.set("agent", Json::array({actor_of(row), gateway_of(site)}));
  event.set(
      "source",
      Json::object({{"observer", Json::object({{"display", cat("clinic-gateway ", site)}})},
                    {"type", Json::array({coding(kSourceType, "4", "Application Server")})}}));
  Json entities = Json::array();
  if (!row.patient.empty()) entities.add(entity(row.patient, "1", "1", "Patient"));
  if (!row.resource.empty()) entities.add(entity(row.resource, "2", "4", "Domain Resource"));
  if (entities.size() > 0) event.set("entity", std::move(entities));
  return event;
}

}  // namespace gateway::sync
