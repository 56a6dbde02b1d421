#include "sync/fhir/resource_rules.h"

#include <algorithm>

#include "core/text.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

// R4, each resource's page: cardinality 1.., the required binding of status, and cardinality ..*.
constexpr RequiredElements kRequired[] = {
    {"AllergyIntolerance", "patient", "", "category note reaction"},
    {"Appointment", "status participant",
     "proposed pending booked arrived fulfilled cancelled noshow entered-in-error checked-in "
     "waitlist",
     "serviceCategory serviceType specialty reasonCode reasonReference supportingInformation slot "
     "basedOn participant requestedPeriod"},
    {"Basic", "code", "", ""},
    {"Condition", "subject", "", "category bodySite stage evidence note"},
    {"Consent", "status scope category", "draft proposed active rejected inactive entered-in-error",
     "category performer organization policy verification"},
    {"Device", "", "active inactive entered-in-error unknown",
     "udiCarrier statusReason deviceName specialization version property contact note safety"},
    {"DiagnosticReport", "status code",
     "registered partial preliminary final amended corrected appended cancelled entered-in-error "
     "unknown",
     "basedOn category performer resultsInterpreter specimen result imagingStudy media "
     "conclusionCode presentedForm"},
    {"DocumentReference", "status content", "current superseded entered-in-error",
     "category author relatesTo securityLabel content"},
    {"Encounter", "status class",
     "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown",
     "statusHistory classHistory type episodeOfCare basedOn participant appointment reasonCode "
     "reasonReference diagnosis account location"},
    {"Flag", "status code subject", "active inactive entered-in-error", "category"},
    {"ImagingStudy", "status subject", "registered available cancelled entered-in-error unknown",
     "modality basedOn interpreter endpoint procedureCode reasonCode reasonReference note series"},
    {"Immunization", "status vaccineCode patient occurrence[x]",
     "completed entered-in-error not-done",
     "performer note reasonCode reasonReference subpotentReason education programEligibility "
     "reaction protocolApplied"},
    {"Location", "", "active suspended inactive", "alias type telecom hoursOfOperation endpoint"},
    {"MedicationRequest", "status intent medication[x] subject",
     "active on-hold cancelled completed entered-in-error stopped draft unknown",
     "category supportingInformation reasonCode reasonReference instantiatesCanonical "
     "instantiatesUri basedOn insurance note dosageInstruction detectedIssue eventHistory"},
    {"Observation", "status code",
     "registered preliminary final amended corrected cancelled entered-in-error unknown",
     "basedOn partOf category focus performer interpretation note referenceRange hasMember "
     "derivedFrom component"},
    {"Organization", "", "", "type alias telecom address contact endpoint"},
    {"Patient", "", "",
     "name telecom address contact communication generalPractitioner link photo"},
    {"Practitioner", "", "", "name telecom address photo qualification communication"},
    {"PractitionerRole", "", "",
     "code specialty location healthcareService telecom availableTime notAvailable endpoint"},
    {"Procedure", "status subject",
     "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
     "instantiatesCanonical instantiatesUri basedOn partOf performer reasonCode reasonReference "
     "bodySite report complication complicationDetail followUp note focalDevice usedReference "
     "usedCode"},
    {"Provenance", "target recorded agent", "", "target policy reason agent entity signature"},
    {"ServiceRequest", "status intent subject",
     "draft active on-hold revoked completed entered-in-error unknown",
     "instantiatesCanonical instantiatesUri basedOn replaces category orderDetail performer "
     "locationCode locationReference reasonCode reasonReference insurance supportingInfo specimen "
     "bodySite note relevantHistory"},
    {"Specimen", "", "available unavailable unsatisfactory entered-in-error",
     "parent request processing container condition note"},
    {"Task", "status intent",
     "draft requested received accepted rejected ready cancelled in-progress on-hold failed "
     "completed entered-in-error",
     "basedOn partOf performerType note relevantHistory insurance input output"},
};

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto end = list.find(' ');
    if (list.substr(0, end) == word) return true;
    list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
  }
  return false;
}

// Of cardinality ..* wherever they stand. `identifier` is it in a resource only: a Reference has
// one.
constexpr std::string_view kLists = "extension modifierExtension contained coding";
constexpr std::string_view kListsOfMeta = "profile security tag";

/// Of `object`, the elements that are named.
core::Status check_lists(const Json& object, std::string_view names) {
  for (const auto& [name, value] : object.members()) {
    if (has_word(names, name) && !value.is_array())
      return Error(Code::invalid, cat("element ", name, " must be an array, also of one value"));
  }
  return {};
}

/// What the rest of the gateway reads as arrays and objects is such.
core::Status check_lists_of_resource(const Json& resource, const RequiredElements& row) {
  GW_CHECK(check_lists(resource, "identifier"));
  GW_CHECK(check_lists(resource, row.lists));
  const Json& meta = resource["meta"];
  if (!meta.is_null() && !meta.is_object())
    return Error(Code::invalid, "element meta must be an object");
  return check_lists(meta, kListsOfMeta);
}

bool has_element(const Json& resource, std::string_view name) {
  if (!name.ends_with("[x]")) return !resource[name].is_null();
  name.remove_suffix(3);
  return std::any_of(resource.members().begin(), resource.members().end(),
                     [&](const Json::Member& member) {
                       return member.first.size() > name.size() && member.first.starts_with(name);
                     });
}

bool is_good_reference(std::string_view reference) {
  if (reference.empty() || reference.size() > 2'048) return false;
  const auto odd = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  if (std::any_of(reference.begin(), reference.end(), odd)) return false;
  if (reference.front() == '#' || reference.starts_with("urn:")) return true;
  return is_absolute_url(reference) || parse_reference(reference).has_value();
}

/// Shape of everything below a resource (R4 2.6.2): nothing is empty, null stands only for a hole
/// among a primitive's values.
core::Status check_shape(const Json& value, std::string_view name) {
  const auto wrong = [&](std::string_view what) {
    return Error(Code::invalid, cat("element ", name, " ", what));
  };
  if (value.is_string() && value.text().empty()) return wrong("is an empty text; leave it out");
  if (value.is_array()) {
    if (value.size() == 0) return wrong("is an empty array; leave it out");
    for (const Json& item : value.items()) {
      if (item.is_array()) return wrong("is an array within an array");
      if (!item.is_null()) GW_CHECK(check_shape(item, name));
    }
  }
  if (!value.is_object()) return {};
  if (value.size() == 0) return wrong("is an empty object; leave it out");
  for (const auto& [inner, member] : value.members()) {
    if (member.is_null())
      return Error(Code::invalid, cat("element ", inner, " is null; leave it out"));
    GW_CHECK(check_shape(member, inner));
  }
  GW_CHECK(check_lists(value, kLists));
  const Json& reference = value["reference"];
  if (!reference.is_null() && name != "valueUri" &&
      !(reference.is_string() && is_good_reference(reference.text())) && !reference.is_object()) {
    return Error(Code::invalid, cat("the reference in ", name,
                                    " is none; write Type/id, #id, urn:uuid:… or a URL"));
  }
  return {};
}

/// A result whose number is not one, or that has a unit and no number to go with it.
core::Status check_quantity(const Json& resource) {
  const Json& quantity = resource["valueQuantity"];
  if (quantity.is_null()) return {};
  const Json& value = quantity["value"];
  if (!value.is_null() && !value.is_number())
    return Error(Code::invalid, "valueQuantity.value must be a JSON number");
  if (value.is_null() && (!quantity["unit"].is_null() || !quantity["code"].is_null()))
    return Error(Code::invalid, "valueQuantity has a unit but no value; say dataAbsentReason");
  return {};
}

}  // namespace

bool is_resource_id(std::string_view id) {
  return parse_reference(cat("Any/", id)).has_value() && id.find('/') == std::string_view::npos;
}

bool is_absolute_url(std::string_view reference) {
  return reference.substr(0, reference.find('?')).find("://") != std::string_view::npos;
}

const RequiredElements* required_elements(std::string_view type) {
  const auto found = std::find_if(std::begin(kRequired), std::end(kRequired),
                                  [&](const RequiredElements& row) { return row.type == type; });
  return found == std::end(kRequired) ? nullptr : found;
}

core::Status check_resource(std::string_view type, const Json& resource) {
  if (!resource.is_object()) return Error(Code::invalid, "the body is no JSON object");
  if (resource["resourceType"].text() != type) {
    return Error(Code::invalid, cat("resourceType must be ", type));
  }
  const RequiredElements* row = required_elements(type);
  if (row == nullptr) return Error(Code::invalid, cat(type, " is not taken by this server"));
  if (!resource["id"].is_null() && !is_resource_id(resource["id"].text()))
    return Error(Code::invalid, "id must be 1 to 64 of A-Z, a-z, 0-9, - and .");
  GW_CHECK(check_shape(resource, type));
  GW_CHECK(check_lists_of_resource(resource, *row));
  for (std::string_view rest = row->elements; !rest.empty();) {
    const auto end = rest.find(' ');
    const std::string_view name = rest.substr(0, end);
    if (!has_element(resource, name))
      return Error(Code::invalid, cat(type, " needs the element ", name));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  const Json& status = resource["status"];
  if (!status.is_null() && !row->statuses.empty() && !has_word(row->statuses, status.text())) {
    return Error(Code::invalid, cat("status of ", type, " must be one of: ", row->statuses));
  }
  return check_quantity(resource);
}

core::Status check_transition(std::string_view type, const Json& before, const Json& after) {
  const std::string_view was = before["status"].text();
  const std::string_view is = after["status"].text();
  if (was == "entered-in-error" && is != was) {
    return Error(Code::refused,
                 "it was entered in error and stays so; make a new resource instead");
  }
  const bool is_result = type == "Observation" || type == "DiagnosticReport";
  const bool was_final = has_word("final amended corrected appended", was);
  if (is_result && was_final && has_word("registered partial preliminary", is)) {
    return Error(Code::refused,
                 "a final result is not made preliminary again; send it as amended, "
                 "corrected or entered-in-error");
  }
  return {};
}

Json without_server_meta(Json resource) {
  Json meta = resource["meta"];
  if (!meta.is_object()) return resource;
  meta.erase("versionId");
  meta.erase("lastUpdated");
  if (meta.size() == 0) {
    resource.erase("meta");
  } else {
    resource.set("meta", std::move(meta));
  }
  return resource;
}

std::string patient_of(const Json& resource) {
  const std::string_view type = resource["resourceType"].text();
  if (type == "Patient") return cat("Patient/", resource["id"].text());
  for (const std::string_view name : {"subject", "patient", "for"}) {
    const std::string_view reference = resource[name]["reference"].text();
    if (reference.starts_with("Patient/")) return std::string(reference);
  }
  for (const Json& participant : resource["participant"].items()) {
    const std::string_view reference = participant["actor"]["reference"].text();
    if (reference.starts_with("Patient/")) return std::string(reference);
  }
  return {};
}

}  // namespace gateway::sync
