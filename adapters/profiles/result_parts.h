// Pieces of an Observation that every protocol with a profile makes alike: the code by the map, a
// number with its comparator and unit, why there is none, the flag. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "adapters/profiles/profile.h"
#include "core/json.h"
#include "sync/incoming_message.h"

namespace gateway::adapters::profiles {

/// Which profile, in which revision, made an Observation of ours: valueString "ID REVISION".
inline constexpr std::string_view kProfileExtension = "urn:clinic-gateway:extension:device-profile";

/// A device's own system of identifiers of one kind; `kind` empty: of its codes.
std::string own_system(std::string_view device, std::string_view kind);

core::Json coding(std::string_view system, std::string_view code);
/// LOINC where the map names it (`row` may be null), the device's own code in any case.
core::Json code_of_test(std::string_view device, std::string_view code, const CodeRow* row);
/// A test's code: the components of its id that the profile names, joined by '^'; empty: it names
/// none, or they are.
std::string joined_code(const Profile& profile,
                        const std::function<std::string(std::size_t number)>& component);
/// The extension array that names the profile.
core::Json made_by(const Profile& profile);
/// CodeableConcept of an observation category ("laboratory"), as an array.
core::Json category_of(std::string_view code);

/// A number with its comparator (<, >=), as the device writes them; null: no number.
core::Json quantity_of(const Profile& profile, std::string_view sent);
/// Unit as sent, and its UCUM code; a unit that nobody knows is counted in `out`.
void set_unit(std::string_view unit, const CodeRow* row, core::Json& quantity,
              sync::IncomingMessage& out);
/// Why a code of the map in a unit it does not have holds the message.
std::string impossible_pair(std::string_view code, std::string_view unit);
/// dataAbsentReason; `sent` stands beside it.
void set_absent(core::Json& body, std::string_view code, std::string_view sent);
/// An abnormal flag (LIS02-A2 9.7; POCT1-A writes the same) as v3 ObservationInterpretation; empty:
/// unknown.
std::string_view interpretation_code(std::string_view flag);
/// `code`: v3 ObservationInterpretation, or empty; `sent`: what the device said.
void set_interpretation(core::Json& body, std::string_view code, std::string_view sent);
/// A Device draft body known by its serial.
sync::Draft device_draft(const Profile& profile, std::string_view device,
                         const std::string& serial);

}  // namespace gateway::adapters::profiles
