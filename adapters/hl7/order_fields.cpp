#include "adapters/hl7/order_fields.h"

#include <algorithm>
#include <array>

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
// Of what has no issuer but the device it came from (mapping/datatypes.h).
constexpr std::string_view kOfADevice = "urn:clinic-gateway:device:";

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

}  // namespace

std::string escaped(std::string_view text) { return escape_text(text, Delimiters()); }

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

std::string ei(const Json& identifier, char delimiter) {
  const std::string from = authority(identifier["system"].text(), delimiter);
  const std::string value = escaped(identifier["value"].text());
  return from.empty() ? value : cat(value, delimiter, from);
}

std::string_view type_code(const Json& identifier) {
  return identifier["type"]["coding"][kFirst]["code"].text();
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

std::string xcn(const Json& person) {
  const std::string id = escaped(person["identifier"]["value"].text());
  const std::string name = escaped(person["display"].text());
  return name.empty() ? id : cat(id, '^', name);
}

std::string_view priority_of(std::string_view priority) {
  if (priority == "stat") return "S";
  return priority == "asap" || priority == "urgent" ? "A" : "R";
}

std::string pid_segment(const Json& patient, const std::string& own_issuer, std::size_t number) {
  return cat("PID|", number, "||", patient_ids(patient, own_issuer), "||", xpn(patient["name"]),
             "||", dtm(patient["birthDate"].text()), '|', sex_of(patient["gender"].text()), "\r");
}

std::string collected_at(const Json& specimen) {
  const Json& collection = specimen["collection"];
  const std::string_view at = collection["collectedDateTime"].text();
  return dtm(at.empty() ? collection["collectedPeriod"]["start"].text() : at);
}

}  // namespace gateway::adapters::hl7
