#include "adapters/hl7/order_message.h"

#include <algorithm>
#include <array>

#include "adapters/hl7/character_set.h"
#include "adapters/hl7/message.h"
#include "adapters/mapping/coding_systems.h"
#include "core/text.h"
#include "sync/fhir/person_name.h"
#include "sync/shown_patient.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kFirst = 0;
constexpr std::string_view kOrc = "\rORC|";
// Of what has no issuer but the device it came from (mapping/datatypes.h).
constexpr std::string_view kOfADevice = "urn:clinic-gateway:device:";

std::string escaped(std::string_view text) { return escape_text(text, Delimiters()); }

/// "20260301101500+0100" of a FHIR date, dateTime or instant; DTM has four digits of a second.
std::string dtm(std::string_view fhir) {
  constexpr std::size_t kFractionMax = 5;  // with its point
  const auto t = fhir.find('T');
  const auto zone = t == fhir.npos ? fhir.npos : fhir.find_first_of("Z+-", t);
  std::string_view time = fhir.substr(0, zone);
  if (const auto point = time.find('.'); point != time.npos)
    time = time.substr(0, std::min(time.size(), point + kFractionMax));
  std::string text;
  for (const char c : time)
    if ((c >= '0' && c <= '9') || c == '.') text += c;
  if (zone == fhir.npos) return text;
  if (fhir[zone] == 'Z') return text + "+0000";
  for (const char c : fhir.substr(zone))
    if (c != ':') text += c;
  return text;
}

std::string date(std::string_view fhir) { return dtm(fhir.substr(0, fhir.find('T'))); }

/// HD of an identifier's system: namespace, universal id and its type.
std::string authority(std::string_view system, char delimiter) {
  constexpr std::string_view kLocal = "urn:clinic-gateway:issuer:";
  constexpr std::string_view kOid = "urn:oid:";
  constexpr std::string_view kUuid = "urn:uuid:";
  if (system.empty() || system.starts_with(kOfADevice)) return {};
  // A local name goes back as it came (sync/issuer.h).
  if (system.starts_with(kLocal)) return escaped(system.substr(system.rfind(':') + 1));
  const auto named = [&](std::string_view id, std::string_view type) {
    return cat(delimiter, escaped(id), delimiter, type);
  };
  if (system.starts_with(kOid)) return named(system.substr(kOid.size()), "ISO");
  if (system.starts_with(kUuid)) return named(system.substr(kUuid.size()), "UUID");
  const auto fragment = system.find('#');
  const std::string name =
      fragment == system.npos ? std::string() : escaped(system.substr(fragment + 1));
  return name + named(system, "URI");
}

/// EI; with '&' as part of an EIP.
std::string ei(const Json& identifier, char delimiter = '^') {
  const std::string from = authority(identifier["system"].text(), delimiter);
  const std::string value = escaped(identifier["value"].text());
  return from.empty() ? value : cat(value, delimiter, from);
}

std::string_view type_code(const Json& identifier) {
  return identifier["type"]["coding"][kFirst]["code"].text();
}

std::string cx(const Json& identifier) {
  const Json& period = identifier["period"];
  std::string text =
      cat(escaped(identifier["value"].text()), "^^^", authority(identifier["system"].text(), '&'),
          '^', escaped(type_code(identifier)), "^^", date(period["start"].text()), '^',
          date(period["end"].text()));
  while (text.ends_with('^')) text.pop_back();
  return text;
}

std::string system_name(std::string_view uri) {
  if (!uri.starts_with(kOfADevice)) return mapping::coding_system_name(uri);
  const auto name = uri.find(':', kOfADevice.size());
  return std::string(name == uri.npos ? "L" : uri.substr(name + 1));
}

std::string cwe(const Json& concept_) {
  const auto& codings = concept_["coding"].items();
  const std::string_view words = concept_["text"].text();
  // CWE-9 is the original text; without a code its place is CWE-2.
  if (codings.empty()) return words.empty() ? std::string() : cat('^', escaped(words));
  std::string text;
  for (std::size_t i = 0; i < 2; ++i) {
    const Json coding = i < codings.size() ? codings[i] : Json();
    text +=
        cat(i > 0 ? "^" : "", escaped(coding["code"].text()), '^',
            escaped(coding["display"].text()), '^', escaped(system_name(coding["system"].text())));
  }
  if (!words.empty()) return cat(text, "^^^", escaped(words));
  while (text.ends_with('^')) text.pop_back();
  return text;
}

const Json& filler(const Json& order) {
  static const Json none;
  for (const Json& one : order["identifier"].items())
    if (type_code(one) == "FILL") return one;
  return none;
}

std::string xcn(const Json& person) {
  const std::string id = escaped(person["identifier"]["value"].text());
  const std::string name = escaped(person["display"].text());
  return name.empty() ? id : cat(id, '^', name);
}

std::string xpn(const Json& names) {
  const std::string pn = sync::fhir::pn_from_human_names(names);
  std::array<std::string, 5> parts;
  std::size_t at = 0;
  for (std::string& part : parts) {
    const auto end = std::min(pn.find('^', at), pn.size());
    part = escaped(std::string_view(pn).substr(at, end - at));
    at = std::min(end + 1, pn.size());
  }
  // DICOM has the prefix before the suffix, HL7 the other way round.
  std::swap(parts[3], parts[4]);
  std::string text = cat(parts[0], '^', parts[1], '^', parts[2], '^', parts[3], '^', parts[4]);
  while (text.ends_with('^')) text.pop_back();
  return text;
}

std::string_view sex_of(std::string_view gender) {
  if (gender == "male") return "M";
  if (gender == "female") return "F";
  if (gender == "other") return "O";
  return gender.empty() ? "" : "U";
}

/// Table 0485.
std::string_view priority_of(std::string_view priority) {
  if (priority == "stat") return "S";
  return priority == "asap" || priority == "urgent" ? "A" : "R";
}

std::string_view wanted_at(const Json& order) {
  const std::string_view at = order["occurrenceDateTime"].text();
  return at.empty() ? order["occurrencePeriod"]["start"].text() : at;
}

/// Devices read the first: the one the clinic goes by. An id of old is nobody's any more.
std::string patient_ids(const Json& patient, const std::string& own_issuer) {
  const Json* const first = sync::shown_identifier(patient, own_issuer);
  if (first == nullptr) return escaped(patient["id"].text());
  std::string ids = cx(*first);
  for (const Json& one : patient["identifier"].items()) {
    const bool is_one = !one["value"].text().empty() && one["use"].text() != "old";
    if (is_one && &one != first) ids += cat('~', cx(one));
  }
  return ids;
}

std::string pid(const OrderFacts& facts) {
  const Json& patient = facts.patient;
  return cat("PID|1||", patient_ids(patient, facts.patient_id_issuer), "||", xpn(patient["name"]),
             "||", dtm(patient["birthDate"].text()), '|', sex_of(patient["gender"].text()), "\r");
}

std::string request(OrderForm form, const Json& order) {
  const std::string placer = placer_number(order);
  const std::string fillers = ei(filler(order));
  const std::string start = dtm(wanted_at(order));
  const std::string_view priority = priority_of(order["priority"].text());
  const std::string by = xcn(order["requester"]);
  const bool is_orm = form == OrderForm::orm;
  // ORM's readers know TQ fields (ORC-7, OBR-27) better than segments.
  const std::string timing = is_orm ? cat("^^^", start, "^^", priority) : std::string();
  std::string text = cat("ORC||", placer, '|', fillers, '|', ei(order["requisition"]), "|||",
                         timing, "||", dtm(order["authoredOn"].text()), "|||", by, "\r");
  if (!is_orm) text += cat("TQ1|1||||||", start, "||", priority, "\r");
  std::string reasons;
  for (const Json& one : order["reasonCode"].items())
    reasons += cat(reasons.empty() ? "" : "~", cwe(one));
  text +=
      cat("OBR|1|", placer, '|', fillers, '|', cwe(order["code"]), '|', is_orm ? priority : "", '|',
          is_orm ? start : "", "||||||||||", by, "|||||||||||", timing, "||||", reasons, "\r");
  std::size_t number = 0;
  for (const Json& note : order["note"].items())
    text += cat("NTE|", ++number, "||", escaped(note["text"].text()), "\r");
  return text;
}

std::string spm(const Json& specimen, std::size_t number) {
  const Json& collection = specimen["collection"];
  const std::string_view at = collection["collectedDateTime"].text();
  // EIP-1: the placer's id, which is the one on the tube.
  return cat("SPM|", number, '|', ei(specimen["identifier"][kFirst], '&'), "||",
             cwe(specimen["type"]), "|||||||||||||",
             dtm(at.empty() ? collection["collectedPeriod"]["start"].text() : at), "\r");
}

/// Table 0008. Anything else may be anything, a name too: `code` goes into logs.
std::string acknowledgment_code(std::string code) {
  constexpr std::array<std::string_view, 6> kCodes{"AA", "AE", "AR", "CA", "CE", "CR"};
  const bool is_known = std::ranges::find(kCodes, code) != kCodes.end();
  return is_known ? std::move(code) : "what is no code";
}

/// UC, UX and their like: unable to (table 0119). The message was taken, the order in it was not.
bool refuses_order(std::string_view control) {
  constexpr std::array<std::string_view, 4> kRefusals{"UA", "UC", "UX", "DE"};
  return std::ranges::find(kRefusals, control) != kRefusals.end();
}

}  // namespace

std::string placer_number(const Json& order) {
  const Json* any = nullptr;
  for (const Json& one : order["identifier"].items()) {
    if (type_code(one) == "PLAC") return ei(one);
    if (any == nullptr && type_code(one) != "FILL") any = &one;
  }
  return any == nullptr ? escaped(order["id"].text()) : ei(*any);
}

std::string order_segments(OrderForm form, const OrderFacts& facts) {
  std::string text = pid(facts) + request(form, facts.order);
  std::size_t number = 0;
  if (form == OrderForm::oml)
    for (const Json& specimen : facts.specimens) text += spm(specimen, ++number);
  return text;
}

std::string order_message(const OrderHeader& header, std::string_view control,
                          std::string_view segments) {
  const std::string now = core::to_instant(header.now).substr(0, 19);
  const bool is_orm = header.form == OrderForm::orm;
  std::string text = cat("MSH|^~\\&|clinic-gateway||", escaped(header.receiver), "||", dtm(now),
                         "+0000||", is_orm ? "ORM^O01^ORM_O01" : "OML^O21^OML_O21", '|',
                         header.control_id, "|P|2.5.1||||||UNICODE UTF-8\r", segments);
  text.insert(text.find(kOrc) + kOrc.size(), control);
  return text;
}

std::string segments_of(std::string_view message) {
  std::string text(message.substr(message.find('\r') + 1));
  const auto control = text.find(kOrc) + kOrc.size();
  return text.erase(control, text.find('|', control) - control);
}

std::optional<OrderAnswer> read_order_answer(std::string_view bytes, std::string_view control_id) {
  const auto message = Message::parse(decode_text(bytes, "").utf8);
  if (!message.ok()) return std::nullopt;
  const Segment* const msa = (*message)->find("MSA");
  if (msa == nullptr || msa->field(2).first() != control_id) return std::nullopt;
  OrderAnswer answer;
  answer.code = acknowledgment_code(msa->field(1).first());
  const Segment* const err = (*message)->find("ERR");
  answer.words = msa->field(3).text();
  if (answer.words.empty() && err != nullptr) answer.words = err->field(8).text();
  if (answer.code == "AA" || answer.code == "CA") answer.what = OrderAnswer::What::taken;
  if (answer.code == "AR" || answer.code == "CR") answer.what = OrderAnswer::What::refused;
  for (const Segment& segment : (*message)->segments()) {
    if (segment.name != "ORC" || !refuses_order(segment.field(1).first())) continue;
    answer.what = OrderAnswer::What::refused;
    answer.code += cat(", ORC-1 ", segment.field(1).first());
  }
  return answer;
}

}  // namespace gateway::adapters::hl7
