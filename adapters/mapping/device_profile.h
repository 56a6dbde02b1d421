// What a site says of one device, of any protocol, that the mapping of its messages needs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gateway::adapters::mapping {

struct DeviceProfile {
  std::string name;
  std::string time_zone = "UTC";  // of times without one
  std::string
      patient_id_issuer;  // FHIR system of ids that name no issuer; empty: they are nobody's
  std::string
      specimen_id_issuer;     // FHIR system of specimen ids; empty: they name no order of anybody
  std::string character_set;  // where the message names none
  std::vector<std::string> autoverified;  // test codes whose "final" is final; "*": all

  /// A person releases a device's results unless the site declared autoverification for the test.
  bool verifies(std::string_view test) const;
};

}  // namespace gateway::adapters::mapping
