// Bytes of one message to what sync takes in, and back: pure but for the answer's time and id.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/decoder.h"
#include "adapters/hl7/mapping/mapping.h"
#include "core/clock.h"
#include "core/result.h"
#include "sync/intake.h"

namespace gateway::adapters::hl7 {

/// What came of one message's bytes.
struct Read {
  std::shared_ptr<const Message> message;  // null: it could not be read
  std::shared_ptr<sync::IncomingMessage> incoming;
};

/// Cuts a frame into its messages' bytes, as sent; one that holds no message comes out whole.
std::vector<std::string> cut_frame(std::string bytes);
/// Decodes, maps and answers. What cannot be read comes out as a dead letter with its reason.
Read read_message(std::string bytes, const DeviceProfile& device, const std::string& peer,
                  const core::Clock& clock);
/// The same for a message that never was a whole one.
Read broken_message(std::string bytes, const DeviceProfile& device, const std::string& peer,
                    const std::string& reason, const core::Clock& clock);

/// For messages of the device that were kept; `clock` outlives it.
Decoder decoder_of(const DeviceProfile& device, const core::Clock& clock);

}  // namespace gateway::adapters::hl7
