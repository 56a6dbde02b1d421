// Devices that write files: each folder is watched, what rests in it is taken in, and only what is
// on stable storage leaves it. All on one thread of their own.
#pragma once

#include <memory>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/decoder.h"
#include "adapters/filedrop/folder_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::filedrop {

/// Adapter "folder"; report() has "devices" as hl7's, with the "problem" of a folder that cannot be
/// used. While LOCKED the files stay where they are.
class FolderServer : public Adapter {
 public:
  /// `door` and `clock` outlive it.
  static std::unique_ptr<FolderServer> create(std::vector<FolderDevice> devices,
                                              FileDecoders decoders, const sync::HoldingsDoor& door,
                                              const core::Clock& clock);
};

/// For messages of dropped files, HL7 too, that wait for a person.
Decoder decoder_of(const fields::FieldDevice& device, const FileDecoders& decoders);

}  // namespace gateway::adapters::filedrop
