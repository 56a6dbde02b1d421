// One message on its way to FHIR R4, after the tables of the HL7 v2-to-FHIR IG. Pure: message and
// device in, drafts out; whose they are and what they meet is decided in sync/intake.h.
//
// What no table covers is kept as sent and counted (Mapping::gap), never dropped. Times without a
// zone get the device's and are marked; what FHIR cannot hold as sent stands beside as an
// extension.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/hl7/message.h"
#include "adapters/hl7/vitals.h"
#include "adapters/mapping/device_profile.h"
#include "adapters/profiles/profile.h"
#include "core/json.h"
#include "core/result.h"
#include "sync/incoming_message.h"

namespace gateway::adapters::hl7 {

using mapping::DeviceProfile;

class Mapping {
 public:
  Mapping(const Message& message, const DeviceProfile& device, sync::IncomingMessage& out,
          const profiles::Profile* profile = nullptr)
      : message_(message), device_(device), out_(out), profile_(profile) {}

  const Message& message() const { return message_; }
  const DeviceProfile& device() const { return device_; }
  sync::IncomingMessage& out() { return out_; }
  /// What is known of the model; may be null.
  const profiles::Profile* profile() const { return profile_; }

  /// Appends a draft; answers the reference to it.
  std::string add(sync::Draft draft) { return out_.add(std::move(draft)); }
  /// Counted once per message.
  void gap(std::string_view what, std::string_view system, std::string_view code,
           std::string_view label = "") {
    out_.add(sync::MappingGap{std::string(what), std::string(system), std::string(code),
                              std::string(label)});
  }
  /// The segment's content is in the raw message only.
  void not_mapped(const Segment& segment) { gap("segment", "", segment.name); }

 private:
  const Message& message_;
  const DeviceProfile& device_;
  sync::IncomingMessage& out_;
  const profiles::Profile* profile_;
};

/// Fills `out` (patient, drafts, gaps, event_at, dead_because) from the message. Results are read
/// by the model's `profile` (may be null); answers the values of a monitor's, of whatever else
/// nothing.
std::optional<std::vector<Vital>> map_message(const Message& message, const DeviceProfile& device,
                                              sync::IncomingMessage& out,
                                              const profiles::Profile* profile);

/// Behind the kind of a message all of whose results are of controls: "OUL^R22 control".
inline constexpr std::string_view kControl = " control";

/// True for a type this adapter takes ("ORU^R01").
bool is_supported(std::string_view type);

/// PID-3; PID-2 of a sender that fills that alone.
Piece patient_id_field(const Segment& pid);

// What each family of messages becomes; called by map_message().
void map_patient(Mapping& mapping);
void map_visit(Mapping& mapping, std::string_view event);  // ADT: Encounter
void map_merge(Mapping& mapping);                          // A40: Task, a proposal
void map_results(Mapping& mapping);                        // ORU, OUL
std::vector<Vital> map_vitals(Mapping& mapping, const profiles::Profile& profile);  // ORU
void map_orders(Mapping& mapping);                                                  // ORM, OMG, OML
void map_referral(Mapping& mapping, std::string_view event);                        // REF
void map_document(Mapping& mapping, std::string_view event);                        // MDM
void map_appointment(Mapping& mapping, std::string_view event);                     // SIU
void map_immunizations(Mapping& mapping);                                           // VXU

}  // namespace gateway::adapters::hl7
