// XPN, XAD and XTN to HumanName, Address and ContactPoint (v2-to-FHIR IG, their data type maps).
#include <algorithm>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

/// XAD-1, the street, then its name and the house's number where the street does not hold them.
void add_street(const Piece& street, Json& lines) {
  const std::string whole = street.subcomponent(1).text();
  if (!whole.empty()) lines.add(whole);
  for (const std::size_t number : {2U, 3U}) {
    const std::string part = street.subcomponent(number).text();
    if (!part.empty() && whole.find(part) == std::string::npos) lines.add(part);
  }
}

bool is_mail(std::string_view equipment) { return equipment == "Internet" || equipment == "X.400"; }

/// As the IG composes it: "+34 91 5551234 X12".
std::string composed_number(const Piece& field) {
  const std::string country = field.component(5).text();
  const std::string area = field.component(6).text();
  const std::string local = field.component(7).text();
  const std::string extension = field.component(8).text();
  std::string number;
  if (!country.empty()) number = cat(country.starts_with('+') ? "" : "+", country);
  for (const std::string& part : {area, local}) {
    if (!part.empty()) number += cat(number.empty() ? "" : " ", part);
  }
  if (!local.empty() && !extension.empty()) number += cat(" X", extension);
  return number;
}

/// XTN-12; else the parts, where they are whole; else what stood in XTN-1 before there were parts.
std::string phone_number(const Piece& field) {
  if (std::string unformatted = field.component(12).text(); !unformatted.empty())
    return unformatted;
  const std::string composed = composed_number(field);
  const bool is_whole = field.component(6).has_value() && field.component(7).has_value();
  const std::string former = field.component(1).text();
  return is_whole || former.empty() ? composed : former;
}

}  // namespace

Json period_of(const Mapping& mapping, const Piece& start, const Piece& end) {
  const FhirTime from = fhir_time(mapping, start);
  const FhirTime until = fhir_time(mapping, end);
  // FHIR refuses one that ends before it begins, and whoever it is of with it.
  const std::size_t both = std::min(from.text.size(), until.text.size());
  if (from.text.substr(0, both) > until.text.substr(0, both) && both > 0) return {};
  Json period = Json::object();
  set_time(period, "start", from);
  set_time(period, "end", until);
  return period;
}

Json human_name(const Mapping& mapping, const Piece& field) {
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
  for (const std::size_t number : {4U, 6U, 14U}) {
    if (const std::string part = field.component(number).text(); !part.empty()) suffix.add(part);
  }
  set_if(name, "suffix", std::move(suffix));
  const bool is_dated = field.component(12).has_value() || field.component(13).has_value();
  const Piece range = field.component(10);
  set_if(name, "period",
         is_dated ? period_of(mapping, field.component(12), field.component(13))
                  : period_of(mapping, range.subcomponent(1), range.subcomponent(2)));
  const bool is_named = !name["family"].is_null() || !name["given"].is_null();
  return is_named ? name : Json();
}

Json address(const Mapping& mapping, const Piece& field) {
  if (!field.has_value()) return {};
  Json made = Json::object();
  const std::string kind = field.component(7).text();
  set_if(made, "use", code_of(kAddressUse, kind));
  set_if(made, "type", code_of(kAddressType, kind));
  Json lines = Json::array();
  add_street(field.component(1), lines);
  for (const std::size_t number : {2U, 19U}) {
    if (const std::string text = field.component(number).text(); !text.empty()) lines.add(text);
  }
  set_if(made, "line", std::move(lines));
  set_if(made, "city", field.component(3).text());
  set_if(made, "district", text_of_code(field.component(9)));
  set_if(made, "state", field.component(4).text());
  set_if(made, "postalCode", field.component(5).text());
  set_if(made, "country", field.component(6).text());
  const bool is_dated = field.component(13).has_value() || field.component(14).has_value();
  const Piece range = field.component(12);
  set_if(made, "period",
         is_dated ? period_of(mapping, field.component(13), field.component(14))
                  : period_of(mapping, range.subcomponent(1), range.subcomponent(2)));
  return made.size() == 0 ? Json() : made;
}

Json contact_point(const Mapping& mapping, const Piece& field) {
  if (!field.has_value()) return {};
  const std::string equipment = field.component(3).text();
  const std::string mail = field.component(4).text();
  // Beside a telephone XTN-4 is some other address of it.
  const bool is_of_mail = !mail.empty() && (is_mail(equipment) || equipment.empty());
  std::string value = is_of_mail ? mail : phone_number(field);
  if (value.empty()) value = mail;
  if (value.empty()) return {};
  const std::string system = code_of(kContactSystem, equipment);
  Json made = Json::object();
  made.set("system", is_of_mail ? "email" : system.empty() ? "phone" : system);
  made.set("value", value);
  std::string use = code_of(kContactUse, field.component(2).text());
  if (equipment == "CP") use = "mobile";
  set_if(made, "use", use);
  if (const std::int64_t rank = whole_number(field.component(18).text()); rank > 0)
    made.set("rank", rank);
  set_if(made, "period", period_of(mapping, field.component(13), field.component(14)));
  return made;
}

}  // namespace gateway::adapters::hl7
