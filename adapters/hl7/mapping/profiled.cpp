#include "adapters/hl7/mapping/profiled.h"

#include <algorithm>
#include <array>
#include <vector>

#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/mapping/ucum.h"
#include "adapters/profiles/message_parts.h"
#include "adapters/profiles/result_parts.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::Json;

constexpr std::string_view kLoinc = "http://loinc.org";

/// What stands in the group's own segments is never looked for in another's.
bool is_of_group(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames{"ORC", "OBR", "SPM", "OBX"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

profiles::ValueAt values_of(const Mapping& mapping, const OrderGroup& group) {
  std::vector<const Segment*> segments{group.orc, group.obr};
  segments.insert(segments.end(), group.specimens.begin(), group.specimens.end());
  for (const ObservationGroup& one : group.observations) segments.push_back(one.obx);
  std::erase(segments, nullptr);
  const Message& message = mapping.message();
  return [segments = std::move(segments), &message](const profiles::Place& place) {
    const auto text_in = [&](const Segment& segment) {
      const Piece field = segment.field(place.field);
      return place.component == 0 ? field.first() : field.component(place.component).text();
    };
    if (!is_of_group(place.record)) {
      const Segment* found = message.find(place.record);
      return found == nullptr ? std::string() : text_in(*found);
    }
    // The last of its name that has one, as in ASTM.
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
      if ((*segment)->name != place.record) continue;
      if (std::string text = text_in(**segment); !text.empty()) return text;
    }
    return std::string();
  };
}

std::string unit_of(const Segment& obx) {
  return mapping::power_of_ten(obx.field(6).first(), obx.field(6).component(2).text());
}

/// LOINC first, by the map; a LOINC code the device itself claims where the map has another, or
/// none, is its own code only. The device's codes stay. `row` may be null.
Json mapped_codings(const Mapping& mapping, std::string_view code, const profiles::CodeRow* row,
                    const Json& sent) {
  const std::string own_system = profiles::own_system(mapping.device().name, "");
  Json first;
  std::vector<Json> others;
  if (row != nullptr && !row->loinc.empty()) first = profiles::coding(kLoinc, row->loinc);
  for (Json one : sent.items()) {
    const bool is_loinc = row != nullptr && one["system"].text() == kLoinc;
    if (is_loinc && one["code"].text() == row->loinc) {
      first = std::move(one);
      continue;
    }
    if (is_loinc) one.set("system", own_system);
    others.push_back(std::move(one));
  }
  const bool is_told =
      code.empty() || first["code"].text() == code ||
      std::ranges::any_of(others, [&](const Json& one) { return one["code"].text() == code; });
  if (!is_told) others.push_back(profiles::coding(own_system, code));
  Json codings = Json::array();
  if (!first.is_null()) codings.add(std::move(first));
  for (Json& one : others) codings.add(std::move(one));
  return codings;
}

void set_mapped_unit(const profiles::Profile& profile, const profiles::CodeRow& row,
                     const Segment& obx, Json& body) {
  if (row.ucum.empty() || !body["valueQuantity"].is_object()) return;
  Json value = body["valueQuantity"];
  // A monitor's unit is a number of MDC, with its name behind it.
  const std::string unit =
      profile.is_monitor ? obx.field(6).component(2).text() : std::string(value["unit"].text());
  value.set("unit", unit.empty() ? row.ucum : unit);
  value.set("system", mapping::kUcum);
  value.set("code", row.ucum);
  body.set("valueQuantity", std::move(value));
}

/// What was counted before the map was asked, which knows it.
void forget_gaps(Mapping& mapping, const Segment& obx, const profiles::CodeRow& row) {
  const Piece id = obx.field(3);
  const std::string unit = unit_of(obx);
  std::erase_if(mapping.out().gaps, [&](const sync::MappingGap& gap) {
    const bool is_code = gap.what == "code" && gap.code == id.component(1).text() &&
                         gap.system == id.component(3).text();
    const bool is_unit = gap.what == "unit" && !row.ucum.empty() && gap.code == unit;
    return is_code || is_unit;
  });
}

}  // namespace

std::string test_code(const Mapping& mapping, const Segment& obx) {
  const Piece id = obx.field(3);
  std::string code;
  if (mapping.profile() != nullptr) {
    code = profiles::joined_code(*mapping.profile(),
                                 [&](std::size_t number) { return id.component(number).text(); });
  }
  return code.empty() ? id.first() : code;
}

OrderGroup without_own_values(const Mapping& mapping, OrderGroup group) {
  if (mapping.profile() == nullptr) return group;
  std::erase_if(group.observations, [&](const ObservationGroup& one) {
    return mapping.profile()->is_own_value(test_code(mapping, *one.obx));
  });
  return group;
}

bool is_profiled_control(const Mapping& mapping, const OrderGroup& group) {
  if (mapping.profile() == nullptr) return false;
  const profiles::ValueAt value_at = values_of(mapping, group);
  return std::ranges::any_of(mapping.profile()->qc,
                             [&](const auto& test) { return profiles::holds(test, value_at); });
}

void drop_nobody(Mapping& mapping) {
  if (mapping.profile() == nullptr || mapping.profile()->no_patient_ids.empty()) return;
  sync::MessagePatient& patient = mapping.out().patient;
  const profiles::Profile& profile = *mapping.profile();
  std::erase_if(patient.ids, [&](const auto& id) { return profile.is_nobody(id.value); });
  Json& body = patient.draft.body;
  if (!body["identifier"].is_array()) return;
  Json kept = Json::array();
  for (const Json& one : body["identifier"].items()) {
    if (!profile.is_nobody(one["value"].text())) kept.add(one);
  }
  body.erase("identifier");
  if (kept.size() > 0) body.set("identifier", std::move(kept));
}

std::string add_profiled_device(Mapping& mapping, const OrderGroup& group) {
  if (mapping.profile() == nullptr) return {};
  const std::string& name = mapping.device().name;
  const std::string serial =
      profiles::value_by(mapping.profile()->serial, values_of(mapping, group));
  return mapping.add(
      profiles::device_draft(*mapping.profile(), name, serial.empty() ? name : serial));
}

bool set_profiled_specimen(Mapping& mapping, const OrderGroup& group, ObservationContext& context) {
  if (mapping.profile() == nullptr) return false;
  profiles::ToldSpecimen told;
  told.id = profiles::value_by(mapping.profile()->specimen_id, values_of(mapping, group));
  if (told.id.empty()) return false;
  if (!group.specimens.empty()) {
    const Segment& spm = *group.specimens.front();
    told.kind = spm.field(4).component(2).text();
    if (told.kind.empty()) told.kind = spm.field(4).first();
    told.collected = fhir_time(mapping, spm.field(17));
  } else if (group.obr != nullptr) {
    told.kind = group.obr->field(15).first();
  }
  context.specimen = profiles::add_specimen(mapping.device(), told, mapping.out());
  if (!context.based_on.is_null()) return true;
  const Json orders = profiles::orders_of_specimen(mapping.device(), told.id);
  if (orders.size() > 0) context.based_on = orders[0U];
  return true;
}

bool set_profiled_value(Mapping& mapping, const Segment& obx, Json& body) {
  const profiles::Profile* profile = mapping.profile();
  const Piece field = obx.field(5);
  if (profile == nullptr || !field.has_value()) return false;
  const std::string sent = field.text();
  if (profile->is_run_failure(sent)) {
    profiles::set_absent(body, "error", sent);
    return true;
  }
  const std::string type = obx.field(2).first();
  const bool is_number = (type == "NM" || type.empty()) && field.repetitions() == 1;
  if (profile->decimal_separator == '.' || !is_number) return false;
  Json value = profiles::quantity_of(*profile, sent);
  if (value.is_null()) return false;
  set_unit(mapping, value, obx.field(6));
  body.set("valueQuantity", std::move(value));
  return true;
}

void set_profiled_code(Mapping& mapping, const Segment& obx, Json& body) {
  const profiles::Profile* profile = mapping.profile();
  if (profile == nullptr) return;
  const std::string code = test_code(mapping, obx);
  const std::string unit = unit_of(obx);
  const auto found = profile->codes.find(code, unit);
  sync::IncomingMessage& out = mapping.out();
  if (found.is_impossible_pair && out.dead_because.empty())
    out.dead_because = profiles::impossible_pair(code, unit);
  Json extensions = profiles::made_by(*profile);
  const Json own = body["extension"];
  for (const Json& one : own.items()) extensions.add(one);
  body.set("extension", std::move(extensions));
  body.set("category", profiles::category_of(profile->is_monitor ? "vital-signs" : "laboratory"));
  Json named = body["code"];
  set_if(named, "coding", mapped_codings(mapping, code, found.row, named["coding"]));
  if (found.row != nullptr && !found.row->display.empty()) named.set("text", found.row->display);
  body.set("code", std::move(named));
  if (found.row == nullptr) {
    mapping.gap("code", obx.field(3).component(3).text(), code, obx.field(3).component(2).text());
    return;
  }
  set_mapped_unit(*profile, *found.row, obx, body);
  forget_gaps(mapping, obx, *found.row);
}

}  // namespace gateway::adapters::hl7
