// R and its C records to Observation.
#include <algorithm>
#include <array>

#include "adapters/astm/mapping.h"
#include "adapters/mapping/fhir_values.h"
#include "adapters/mapping/ucum.h"
#include "adapters/profiles/message_parts.h"
#include "adapters/profiles/result_parts.h"
#include "core/text.h"

namespace gateway::adapters::astm {
namespace {

using core::cat;
using core::Json;
using mapping::set_if;

struct Named {
  std::string_view sent;
  std::string_view code;
};
// LIS02-A2 9.9, R-9.
constexpr std::array<Named, 13> kStatus{{{"C", "corrected"},
                                         {"P", "preliminary"},
                                         {"F", "final"},
                                         {"R", "final"},  // sent before
                                         {"V", "final"},  // verified by an operator
                                         {"X", "cancelled"},
                                         {"I", "registered"},
                                         {"S", "preliminary"},
                                         {"M", "final"},
                                         {"N", "final"},
                                         {"Q", "final"},  // answers a query
                                         {"U", "final"},
                                         {"W", "preliminary"}}};  // of doubtful validity
std::string_view status_named(std::string_view sent) {
  const auto found = std::find_if(kStatus.begin(), kStatus.end(),
                                  [&](const Named& one) { return one.sent == sent; });
  return found == kStatus.end() ? std::string_view() : found->code;
}

std::string unit_of(const Record& result) {
  const Field unit = result.field(5);
  return mapping::power_of_ten(unit.first(), unit.component(2).text());
}

/// How many components of it say something.
std::size_t told(const Field& field) {
  std::size_t count = 0;
  for (std::size_t number = 1; number <= field.components(); ++number)
    if (!field.component(number).text().empty()) ++count;
  return count;
}

void set_value(Mapping& mapping, const Record& result, const profiles::CodeRow* row, Json& body) {
  const Field field = result.field(4);
  const std::string sent = field.first();
  const std::string_view status = body["status"].text();
  if (sent.empty()) {
    return profiles::set_absent(body, status == "cancelled" ? "not-performed" : "unknown", "");
  }
  if (mapping.profile().is_run_failure(sent)) return profiles::set_absent(body, "error", sent);
  if (told(field) > 1) {
    // Which of them is the value (a message code beside a number), only its maker knows.
    mapping.gap("value", "", "components");
    body.set("valueString", std::string(field.repeat(0).raw()));
    return;
  }
  Json value = field.repeats() == 1 ? profiles::quantity_of(mapping.profile(), sent) : Json();
  if (!value.is_null()) {
    profiles::set_unit(unit_of(result), row, value, mapping.out());
    body.set("valueQuantity", std::move(value));
    return;
  }
  // A unit promised a number.
  if (!result.field(5).first().empty()) mapping.gap("value", "", "no number");
  std::string text;
  for (std::size_t i = 0; i < field.repeats(); ++i)
    text += cat(i == 0 ? "" : "\n", field.repeat(i).first());
  body.set("valueString", text);
}

void set_interpretation(Mapping& mapping, const std::vector<const Record*>& records, Json& body) {
  const std::string flag = value_at(records, mapping.profile().interpretation);
  if (flag.empty()) return;
  profiles::set_interpretation(body, profiles::interpretation_code(flag), flag);
}

void set_notes(const std::vector<const Record*>& comments, Json& body) {
  Json notes = Json::array();
  for (const Record* comment : comments) {
    const Field field = comment->field(4);
    std::string text;
    for (std::size_t number = 1; number <= field.components(); ++number) {
      const std::string part = field.component(number).text();
      if (!part.empty()) text += cat(text.empty() ? "" : " ", part);
    }
    if (!text.empty()) notes.add(Json::object({{"text", text}}));
  }
  set_if(body, "note", std::move(notes));
}

std::string status_of(Mapping& mapping, const OrderContext& context, const Record& result) {
  const std::string sent = result.field(9).first();
  const std::string_view known = status_named(sent);
  if (!known.empty()) return std::string(known);
  // A profile that finds the flag here knows that it is no status.
  const bool is_flag = mapping.profile().interpretation.field == 9;
  if (!sent.empty() && !is_flag) mapping.gap("code", "LIS02 R-9", sent);
  const std::string report = context.order == nullptr ? "" : context.order->field(26).first();
  return report == "F" && sent.empty() ? "final" : "preliminary";
}

}  // namespace

/// A part of a test that gives no time was measured with the one before it.
std::string time_of(const Record& result) {
  const std::string completed = result.field(13).first();
  return completed.empty() ? result.field(12).first() : completed;
}

bool corrects_another(const Record& result) { return result.field(9).first() == "C"; }

std::string local_code(const profiles::Profile& profile, const Field& test_id) {
  std::string code = profiles::joined_code(
      profile, [&](std::size_t number) { return test_id.component(number).text(); });
  return code.empty() ? test_id.first() : code;
}

bool is_released(const Mapping& mapping, const Record& result) {
  return mapping.site().verifies(local_code(mapping.profile(), result.field(3)));
}

std::string add_observation(Mapping& mapping, const OrderContext& context, const Record& result,
                            const std::vector<const Record*>& comments, std::size_t occurrence) {
  const std::string code = local_code(mapping.profile(), result.field(3));
  const std::string unit = unit_of(result);
  const profiles::CodeMap::Found found = mapping.profile().codes.find(code, unit);
  if (found.is_impossible_pair && mapping.out().dead_because.empty())
    mapping.out().dead_because = profiles::impossible_pair(code, unit);
  if (found.row == nullptr) mapping.gap("code", "", code, unit);

  sync::Draft draft;
  draft.kind = sync::DraftKind::result;
  Json& body = draft.body;
  body = Json::object({{"resourceType", "Observation"}});
  body.set("extension", profiles::made_by(mapping.profile()));
  body.set("status", status_of(mapping, context, result));
  body.set("category", profiles::category_of("laboratory"));
  body.set("code", code.empty() ? Json::object({{"text", "R-3 not sent"}})
                                : profiles::code_of_test(mapping.site().name, code, found.row));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  const std::string& at = context.at;
  mapping::set_time(body, "effectiveDateTime", mapping::fhir_time(at, mapping.site().time_zone));
  set_if(body, "performer", profiles::performer_of(mapping.site().name, result.field(11).first()));
  set_value(mapping, result, found.row, body);
  std::vector<const Record*> records = context.records;
  records.push_back(&result);
  set_interpretation(mapping, records, body);
  set_notes(comments, body);
  set_if(body, "basedOn", profiles::orders_of_specimen(mapping.site(), context.specimen_id));
  if (!context.specimen.empty())
    body.set("specimen", Json::object({{"reference", context.specimen}}));
  body.set("device", Json::object({{"reference", context.device}}));
  if (const std::string range = result.field(6).first(); !range.empty())
    body.set("referenceRange", Json::array({Json::object({{"text", range}})}));

  draft.is_edit = corrects_another(result);
  draft.is_released = is_released(mapping, result);
  draft.seed = cat(context.seed, "|", code, "|", at, "|", occurrence);
  draft.seed_at = mapping::seed_time(at, mapping.site().time_zone);
  return mapping.add(std::move(draft));
}

}  // namespace gateway::adapters::astm
