#include "adapters/hl7/mapping/mapping.h"

#include <algorithm>
#include <array>

#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mapping/order_groups.h"
#include "adapters/hl7/mapping/profiled.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

enum class Family {
  adt,
  merge,
  result,
  order,
  referral,
  document,
  appointment,
  immunization,
  query  // becomes nothing
};
struct Supported {
  std::string_view type;
  Family family;
};
constexpr std::array<Supported, 43> kSupported{{
    {"ORU^R01", Family::result},
    {"OUL^R22", Family::result},
    {"OUL^R23", Family::result},
    {"OUL^R24", Family::result},
    {"ADT^A01", Family::adt},
    {"ADT^A02", Family::adt},
    {"ADT^A03", Family::adt},
    {"ADT^A04", Family::adt},
    {"ADT^A05", Family::adt},
    {"ADT^A06", Family::adt},
    {"ADT^A07", Family::adt},
    {"ADT^A08", Family::adt},
    {"ADT^A11", Family::adt},
    {"ADT^A13", Family::adt},
    {"ADT^A28", Family::adt},
    {"ADT^A31", Family::adt},
    {"ADT^A40", Family::merge},
    {"ORM^O01", Family::order},
    {"OMG^O19", Family::order},
    {"OML^O21", Family::order},
    {"OML^O33", Family::order},
    {"OML^O35", Family::order},
    {"REF^I12", Family::referral},
    {"REF^I13", Family::referral},
    {"REF^I14", Family::referral},
    {"MDM^T01", Family::document},
    {"MDM^T02", Family::document},
    {"SIU^S12", Family::appointment},
    {"SIU^S13", Family::appointment},
    {"SIU^S14", Family::appointment},
    {"SIU^S15", Family::appointment},
    {"SIU^S16", Family::appointment},
    {"SIU^S17", Family::appointment},
    {"SIU^S26", Family::appointment},
    {"VXU^V04", Family::immunization},
    {"QBP^Q11", Family::query},
    {"QBP^WOS", Family::query},
    // Senders of 2.1 to 2.3 leave the event away where the type has but one.
    {"ORU", Family::result},
    {"ORM", Family::order},
    {"OMG", Family::order},
    {"OML", Family::order},
    {"MDM", Family::document},
    {"VXU", Family::immunization},
}};

const Supported* find_supported(std::string_view type) {
  const auto found = std::find_if(kSupported.begin(), kSupported.end(),
                                  [&](const Supported& one) { return one.type == type; });
  return found == kSupported.end() ? nullptr : &*found;
}

/// What each family reads; everything else is counted. Results and orders count for themselves.
void count_unread(Mapping& mapping, std::initializer_list<std::string_view> read) {
  for (const Segment& segment : mapping.message().segments()) {
    if (std::find(read.begin(), read.end(), segment.name) == read.end())
      mapping.not_mapped(segment);
  }
}

void map_family(Mapping& mapping, Family family, std::string_view event) {
  switch (family) {
    case Family::adt:
      mapping.out().patient.updates = true;
      map_visit(mapping, event);
      return count_unread(mapping, {"MSH", "EVN", "PID", "PD1", "NK1", "PV1"});
    case Family::merge:
      map_merge(mapping);
      return count_unread(mapping, {"MSH", "EVN", "PID", "PD1", "MRG", "PV1"});
    case Family::result:
      return map_results(mapping);
    case Family::order:
      return map_orders(mapping);
    case Family::referral:
      map_referral(mapping, event);
      return count_unread(mapping, {"MSH", "PID", "PD1", "NK1", "RF1", "PRD", "PV1"});
    case Family::document:
      map_document(mapping, event);
      return count_unread(mapping, {"MSH", "EVN", "PID", "PD1", "PV1", "TXA", "OBX"});
    case Family::appointment:
      map_appointment(mapping, event);
      return count_unread(mapping, {"MSH", "PID", "PD1", "PV1", "SCH", "TQ1", "NTE", "RGS", "AIS",
                                    "AIG", "AIL", "AIP"});
    case Family::immunization:
      map_immunizations(mapping);
      return count_unread(mapping, {"MSH", "PID", "PD1", "NK1", "PV1", "ORC", "RXA", "RXR"});
    case Family::query:
      return count_unread(mapping, {"MSH", "SFT", "QPD", "RCP", "DSC"});
  }
}

bool disagree(std::string_view one, std::string_view other) {
  return !one.empty() && !other.empty() && core::to_lower_ascii(one) != core::to_lower_ascii(other);
}

bool have_id_in_common(const Piece& ids, const Piece& others) {
  // Nobody has more; each is found by reading from the field's beginning.
  constexpr std::size_t kIdsMax = 50;
  const std::size_t ids_count = std::min(ids.repetitions(), kIdsMax);
  const std::size_t others_count = std::min(others.repetitions(), kIdsMax);
  for (std::size_t i = 0; i < ids_count; ++i) {
    const Piece one = ids.repetition(i);
    if (one.component(1).text().empty()) continue;
    for (std::size_t j = 0; j < others_count; ++j) {
      const Piece other = others.repetition(j);
      if (one.component(1).text() == other.component(1).text() &&
          !disagree(one.component(4).raw(), other.component(4).raw()))
        return true;
    }
  }
  return false;
}

/// A second PID is of the same person only where it says so: by an id, and no other name or birth
/// date.
bool is_same_person(const Segment& one, const Segment& other) {
  if (!have_id_in_common(patient_id_field(one), patient_id_field(other))) return false;
  for (const std::size_t part : {1U, 2U}) {
    const auto name = [&](const Segment& pid) {
      return pid.field(5).component(part).subcomponent(1).text();
    };
    if (disagree(name(one), name(other))) return false;
  }
  return !disagree(one.field(7).text().substr(0, 8), other.field(7).text().substr(0, 8));
}

/// What is of several people and was not cut by patient (split_patients()): to nobody, before it is
/// to the wrong one. An order may quote earlier results with whoever they are of, and what it asks
/// for after them is asked for its own patient; for another it is not.
bool is_of_several_patients(const Message& message, Family family) {
  const Segment* first = nullptr;
  bool is_of_another = false;
  for (const Segment& segment : message.segments()) {
    if (segment.name == "PID") {
      is_of_another = first != nullptr && !is_same_person(*first, segment);
      if (first == nullptr) first = &segment;
    }
    const bool may_quote =
        family == Family::order && (segment.name != "ORC" || is_of_prior_result(segment));
    if (is_of_another && !may_quote) return true;
  }
  return false;
}

/// When what the message tells was recorded. Not when it happened (EVN-6): a discharge that is
/// charted late is newer than what was charted in between.
std::string event_time(const Mapping& mapping) {
  const Segment* event = mapping.message().find("EVN");
  std::string recorded = event == nullptr ? std::string() : utc_instant(mapping, event->field(2));
  return recorded.empty() ? utc_instant(mapping, mapping.message().header().field(7)) : recorded;
}

}  // namespace

bool is_supported(std::string_view type) { return find_supported(type) != nullptr; }

std::optional<std::vector<Vital>> map_message(const Message& message, const DeviceProfile& device,
                                              sync::IncomingMessage& out,
                                              const profiles::Profile* profile) {
  Mapping mapping(message, device, out, profile);
  const std::string type = message.type();
  const Supported* supported = find_supported(type);
  if (supported == nullptr) {
    out.dead_because = core::cat("messages of type ", type, " are not taken");
    return std::nullopt;
  }
  if (is_of_several_patients(message, supported->family)) {
    out.dead_because = "it is of several patients; have the sender send one message for each";
    return std::nullopt;
  }
  out.event_at = event_time(mapping);
  if (supported->family == Family::query) {
    map_family(mapping, supported->family, {});
    return std::nullopt;
  }
  out.patient.is_required = true;
  map_patient(mapping);
  drop_nobody(mapping);
  std::optional<std::vector<Vital>> vitals;
  if (profile != nullptr && profile->is_monitor && supported->family == Family::result) {
    vitals = map_vitals(mapping, *profile);
  } else {
    const auto caret = type.find('^');
    map_family(mapping, supported->family,
               caret == std::string::npos ? "" : std::string_view(type).substr(caret + 1));
  }
  if (!out.dead_because.empty()) out.drafts.clear();
  return vitals;
}

}  // namespace gateway::adapters::hl7
