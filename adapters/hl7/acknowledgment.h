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
/// Of these the first alone (CA, CE or CR), for a message whose application's answer is of another
/// type than ACK.
std::string accept(const Segment& header, Verdict verdict, std::string_view why,
                   const core::Clock& clock);

/// MSA-1 and QAK-2: AA, AE or AR.
std::string application_code(Verdict verdict);
/// MSH-7 and MSH-10 of a message of the gateway's own.
std::string message_time(core::Wall now);
std::string new_control_id(const core::Clock& clock);

}  // namespace gateway::adapters::hl7
