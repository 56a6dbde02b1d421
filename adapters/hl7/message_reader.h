// Bytes of one message to what sync takes in, and back: pure but for the answer's time and id.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/decoder.h"
#include "adapters/hl7/hl7_options.h"
#include "adapters/hl7/mapping/mapping.h"
#include "adapters/hl7/work_query.h"
#include "core/clock.h"
#include "core/result.h"
#include "sync/intake.h"

namespace gateway::adapters::hl7 {

/// What came of one message's bytes.
struct Read {
  std::shared_ptr<const Message> message;  // null: it could not be read
  std::shared_ptr<sync::IncomingMessage> incoming;
  std::optional<std::vector<Vital>> vitals;  // of a monitor's results
  std::optional<WorkQuery> query;            // it asks what to do with a tube
  bool is_control = false;                   // its results are of controls: kept, becomes nothing
};

/// Cuts a frame into its messages' bytes, as sent; one that holds no message comes out whole.
std::vector<std::string> cut_messages(std::string bytes);
/// Cuts a message of several patients into one for each (split_patients()); any other comes out
/// whole. Its sender waits for one answer.
std::vector<std::string> cut_patients(std::string message);
/// Both: the messages of a frame, each of one patient.
std::vector<std::string> cut_frame(std::string bytes);
/// Decodes, maps and answers. What cannot be read comes out as a dead letter with its reason.
/// `profile`: of the device's model, or null.
Read read_message(std::string bytes, const DeviceProfile& device, const std::string& peer,
                  const core::Clock& clock, const profiles::Profile* profile = nullptr);
/// Takes out of the message what is not due; false where nothing is. A dead letter has nothing to
/// take out, and is one only as often as a value of its own is due.
bool keep_due(sync::IncomingMessage& message, const std::vector<Vital>& vitals,
              const std::vector<bool>& due);
/// The same for a message that never was a whole one.
Read broken_message(std::string bytes, const DeviceProfile& device, const std::string& peer,
                    const std::string& reason, const core::Clock& clock);

/// For messages of the device that were kept; `clock` outlives it.
Decoder decoder_of(const Hl7Device& device, const core::Clock& clock);

}  // namespace gateway::adapters::hl7
