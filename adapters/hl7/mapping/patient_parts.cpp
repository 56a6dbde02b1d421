#include "adapters/hl7/mapping/patient_parts.h"

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/profiles/message_parts.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::Json;

/// All of the field; `use`: of those that name none.
void add_telecoms(Mapping& mapping, const Piece& field, const char* use, Json& all) {
  for (std::size_t i = 0; i < field.repetitions(); ++i) {
    Json point = contact_point(mapping, field.repetition(i));
    if (point.is_null()) continue;
    if (point["use"].is_null() && use != nullptr) point.set("use", use);
    all.add(std::move(point));
  }
}

/// "EN-us" as "en-US"; empty: no language of ISO 639-1.
std::string language_tag(std::string_view code) {
  const std::string language = core::to_lower_ascii(code.substr(0, 2));
  const bool has_region = code.size() == 5 && code[2] == '-';
  if ((code.size() != 2 && !has_region) || !is_standard_code("639-1", language)) return {};
  std::string tag = language;
  if (!has_region) return tag;
  tag += '-';
  for (const char letter : code.substr(3)) tag += to_upper_letter(std::string_view(&letter, 1));
  return tag;
}

Json relationships(Mapping& mapping, const Segment& kin) {
  Json all = Json::array();
  for (Json one : {mapped_concept(mapping, kin.field(3), "0063", kRelationship),
                   table_concept(mapping, kin.field(7), "0131")}) {
    if (!one.is_null()) all.add(std::move(one));
  }
  return all;
}

}  // namespace

Json patient_telecoms(Mapping& mapping, const Segment& pid) {
  Json all = Json::array();
  add_telecoms(mapping, pid.field(13), "home", all);
  add_telecoms(mapping, pid.field(14), "work", all);
  add_telecoms(mapping, pid.field(40), nullptr, all);
  return all;
}

Json patient_addresses(Mapping& mapping, const Segment& pid) {
  Json all =
      each_repetition(pid.field(11), [&](const Piece& one) { return address(mapping, one); });
  const std::string county = pid.field(12).text();
  if (all.size() != 1 || county.empty() || !all[0]["district"].is_null()) return all;
  Json only = all[0];
  only.set("district", county);
  return Json::array({only});
}

Json patient_language(Mapping& mapping, const Segment& pid) {
  const Piece field = pid.field(15);
  const std::string tag = language_tag(field.first());
  if (tag.empty()) return codeable_concept(mapping, field);
  Json codings = Json::array({Json::object({{"system", "urn:ietf:bcp:47"}, {"code", tag}})});
  Json language = Json::object();
  if (field.component(3).has_value()) {
    language = codeable_concept(mapping, field);
    const Json sent = language["coding"];
    for (const Json& one : sent.items()) codings.add(one);
  } else {
    set_if(language, "text", field.component(2).text());
  }
  language.set("coding", std::move(codings));
  return language;
}

Json patient_contacts(Mapping& mapping) {
  Json contacts = Json::array();
  for (const Segment& segment : mapping.message().segments()) {
    if (segment.name != "NK1") continue;
    Json contact = Json::object();
    set_if(contact, "name", human_name(mapping, segment.field(2).repetition(0)));
    Json telecoms = Json::array();
    add_telecoms(mapping, segment.field(5), nullptr, telecoms);
    add_telecoms(mapping, segment.field(6), "work", telecoms);
    add_telecoms(mapping, segment.field(40), nullptr, telecoms);
    set_if(contact, "telecom", std::move(telecoms));
    set_if(contact, "address", address(mapping, segment.field(4).repetition(0)));
    set_if(contact, "organization", organization_reference(segment.field(13)));
    if (contact.size() == 0) {
      mapping.not_mapped(segment);
      continue;
    }
    set_if(contact, "relationship", relationships(mapping, segment));
    set_if(contact, "gender", gender_of(mapping, segment.field(15)));
    set_if(contact, "period", period_of(mapping, segment.field(8), segment.field(9)));
    contacts.add(std::move(contact));
  }
  return contacts;
}

Json general_practitioners(Mapping& mapping) {
  const Segment* more = mapping.message().find("PD1");
  if (more == nullptr) return {};
  Json all = Json::array();
  for (std::size_t i = 0; i < more->field(3).repetitions(); ++i) {
    Json facility = organization_reference(more->field(3).repetition(i));
    if (!facility.is_null()) all.add(std::move(facility));
  }
  for (std::size_t i = 0; i < more->field(4).repetitions(); ++i) {
    Json person = practitioner_reference(mapping, more->field(4).repetition(i));
    if (!person.is_null()) all.add(std::move(person));
  }
  return all;
}

std::string gender_of(Mapping& mapping, const Piece& field) {
  const std::string sent = field.first();
  std::string gender = code_of(kGender, to_upper_letter(sent));
  if (gender.empty()) gender = profiles::gender_of(sent);
  if (gender.empty() && !sent.empty()) mapping.gap("code", "HL70001", sent);
  return gender;
}

std::optional<bool> yes_or_no(const Piece& field) {
  const std::string sent = core::to_lower_ascii(field.first());
  if (sent == "y" || sent == "yes") return true;
  if (sent == "n" || sent == "no") return false;
  return std::nullopt;
}

}  // namespace gateway::adapters::hl7
