// What a C-STORE provider's status means for the instance it answers (PS3.4 B.2.3, PS3.7 9.1.1.1.9
// and C). Pure.
#pragma once

#include <cstdint>
#include <string>

namespace gateway::adapters::dicom {

enum class StoreAnswer {
  stored,
  warned,     // stored, with something changed or left out
  have_it,    // it says that it has this SOP Instance UID already
  try_later,  // it cannot just now
  refused,    // it will never take it as it is
};
StoreAnswer store_answer(std::uint16_t status);

/// For people: "A700 (out of resources)".
std::string status_words(std::uint16_t status);

}  // namespace gateway::adapters::dicom
