// What results and orders share: identifiers of an order, its specimen, its visit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/hl7/mapping/mapping.h"
#include "adapters/hl7/mapping/order_groups.h"

namespace gateway::adapters::hl7 {

/// The placer's (2) or filler's (3) number: OBR's, else that of the ORC before it.
Piece order_number(const OrderGroup& group, std::size_t number);
/// Placer (PLAC) and filler (FILL) numbers of ORC-2, -3 or OBR-2, -3; an array or null.
core::Json order_identifiers(Mapping& mapping, const OrderGroup& group);
/// A reference to the ServiceRequest by the placer's number; null where none was sent.
core::Json placer_reference(Mapping& mapping, const OrderGroup& group);
/// SPM to Specimen, taken by whom OBR-10 names (`obr` may be null); answers the reference.
std::string add_specimen(Mapping& mapping, const Segment& spm, const Segment* obr,
                         std::string_view seed, const Piece& seed_at);
/// The Specimen of OBR-15, of senders that know no SPM; answers the reference, empty where OBR-15
/// is.
std::string add_specimen_of_order(Mapping& mapping, const Segment& obr, std::string_view seed);
/// PV1-19, a reference to the Encounter by its number; null where none was sent.
core::Json encounter_reference(Mapping& mapping);
/// NTE of a report as R5's DiagnosticReport.note, carried as R4 extensions; an array or null.
core::Json report_notes(Mapping& mapping, const std::vector<const Segment*>& notes);
/// NTE as Annotations, with who wrote them and when; an array or null.
core::Json annotations(Mapping& mapping, const std::vector<const Segment*>& notes);

}  // namespace gateway::adapters::hl7
