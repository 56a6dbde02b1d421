#include "adapters/profiles/result_parts.h"

#include <algorithm>
#include <array>

#include "adapters/mapping/fhir_values.h"
#include "adapters/mapping/ucum.h"
#include "core/net/http.h"
#include "core/text.h"

namespace gateway::adapters::profiles {

using core::cat;
using core::Json;
using mapping::set_if;

std::string own_system(std::string_view device, std::string_view kind) {
  return cat("urn:clinic-gateway:device:", core::net::url_encode(device), kind.empty() ? "" : ":",
             kind);
}

Json coding(std::string_view system, std::string_view code) {
  return Json::object({{"system", system}, {"code", code}});
}

Json code_of_test(std::string_view device, std::string_view code, const CodeRow* row) {
  Json codings = Json::array();
  if (row != nullptr && !row->loinc.empty()) codings.add(coding("http://loinc.org", row->loinc));
  codings.add(coding(own_system(device, ""), code));
  const std::string text =
      row == nullptr || row->display.empty() ? std::string(code) : row->display;
  return Json::object({{"coding", std::move(codings)}, {"text", text}});
}

std::string joined_code(const Profile& profile,
                        const std::function<std::string(std::size_t)>& component) {
  std::string code;
  for (const std::size_t number : profile.code_components)
    code += cat(code.empty() && number == profile.code_components[0] ? "" : "^", component(number));
  while (code.ends_with('^')) code.pop_back();
  return code;
}

Json made_by(const Profile& profile) {
  return Json::array({Json::object(
      {{"url", kProfileExtension}, {"valueString", cat(profile.id, ' ', profile.revision)}})});
}

Json category_of(std::string_view code) {
  return Json::array({Json::object(
      {{"coding", Json::array({coding("http://terminology.hl7.org/CodeSystem/observation-category",
                                      code)})}})});
}

Json quantity_of(const Profile& profile, std::string_view sent) {
  std::string_view comparator;
  std::string_view number = sent;
  for (const std::string_view sign : {"<=", ">=", "<", ">"}) {
    if (!number.starts_with(sign)) continue;
    comparator = sign;
    number = core::trim(number.substr(sign.size()));
    break;
  }
  std::string text(number);
  const bool has_comma = profile.decimal_separator == ',';
  if (has_comma) std::replace(text.begin(), text.end(), ',', '.');
  Json value = mapping::quantity(text);
  if (value.is_null()) return {};
  if (has_comma && text != number) {
    value.set("extension", Json::array({Json::object({{"url", mapping::kSentAs},
                                                      {"valueString", std::string(number)}})}));
  }
  set_if(value, "comparator", comparator);
  return value;
}

void set_unit(std::string_view unit, const CodeRow* row, Json& quantity,
              sync::IncomingMessage& out) {
  if (unit.empty()) return;
  quantity.set("unit", unit);
  const std::string code =
      row != nullptr && !row->ucum.empty() ? row->ucum : mapping::ucum_code(unit);
  if (code.empty()) return out.add(sync::MappingGap{"unit", "", std::string(unit), ""});
  quantity.set("system", mapping::kUcum);
  quantity.set("code", code);
}

std::string impossible_pair(std::string_view code, std::string_view unit) {
  return cat("value ", code, " came in ", unit,
             ", which no row of the profile's codes.csv has; add it, then retry");
}

void set_absent(Json& body, std::string_view code, std::string_view sent) {
  Json reason = Json::object();
  reason.set(
      "coding",
      Json::array({coding("http://terminology.hl7.org/CodeSystem/data-absent-reason", code)}));
  set_if(reason, "text", sent);
  body.set("dataAbsentReason", std::move(reason));
}

std::string_view interpretation_code(std::string_view flag) {
  constexpr std::array<std::string_view, 13> kFlags{"L", "H",  "LL", "HH", "<", ">", "N",
                                                    "A", "AA", "U",  "D",  "B", "W"};
  const auto* const found = std::find(kFlags.begin(), kFlags.end(), flag);
  return found == kFlags.end() ? std::string_view() : *found;
}

void set_interpretation(Json& body, std::string_view code, std::string_view sent) {
  Json made = Json::object();
  if (!code.empty()) {
    made.set("coding",
             Json::array({coding(
                 "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", code)}));
  }
  made.set("text", sent);
  body.set("interpretation", Json::array({made}));
}

sync::Draft device_draft(const Profile& profile, std::string_view device,
                         const std::string& serial) {
  const std::string system = own_system(device, "serial");
  sync::Draft draft;
  draft.body = Json::object({{"resourceType", "Device"}, {"status", "active"}});
  draft.body.set("identifier",
                 Json::array({Json::object({{"system", system}, {"value", serial}})}));
  draft.body.set("serialNumber", serial);
  draft.body.set("deviceName",
                 Json::array({Json::object({{"name", profile.device}, {"type", "model-name"}})}));
  draft.known_as.push_back({system, serial});
  draft.seed = cat("device|", serial);
  return draft;
}

}  // namespace gateway::adapters::profiles
