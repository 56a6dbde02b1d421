// Where a value stands in what a device says, and rules on it, as a profile writes them.
//
// A place: "O-3" (ASTM's record O, field 3 counted as the standard does, the record's type being
// field 1), "O-4.3" (its third component); "OBR-3", "OBR-3.1" (HL7's segment); of POCT1-A
// "PT.patient_id" (a field of an object). A rule is a place, alone or with a condition: "O-4.3 when
// O-4.4=B"; a test is "O-12=Q", or "O-3=QC..." for any text that begins so.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gateway::adapters::profiles {

struct Place {
  std::string record = {};    // "O" of ASTM, "OBR" of HL7
  std::size_t field = 0;      // from 1
  std::size_t component = 0;  // from 1; 0: the whole field
  std::string element = {};   // of POCT1-A instead: "PT.patient_id"
};

struct FieldTest {
  Place place;
  std::string pattern;  // what ends in ... begins so; case matters
};

struct FieldRule {
  Place place;
  std::vector<FieldTest> when;  // empty: always; at most one
};

/// `pattern` is the whole text, or its beginning followed by "...".
bool matches_pattern(std::string_view text, std::string_view pattern);
bool matches_any(std::string_view text, const std::vector<std::string>& patterns);

/// The text at a place of what is being read; empty: none.
using ValueAt = std::function<std::string(const Place&)>;
/// The first rule whose condition holds and whose place has a value.
std::string value_by(const std::vector<FieldRule>& rules, const ValueAt& value_at);
bool holds(const FieldTest& test, const ValueAt& value_at);

/// One notation of places; Code::invalid says what is wrong with the text.
using ParsePlace = core::Result<Place> (*)(std::string_view);
core::Result<Place> parse_record_place(std::string_view text);   // ASTM
core::Result<Place> parse_segment_place(std::string_view text);  // HL7
core::Result<Place> parse_element_place(std::string_view text);  // POCT1-A

core::Result<FieldTest> parse_test(std::string_view text, ParsePlace parse);
core::Result<FieldRule> parse_rule(std::string_view text, ParsePlace parse);

/// A number from `text`, which is cut off it; 0: none.
std::size_t take_number(std::string_view& text);

}  // namespace gateway::adapters::profiles
