// OBX to Observation (v2-to-FHIR IG, OBX[Observation]) and its value.
#pragma once

#include <string>
#include <string_view>

#include "adapters/hl7/mapping/mapping.h"
#include "adapters/hl7/mapping/order_groups.h"

namespace gateway::adapters::hl7 {

/// What the observations of one group share.
struct ObservationContext {
  std::string seed;             // of the order and its specimen
  std::string fallback_status;  // OBR-25's, where OBX-11 is silent
  const Segment* obr = nullptr;
  std::string specimen;  // reference, or empty
  core::Json based_on;   // of the order, or null
  core::Json encounter;  // or null
  std::string device;    // reference; empty: OBX-18's
};

/// Adds the draft; answers the reference to it. `occurrence`: how many OBX of the same test and
/// sub-id stand before it in the group.
std::string add_observation(Mapping& mapping, const ObservationGroup& group,
                            const ObservationContext& context, std::size_t occurrence);

/// R5's Observation.valueAttachment. The IG's extension of R5 is refused by R4 validators.
inline constexpr std::string_view kAttachmentValue =
    "urn:clinic-gateway:extension:value-attachment";
/// Sets value[x] (or dataAbsentReason, or the IG's extension for attachments) from OBX-2, -5, -6.
void set_observation_value(Mapping& mapping, const Segment& obx, core::Json& body);

/// ED or RP as Attachment; null where it holds nothing.
core::Json attachment(Mapping& mapping, const Piece& field, bool is_pointer);

}  // namespace gateway::adapters::hl7
