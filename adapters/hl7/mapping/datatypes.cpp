#include "adapters/hl7/mapping/datatypes.h"

#include <algorithm>
#include <array>

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

Json codeable_concept(Mapping& mapping, const Piece& field) {
  if (!field.has_value()) return {};
  Json codings = Json::array();
  for (const std::size_t first : {1U, 4U}) {
    Json one = coding(mapping, field.component(first), field.component(first + 1),
                      field.component(first + 2));
    if (!one.is_null()) codings.add(std::move(one));
  }
  Json made = Json::object();
  set_if(made, "coding", std::move(codings));
  std::string text = field.component(9).text();
  if (text.empty()) text = field.component(2).text();
  if (text.empty()) text = field.component(1).text();
  set_if(made, "text", text);
  return made.size() == 0 ? Json() : made;
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

Json human_name(const Piece& field) {
  if (!field.has_value()) return {};
  Json name = Json::object();
  set_if(name, "use", code_of(kNameUse, field.component(7).text()));
  set_if(name, "family", field.component(1).subcomponent(1).text());
  Json given = Json::array();
  for (const std::size_t number : {2U, 3U}) {
    if (const std::string part = field.component(number).text(); !part.empty()) given.add(part);
  }
  set_if(name, "given", std::move(given));
  if (const std::string prefix = field.component(5).text(); !prefix.empty())
    name.set("prefix", Json::array({prefix}));
  Json suffix = Json::array();
  for (const std::size_t number : {4U, 6U}) {
    if (const std::string part = field.component(number).text(); !part.empty()) suffix.add(part);
  }
  set_if(name, "suffix", std::move(suffix));
  const bool is_named = !name["family"].is_null() || !name["given"].is_null();
  return is_named ? name : Json();
}

Json address(const Piece& field) {
  if (!field.has_value()) return {};
  Json made = Json::object();
  const std::string kind = field.component(7).text();
  set_if(made, "use", code_of(kAddressUse, kind));
  set_if(made, "type", code_of(kAddressType, kind));
  Json lines = Json::array();
  for (const Piece& line : {field.component(1).subcomponent(1), field.component(2)}) {
    if (const std::string text = line.text(); !text.empty()) lines.add(text);
  }
  set_if(made, "line", std::move(lines));
  set_if(made, "city", field.component(3).text());
  set_if(made, "district", field.component(9).text());
  set_if(made, "state", field.component(4).text());
  set_if(made, "postalCode", field.component(5).text());
  set_if(made, "country", field.component(6).text());
  return made.size() == 0 ? Json() : made;
}

Json contact_point(const Piece& field) {
  if (!field.has_value()) return {};
  const std::string equipment = field.component(3).text();
  std::string value = field.component(4).text();
  const bool is_mail = !value.empty();
  if (value.empty()) value = field.component(12).text();
  if (value.empty()) value = field.component(1).text();
  if (value.empty()) {
    for (const std::size_t number : {5U, 6U, 7U}) {
      const std::string part = field.component(number).text();
      if (!part.empty()) value += cat(value.empty() ? "" : " ", part);
    }
  }
  if (value.empty()) return {};
  const std::string system = code_of(kContactSystem, equipment);
  Json made = Json::object();
  made.set("system", is_mail ? "email" : system.empty() ? "phone" : system);
  made.set("value", value);
  std::string use = code_of(kContactUse, field.component(2).text());
  if (equipment == "CP") use = "mobile";
  set_if(made, "use", use);
  return made;
}

Json practitioner_reference(Mapping& mapping, const Piece& field) {
  const std::string id = field.component(1).text();
  std::string display;
  for (const std::size_t number : {6U, 3U, 4U, 2U}) {
    const std::string part = field.component(number).subcomponent(1).text();
    if (!part.empty()) display += cat(display.empty() ? "" : " ", part);
  }
  if (id.empty() && display.empty()) return {};
  Json made = Json::object({{"type", "Practitioner"}});
  if (!id.empty()) {
    const Piece authority = field.component(9);
    const std::string base =
        cat("urn:clinic-gateway:device:", core::net::url_encode(mapping.device().name));
    std::string system = authority_system(authority.subcomponent(1), authority.subcomponent(2),
                                          authority.subcomponent(3), base);
    made.set("identifier",
             Json::object({{"system", system.empty() ? base + ":staff" : system}, {"value", id}}));
  }
  set_if(made, "display", display.empty() ? id : display);
  return made;
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

void set_unit(Mapping& mapping, Json& made, const Piece& units) {
  const std::string name = units.component(2).text();
  const std::string sent = mapping::power_of_ten(units.component(1).text(), name);
  if (sent.empty()) return;
  made.set("unit", sent);
  const bool is_ucum = mapping::coding_system_uri(units.component(3).text()) == kUcum;
  const std::string code = is_ucum ? sent : mapping::ucum_code(sent);
  if (code.empty()) {
    mapping.gap("unit", units.component(3).text(), sent, name);
    return;
  }
  made.set("system", kUcum);
  made.set("code", code);
}

Json quantity(Mapping& mapping, std::string_view number, const Piece& units) {
  Json made = mapping::quantity(number);
  if (!made.is_null()) set_unit(mapping, made, units);
  return made;
}

}  // namespace gateway::adapters::hl7
