// What a device's profile (adapters/profiles/profile.h) says of its results: the code map on OBX-3
// and OBX-6, values that say there is none, what is a control, whose a specimen is, what the device
// only says of itself. Without a profile each of them leaves a message as any device's.
#pragma once

#include <string>

#include "adapters/hl7/mapping/mapping.h"
#include "adapters/hl7/mapping/observation.h"
#include "adapters/hl7/mapping/order_groups.h"
#include "core/json.h"

namespace gateway::adapters::hl7 {

/// The test as the profile's map and device.NAME.autoverified know it: OBX-3.1, or the components
/// the profile names.
std::string test_code(const Mapping& mapping, const Segment& obx);
/// The group without what the device says of itself, which is no result.
OrderGroup without_own_values(const Mapping& mapping, OrderGroup group);
/// A profile's test of a control holds for the group.
bool is_profiled_control(const Mapping& mapping, const OrderGroup& group);

/// Takes out of the patient's ids those that mean nobody.
void drop_nobody(Mapping& mapping);
/// Adds the Device, known by its serial; answers the reference, empty without a profile. `group`:
/// one whose serial counts.
std::string add_profiled_device(Mapping& mapping, const OrderGroup& group);
/// Adds the Specimen by the number the profile finds, and with it the order where OBR-2 names none;
/// false: it finds none.
bool set_profiled_specimen(Mapping& mapping, const OrderGroup& group, ObservationContext& context);

/// Sets the value where the profile decides it: a run failure, a number with a decimal comma.
/// False: it does not.
bool set_profiled_value(Mapping& mapping, const Segment& obx, core::Json& body);
/// Code and unit by the map beside the device's own, the category, and which profile in which
/// revision made it. An impossible pair holds the message.
void set_profiled_code(Mapping& mapping, const Segment& obx, core::Json& body);

}  // namespace gateway::adapters::hl7
