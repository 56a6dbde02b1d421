#include "adapters/hl7/mapping/order_groups.h"

namespace gateway::adapters::hl7 {
namespace {

class Grouping {
 public:
  explicit Grouping(Mapping& mapping)
      : mapping_(mapping), specimen_first_(mapping.message().type().starts_with("OUL")) {}

  void take(const Segment& segment) {
    if (segment.name == "ORC") {
      orc_ = &segment;
      notes_ = nullptr;
    } else if (segment.name == "OBR") {
      begin_order(segment);
    } else if (segment.name == "SPM") {
      take_specimen(segment);
    } else if (segment.name == "OBX") {
      if (groups_.empty() || is_loose_) begin_loose();
      groups_.back().observations.push_back({&segment, {}});
      notes_ = &groups_.back().observations.back().notes;
    } else if (segment.name == "NTE" && notes_ != nullptr) {
      notes_->push_back(&segment);
    } else if (segment.name == "TQ1" && !groups_.empty() && groups_.back().obr != nullptr) {
      groups_.back().timing = &segment;
    } else if (segment.name == "TQ1" && orc_ != nullptr) {
      timing_ = &segment;
    } else if (!is_read_elsewhere(segment.name)) {
      mapping_.not_mapped(segment);
    }
  }

  std::vector<OrderGroup> groups() && {
    // An order without its detail is told by ORC alone.
    return std::move(groups_);
  }

 private:
  static bool is_read_elsewhere(std::string_view name) {
    return name == "MSH" || name == "PID" || name == "PV1" || name == "NK1" || name == "EVN";
  }

  void begin_order(const Segment& obr) {
    OrderGroup group;
    group.orc = orc_;
    group.obr = &obr;
    group.timing = timing_;
    if (specimen_first_ && specimen_ != nullptr) group.specimens.push_back(specimen_);
    groups_.push_back(std::move(group));
    orc_ = nullptr;
    timing_ = nullptr;
    is_loose_ = false;
    notes_ = &groups_.back().notes;
  }

  void take_specimen(const Segment& spm) {
    specimen_ = &spm;
    notes_ = nullptr;
    if (specimen_first_) {
      is_loose_ = true;  // what is observed of the specimen itself answers no order
    } else if (!groups_.empty()) {
      groups_.back().specimens.push_back(&spm);
    }
  }

  void begin_loose() {
    if (groups_.empty() || groups_.back().obr != nullptr ||
        (specimen_first_ && groups_.back().specimens.empty() && specimen_ != nullptr)) {
      groups_.emplace_back();
      if (specimen_ != nullptr) groups_.back().specimens.push_back(specimen_);
    }
    is_loose_ = true;
  }

  Mapping& mapping_;
  const bool specimen_first_;
  std::vector<OrderGroup> groups_;
  const Segment* orc_ = nullptr;
  const Segment* timing_ = nullptr;
  const Segment* specimen_ = nullptr;
  std::vector<const Segment*>* notes_ = nullptr;
  bool is_loose_ = false;
};

}  // namespace

std::vector<OrderGroup> order_groups(Mapping& mapping) {
  Grouping grouping(mapping);
  for (const Segment& segment : mapping.message().segments()) grouping.take(segment);
  return std::move(grouping).groups();
}

}  // namespace gateway::adapters::hl7
