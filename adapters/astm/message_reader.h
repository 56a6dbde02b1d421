// Bytes of ASTM messages to what sync takes in: pure.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/astm/mapping.h"
#include "adapters/decoder.h"
#include "sync/intake.h"

namespace gateway::adapters::astm {

struct Read {
  std::shared_ptr<const Message> message;  // null: it could not be read
  Kind kind = Kind::other;
  std::shared_ptr<sync::IncomingMessage> incoming;
};

/// One message of one patient, as split_messages() cuts them. What cannot be read comes out as a
/// dead letter with its reason.
Read read_message(std::string bytes, const AstmDevice& device, const std::string& peer);
/// What came of a message that is not whole yet.
std::shared_ptr<sync::IncomingMessage> unfinished_message(std::string bytes,
                                                          const AstmDevice& device,
                                                          const std::string& peer);
/// For messages of the device that were kept.
Decoder decoder_of(const AstmDevice& device);

}  // namespace gateway::adapters::astm
