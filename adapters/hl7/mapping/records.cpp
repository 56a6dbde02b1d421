// MDM^T01/T02 to DocumentReference, SIU^S12 to S26 to Appointment, VXU^V04 to Immunization
// (v2-to-FHIR IG, TXA[DocumentReference], SCH/AIx[Appointment], RXA[Immunization]).
#include <algorithm>
#include <array>
#include <utility>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mapping/observation.h"
#include "adapters/hl7/mapping/order_parts.h"
#include "core/base64.h"
#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

Json patient_reference() { return Json::object({{"reference", sync::kPatientReference}}); }

/// The document's text: TX, FT and ST lines together, each ED or RP by itself.
Json document_contents(Mapping& mapping) {
  Json contents = Json::array();
  std::string text;
  for (const Segment& segment : mapping.message().segments()) {
    if (segment.name != "OBX") continue;
    const std::string type = segment.field(2).first();
    if (type == "ED" || type == "RP") {
      Json file = attachment(mapping, segment.field(5), type == "RP");
      if (file.is_null()) continue;
      contents.add(Json::object({{"attachment", std::move(file)}}));
      continue;
    }
    for (std::size_t i = 0; i < segment.field(5).repetitions(); ++i)
      text += cat(segment.field(5).repetition(i).text(), "\n");
  }
  if (!text.empty()) {
    Json file = Json::object(
        {{"contentType", "text/plain; charset=utf-8"}, {"data", core::to_base64(text)}});
    contents.add(Json::object({{"attachment", std::move(file)}}));
  }
  if (contents.size() == 0) {
    // T01 announces a document without its content.
    Json announced = Json::object({{"title", "announced, content not sent"}});
    contents.add(Json::object({{"attachment", std::move(announced)}}));
  }
  return contents;
}

/// TXA-17, how far the document has come, and TXA-19, whether it may be used: one that its sender
/// deleted or replaced is not current, however final its text was.
void set_document_status(Mapping& mapping, const Segment& document, Json& body) {
  const std::string completion = document.field(17).first();
  const std::string availability = document.field(19).first();
  const std::string status = code_of(kDocumentAvailability, availability);
  if (status.empty() && !availability.empty()) mapping.gap("code", "HL70273", availability);
  std::string made = code_of(kDocumentStatus, completion);
  if (made.empty() && !completion.empty()) mapping.gap("code", "HL70271", completion);
  if (status == "entered-in-error") made = status;
  body.set("status", status.empty() ? "current" : status);
  set_if(body, "docStatus", std::move(made));
}

Json appointment_participants(Mapping& mapping) {
  Json all = Json::array({Json::object({{"actor", patient_reference()}, {"status", "accepted"}})});
  for (const Segment& segment : mapping.message().segments()) {
    Json actor;
    if (segment.name == "AIP") {
      actor = practitioner_reference(mapping, segment.field(3).repetition(0));
    } else if (segment.name == "AIL") {
      actor = location_reference(segment.field(3).repetition(0));
    } else if (segment.name == "AIG") {
      const std::string name = segment.field(3).component(2).text();
      if (!name.empty()) actor = Json::object({{"type", "Device"}, {"display", name}});
    }
    if (actor.is_null()) continue;
    all.add(Json::object({{"actor", std::move(actor)}, {"status", "accepted"}}));
  }
  return all;
}

/// NTE behind SCH; those behind what is booked are counted, for FHIR has no place for them.
std::string appointment_comment(Mapping& mapping) {
  std::string comment;
  bool is_of_appointment = true;
  for (const Segment& segment : mapping.message().segments()) {
    if (segment.name == "RGS" || segment.name == "PID") is_of_appointment = false;
    if (segment.name != "NTE") continue;
    if (!is_of_appointment) mapping.not_mapped(segment);
    const std::string text = is_of_appointment ? segment.field(3).text() : std::string();
    if (!text.empty()) comment += cat(comment.empty() ? "" : "\n", text);
  }
  return comment;
}

/// What is booked, with when it begins and how long it lasts: of a service (AIS), a thing, a place
/// or a person, the first that tells a time. Many systems book a person alone.
struct Booked {
  Piece start, duration, units;
};

Booked first_booked(const Message& message) {
  struct Places {
    std::string_view segment;
    std::size_t start, duration, units;
  };
  constexpr std::array<Places, 4> kPlaces{
      {{"AIS", 4, 7, 8}, {"AIG", 8, 11, 12}, {"AIL", 6, 9, 10}, {"AIP", 6, 9, 10}}};
  for (const Places& at : kPlaces) {
    for (const Segment& segment : message.segments()) {
      if (segment.name == at.segment && segment.field(at.start).has_value())
        return {segment.field(at.start), segment.field(at.duration), segment.field(at.units)};
    }
  }
  return {};
}

// Nobody is booked for longer; a time that it is added to stays one.
constexpr std::int64_t kMinutesMax = 366LL * 24 * 60;

/// Minutes by SCH-9 and -10, or those of what is booked; 0: not told. Seconds are no length of an
/// appointment: who sends them left the unit as it was shipped.
std::int64_t minutes_of(const Segment& schedule, const Booked& booked) {
  const auto in_minutes = [](const Piece& number, const Piece& unit) -> std::int64_t {
    const std::string name = core::to_lower_ascii(unit.first());
    const std::int64_t value = whole_number(number.first());
    if (value > kMinutesMax) return 0;
    if (name.empty() || name.starts_with("min") || name == "m") return value;
    return name.starts_with("h") ? value * 60 : 0;
  };
  const std::int64_t told = in_minutes(schedule.field(9), schedule.field(10));
  return std::min(told > 0 ? told : in_minutes(booked.duration, booked.units), kMinutesMax);
}

/// Start and end; false: one of them is not told.
bool set_appointment_times(Mapping& mapping, const Segment& schedule, Json& body) {
  const Segment* timing = mapping.message().find("TQ1");
  const Booked booked = first_booked(mapping.message());
  FhirTime start = fhir_time(mapping, timing != nullptr ? timing->field(7) : Piece());
  FhirTime end = fhir_time(mapping, timing != nullptr ? timing->field(8) : Piece());
  if (start.text.empty()) start = fhir_time(mapping, schedule.field(11).component(4));
  if (end.text.empty()) end = fhir_time(mapping, schedule.field(11).component(5));
  if (start.text.empty()) start = fhir_time(mapping, booked.start);
  const std::int64_t minutes = minutes_of(schedule, booked);
  if (minutes > 0) body.set("minutesDuration", minutes);
  const auto begins = core::parse_instant(start.text);
  if (end.text.empty() && begins && minutes > 0)
    end.text = core::to_instant(*begins + std::chrono::minutes(minutes));
  // An instant needs a time of day.
  if (start.text.size() < 20 || end.text.size() < 20) return false;
  set_time(body, "start", start);
  set_time(body, "end", end);
  return true;
}

/// Without times (FHIR app-3) what is new can only be proposed, cancelled or wait; what is held
/// already has its own, and "booked" says no more than that it stands.
void set_appointment_status(std::string status, bool is_timed, sync::Draft& draft) {
  const bool needs_times =
      status != "cancelled" && status != "waitlist" && status != "entered-in-error";
  if (!is_timed && needs_times) draft.status_if_new = "proposed";
  if (!is_timed && status == "booked") status.clear();
  set_if(draft.body, "status", std::move(status));
}

/// One RXA with the ORC before it and the RXR, OBX and NTE after it.
struct Administration {
  const Segment* orc = nullptr;
  const Segment* rxa = nullptr;
  const Segment* route = nullptr;
};

/// Of a vaccine that nobody gave: the message tells of immunity or of a refusal of all (CVX 998).
bool is_no_vaccine(const Segment& rxa) { return rxa.field(5).first() == "998"; }

void set_dose(Mapping& mapping, const Segment& rxa, Json& body) {
  const std::string amount = rxa.field(6).first();
  if (amount.empty() || amount == "999") return;  // 999: unknown
  set_if(body, "doseQuantity", quantity(mapping, amount, rxa.field(7)));
}

/// ORC-2 or -3. 9999 is what the guides have registries send of every vaccine that was not given.
Json vaccination_number(Mapping& mapping, const Administration& given, std::size_t number,
                        std::string_view type) {
  if (given.orc == nullptr) return {};
  Json made = ei_identifier(mapping, given.orc->field(number), type);
  return made["value"].text() == "9999" ? Json() : made;
}

/// Who gave it (RXA-10) and who ordered it (ORC-12), by v2-0443.
Json vaccination_performers(Mapping& mapping, const Administration& given) {
  const Piece ordering = given.orc == nullptr ? Piece() : given.orc->field(12);
  Json all = Json::array();
  for (const auto& [role, field] :
       {std::pair{"AP", given.rxa->field(10)}, std::pair{"OP", ordering}}) {
    Json person = practitioner_reference(mapping, field.repetition(0));
    if (person.is_null()) continue;
    const Json coding =
        Json::object({{"system", "http://terminology.hl7.org/CodeSystem/v2-0443"}, {"code", role}});
    Json performer =
        Json::object({{"function", Json::object({{"coding", Json::array({coding})}})}});
    performer.set("actor", std::move(person));
    all.add(std::move(performer));
  }
  return all;
}

void map_immunization(Mapping& mapping, const Administration& given) {
  const Segment& rxa = *given.rxa;
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Immunization"}});
  Json identifiers = Json::array();
  const Json filler = vaccination_number(mapping, given, 3, "FILL");
  for (const Json& one : {vaccination_number(mapping, given, 2, "PLAC"), filler}) {
    if (!one.is_null()) identifiers.add(one);
  }
  set_if(body, "identifier", std::move(identifiers));
  const std::string status = code_of(kImmunizationStatus, rxa.field(20).first());
  const bool is_deleted = rxa.field(21).first() == "D";
  body.set("status", is_deleted ? "entered-in-error" : status.empty() ? "completed" : status);
  if (Json reason = codeable_concept(mapping, rxa.field(18)); !reason.is_null())
    body.set("statusReason", std::move(reason));
  Json vaccine = codeable_concept(mapping, rxa.field(5));
  body.set("vaccineCode",
           vaccine.is_null() ? Json::object({{"text", "RXA-5 not sent"}}) : std::move(vaccine));
  body.set("patient", patient_reference());
  // 00: given by whoever tells it; all others are history, from a card or by word.
  if (rxa.field(9).component(3).text() == "NIP001")
    body.set("primarySource", rxa.field(9).first() == "00");
  const FhirTime at = fhir_time(mapping, rxa.field(3));
  if (at.text.empty()) {
    body.set("occurrenceString", "not sent");
  } else {
    set_time(body, "occurrenceDateTime", at);
  }
  if (rxa.field(21).first() == "A") set_time(body, "recorded", fhir_time(mapping, rxa.field(22)));
  if (Json maker = organization_reference(rxa.field(17).component(2)); !maker.is_null())
    body.set("manufacturer", std::move(maker));
  set_if(body, "lotNumber", rxa.field(15).first());
  set_if(body, "expirationDate", fhir_time(mapping, rxa.field(16)).text.substr(0, 10));
  if (given.route != nullptr) {
    set_if(body, "route", codeable_concept(mapping, given.route->field(1)));
    set_if(body, "site", codeable_concept(mapping, given.route->field(2)));
  }
  set_dose(mapping, rxa, body);
  set_if(body, "location",
         location_reference(rxa.field(27).has_value() ? rxa.field(27) : rxa.field(11)));
  set_if(body, "encounter", encounter_reference(mapping));
  set_if(body, "performer", vaccination_performers(mapping, given));
  set_if(body, "reasonCode", each_repetition(rxa.field(19), [&](const Piece& one) {
           return codeable_concept(mapping, one);
         }));
  draft.seed = filler.is_null()
                   ? cat("immunization|", rxa.field(3).raw(), "|", rxa.field(5).first())
                   : cat("immunization|", filler["system"].text(), "|", filler["value"].text());
  mapping.add(std::move(draft));
}

}  // namespace

void map_document(Mapping& mapping, std::string_view /*event*/) {
  const Segment* document = mapping.message().find("TXA");
  if (document == nullptr) {
    mapping.out().dead_because = "a document message without TXA";
    return;
  }
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "DocumentReference"}});
  Json number = ei_identifier(mapping, document->field(12), "");
  set_if(body, "masterIdentifier", number);
  set_document_status(mapping, *document, body);
  set_if(body, "type", coded_by_table(mapping, document->field(2), "0270"));
  if (Json label = table_concept(mapping, document->field(18), "0272"); !label.is_null())
    body.set("securityLabel", Json::array({std::move(label)}));
  body.set("subject", patient_reference());
  if (const FhirTime at = fhir_time(mapping, document->field(6)); at.text.size() > 10)
    set_time(body, "date", at);
  set_if(body, "author", each_repetition(document->field(9), [&](const Piece& one) {
           return practitioner_reference(mapping, one);
         }));
  set_if(body, "authenticator", practitioner_reference(mapping, document->field(10).repetition(0)));
  if (Json parent = ei_identifier(mapping, document->field(13), ""); !parent.is_null()) {
    Json target = Json::object({{"type", "DocumentReference"}});
    target.set("identifier", std::move(parent));
    body.set("relatesTo",
             Json::array({Json::object({{"code", "appends"}, {"target", std::move(target)}})}));
  }
  set_if(body, "description", document->field(25).text());
  body.set("content", document_contents(mapping));
  if (Json encounter = encounter_reference(mapping); !encounter.is_null())
    body.set("context", Json::object({{"encounter", Json::array({std::move(encounter)})}}));
  draft.seed = cat("document|", document->field(12).raw());
  if (number.is_null()) draft.seed += mapping.message().header().field(10).raw();
  mapping.add(std::move(draft));
}

void map_appointment(Mapping& mapping, std::string_view event) {
  const Segment* schedule = mapping.message().find("SCH");
  if (schedule == nullptr) {
    mapping.out().dead_because = "an appointment message without SCH";
    return;
  }
  sync::Draft draft;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Appointment"}});
  Json identifiers = Json::array();
  for (const auto& [number, type] : {std::pair{1U, "PLAC"}, std::pair{2U, "FILL"}}) {
    Json one = ei_identifier(mapping, schedule->field(number), type);
    if (!one.is_null()) identifiers.add(std::move(one));
  }
  draft.known_as = business_ids(identifiers);
  set_if(body, "identifier", identifiers);
  const std::string by_event = code_of(kAppointmentEvent, event);
  const std::string told =
      code_of(kAppointmentStatus, core::to_lower_ascii(schedule->field(25).first()));
  const bool is_timed = set_appointment_times(mapping, *schedule, body);
  set_appointment_status(by_event == "booked" && !told.empty() ? told : by_event, is_timed, draft);
  if (Json reason = codeable_concept(mapping, schedule->field(7)); !reason.is_null())
    body.set("reasonCode", Json::array({std::move(reason)}));
  set_if(body, "appointmentType", codeable_concept(mapping, schedule->field(8)));
  if (const Segment* service = mapping.message().find("AIS"); service != nullptr) {
    if (Json kind = codeable_concept(mapping, service->field(3)); !kind.is_null())
      body.set("serviceType", Json::array({std::move(kind)}));
  }
  set_if(body, "comment", appointment_comment(mapping));
  body.set("participant", appointment_participants(mapping));
  draft.seed = cat("appointment|", schedule->field(1).raw(), "|", schedule->field(2).raw());
  // Without a number its time tells it from the patient's other ones.
  if (draft.known_as.empty()) {
    const std::string_view start = body["start"].text();
    draft.seed += start.empty() ? mapping.message().header().field(10).raw() : start;
  }
  mapping.add(std::move(draft));
}

void map_immunizations(Mapping& mapping) {
  std::vector<Administration> all;
  const Segment* orc = nullptr;
  for (const Segment& segment : mapping.message().segments()) {
    if (segment.name == "ORC") orc = &segment;
    if (segment.name == "RXA") all.push_back({std::exchange(orc, nullptr), &segment, nullptr});
    if (segment.name == "RXR" && !all.empty()) all.back().route = &segment;
  }
  for (const Administration& one : all) {
    if (is_no_vaccine(*one.rxa)) {
      mapping.not_mapped(*one.rxa);
    } else {
      map_immunization(mapping, one);
    }
  }
  if (all.empty()) mapping.out().dead_because = "a vaccination message without RXA";
}

}  // namespace gateway::adapters::hl7
