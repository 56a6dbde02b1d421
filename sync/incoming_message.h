// One message as an adapter read it: what it tells, before it is known what is held already
// (sync/intake.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/draft.h"
#include "sync/identity.h"

namespace gateway::sync {

/// Of what a message told last: in meta.source, before the message's number.
inline constexpr std::string_view kMessageSource = "urn:clinic-gateway:message:";

/// Something no map covers; counted per device.
struct MappingGap {
  std::string what;  // segment, code, unit, value, text, control id
  std::string system;
  std::string code;
  std::string label;
  bool operator==(const MappingGap&) const = default;
};

/// Whose the message is.
struct MessagePatient {
  std::vector<PatientId> ids;
  std::vector<PatientId> carriers;  // ids of its specimens and orders, which have a patient
  PersonFacts facts;
  Draft draft;           // the Patient as the message tells of it; registered where nobody is known
  bool is_told = false;  // the message speaks of a patient at all (an order of stock does not)
  bool is_required = false;  // without a patient its drafts stay out
  bool updates = false;  // the message is about the patient: a known one takes the draft's elements
};

struct IncomingMessage {
  std::string device;
  std::string control_id;
  std::string kind;          // "ORU^R01"
  std::string bytes;         // as they came
  std::string event_at;      // instant; empty: not told
  std::string source;        // the peer's address, for the audit
  std::string answer;        // what the device hears once it is in
  std::int64_t begun = 0;    // the unfinished message (take_part()) that this one completes; or 0
  std::string dead_because;  // not empty: kept for a person, becomes nothing. No patient data.
  MessagePatient patient;
  std::vector<Draft> drafts;     // what is referred to stands before what refers to it
  std::vector<MappingGap> gaps;  // each once

  /// Appends it; answers the reference to it.
  std::string add(Draft draft);
  void add(MappingGap gap);
};

}  // namespace gateway::sync
