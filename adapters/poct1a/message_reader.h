// POCT1-A documents to what sync takes in: pure.
//
// Who measured stands in the hello alone. So the kept bytes are a line 'clinic-gateway-poct1a
// {"hello":{...}}' with what identifies the device, and the document behind it, as it came. A
// document with several services (SVC) is a message for each, which "service" in that line counts
// from 0: they may be of several patients.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/decoder.h"
#include "adapters/poct1a/document.h"
#include "adapters/poct1a/poct1a_options.h"
#include "sync/incoming_message.h"

namespace gateway::adapters::poct1a {

/// What a document is about.
enum class Kind {
  results,
  control,  // quality control, calibration, proficiency: of no patient
  events,   // of the device
  other,
};
/// "POCT1-A results" and so on, as letters show it.
std::string_view to_string(Kind kind);

/// Observations, events and what nobody knows are kept; hello, status, end of topic and the like
/// say nothing that lasts.
bool is_kept(const Document& document);

/// What a hello says of the device's identity: {"DEV.serial_id":"...",...}.
core::Json identity_of(const Document& hello);

struct Read {
  Kind kind = Kind::other;
  std::shared_ptr<sync::IncomingMessage> incoming;
};

/// A message for each service of the document, or one. `answer`: what the device hears once they
/// are in.
std::vector<Read> read_document(const Document& document, const std::string& bytes,
                                const core::Json& hello, const Poct1aDevice& device,
                                const std::string& peer, const std::string& answer);
/// What cannot be read, and why: a dead letter.
std::shared_ptr<sync::IncomingMessage> unreadable(const std::string& bytes, std::string why,
                                                  const core::Json& hello,
                                                  const Poct1aDevice& device,
                                                  const std::string& peer,
                                                  const std::string& answer);
/// For messages of the device that were kept.
Decoder decoder_of(const Poct1aDevice& device);

}  // namespace gateway::adapters::poct1a
