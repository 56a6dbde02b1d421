// Acknowledgments (HL7 v2.8 2.9): original mode AA, AE, AR where MSH-15 and MSH-16 are empty;
// enhanced mode CA, CE, CR and the application's AA, AE, AR, each when MSH-15 or MSH-16 asks for it
// (table 0155: AL always, NE never, ER on error, SU on success).
#pragma once

#include <string>
#include <string_view>

#include "adapters/hl7/message.h"
#include "core/clock.h"

namespace gateway::adapters::hl7 {

enum class Verdict {
  accepted,
  in_error,  // the content is wrong, or it could not be stored now
  rejected,  // wrong type, or no message at all
};

/// The one or two answers, each in its MLLP frame; empty where the sender wants none. `header`: the
/// message's MSH, null where there is none that can be read. `why` is for people and holds no
/// patient data.
std::string acknowledge(const Segment* header, Verdict verdict, std::string_view why,
                        const core::Clock& clock);

}  // namespace gateway::adapters::hl7
