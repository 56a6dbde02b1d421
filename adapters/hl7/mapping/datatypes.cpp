#include "adapters/hl7/mapping/datatypes.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/mapping/coding_systems.h"
#include "adapters/mapping/ucum.h"
#include "core/civil_time.h"
#include "core/net/http.h"
#include "core/text.h"
#include "sync/issuer.h"

namespace gateway::adapters::hl7 {

using core::cat;
using core::Json;

namespace {

Json coding(Mapping& mapping, const Piece& code, const Piece& display, const Piece& system) {
  if (!code.has_value()) return {};
  const std::string name = system.text();
  std::string uri = mapping::coding_system_uri(name);
  if (uri.empty()) {
    mapping.gap("code", name, code.text(), display.text());
    uri = cat("urn:clinic-gateway:device:", core::net::url_encode(mapping.device().name),
              name.empty() ? "" : ":", core::net::url_encode(name));
  }
  Json made = Json::object({{"system", uri}, {"code", code.text()}});
  set_if(made, "display", display.text());
  return made;
}

Json coding_of(std::string_view system, std::string_view code) {
  return Json::object({{"system", system}, {"code", code}});
}

}  // namespace

namespace {

/// CWE, its parts by `part`.
template <class Part>
Json concept_of(Mapping& mapping, const Part& part) {
  Json codings = Json::array();
  for (const std::size_t first : {1U, 4U, 10U}) {
    Json one = coding(mapping, part(first), part(first + 1), part(first + 2));
    if (!one.is_null()) codings.add(std::move(one));
  }
  Json made = Json::object();
  set_if(made, "coding", std::move(codings));
  std::string text;
  for (const std::size_t number : {9U, 2U, 1U}) {
    if (text.empty()) text = part(number).text();
  }
  set_if(made, "text", text);
  return made.size() == 0 ? Json() : made;
}

}  // namespace

Json codeable_concept(Mapping& mapping, const Piece& field) {
  if (!field.has_value()) return {};
  return concept_of(mapping, [&](std::size_t number) { return field.component(number); });
}

Json subcomponent_concept(Mapping& mapping, const Piece& component) {
  if (!component.has_value()) return {};
  return concept_of(mapping, [&](std::size_t number) { return component.subcomponent(number); });
}

std::string text_of_code(const Piece& component) {
  const std::string text = component.subcomponent(2).text();
  return text.empty() ? component.subcomponent(1).text() : text;
}

Json table_concept(Mapping& mapping, const Piece& field, std::string_view table) {
  const std::string code = field.first();
  if (code.empty()) return {};
  if (!is_standard_code(table, code)) {
    mapping.gap("code", cat("HL7", table), code);
    const std::string text = field.component(2).text();
    return Json::object({{"text", text.empty() ? code : text}});
  }
  Json one = coding_of(cat("http://terminology.hl7.org/CodeSystem/v2-", table), code);
  set_if(one, "display", field.component(2).text());
  return Json::object({{"coding", Json::array({one})}});
}

Json coded_by_table(Mapping& mapping, const Piece& field, std::string_view table) {
  return field.component(3).has_value() ? codeable_concept(mapping, field)
                                        : table_concept(mapping, field, table);
}

Json mapped_concept(Mapping& mapping, const Piece& field, std::string_view table, CodeTable map) {
  Json made = table_concept(mapping, field, table);
  const std::string mapped = code_of(map, field.first());
  const auto hash = mapped.find('#');
  if (hash == std::string::npos) return made;
  Json codings =
      Json::array({coding_of(cat("http://terminology.hl7.org/CodeSystem/", mapped.substr(0, hash)),
                             mapped.substr(hash + 1))});
  const Json sent = made["coding"];
  for (const Json& one : sent.items()) codings.add(one);
  made.set("coding", std::move(codings));
  return made;
}

std::int64_t whole_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc() && end == text.data() + text.size() ? number : 0;
}

std::string authority_system(const Piece& namespace_id, const Piece& universal_id,
                             const Piece& universal_type, std::string_view name_base) {
  std::string id = universal_id.text();
  const std::string type = universal_type.text();
  if (!id.empty() && (type == "ISO" || type.empty())) {
    std::string uri = mapping::coding_system_uri(id);
    if (!uri.empty()) return uri;
  }
  if (!id.empty() && (type == "UUID" || type == "GUID")) return cat("urn:uuid:", id);
  if (!id.empty() && (type == "URI" || type == "URL")) return id;
  const std::string name = namespace_id.text().empty() ? id : namespace_id.text();
  if (name.empty()) return {};
  // A local name means something only among those of the same issuer.
  return sync::local_issuer_system(name_base, name);
}

namespace {

/// Without an authority only a record number is one of the device's usual issuer: an insurance's
/// or a nation's number (HL7 table 0203) is somebody else's.
bool is_own_number(std::string_view type) {
  constexpr std::array<std::string_view, 5> kOwn{"", "MR", "PI", "PT", "MRT"};
  return std::find(kOwn.begin(), kOwn.end(), type) != kOwn.end();
}

}  // namespace

Json cx_identifier(Mapping& mapping, const Piece& field) {
  const std::string value = field.component(1).text();
  if (value.empty()) return {};
  const Piece authority = field.component(4);
  const std::string& issuer = mapping.device().patient_id_issuer;
  std::string system =
      authority_system(authority.subcomponent(1), authority.subcomponent(2),
                       authority.subcomponent(3), issuer.empty() ? "urn:clinic-gateway" : issuer);
  if (system.empty() && is_own_number(field.component(5).text())) system = issuer;
  Json made = Json::object();
  set_if(made, "type", table_concept(mapping, field.component(5), "0203"));
  set_if(made, "system", system);
  made.set("value", value);
  Json period = Json::object();
  set_if(period, "start", fhir_time(mapping, field.component(7)).text);
  set_if(period, "end", fhir_time(mapping, field.component(8)).text);
  set_if(made, "period", std::move(period));
  if (const std::string assigner = field.component(6).subcomponent(1).text(); !assigner.empty())
    made.set("assigner", Json::object({{"display", assigner}}));
  return made;
}

Json ei_identifier(Mapping& mapping, const Piece& field, std::string_view type) {
  const std::string value = field.component(1).subcomponent(1).text();
  if (value.empty()) return {};
  const std::string base =
      cat("urn:clinic-gateway:device:", core::net::url_encode(mapping.device().name));
  std::string system =
      authority_system(field.component(2), field.component(3), field.component(4), base);
  Json made = Json::object();
  if (!type.empty()) {
    made.set(
        "type",
        Json::object({{"coding", Json::array({coding_of(
                                     "http://terminology.hl7.org/CodeSystem/v2-0203", type)})}}));
  }
  // Without an issuer a number is the device's own, and of its kind.
  made.set("system", system.empty() ? cat(base, ":", type) : system);
  made.set("value", value);
  return made;
}

std::vector<sync::BusinessId> business_ids(const Json& identifiers) {
  std::vector<sync::BusinessId> ids;
  for (const Json& one : identifiers.items())
    ids.push_back({std::string(one["system"].text()), std::string(one["value"].text())});
  return ids;
}

namespace {

/// XCN or CNN, its parts by `part`; `authority` names the system of its id.
template <class Part, class Authority>
Json person_reference(Mapping& mapping, const Part& part, const Authority& authority) {
  const std::string id = part(1).text();
  std::string display;
  for (const std::size_t number : {6U, 3U, 4U, 2U}) {
    const std::string word = part(number).text();
    if (!word.empty()) display += cat(display.empty() ? "" : " ", word);
  }
  if (id.empty() && display.empty()) return {};
  Json made = Json::object({{"type", "Practitioner"}});
  if (!id.empty()) {
    const std::string base =
        cat("urn:clinic-gateway:device:", core::net::url_encode(mapping.device().name));
    const std::string system = authority(base);
    made.set("identifier",
             Json::object({{"system", system.empty() ? base + ":staff" : system}, {"value", id}}));
  }
  set_if(made, "display", display.empty() ? id : display);
  return made;
}

}  // namespace

Json practitioner_reference(Mapping& mapping, const Piece& field) {
  const auto part = [&](std::size_t number) {
    // An id is whole, a name's first part is the name.
    return number == 1 ? field.component(1) : field.component(number).subcomponent(1);
  };
  return person_reference(mapping, part, [&](std::string_view base) {
    const Piece authority = field.component(9);
    return authority_system(authority.subcomponent(1), authority.subcomponent(2),
                            authority.subcomponent(3), base);
  });
}

Json interpreter_reference(Mapping& mapping, const Piece& field) {
  const Piece person = field.component(1);
  const auto part = [&](std::size_t number) { return person.subcomponent(number); };
  return person_reference(mapping, part, [&](std::string_view base) {
    return authority_system(part(9), part(10), part(11), base);
  });
}

Json organization_reference(const Piece& field) {
  const std::string name = field.component(1).subcomponent(1).text();
  if (name.empty()) return {};
  return Json::object({{"type", "Organization"}, {"display", name}});
}

Json location_reference(const Piece& field) {
  std::string display;
  for (const std::size_t number : {4U, 7U, 8U, 1U, 2U, 3U}) {
    const std::string part = field.component(number).subcomponent(1).text();
    if (!part.empty()) display += cat(display.empty() ? "" : ", ", part);
  }
  if (display.empty()) return {};
  return Json::object({{"type", "Location"}, {"display", display}});
}

namespace {

/// A unit's id and, where a sender gives none, its text.
void set_unit(Mapping& mapping, Json& made, const Piece& id, const Piece& text,
              const Piece& system) {
  const std::string name = text.text();
  std::string sent = mapping::power_of_ten(id.text(), name);
  if (sent.empty()) sent = name;
  if (sent.empty()) return;
  made.set("unit", sent);
  const bool is_ucum = mapping::coding_system_uri(system.text()) == kUcum;
  const std::string code = is_ucum ? sent : mapping::ucum_code(sent);
  if (code.empty()) {
    mapping.gap("unit", system.text(), sent, name);
    return;
  }
  made.set("system", kUcum);
  made.set("code", code);
}

}  // namespace

void set_unit(Mapping& mapping, Json& made, const Piece& units) {
  set_unit(mapping, made, units.component(1), units.component(2), units.component(3));
}

Json quantity(Mapping& mapping, std::string_view number, const Piece& units) {
  Json made = mapping::quantity(number);
  if (!made.is_null()) set_unit(mapping, made, units);
  return made;
}

Json composite_quantity(Mapping& mapping, const Piece& field) {
  const Piece unit = field.component(2);
  Json made = mapping::quantity(field.component(1).text());
  if (!made.is_null())
    set_unit(mapping, made, unit.subcomponent(1), unit.subcomponent(2), unit.subcomponent(3));
  return made;
}

}  // namespace gateway::adapters::hl7
