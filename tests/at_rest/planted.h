// Strings that must never be readable on a disk: names, identifiers, dates, pixels, texts and
// secrets, each put in through the paths a life of the gateway takes (life_steps.cpp), and the look
// for them in what lies there: as they are, as UTF-16LE, and in base64 at any alignment.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/recovery_code.h"

namespace gateway::at_rest {

struct Person {
  std::string_view family;
  std::string_view given;
  std::string_view id;
  std::string_view birth_date;  // as FHIR writes it
  std::string_view accession;
};
extern const std::array<Person, 8> kPersons;
/// The persons' name as DICOM writes it.
std::string dicom_name(const Person& person);

extern const std::array<std::string_view, 4> kPixelRuns;
/// An HL7 segment, a clinical remark, an address: notes on orders.
extern const std::array<std::string_view, 4> kNotes;
inline constexpr std::string_view kUidRoot = "1.2.826.0.1.3680043.10.77.4711.";
inline constexpr std::string_view kCallingTitle = "MODALITYSEVENTEEN";
inline constexpr std::string_view kPassphrase = "seven quiet otters under the bridge";

/// What opens the gateway of these tests; the same in the whole process.
const crypto::RecoveryCode& recovery_code();

/// All of them, 50 or more.
const std::vector<std::string>& planted();

/// Every form of each one that is looked for.
std::vector<std::string> forms_of(std::string_view text);

/// The first planted string that can be read in `bytes`; empty: none.
std::string find_planted(std::string_view bytes);
/// "<path>: <string>" for the first file that holds one, or whose path does.
std::string find_planted(const std::map<std::string, std::string>& files);

}  // namespace gateway::at_rest
