// ORU^R01 of a monitor with a profile (IHE PCD TF-2, PCD-01): an Observation for each metric, with
// LOINC and UCUM by the profile's map beside the monitor's own MDC codes (ISO/IEEE 11073-10101). An
// OBX without a value tells of the containment (MDS, VMD, channel) alone.
#include <map>

#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mapping/observation.h"
#include "adapters/hl7/mapping/order_groups.h"
#include "adapters/mapping/ucum.h"
#include "adapters/profiles/result_parts.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

/// The device's EUI-64, which stands on its topmost OBX.
std::string serial_of(const std::vector<OrderGroup>& groups) {
  for (const OrderGroup& group : groups) {
    for (const ObservationGroup& one : group.observations) {
      if (std::string serial = one.obx->field(18).first(); !serial.empty()) return serial;
    }
  }
  return {};
}

class Vitals {
 public:
  Vitals(Mapping& mapping, const profiles::Profile& profile)
      : mapping_(mapping), profile_(profile), groups_(order_groups(mapping)) {}

  std::vector<Vital> map();

 private:
  void add(const ObservationGroup& group, const ObservationContext& context);
  core::Wall time_of(const Segment& obx, const ObservationContext& context) const;

  Mapping& mapping_;
  const profiles::Profile& profile_;
  const std::vector<OrderGroup> groups_;
  std::string device_;  // reference, or empty
  std::string whose_;
  std::map<std::string, std::size_t> seen_;
  std::vector<Vital> vitals_;
};

/// The nearest to it that is told.
core::Wall Vitals::time_of(const Segment& obx, const ObservationContext& context) const {
  const Piece ordered = context.obr == nullptr ? Piece() : context.obr->field(7);
  for (const Piece& told : {obx.field(14), ordered, mapping_.message().header().field(7)}) {
    if (told.has_value()) return seed_time(mapping_, told);
  }
  return {};
}

void Vitals::add(const ObservationGroup& group, const ObservationContext& context) {
  const Segment& obx = *group.obx;
  if (!obx.field(5).has_value()) return;
  const std::string code = obx.field(3).first();
  const std::string unit =
      mapping::power_of_ten(obx.field(6).first(), obx.field(6).component(2).text());
  const std::string stream =
      cat(whose_, "|", obx.field(3).raw(), "|", obx.field(4).raw(), "|", unit);
  add_observation(mapping_, group, context, seen_[stream]++);
  const sync::IncomingMessage& out = mapping_.out();
  const Json& body = out.drafts.back().body;
  const std::string number = body["valueQuantity"]["value"].number_text();
  vitals_.push_back({out.drafts.size() - 1, stream, code,
                     number.empty() ? std::string(obx.field(5).raw()) : number,
                     obx.field(8).first(), time_of(obx, context)});
}

std::vector<Vital> Vitals::map() {
  const Segment& header = mapping_.message().header();
  const std::string serial = serial_of(groups_);
  if (!serial.empty())
    device_ = mapping_.add(profiles::device_draft(profile_, mapping_.device().name, serial));
  const auto& ids = mapping_.out().patient.ids;
  whose_ = cat(serial, "|", ids.empty() ? "" : ids[0].value);
  for (const OrderGroup& group : groups_) {
    ObservationContext context;
    context.obr = group.obr;
    context.device = device_;
    context.seed = cat("vital|", serial, "|", header.field(3).raw());
    const bool is_timed = group.obr != nullptr && group.obr->field(7).has_value();
    if (!is_timed) context.seed += cat("|", header.field(7).raw(), "|", header.field(10).raw());
    for (const ObservationGroup& one : group.observations) add(one, context);
  }
  return std::move(vitals_);
}

}  // namespace

std::vector<Vital> map_vitals(Mapping& mapping, const profiles::Profile& profile) {
  return Vitals(mapping, profile).map();
}

}  // namespace gateway::adapters::hl7
