#include "sync/fhir/audit_event.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/base64.h"
#include "core/text.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Json;

constexpr char kDicom[] = "http://dicom.nema.org/resources/ontology/DCM";
constexpr char kEventType[] = "http://terminology.hl7.org/CodeSystem/audit-event-type";
constexpr char kParticipant[] = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
constexpr char kBalp[] = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
constexpr char kInteraction[] = "http://hl7.org/fhir/restful-interaction";
constexpr char kEntityType[] = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
constexpr char kEntityRole[] = "http://terminology.hl7.org/CodeSystem/object-role";
constexpr char kSourceType[] = "http://terminology.hl7.org/CodeSystem/security-source-type";

Json coding(const char* system, std::string_view code, std::string_view display) {
  return Json::object({{"system", system}, {"code", code}, {"display", display}});
}

/// The roles BALP gives client and server: whoever the data comes from is the source.
struct Role {
  const char* system;
  const char* code;
  const char* display;
};
constexpr Role kSource{kDicom, "110153", "Source Role ID"};
constexpr Role kDestination{kDicom, "110152", "Destination Role ID"};
constexpr Role kApplication{kDicom, "110150", "Application"};
constexpr Role kCustodian{kParticipant, "custodian", "Custodian"};

struct ActionRow {
  std::string_view ours;
  const char* action;  // AuditEvent.action
  const char* interaction;
  const char* profile;  // of BALP, "Patient" goes before it; empty: none fits
  Role client;
  Role server;
};
constexpr std::array<ActionRow, 10> kActions = {{
    {"create", "C", "create", "Create", kSource, kDestination},
    {"store", "C", "create", "Create", kSource, kDestination},
    {"read", "R", "read", "Read", kDestination, kSource},
    {"retrieve", "R", "read", "Read", kDestination, kSource},
    {"search", "E", "search", "Query", kSource, kDestination},
    {"query", "E", "search", "", kSource, kDestination},
    {"update", "U", "update", "Update", kSource, kDestination},
    {"send", "R", "read", "Read", kDestination, kSource},
    {"delete", "D", "delete", "Delete", kApplication, kCustodian},
    {"evict", "D", "delete", "Delete", kApplication, kCustodian},
}};

const ActionRow* find_action(std::string_view name) {
  const auto found = std::ranges::find(kActions, name, &ActionRow::ours);
  return found == kActions.end() ? nullptr : &*found;
}

Json type_of(const crypto::AuditRow& row, const ActionRow* action) {
  if (row.action == "query") return coding(kDicom, "110112", "Query");
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

/// Rows of failures have an error's name as their outcome, or say that it failed; what is examined
/// is noted only when it is not as it should be.
bool succeeded(const crypto::AuditRow& row) {
  using core::Code;
  constexpr std::array kFailures = {
      Code::invalid,   Code::not_found, Code::exists,    Code::locked,      Code::no_space,
      Code::busy,      Code::corrupt,   Code::io,        Code::unavailable, Code::lost_answer,
      Code::untrusted, Code::refused,   Code::cancelled, Code::internal};
  const auto is_outcome = [&](Code code) { return core::to_string(code) == row.outcome; };
  return row.action != "examine" && !row.outcome.starts_with("failed") &&
         std::ranges::none_of(kFailures, is_outcome);
}

Json role_type(const Role& role) {
  return Json::object({{"coding", Json::array({coding(role.system, role.code, role.display)})}});
}

/// 2: IP address; 1: machine name (FHIR value set network-type).
Json network(std::string_view address) {
  const bool is_ip = address.find_first_of(".:") != address.npos &&
                     address.find_first_not_of("0123456789abcdef.:") == address.npos;
  return Json::object({{"address", address}, {"type", is_ip ? "2" : "1"}});
}

/// "ae:CT1" -> the modality, "uplink:pacs" -> a system, else a person or the gateway itself.
Json actor_of(const crypto::AuditRow& row, const Role& role) {
  const bool own = row.actor == "gateway" || row.actor == "retention" || row.actor == "scrub" ||
                   row.actor == "passphrase file";
  return Json::object({{"type", role_type(role)},
                       {"who", Json::object({{"display", row.actor}})},
                       {"requestor", !own},
                       {"network", network(row.source.empty() ? "local" : row.source)}});
}

Json gateway_of(const std::string& site, const Role& role) {
  return Json::object({{"type", role_type(role)},
                       {"who", Json::object({{"display", cat("clinic-gateway ", site)}})},
                       {"requestor", false},
                       {"network", network(site)}});
}

/// The BALP profile the event is of, or null: those are for successes over REST.
Json profile_of(const crypto::AuditRow& row, const ActionRow* action, const Json& type) {
  if (action == nullptr || *action->profile == '\0' || type["code"].text() != "rest") return {};
  if (!succeeded(row) || row.resource.empty()) return {};
  const char* const whose = row.patient.empty() ? "" : "Patient";
  return Json::object({{"profile", Json::array({cat(kBalp, whose, action->profile)})}});
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

/// What was asked for, as BALP's Query profiles want it.
Json query_entity(std::string_view query) {
  return Json::object({{"type", coding(kEntityType, "2", "System Object")},
                       {"role", coding(kEntityRole, "24", "Query")},
                       {"query", core::to_base64(query)}});
}

}  // namespace

Json audit_event(const crypto::AuditRow& row, const std::string& site) {
  const ActionRow* const action = find_action(row.action);
  const Json type = type_of(row, action);
  Json event = Json::object({{"resourceType", "AuditEvent"}, {"id", cat("audit-", row.sequence)}});
  Json meta = profile_of(row, action, type);
  if (!meta.is_null()) event.set("meta", std::move(meta));
  event.set("type", type);
  event.set("subtype", Json::array({subtype_of(row, action)}));
  event.set("action", action != nullptr ? action->action : "E");
  event.set("recorded", row.at);
  event.set("outcome", succeeded(row) ? "0" : "8");
  if (!row.outcome.empty()) event.set("outcomeDesc", row.outcome);
  event.set("agent",
            Json::array({actor_of(row, action != nullptr ? action->client : kSource),
                         gateway_of(site, action != nullptr ? action->server : kDestination)}));
  event.set(
      "source",
      Json::object({{"observer", Json::object({{"display", cat("clinic-gateway ", site)}})},
                    {"type", Json::array({coding(kSourceType, "4", "Application Server")})}}));
  Json entities = Json::array();
  if (!row.patient.empty()) entities.add(entity(row.patient, "1", "1", "Patient"));
  const bool is_query = action != nullptr && std::string_view(action->interaction) == "search";
  if (!row.resource.empty()) {
    entities.add(is_query ? query_entity(row.resource)
                          : entity(row.resource, "2", "4", "Domain Resource"));
  }
  if (entities.size() > 0) event.set("entity", std::move(entities));
  return event;
}

}  // namespace gateway::sync
