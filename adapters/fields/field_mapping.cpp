#include "adapters/fields/field_mapping.h"

#include <charconv>

#include "adapters/mapping/fhir_values.h"
#include "adapters/mapping/replicates.h"
#include "adapters/profiles/message_parts.h"
#include "adapters/profiles/result_parts.h"
#include "core/text.h"

namespace gateway::adapters::fields {
namespace {

using core::cat;
using core::Json;
using mapping::set_if;
using profiles::FieldMap;
using profiles::FieldRow;

double number_of(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// One value on its way to an Observation.
struct Value {
  std::string code;
  std::string sent;
  std::string unit;
  const profiles::MeasuredField* limits = nullptr;
};

class Mapping {
 public:
  Mapping(const FieldDocument& document, const FieldDevice& device, sync::IncomingMessage& out)
      : document_(document), device_(device), map_(device.profile.fields), out_(out) {}

  std::vector<Crossing> map();
  void map_patient(const FieldRow& row);
  FieldRow whole() const { return {&document_.whole, &document_.whole, &document_.context}; }

 private:
  const mapping::DeviceProfile& site() const { return device_.options.profile; }
  void map_row(const FieldRow& row);
  void add_value(const Value& value, const std::string& at, std::size_t place);
  void set_value(const Value& value, const profiles::CodeRow* row, Json& body);
  void check_limits(const Value& value, const profiles::CodeRow* row, Json& body);
  bool is_of_same_patient(const FieldRow& row);
  bool is_failure(std::string_view sent, const profiles::MeasuredField* field) const;
  /// Many write null for what they don't measure; where it is a failure, or somebody waits for the
  /// value because it has limits, null says that it is not known.
  bool tells_by_null(const profiles::MeasuredField& field) const {
    return is_failure("null", &field) || !field.low.empty() || !field.high.empty();
  }

  const FieldDocument& document_;
  const FieldDevice& device_;
  const FieldMap& map_;
  sync::IncomingMessage& out_;
  std::string serial_;
  std::string device_reference_;
  mapping::Replicates replicates_;
  std::vector<Crossing> crossings_;
};

void Mapping::map_patient(const FieldRow& row) {
  Json name = Json::object();
  set_if(name, "family", map_.family.text(row));
  if (const std::string given = map_.given.text(row); !given.empty())
    name.set("given", Json::array({given}));
  const std::string born = compact_time(map_.birth_date.text(row), map_.date_order);
  profiles::tell_patient(site(),
                         {map_.patient_id.text(row), name.size() == 0 ? Json() : std::move(name),
                          profiles::gender_of(map_.sex.text(row)),
                          mapping::fhir_time(born, site().time_zone).text.substr(0, 10)},
                         out_.patient);
}

bool Mapping::is_of_same_patient(const FieldRow& row) {
  const std::string id = map_.patient_id.text(row);
  return map_.is_of_device || out_.patient.ids.empty() || id == out_.patient.ids[0].value;
}

bool Mapping::is_failure(std::string_view sent, const profiles::MeasuredField* field) const {
  return device_.profile.is_run_failure(sent) ||
         (field != nullptr && profiles::matches_any(sent, field->run_failures));
}

/// Limits are the profile's: a value beyond is flagged, and somebody is told.
void Mapping::check_limits(const Value& value, const profiles::CodeRow* row, Json& body) {
  if (value.limits == nullptr || (value.limits->low.empty() && value.limits->high.empty())) return;
  const std::string number = body["valueQuantity"]["value"].number_text();
  const std::string& low = value.limits->low;
  const std::string& high = value.limits->high;
  const bool is_low = !low.empty() && !number.empty() && number_of(number) < number_of(low);
  const bool is_high = !high.empty() && !number.empty() && number_of(number) > number_of(high);
  const std::string name = row == nullptr || row->display.empty() ? value.code : row->display;
  crossings_.push_back({value.code,
                        cat(name, ' ', number, ' ', value.unit, is_low ? ", below " : ", above ",
                            is_low ? low : high),
                        is_low || is_high});
  if (number.empty()) {
    crossings_.back().text = cat(name, " is not told");
    crossings_.back().is_beyond = true;
  }
  if (is_low || is_high) profiles::set_interpretation(body, is_low ? "L" : "H", is_low ? "L" : "H");
  Json range = Json::object();
  const auto limit = [&](const char* member, const std::string& text) {
    if (text.empty()) return;
    Json quantity = mapping::quantity(text);
    profiles::set_unit(value.unit, row, quantity, out_);
    range.set(member, std::move(quantity));
  };
  limit("low", low);
  limit("high", high);
  body.set("referenceRange", Json::array({range}));
}

void Mapping::set_value(const Value& value, const profiles::CodeRow* row, Json& body) {
  if (value.sent.empty()) return profiles::set_absent(body, "unknown", "");
  if (is_failure(value.sent, value.limits)) return profiles::set_absent(body, "error", value.sent);
  Json quantity = profiles::quantity_of(device_.profile, value.sent);
  if (!quantity.is_null()) {
    profiles::set_unit(value.unit, row, quantity, out_);
    body.set("valueQuantity", std::move(quantity));
    return;
  }
  if (!value.unit.empty()) out_.add(sync::MappingGap{"value", "", "no number", ""});
  body.set("valueString", value.sent);
}

void Mapping::add_value(const Value& value, const std::string& at, std::size_t place) {
  const auto found = device_.profile.codes.find(value.code, value.unit);
  if (found.is_impossible_pair && out_.dead_because.empty())
    out_.dead_because = profiles::impossible_pair(value.code, value.unit);
  if (found.row == nullptr) out_.add(sync::MappingGap{"code", "", value.code, value.unit});
  sync::Draft draft;
  draft.kind = sync::DraftKind::result;
  draft.is_released = map_.is_of_device || site().verifies(value.code);
  Json body = Json::object({{"resourceType", "Observation"}});
  body.set("extension", profiles::made_by(device_.profile));
  body.set("status", "final");
  if (!map_.category.empty()) body.set("category", profiles::category_of(map_.category));
  body.set("code", profiles::code_of_test(site().name, value.code, found.row));
  body.set("subject",
           Json::object({{"reference", map_.is_of_device ? device_reference_
                                                         : std::string(sync::kPatientReference)}}));
  mapping::set_time(body, "effectiveDateTime", mapping::fhir_time(at, site().time_zone));
  set_value(value, found.row, body);
  check_limits(value, found.row, body);
  body.set("device", Json::object({{"reference", device_reference_}}));
  if (!document_.document.empty())
    body.set("derivedFrom", Json::array({Json::object({{"reference", document_.document}})}));
  draft.body = std::move(body);
  draft.seed = cat("value|", serial_, "|", value.code, "|", at, "|", place);
  if (const auto again = replicates_.place_of(draft.seed, false).number; again > 0)
    draft.seed += cat("|", again);
  draft.seed_at = mapping::seed_time(at, site().time_zone);
  out_.add(std::move(draft));
}

void Mapping::map_row(const FieldRow& row) {
  std::string at = compact_time(map_.time.text(row), map_.date_order);
  if (mapping::fhir_time(at, site().time_zone).text.empty())
    at = compact_time(document_.came_at, profiles::DateOrder::year_first);
  if (out_.event_at.empty()) out_.event_at = mapping::utc_instant(at, site().time_zone);
  std::size_t place = 0;
  for (const Json* result : map_.results.find(row)) {
    const FieldRow in{result, row.whole, row.context};
    add_value({map_.code.text(in), map_.value.text(in), map_.unit.text(in), nullptr}, at, place++);
  }
  for (const profiles::MeasuredField& field : map_.measured) {
    std::string sent = field.path.text(row);
    // A field that is not there was not measured; an empty one says that it is not known.
    if (sent.empty() && field.path.find(row).empty()) {
      if (!field.path.is_null(row) || !tells_by_null(field)) continue;
      if (is_failure("null", &field)) sent = "null";
    }
    add_value({field.code, std::move(sent), field.unit, &field}, at, 0);
  }
}

std::vector<Crossing> Mapping::map() {
  std::vector<const Json*> rows{&document_.whole};
  if (!map_.rows.empty()) {
    rows = map_.rows.find(whole());
  } else if (document_.whole.is_array()) {
    rows.clear();
    for (const Json& row : document_.whole.items()) rows.push_back(&row);
  }
  if (rows.empty()) {
    out_.dead_because = "no measurement stands where the profile's rows are";
    return {};
  }
  const auto in = [&](const Json* row) {
    return FieldRow{row, &document_.whole, &document_.context};
  };
  if (!map_.is_of_device) map_patient(in(rows[0]));
  serial_ = map_.serial.text(in(rows[0]));
  if (serial_.empty()) serial_ = site().name;
  device_reference_ = out_.add(profiles::device_draft(device_.profile, site().name, serial_));
  const std::size_t without = out_.drafts.size();
  for (const Json* row : rows) {
    if (!is_of_same_patient(in(row))) out_.dead_because = "it is of several patients";
    map_row(in(row));
  }
  if (out_.drafts.size() == without && out_.dead_because.empty())
    out_.dead_because = "none of the profile's values is in it";
  if (!out_.dead_because.empty()) out_.drafts.clear();
  return std::move(crossings_);
}

}  // namespace

std::vector<Crossing> map_fields(const FieldDocument& document, const FieldDevice& device,
                                 sync::IncomingMessage& out) {
  return Mapping(document, device, out).map();
}

void map_patient(const FieldDocument& document, const FieldDevice& device,
                 sync::IncomingMessage& out) {
  Mapping mapping(document, device, out);
  mapping.map_patient(mapping.whole());
}

}  // namespace gateway::adapters::fields
