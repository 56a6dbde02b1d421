#include "adapters/astm/mapping.h"

#include <algorithm>

#include "adapters/mapping/fhir_values.h"
#include "adapters/mapping/replicates.h"
#include "adapters/profiles/message_parts.h"
#include "adapters/profiles/result_parts.h"
#include "core/text.h"

namespace gateway::adapters::astm {
namespace {

using core::cat;
using core::Json;
using mapping::set_if;

struct ResultGroup {
  const Record* result = nullptr;
  std::vector<const Record*> comments;
};
struct OrderGroup {
  const Record* order = nullptr;  // null: results without one
  std::vector<ResultGroup> results;
  std::vector<const Record*> unread;  // records no rule of ours reads
};

std::vector<OrderGroup> order_groups(const Message& message) {
  std::vector<OrderGroup> groups;
  bool is_of_result = false;
  const auto current = [&]() -> OrderGroup& {
    if (groups.empty()) groups.emplace_back();
    return groups.back();
  };
  for (const Record& record : message.records()) {
    switch (record.type) {
      case 'H':
      case 'P':
      case 'L':
      case 'Q':
        break;
      case 'O':
        groups.push_back({&record, {}, {}});
        is_of_result = false;
        break;
      case 'R':
        current().results.push_back({&record, {}});
        is_of_result = true;
        break;
      case 'C':
        if (is_of_result) {
          groups.back().results.back().comments.push_back(&record);
          break;
        }
        [[fallthrough]];
      default:
        current().unread.push_back(&record);
    }
  }
  return groups;
}

/// Header, patient and order, for the profile's rules.
std::vector<const Record*> context_records(const Message& message, const OrderGroup& group) {
  std::vector<const Record*> records;
  for (const Record& record : message.records()) {
    if (record.type == 'H' || record.type == 'P') records.push_back(&record);
  }
  if (group.order != nullptr) records.push_back(group.order);
  return records;
}

bool is_control(const Message& message, const OrderGroup& group, const profiles::Profile& profile) {
  std::vector<const Record*> records = context_records(message, group);
  for (const ResultGroup& one : group.results) records.push_back(one.result);
  return std::any_of(profile.qc.begin(), profile.qc.end(),
                     [&](const auto& test) { return holds(records, test); });
}

const Record* find_record(const Message& message, char type) {
  for (const Record& record : message.records()) {
    if (record.type == type) return &record;
  }
  return nullptr;
}

/// P-6: last, first, middle, suffix, title.
Json human_name(const Field& field) {
  Json name = Json::object();
  set_if(name, "family", field.component(1).text());
  Json given = Json::array();
  for (const std::size_t number : {2U, 3U}) {
    if (std::string part = field.component(number).text(); !part.empty()) given.add(part);
  }
  set_if(name, "given", std::move(given));
  if (std::string suffix = field.component(4).text(); !suffix.empty())
    name.set("suffix", Json::array({suffix}));
  if (std::string title = field.component(5).text(); !title.empty())
    name.set("prefix", Json::array({title}));
  return name.size() == 0 ? Json() : name;
}

/// An operator's id is no patient's: seen where the patient's belongs.
bool is_operator(const Message& message, std::string_view id) {
  const auto& records = message.records();
  return std::any_of(records.begin(), records.end(), [&](const Record& record) {
    return record.type == 'R' && record.field(11).first() == id;
  });
}

void map_patient(const Message& message, Mapping& mapping) {
  sync::MessagePatient& patient = mapping.out().patient;
  patient.is_required = true;
  const Record* record = find_record(message, 'P');
  if (record == nullptr) return;
  std::string id = value_by({&message.header(), record}, mapping.profile().patient_id);
  if (!id.empty() && is_operator(message, id)) {
    mapping.gap("value", "", "P", "the operator's id stands where the patient's belongs");
    id.clear();
  }
  if (mapping.profile().is_nobody(id)) id.clear();
  profiles::tell_patient(
      mapping.site(),
      {std::move(id), human_name(record->field(6)), profiles::gender_of(record->field(9).first()),
       mapping::fhir_time(record->field(8).first(), mapping.site().time_zone).text.substr(0, 10)},
      patient);
}

/// The analyzer, known by its serial.
std::string add_device(const Message& message, Mapping& mapping) {
  std::vector<const Record*> records;
  for (const Record& record : message.records()) records.push_back(&record);
  std::string serial = value_by(records, mapping.profile().serial);
  if (serial.empty()) serial = mapping.site().name;
  return mapping.add(profiles::device_draft(mapping.profile(), mapping.site().name, serial));
}

std::string add_specimen(Mapping& mapping, const OrderContext& context) {
  if (context.specimen_id.empty()) return {};
  return profiles::add_specimen(
      mapping.site(),
      {context.specimen_id, context.order->field(16).component(1).text(),
       mapping::fhir_time(context.order->field(8).first(), mapping.site().time_zone)},
      mapping.out());
}

/// What makes the group's results the same again; without specimen and time only the very message
/// does.
std::string group_seed(const Message& message, const OrderGroup& group,
                       const OrderContext& context) {
  const Record& header = message.header();
  std::string seed =
      cat(header.field(5).raw(), "|", header.field(6).raw(), "|", context.specimen_id);
  // The device's own number tells apart what has no other; it matches nothing.
  const std::string_view own = group.order == nullptr ? "" : group.order->field(4).raw();
  if (context.specimen_id.empty()) seed += cat("|", own);
  const bool is_timed = std::any_of(group.results.begin(), group.results.end(),
                                    [](const auto& one) { return !time_of(*one.result).empty(); });
  if (is_timed || !context.specimen_id.empty()) return seed;
  return cat(seed, "|", header.field(3).raw(), "|", header.field(14).raw());
}

/// One report per order; without one there is nothing to report on.
void add_report(Mapping& mapping, const OrderContext& context, Json results, sync::Draft draft) {
  if (context.order == nullptr || results.size() == 0) return;
  draft.kind = sync::DraftKind::result;
  Json& body = draft.body;
  set_if(body, "basedOn", profiles::orders_of_specimen(mapping.site(), context.specimen_id));
  const Field tests = context.order->field(5);
  const std::string test = tests.first();
  const bool is_one = tests.repeats() == 1 && !test.empty();
  body.set("code", Json::object({{"text", is_one ? test : mapping.profile().device}}));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  mapping::set_time(body, "effectiveDateTime",
                    mapping::fhir_time(context.at, mapping.site().time_zone));
  if (!context.specimen.empty())
    body.set("specimen", Json::array({Json::object({{"reference", context.specimen}})}));
  body.set("result", std::move(results));
  draft.seed = cat("report|", context.seed, "|", test, "|", context.at);
  draft.seed_at = mapping::seed_time(context.at, mapping.site().time_zone);
  mapping.add(std::move(draft));
}

/// `replicates`: of all groups, for a rerun is often an order of its own.
void map_group(Mapping& mapping, const Message& message, const OrderGroup& group,
               const std::string& device, mapping::Replicates& replicates) {
  OrderContext context;
  context.records = context_records(message, group);
  context.order = group.order;
  context.device = device;
  if (group.order != nullptr)
    context.specimen_id = value_by(context.records, mapping.profile().specimen_id);
  context.seed = group_seed(message, group, context);
  context.specimen = add_specimen(mapping, context);
  for (const Record* record : group.unread)
    mapping.gap("segment", "", std::string(1, record->type));

  const std::size_t first = mapping.out().drafts.size();
  Json results = Json::array();
  sync::Draft report;
  for (const ResultGroup& one : group.results) {
    const std::string at = time_of(*one.result);
    if (!at.empty()) context.at = at;
    const std::string key = cat(
        context.seed, "|", local_code(mapping.profile(), one.result->field(3)), "|", context.at);
    const auto place = replicates.place_of(key, corrects_another(*one.result));
    const std::string reference =
        add_observation(mapping, context, *one.result, one.comments, place.number);
    if (place.is_new) results.add(Json::object({{"reference", reference}}));
    report.is_released = report.is_released && is_released(mapping, *one.result);
  }
  report.body = Json::object({{"resourceType", "DiagnosticReport"}});
  report.body.set("status", profiles::report_status(mapping.out(), first));
  add_report(mapping, context, std::move(results), std::move(report));
}

}  // namespace

bool holds_results(const Message& message, const profiles::Profile& profile) {
  const std::vector<OrderGroup> groups = order_groups(message);
  return std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
    return !group.results.empty() && !is_control(message, group, profile);
  });
}

Kind kind_of(const Message& message, const profiles::Profile& profile) {
  if (find_record(message, 'Q') != nullptr) return Kind::query;
  const std::vector<OrderGroup> groups = order_groups(message);
  if (groups.empty()) return Kind::other;
  const bool is_all_control = std::all_of(groups.begin(), groups.end(), [&](const auto& group) {
    return is_control(message, group, profile);
  });
  return is_all_control ? Kind::control : Kind::results;
}

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::results:
      return "ASTM results";
    case Kind::control:
      return "ASTM control";
    case Kind::query:
      return "ASTM query";
    case Kind::other:
      return "ASTM";
  }
  return "";
}

void map_results(const Message& message, const AstmDevice& device, sync::IncomingMessage& out) {
  Mapping mapping(device, out);
  out.event_at = mapping::utc_instant(message.header().field(14).first(), mapping.site().time_zone);
  map_patient(message, mapping);
  const std::string reference = add_device(message, mapping);
  mapping::Replicates replicates;
  for (const OrderGroup& group : order_groups(message)) {
    if (!is_control(message, group, mapping.profile()))
      map_group(mapping, message, group, reference, replicates);
  }
  if (!out.dead_because.empty()) out.drafts.clear();
}

}  // namespace gateway::adapters::astm
