// The decoders of the configured devices, by their names: what takes a kept message up again
// without knowing who speaks what. And those of files that a drop folder finds, or a third-party
// adapter hands over, and other protocols read.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::adapters {

namespace fields {
struct FieldDevice;
}
namespace mapping {
struct DeviceProfile;
}

/// Pure: the bytes of one message of the device, as kept.
struct Decoder {
  /// What sync takes in; what cannot be read comes out as a dead letter with its reason.
  std::function<std::shared_ptr<sync::IncomingMessage>(std::string bytes)> decode;
  /// For people, in UTF-8.
  std::function<std::string(std::string_view bytes)> text;
};

using Decoders = std::map<std::string, Decoder>;

/// The bytes that follow; none at the end.
using NextBytes = std::function<core::Result<std::string>()>;

struct DroppedFile {
  std::string name;
  std::string bytes;
  std::string modified;  // instant; when it was written last
};

struct FileDecoders {
  /// Pure: the messages of an HL7 file, at least one.
  std::function<std::vector<std::shared_ptr<sync::IncomingMessage>>(
      std::string bytes, const mapping::DeviceProfile& device)>
      hl7;
  /// Pure: the messages of a record of named fields, of a document, or of both together, by the
  /// device's profile; at least one.
  std::function<std::vector<std::shared_ptr<sync::IncomingMessage>>(
      std::vector<DroppedFile> files, const fields::FieldDevice& device)>
      dropped;
  /// Takes a DICOM file (PS3.10) in as if it had come by C-STORE; returns once it is on stable
  /// storage. `read` begins a pass over the file. Code::busy: the file ends in the middle;
  /// Code::invalid: it is refused.
  std::function<core::Result<sync::StoreOutcome>(std::shared_ptr<sync::Holdings> holdings,
                                                 const std::function<NextBytes()>& read)>
      dicom;
};

/// Works on a kept message again, with the maps and settings of now; `patient`: the Patient a
/// person says it is about, else empty.
core::Result<sync::Taken> retry_message(sync::Holdings& holdings, std::int64_t number,
                                        const Decoders& decoders, const std::string& patient);

}  // namespace gateway::adapters
