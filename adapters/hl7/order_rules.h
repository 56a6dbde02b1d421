// Which orders (FHIR ServiceRequest) are a device's, and what it is to be told of one. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace gateway::adapters::hl7 {

/// An order fits where every list that is not empty has a word that fits it. Words: CODE,
/// SYSTEM|CODE, or SYSTEM| for any code of it; of performers a reference (Organization/lab), or the
/// same of its identifier.
struct OrderFilter {
  std::vector<std::string> categories;
  std::vector<std::string> codes;
  std::vector<std::string> performers;
  bool fits(const core::Json& order) const;
  /// The same text for the same filter.
  std::string text() const;
};

/// The control code (ORC-1, HL7 table 0119) of what the device is to be told now, where `taken` is
/// that of the last message it took, empty: none. NW of an order that is active, XO where it has
/// that order already, CA of one it has and that was revoked, put on hold, deleted, or is no longer
/// its. Empty: nothing.
std::string_view order_control(const core::Json& order, bool is_its, std::string_view taken);

}  // namespace gateway::adapters::hl7
