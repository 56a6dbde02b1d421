#include "tests/sim/clinical_edits.h"

#include <map>

#include "core/text.h"

namespace gateway::sim {
namespace {

using core::Json;

Json reference(const std::string& to) { return Json::object({{"reference", to}}); }
Json text(const std::string& said) { return Json::object({{"text", said}}); }

Json coded(const std::string& code, const std::string& said) {
  return Json::object(
      {{"coding", Json::array({Json::object({{"system", "urn:status"}, {"code", code}})})},
       {"text", said}});
}

/// A code's own mark rides on its primitive extension.
Json marked_extension(const std::string& mark) {
  return Json::object(
      {{"extension",
        Json::array({Json::object({{"url", "urn:entered"}, {"valueString", mark}})})}});
}

using Steps = std::map<std::string, std::vector<std::string>>;

/// Where a status may go from where it is.
const Steps& steps_of(const std::string& type) {
  static const std::map<std::string, Steps> machines = {
      {"Task",
       {{"requested", {"received", "accepted", "rejected", "cancelled"}},
        {"received", {"accepted", "rejected"}},
        {"accepted", {"in-progress", "on-hold", "cancelled"}},
        {"in-progress", {"on-hold", "completed", "failed"}},
        {"on-hold", {"in-progress", "cancelled"}}}},
      {"ServiceRequest",
       {{"draft", {"active"}},
        {"active", {"on-hold", "revoked", "completed", "entered-in-error"}},
        {"on-hold", {"active", "revoked"}}}},
      {"Observation",
       {{"registered", {"preliminary"}},
        {"preliminary", {"final", "cancelled", "entered-in-error"}},
        {"final", {"amended", "corrected", "entered-in-error"}},
        {"amended", {"corrected", "entered-in-error"}},
        {"corrected", {"amended", "entered-in-error"}}}},
      {"MedicationRequest",
       {{"draft", {"active", "cancelled"}},
        {"active", {"on-hold", "stopped", "completed", "entered-in-error"}},
        {"on-hold", {"active", "stopped"}}}},
      {"AllergyIntolerance",
       {{"unconfirmed", {"confirmed", "refuted", "entered-in-error"}},
        {"confirmed", {"refuted", "entered-in-error"}},
        {"refuted", {"confirmed", "entered-in-error"}}}},
      {"clinicalStatus",
       {{"active", {"inactive", "resolved"}},
        {"inactive", {"active", "resolved"}},
        {"resolved", {"active"}}}},
      {"Appointment",
       {{"proposed", {"booked", "cancelled"}},
        {"booked", {"arrived", "cancelled", "noshow", "entered-in-error"}},
        {"arrived", {"fulfilled"}}}},
      {"Immunization", {{"completed", {"not-done", "entered-in-error"}}}},
  };
  return machines.at(type);
}

std::string next_status(Author& author, const std::string& type, const std::string& now) {
  const Steps& steps = steps_of(type);
  const auto at = steps.find(now);
  return at == steps.end() ? std::string() : author.chance.of(at->second);
}

/// Adds to, changes in or takes from an array; `make` makes an item.
template <class Make>
void touch_array(Author& author, Json& resource, std::string_view member, std::size_t items_max,
                 Make make) {
  Json kept = Json::array();
  const Json& held = resource[member];
  const std::size_t count = held.size();
  const bool adds = count == 0 || (count < items_max && author.chance.percent(60));
  const std::size_t chosen = count == 0 ? 0 : author.chance.below(count);
  const bool removes = !adds && author.chance.percent(40);
  for (std::size_t i = 0; i < count; ++i) {
    if (adds || i != chosen) {
      kept.add(held[i]);
    } else if (!removes) {
      kept.add(make(&held[i]));
    }
  }
  if (adds) kept.add(make(nullptr));
  if (kept.size() > 0) {
    resource.set(member, std::move(kept));
  } else {
    resource.erase(member);
  }
}

void touch_note(Author& author, Json& resource) {
  touch_array(author, resource, "note", 4,
              [&](const Json*) { return text(author.ledger.new_mark()); });
}

void touch_telecom(Author& author, Json& resource) {
  touch_array(author, resource, "telecom", 5, [&](const Json* was) {
    Json item = was ? *was
                    : Json::object({{"system", author.chance.percent(50) ? "phone" : "email"},
                                    {"use", author.chance.percent(50) ? "home" : "work"},
                                    {"rank", author.chance.between(1, 9)}});
    item.set("value", author.ledger.new_mark());
    return item;
  });
}

void touch_labels(Author& author, Json& resource) {
  Json meta = resource["meta"];
  touch_array(author, meta, "security", 3, [&](const Json*) {
    return Json::object({{"system", "urn:label"}, {"code", author.ledger.new_mark()}});
  });
  if (meta.size() > 0) {
    resource.set("meta", std::move(meta));
  } else {
    resource.erase("meta");
  }
}

Json name(Author& author) {
  return Json::array({Json::object(
      {{"family", author.ledger.new_mark()}, {"given", Json::array({Json("Ana")})}})});
}

Json change_patient(Author& author, Json patient) {
  const std::size_t what = author.chance.below(10);
  if (what < 5) {
    touch_telecom(author, patient);
  } else if (what < 7) {
    patient.set("address",
                Json::array({Json::object(
                    {{"use", "home"}, {"line", Json::array({author.ledger.new_mark()})}})}));
  } else if (what < 9) {
    patient.set("name", name(author));
  } else {
    patient.set("birthDate", author.chance.percent(50) ? "1980-01-02" : "1980-02-01");
    patient.set("_birthDate", marked_extension(author.ledger.new_mark()));
  }
  return patient;
}

void change_status(Author& author, Json& resource, const std::string& type) {
  const std::string now(resource["status"].text());
  const std::string next = next_status(author, type, now);
  if (!next.empty()) {
    resource.set("status", next);
    resource.set("_status", marked_extension(author.ledger.new_mark()));
  }
}

void change_content(Author& author, Json& resource, const std::string& type) {
  const std::string mark = author.ledger.new_mark();
  if (type == "Task") {
    resource.set("statusReason", text(mark));
  } else if (type == "ServiceRequest") {
    resource.set("code", text(mark));
  } else if (type == "Observation") {
    resource.set("valueString", mark);
    resource.set("interpretation", Json::array({text(author.chance.percent(50) ? "H" : "L")}));
  } else if (type == "Appointment") {
    resource.set("cancelationReason", text(mark));
  } else if (type == "Immunization") {
    resource.set("lotNumber", mark);
  } else {
    resource.set("dosageInstruction", Json::array({text(mark)}));
  }
}

Json change_allergy(Author& author, Json allergy) {
  if (author.chance.percent(60)) {
    touch_array(author, allergy, "reaction", 4, [&](const Json*) {
      return Json::object({{"description", author.ledger.new_mark()}});
    });
    return allergy;
  }
  const bool is_clinical = author.chance.percent(50);
  const std::string member = is_clinical ? "clinicalStatus" : "verificationStatus";
  const std::string now(allergy[std::string_view(member)]["coding"][0]["code"].text());
  const std::string next = next_status(author, is_clinical ? member : "AllergyIntolerance", now);
  if (!next.empty()) allergy.set(member, coded(next, author.ledger.new_mark()));
  return allergy;
}

}  // namespace

const std::vector<std::string>& edited_types() {
  static const std::vector<std::string> types = {
      "Patient",           "ServiceRequest",     "Task",        "Observation",
      "MedicationRequest", "AllergyIntolerance", "Appointment", "Immunization"};
  return types;
}

Json new_patient(Author& author, const std::string& id) {
  Json patient = Json::object({{"resourceType", "Patient"}, {"id", id}});
  patient.set(
      "identifier",
      Json::array({Json::object({{"system", "urn:oid:2.25.1"}, {"value", core::cat("P", id)}})}));
  patient.set("name", name(author));
  touch_telecom(author, patient);
  return patient;
}

Json new_record(Author& author, const std::string& type, const std::string& id,
                const std::string& patient, const std::string& order) {
  Json record = Json::object({{"resourceType", type}, {"id", id}});
  const std::string mark = author.ledger.new_mark();
  if (type == "AllergyIntolerance") {
    record.set("verificationStatus", coded("unconfirmed", mark));
    record.set("clinicalStatus", coded("active", author.ledger.new_mark()));
    record.set("patient", reference(patient));
  } else if (type == "Task") {
    record.set("status", "requested");
    record.set("statusReason", text(mark));
    record.set("for", reference(patient));
    if (!order.empty()) record.set("focus", reference(order));
  } else if (type == "ServiceRequest") {
    record.set("status", "active");
    record.set("code", text(mark));
    record.set("subject", reference(patient));
    if (author.chance.percent(20)) record.set("priority", "stat");
  } else if (type == "Appointment") {
    record.set("status", "booked");
    record.set("cancelationReason", text(mark));
    record.set("participant", Json::array({Json::object({{"actor", reference(patient)}})}));
  } else if (type == "Immunization") {
    record.set("status", "completed");
    record.set("lotNumber", mark);
    record.set("vaccineCode", text(author.chance.percent(50) ? "MMR" : "BCG"));
    record.set("occurrenceDateTime", author.chance.percent(50) ? "2026-01-01" : "2026-01-02");
    record.set("patient", reference(patient));
  } else if (type == "Observation") {
    record.set("status", "preliminary");
    record.set("valueString", mark);
    record.set("subject", reference(patient));
    if (!order.empty()) record.set("basedOn", Json::array({reference(order)}));
  } else {
    record.set("status", "active");
    record.set("dosageInstruction", Json::array({text(mark)}));
    record.set("subject", reference(patient));
  }
  return record;
}

Json changed(Author& author, Json resource) {
  const std::string type(resource["resourceType"].text());
  if (author.chance.percent(8)) {
    touch_labels(author, resource);
    return resource;
  }
  if (type == "Patient") return change_patient(author, std::move(resource));
  if (type == "AllergyIntolerance") return change_allergy(author, std::move(resource));
  const std::size_t what = author.chance.below(10);
  if (what < 3) {
    touch_note(author, resource);
  } else if (what < 7) {
    change_status(author, resource, type);
  } else {
    change_content(author, resource, type);
  }
  return resource;
}

}  // namespace gateway::sim
