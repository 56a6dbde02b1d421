#include "adapters/hl7/mapping/order_groups.h"

#include <string>
#include <utility>

namespace gateway::adapters::hl7 {
namespace {

class Grouping {
 public:
  explicit Grouping(Mapping& mapping) : mapping_(mapping) {
    const std::string type = mapping.message().type();
    is_oul_ = type.starts_with("OUL");
    holds_orders_ = type.starts_with("ORM") || type.starts_with("OMG") || type.starts_with("OML");
    specimen_first_ =
        type == "OUL^R22" || type == "OUL^R23" || type == "OML^O33" || type == "OML^O35";
  }

  void take(const Segment& segment) {
    if (is_prior_result(segment)) return mapping_.not_mapped(segment);
    if (segment.name == "ORC") {
      take_control(segment);
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
    } else if (segment.name == "TQ1" && is_orc_pending_) {
      timing_ = &segment;
    } else if (segment.name == "TQ1" && !groups_.empty() && groups_.back().obr != nullptr) {
      groups_.back().timing = &segment;
    } else if (!is_read_elsewhere(segment.name)) {
      mapping_.not_mapped(segment);
    }
  }

  std::vector<OrderGroup> groups() && {
    end_control();
    return std::move(groups_);
  }

 private:
  static bool is_read_elsewhere(std::string_view name) {
    return name == "MSH" || name == "PID" || name == "PD1" || name == "PV1" || name == "NK1" ||
           name == "EVN";
  }

  /// What an order quotes of earlier results (OML_O21 PRIOR_RESULT): a patient once more, or an ORC
  /// that says PR, and all that follows until the next order.
  bool is_prior_result(const Segment& segment) {
    if (!holds_orders_) return false;
    if (segment.name == "PID") {
      const bool is_second = has_patient_;
      has_patient_ = true;
      is_prior_ = is_prior_ || is_second;
      return is_second;
    }
    if (segment.name == "ORC") {
      if (segment.field(1).first() == "PR") is_prior_ = true;
      if (!is_of_prior_result(segment)) is_prior_ = false;
    }
    return is_prior_;
  }

  void take_control(const Segment& orc) {
    // Of OUL, behind its OBR (7.3.7).
    OrderGroup* const last = groups_.empty() ? nullptr : &groups_.back();
    if (is_oul_ && last != nullptr && last->obr != nullptr && last->orc == nullptr &&
        last->observations.empty()) {
      last->orc = &orc;
      return;
    }
    end_control();
    orc_ = &orc;
    is_orc_pending_ = true;
    notes_ = nullptr;
  }

  /// An order told by its ORC alone: a cancellation needs no more.
  void end_control() {
    if (!std::exchange(is_orc_pending_, false) || !holds_orders_) return;
    OrderGroup group;
    group.orc = orc_;
    groups_.push_back(std::move(group));
    is_loose_ = false;
  }

  void begin_order(const Segment& obr) {
    OrderGroup group;
    group.orc = orc_;
    group.obr = &obr;
    group.timing = timing_;
    if (specimen_first_ && specimen_ != nullptr) group.specimens.push_back(specimen_);
    groups_.push_back(std::move(group));
    is_orc_pending_ = false;
    // Several OBR behind one ORC of an order message are told by it; a result has its own or none.
    if (!holds_orders_) orc_ = nullptr;
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
  bool is_oul_ = false;
  bool holds_orders_ = false;
  bool specimen_first_ = false;
  bool has_patient_ = false;
  bool is_prior_ = false;
  bool is_orc_pending_ = false;
  std::vector<OrderGroup> groups_;
  const Segment* orc_ = nullptr;
  const Segment* timing_ = nullptr;
  const Segment* specimen_ = nullptr;
  std::vector<const Segment*>* notes_ = nullptr;
  bool is_loose_ = false;
};

}  // namespace

bool is_of_prior_result(const Segment& orc) {
  const std::string control = orc.field(1).first();
  return control.empty() || control == "PR" || control == "RE";
}

std::vector<OrderGroup> order_groups(Mapping& mapping) {
  Grouping grouping(mapping);
  for (const Segment& segment : mapping.message().segments()) grouping.take(segment);
  return std::move(grouping).groups();
}

}  // namespace gateway::adapters::hl7
