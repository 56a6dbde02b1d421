#include "sync/worklist.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/civil_time.h"
#include "core/ids.h"
#include "core/text.h"
#include "sync/fhir/person_name.h"
#include "sync/hurried_images.h"
#include "sync/merged_patients.h"
#include "sync/replica.h"
#include "sync/shown_patient.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

constexpr std::string_view kDicomTerminology = "http://dicom.nema.org/resources/ontology/DCM";
constexpr std::string_view kSnomed = "http://snomed.info/sct";
constexpr std::string_view kImagingCategory = "363679005";
constexpr std::size_t kShLength = 16;
constexpr std::size_t kLoLength = 64;

/// Cut at a character, not inside one: SH and LO count characters (PS3.5 6.2).
std::string characters(std::string_view text, std::size_t count) {
  std::string out;
  for (const char c : text) {
    const bool starts = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (starts && count-- == 0) break;
    out += c == '\\' ? '/' : c;
  }
  return std::string(core::trim(out));
}

std::optional<std::string> modality_in(const Json& concepts) {
  for (const Json& concept_element : concepts.items()) {
    for (const Json& coding : concept_element["coding"].items()) {
      if (coding["system"].text() == kDicomTerminology) return std::string(coding["code"].text());
    }
  }
  return std::nullopt;
}

std::optional<std::string> modality_of(const Json& order) {
  for (const std::string_view element : {"orderDetail", "category"}) {
    if (auto modality = modality_in(order[element])) return modality;
  }
  return modality_in(Json::array({order["code"]}));
}

/// Orders for images, and orders that do not say what they are for; a laboratory's order is nothing
/// for a modality.
bool is_imaging_order(const Json& order) {
  if (order["category"].size() == 0 || modality_of(order)) return true;
  for (const Json& category : order["category"].items()) {
    for (const Json& coding : category["coding"].items()) {
      if (coding["system"].text() == kSnomed && coding["code"].text() == kImagingCategory)
        return true;
    }
  }
  return false;
}

bool is_open(const Json& order) {
  const std::string_view intent = order["intent"].text();
  const bool actionable = intent == "order" || intent == "original-order" ||
                          intent == "reflex-order" || intent == "filler-order" ||
                          intent == "instance-order";
  return order["status"].text() == "active" && actionable && !order["doNotPerform"].boolean() &&
         is_imaging_order(order);
}

std::string accession_given(const Json& order) {
  for (const Json& identifier : order["identifier"].items()) {
    for (const Json& coding : identifier["type"]["coding"].items()) {
      if (coding["code"].text() == "ACSN") return std::string(identifier["value"].text());
    }
  }
  return {};
}

/// The placer's or any other number of the order, for a person to find it again.
std::string order_number(const Json& order) {
  for (const Json& identifier : order["identifier"].items()) {
    const Json& coding = identifier["type"]["coding"][0];
    if (coding["code"].text() == "PLAC") return std::string(identifier["value"].text());
  }
  if (const auto group = order["requisition"]["value"].text(); !group.empty())
    return std::string(group);
  return std::string(order["identifier"][0]["value"].text());
}

std::string start_of(const Json& order) {
  for (const Json* when : {&order["occurrenceDateTime"], &order["occurrencePeriod"]["start"],
                           &order["occurrenceTiming"]["event"][0], &order["authoredOn"]}) {
    if (!when->text().empty()) return std::string(when->text());
  }
  return {};
}

std::string priority_of(const Json& order) {
  const std::string_view priority = order["priority"].text();
  if (priority == "stat") return "STAT";
  return priority == "urgent" || priority == "asap" ? "HIGH" : "ROUTINE";
}

void describe_procedure(const Json& order, WorklistStep& step) {
  const Json& code = order["code"];
  const Json& coding = code["coding"][0];
  step.procedure_code = characters(coding["code"].text(), kShLength);
  step.procedure_meaning = characters(coding["display"].text(), kLoLength);
  const std::string_view system = coding["system"].text();
  if (system == kSnomed)
    step.procedure_scheme = "SCT";
  else if (system == "http://loinc.org")
    step.procedure_scheme = "LN";
  else if (system == kDicomTerminology)
    step.procedure_scheme = "DCM";
  else if (!step.procedure_code.empty())
    step.procedure_scheme = "99LOCAL";
  const auto text = code["text"].text();
  step.procedure_description = characters(text.empty() ? step.procedure_meaning : text, kLoLength);
  if (step.procedure_meaning.empty()) step.procedure_meaning = step.procedure_description;
}

/// Whoever stays, where the hospital has merged records; `own` where nobody knows who that is.
core::Result<StoredResource> one_who_stays(Connection& connection, const std::string& id,
                                           StoredResource own) {
  GW_TRY(const auto chain, replacements_of(connection, id));
  GW_TRY(auto last, read_resource(connection, {"Patient", chain.back()}));
  if (!last || replaced_by(last->body)) return own;
  return std::move(*last);
}

/// The id a modality shows and sends back: of the clinic's own issuer where the patient has one.
void name_patient(const Json& patient, const std::string& id, std::string_view own_issuer,
                  WorklistStep& step) {
  const Json* chosen = shown_identifier(patient, own_issuer);
  step.patient_id = chosen ? std::string((*chosen)["value"].text()) : id;
  step.patient_id_issuer =
      chosen ? characters((*chosen)["system"].text(), kLoLength) : std::string();
  step.patient_name = fhir::pn_from_human_names(patient["name"]);
  step.birth_date = core::to_dicom_date(patient["birthDate"].text());
  step.sex = fhir::sex_from_gender(patient["gender"].text());
}

// The fields only the answer needs, in one place so that writing and reading cannot drift apart.
struct BodyField {
  const char* name;
  std::string WorklistStep::*field;
};
constexpr std::array kBodyFields = {
    BodyField{"requestedProcedureId", &WorklistStep::requested_procedure_id},
    BodyField{"procedureCode", &WorklistStep::procedure_code},
    BodyField{"procedureScheme", &WorklistStep::procedure_scheme},
    BodyField{"procedureMeaning", &WorklistStep::procedure_meaning},
    BodyField{"procedureDescription", &WorklistStep::procedure_description},
    BodyField{"priority", &WorklistStep::priority},
    BodyField{"stationName", &WorklistStep::station_name},
    BodyField{"location", &WorklistStep::location},
    BodyField{"performingPhysician", &WorklistStep::performing_physician},
    BodyField{"referringPhysician", &WorklistStep::referring_physician},
    BodyField{"requestingPhysician", &WorklistStep::requesting_physician},
    BodyField{"patientName", &WorklistStep::patient_name},
    BodyField{"patientIdIssuer", &WorklistStep::patient_id_issuer},
    BodyField{"birthDate", &WorklistStep::birth_date},
    BodyField{"sex", &WorklistStep::sex},
    BodyField{"comments", &WorklistStep::comments},
};

/// Keeps what was given before; else gives UIDs and numbers once and for all.
core::Status fix_identifiers(Connection& connection, const Json& order,
                             const WorklistOptions& options, WorklistStep& step) {
  {
    GW_TRY(auto rows, connection.query("SELECT step_id, study_uid, accession_number FROM "
                                       "worklist_step WHERE service_request = ?",
                                       step.service_request_id));
    GW_TRY(const bool found, rows.next());
    if (found) {
      step.step_id = rows.text(0);
      step.study_instance_uid = rows.text(1);
      step.accession_number = rows.text(2);
      return {};
    }
  }
  GW_CHECK(
      connection.run("INSERT INTO counter (name, value) VALUES ('worklist_step', 1)"
                     " ON CONFLICT (name) DO UPDATE SET value = value + 1"));
  GW_TRY(const auto number,
         connection.integer("SELECT value FROM counter WHERE name = 'worklist_step'"));
  step.step_id = core::cat("S", number.value_or(0));
  step.study_instance_uid = core::uid_from_uuid(core::new_uuid());
  const std::string given = accession_given(order);
  // A number that does not fit SH would come back cut: such an order gets one of ours.
  const bool fits =
      !given.empty() && given.size() <= kShLength && given.find('\\') == std::string::npos;
  step.accession_number =
      fits ? given : characters(core::cat(options.accession_prefix, number.value_or(0)), kShLength);
  return {};
}

core::Status store_step(Connection& connection, const WorklistStep& step,
                        const std::string& patient) {
  Json body = Json::object();
  for (const BodyField& entry : kBodyFields) {
    if (const std::string& value = step.*entry.field; !value.empty())
      body.append_member(entry.name, value);
  }
  const std::string_view name = step.patient_name;
  const std::string_view alphabetic = name.substr(0, name.find('='));
  return connection.run(
      "INSERT INTO worklist_step (service_request, step_id, study_uid, accession_number, open, "
      "patient, patient_id,"
      " start_date, start_time, modality, station_ae_title, name_key, body) VALUES (?, ?, ?, ?, 1, "
      "?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (service_request) DO UPDATE SET open = 1, patient = excluded.patient,"
      " patient_id = excluded.patient_id, start_date = excluded.start_date, start_time = "
      "excluded.start_time,"
      " modality = excluded.modality, station_ae_title = excluded.station_ae_title,"
      " name_key = excluded.name_key, body = excluded.body",
      step.service_request_id, step.step_id, step.study_instance_uid, step.accession_number,
      patient, step.patient_id, step.start_date, step.start_time, step.modality,
      step.station_ae_title, fhir::pn_search_key(alphabetic), body.dump());
}

/// SQLite, which knows nothing of how many steps are open, would rather walk them all in order than
/// sort the few that a key finds.
std::string_view best_index(const WorklistSelection& selection) {
  if (!selection.accession_number.empty()) return "worklist_step_by_accession";
  if (!selection.patient_id.empty()) return "worklist_step_by_patient_id";
  return selection.name.empty() ? "worklist_step_by_start" : "worklist_step_by_name";
}

struct NameRange {
  std::string first;    // least name the pattern can match
  std::string end;      // greater than all of them
  std::string pattern;  // as SQLite's GLOB
};

NameRange name_range(std::string_view wanted) {
  NameRange range;
  range.first = wanted.substr(0, wanted.find_first_of("*?"));
  // No byte of UTF-8 is FFH.
  range.end = range.first + '\xff';
  for (const char c : wanted) range.pattern += c == '[' ? std::string("[[]") : std::string(1, c);
  return range;
}

}  // namespace

core::Status refresh_worklist(Connection& connection, const std::string& service_request_id,
                              const WorklistOptions& options) {
  GW_TRY(const auto order, read_resource(connection, {"ServiceRequest", service_request_id}));
  if (order) GW_CHECK(hurry_images(connection, service_request_id, turn_of(order->body)));
  const auto subject =
      order ? parse_reference(order->body["subject"]["reference"].text()) : std::nullopt;
  std::optional<StoredResource> patient;
  if (subject && subject->type == "Patient") {
    GW_TRY(patient, read_resource(connection, *subject));
  }
  if (!order || !patient || !is_open(order->body)) {
    return connection.run("UPDATE worklist_step SET open = 0 WHERE service_request = ?",
                          service_request_id);
  }
  const Json& request = order->body;
  WorklistStep step;
  step.service_request_id = service_request_id;
  GW_CHECK(fix_identifiers(connection, request, options, step));
  step.requested_procedure_id = characters(order_number(request), kShLength);
  if (step.requested_procedure_id.empty()) step.requested_procedure_id = step.step_id;
  describe_procedure(request, step);
  step.priority = priority_of(request);
  step.modality = modality_of(request).value_or(
      options.default_modality.empty() ? "OT" : options.default_modality);
  step.station_ae_title = options.default_station_ae;
  step.location = characters(request["locationReference"][0]["display"].text(), kShLength);
  const auto start = core::to_dicom_time(start_of(request), options.time_zone);
  step.start_date = start.date;
  step.start_time = start.time;
  step.performing_physician = fhir::pn_from_display(request["performer"][0]["display"].text());
  step.requesting_physician = fhir::pn_from_display(request["requester"]["display"].text());
  step.referring_physician = step.requesting_physician;
  step.comments = characters(request["note"][0]["text"].text(), kLoLength);
  GW_TRY(const StoredResource named, one_who_stays(connection, subject->id, std::move(*patient)));
  name_patient(named.body, subject->id, options.patient_id_issuer, step);
  return store_step(connection, step, subject->id);
}

core::Status refresh_worklist_of_patient(Connection& connection, const std::string& patient_id,
                                         const WorklistOptions& options) {
  // A step shows the record that stays: the others' steps speak of this one.
  GW_TRY(const auto records, records_of_person(connection, patient_id));
  std::vector<std::string> orders;
  for (const std::string& record : records) {
    GW_TRY(auto rows,
           connection.query("SELECT service_request FROM worklist_step WHERE patient = ?", record));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      orders.emplace_back(rows.text(0));
    }
  }
  for (const std::string& order : orders) GW_CHECK(refresh_worklist(connection, order, options));
  return {};
}

core::Status find_worklist(Connection& connection, const WorklistSelection& selection,
                           const std::function<bool(WorklistStep)>& take) {
  std::string sql = core::cat(
      "SELECT service_request, step_id, study_uid, accession_number, patient_id, start_date, "
      "start_time, modality, station_ae_title, status, body FROM worklist_step INDEXED BY ",
      best_index(selection), " WHERE open = 1 AND status <> 'COMPLETED'");
  std::vector<crypto::Bind> binds;
  const auto demand = [&](const std::string& value, std::string_view condition) {
    if (value.empty()) return;
    sql += condition;
    binds.emplace_back(value);
  };
  demand(selection.date_from, " AND start_date >= ?");
  demand(selection.date_to, " AND start_date <= ?");
  demand(selection.modality, " AND modality = ?");
  demand(selection.station_ae_title, " AND station_ae_title IN (?, '')");
  demand(selection.patient_id, " AND patient_id = ?");
  demand(selection.accession_number, " AND accession_number = ?");
  const NameRange range = name_range(selection.name);
  if (!selection.name.empty()) {
    // A range for the index, then the pattern.
    sql += " AND name_key >= ? AND name_key < ? AND name_key GLOB ?";
    for (const std::string* value : {&range.first, &range.end, &range.pattern})
      binds.emplace_back(*value);
  }
  sql += " ORDER BY start_date, start_time";
  GW_TRY(auto rows, connection.query_list(sql, binds));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return {};
    WorklistStep step;
    std::array columns = {&step.service_request_id, &step.step_id,
                          &step.study_instance_uid, &step.accession_number,
                          &step.patient_id,         &step.start_date,
                          &step.start_time,         &step.modality,
                          &step.station_ae_title,   &step.status};
    for (std::size_t i = 0; i < columns.size(); ++i) *columns[i] = rows.text(static_cast<int>(i));
    GW_TRY(const Json body, Json::parse(rows.text(static_cast<int>(columns.size()))));
    for (const BodyField& entry : kBodyFields) step.*entry.field = body[entry.name].text();
    if (!take(std::move(step))) return {};
  }
}

core::Status skip_given_numbers(Connection& connection, core::Wall now) {
  using namespace std::chrono;
  const auto minutes = duration_cast<std::chrono::minutes>(now - sys_days(2000y / 1 / 1)).count();
  return connection.run(
      "INSERT INTO counter (name, value) VALUES ('worklist_step', max(0, ?1))"
      " ON CONFLICT (name) DO UPDATE SET value = max(value, ?1)",
      static_cast<std::int64_t>(minutes));
}

}  // namespace gateway::sync
