#include <algorithm>
#include <array>

#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mapping/observation.h"
#include "core/base64.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

constexpr std::string_view kAbsent = "http://terminology.hl7.org/CodeSystem/data-absent-reason";

/// All repetitions as lines of one text, as sent.
std::string lines_of(const Piece& field) {
  std::string text;
  for (std::size_t i = 0; i < field.repetitions(); ++i)
    text += cat(i == 0 ? "" : "\n", field.repetition(i).text());
  return text;
}

/// SN (HL7 v2.8 2A.3.69): comparator, number, separator, number.
bool set_structured_numeric(Mapping& mapping, const Piece& field, const Piece& units, Json& body) {
  const std::string comparator = field.component(1).text();
  const std::string separator = field.component(3).text();
  Json low = quantity(mapping, field.component(2).text(), units);
  if (low.is_null()) return false;
  const std::string second = field.component(4).text();
  if (second.empty()) {
    if (separator == "+") return false;  // "2+" is a grade, no number
    const bool known =
        comparator == "<" || comparator == ">" || comparator == "<=" || comparator == ">=";
    if (!known && !comparator.empty() && comparator != "=") return false;
    if (known) low.set("comparator", comparator);
    body.set("valueQuantity", std::move(low));
    return true;
  }
  Json high = quantity(mapping, second, units);
  if (high.is_null() || (!comparator.empty() && comparator != "=")) return false;
  if (separator == "-") {
    body.set("valueRange", Json::object({{"low", low}, {"high", high}}));
    return true;
  }
  if (separator != ":" && separator != "/") return false;
  Json ratio = Json::object({{"numerator", quantity(mapping, field.component(2).text(), Piece())},
                             {"denominator", quantity(mapping, second, Piece())}});
  body.set("valueRatio", std::move(ratio));
  return true;
}

/// As people write it: "2+" is sent as ^2^+.
std::string structured_text(const Piece& field) {
  std::string text;
  for (std::size_t number = 1; number <= field.components(); ++number)
    text += field.component(number).text();
  return text;
}

/// A number a device typed as text, or the other way round: what was sent wins over OBX-2.
bool set_number(Mapping& mapping, const Piece& field, const Piece& units, Json& body) {
  if (field.repetitions() != 1) return false;
  std::string text = field.text();
  std::string comparator;
  for (const std::string_view sign : {"<=", ">=", "<", ">"}) {
    if (!text.starts_with(sign)) continue;
    comparator = sign;
    text = std::string(core::trim(std::string_view(text).substr(sign.size())));
    break;
  }
  Json value = quantity(mapping, text, units);
  if (value.is_null()) return false;
  if (!comparator.empty()) value.set("comparator", comparator);
  body.set("valueQuantity", std::move(value));
  return true;
}

bool set_time_value(Mapping& mapping, std::string_view type, const Piece& field, Json& body) {
  if (type != "TM") {
    const FhirTime time = fhir_time(mapping, field);
    set_time(body, "valueDateTime", time);
    return !time.text.empty();
  }
  std::string digits = field.component(1).text();
  digits = digits.substr(0, digits.find_first_of(".+-"));
  const bool is_time =
      (digits.size() == 4 || digits.size() == 6) &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_time) return false;
  digits.resize(6, '0');
  body.set("valueTime", cat(digits.substr(0, 2), ":", digits.substr(2, 2), ":", digits.substr(4)));
  return true;
}

bool is_any_of(std::string_view type, std::initializer_list<std::string_view> types) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

bool set_typed(Mapping& mapping, std::string_view type, const Segment& obx, Json& body) {
  const Piece field = obx.field(5);
  const Piece units = obx.field(6);
  if (type == "NM") return set_number(mapping, field, units, body);
  if (type == "SN") return set_structured_numeric(mapping, field, units, body);
  if (is_any_of(type, {"CE", "CWE", "CNE", "CF"}) && field.repetitions() == 1) {
    set_if(body, "valueCodeableConcept", codeable_concept(mapping, field));
    return !body["valueCodeableConcept"].is_null();
  }
  if (is_any_of(type, {"DT", "TS", "DTM", "TM"})) return set_time_value(mapping, type, field, body);
  if (type == "NR" || type == "DR") {
    if (type == "NR") {
      Json low = quantity(mapping, field.component(1).text(), units);
      Json high = quantity(mapping, field.component(2).text(), units);
      if (low.is_null() && high.is_null()) return false;
      Json range = Json::object();
      set_if(range, "low", std::move(low));
      set_if(range, "high", std::move(high));
      body.set("valueRange", std::move(range));
      return true;
    }
    Json period = Json::object();
    set_time(period, "start", fhir_time(mapping, field.component(1)));
    set_time(period, "end", fhir_time(mapping, field.component(2)));
    set_if(body, "valuePeriod", std::move(period));
    return !body["valuePeriod"].is_null();
  }
  if (type != "ED" && type != "RP") return false;
  Json file = attachment(mapping, field, type == "RP");
  if (file.is_null()) return false;
  Json extensions = body["extension"].is_array() ? body["extension"] : Json::array();
  extensions.add(Json::object({{"url", kAttachmentValue}, {"valueAttachment", std::move(file)}}));
  body.set("extension", std::move(extensions));
  return true;
}

void set_absent(Json& body, std::string_view code) {
  body.set("dataAbsentReason",
           Json::object(
               {{"coding", Json::array({Json::object({{"system", kAbsent}, {"code", code}})})}}));
}

}  // namespace

Json attachment(Mapping& mapping, const Piece& field, bool is_pointer) {
  const std::string subtype = core::to_lower_ascii(field.component(is_pointer ? 4 : 3).text());
  const std::string kind = core::to_lower_ascii(field.component(is_pointer ? 3 : 2).text());
  Json made = Json::object();
  const auto known = [&](std::string_view text) { return subtype == text; };
  if (known("pdf")) {
    made.set("contentType", "application/pdf");
  } else if (known("jpeg") || known("png") || known("tiff") || known("gif")) {
    made.set("contentType", cat("image/", subtype));
  } else if (known("html") || known("rtf") || known("xml") || known("plain")) {
    made.set("contentType", cat("text/", subtype));
  } else if (!subtype.empty() && (kind == "application" || kind == "ap")) {
    made.set("contentType", cat("application/", subtype));
  }
  if (is_pointer) {
    const std::string url = field.component(1).text();
    if (url.empty()) return {};
    made.set("url", url);
    return made;
  }
  std::string data = field.component(5).text();
  if (data.empty()) return {};
  const std::string encoding = core::to_lower_ascii(field.component(4).text());
  if (encoding == "base64") {
    std::erase_if(data, [](char c) { return c == ' ' || c == '\r' || c == '\n' || c == '\t'; });
    while (data.size() % 4 != 0) data += '=';  // padding that a sender left away
    if (!core::from_base64(data)) {
      mapping.gap("value", "ED", "base64");
      return {};
    }
    made.set("data", data);
  } else if (encoding == "hex") {
    made.set("data", core::to_base64(core::from_hex(core::to_lower_ascii(data))));
  } else {
    made.set("data", core::to_base64(data));
  }
  return made;
}

void set_observation_value(Mapping& mapping, const Segment& obx, Json& body) {
  const std::string type = obx.field(2).first();
  const Piece field = obx.field(5);
  const std::string status = obx.field(11).first();
  // Deleted by the sender: the value that is held goes too.
  if (field.is_null()) return set_absent(body, "unknown");
  if (!field.has_value()) {
    if (status == "N") return set_absent(body, "not-asked");
    if (status == "X") return set_absent(body, "not-performed");
    return;
  }
  if (type.empty() && set_number(mapping, field, obx.field(6), body)) return;
  if (set_typed(mapping, type, obx, body)) return;
  const std::string text = lines_of(field);
  if (text.empty()) return;
  body.set("valueString", type == "SN" && field.repetitions() == 1 ? structured_text(field) : text);
  const bool is_text = is_any_of(type, {"ST", "TX", "FT", "IS", "ID", "VR", "SI"});
  if (!is_text) mapping.gap("value", "", type.empty() ? "OBX-2 missing" : type);
}

}  // namespace gateway::adapters::hl7
