// The small tables of the v2-to-FHIR IG's concept maps that decide elements FHIR requires a code of
// its own for. Rows the IG leaves open are left out: the element stays away, or a rule of
// CLINICAL.md decides and says so where it is used.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gateway::adapters::hl7 {

struct CodeRow {
  std::string_view v2;
  std::string_view fhir;
};
using CodeTable = std::span<const CodeRow>;

/// The FHIR code of a v2 code; empty when the table has no row for it.
std::string code_of(CodeTable table, std::string_view v2);

/// A code of one letter in upper case, as the tables have it; any other text stays.
std::string to_upper_letter(std::string_view code);

/// Whether HL7's table (0002, 0007, 0009, 0023, 0063, 0069, 0074, 0078, 0092, 0112, 0131, 0203,
/// 0270, 0272), or "639-1", the languages of ISO 639-1, holds the code; else it is the site's own.
bool is_standard_code(std::string_view table, std::string_view code);

extern const CodeTable kGender;                // 0001 AdministrativeSex
extern const CodeTable kNameUse;               // 0200 NameType
extern const CodeTable kAddressUse;            // 0190 AddressType[Use]
extern const CodeTable kAddressType;           // 0190 AddressType[Type]
extern const CodeTable kContactUse;            // 0201
extern const CodeTable kContactSystem;         // 0202
extern const CodeTable kEncounterClass;        // 0004, v3-ActCode
extern const CodeTable kEncounterStatus;       // 0003 Event[EncounterStatus]
extern const CodeTable kObservationStatus;     // 0085
extern const CodeTable kReportStatus;          // 0123
extern const CodeTable kOrderControl;          // 0119 OrderControlCode[ServiceRequest.status]
extern const CodeTable kOrderStatus;           // 0038
extern const CodeTable kOrderPriority;         // 0027 priority, 0485
extern const CodeTable kReferralStatus;        // 0283
extern const CodeTable kAppointmentStatus;     // 0278 FillerStatusCodes, lower case
extern const CodeTable kAppointmentEvent;      // 0003, for SIU
extern const CodeTable kImmunizationStatus;    // 0322
extern const CodeTable kDocumentStatus;        // 0271 TXA-17 to docStatus
extern const CodeTable kDocumentAvailability;  // 0273 TXA-19 to status
extern const CodeTable kMaritalStatus;         // 0002, as "system#code"
extern const CodeTable kRelationship;          // 0063, as "system#code"
extern const CodeTable kSpecimenStatus;        // 0136, for SPM-20

}  // namespace gateway::adapters::hl7
