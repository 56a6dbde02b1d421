// Attribute matching of PS3.4 C.2.2.2 on values in UTF-8. A key without value matches anything
// (universal) and is not asked here. Pure.
#pragma once

#include <string_view>

namespace gateway::adapters::dicom {

enum class MatchKind {
  exact,        // single value
  wildcard,     // single value with * and ?
  person_name,  // wildcard, without regard to case and accents; the query may name fewer component
                // groups and components than the value has
  uid_list,     // any of the values between backslashes
  date,         // single value or range, DA
  time,         // single value or range, TM; a value of less precision means its whole span
};

bool matches(MatchKind kind, std::string_view key, std::string_view value);

/// Date and time as one moment, where both keys are ranges (PS3.4 K.6.1.2.2): July 5 to 7 and 10 to
/// 18 h is one span from July 5, 10 h to July 7, 18 h.
bool matches_span(std::string_view date_key, std::string_view time_key, std::string_view date,
                  std::string_view time);

/// True for "a-b", "a-" and "-b".
bool is_range(std::string_view key);

struct Range {
  std::string_view from;  // empty: open
  std::string_view to;
};
/// Of a single value, both ends are that value.
Range parse_range(std::string_view key);

bool has_wildcard(std::string_view key);

}  // namespace gateway::adapters::dicom
