// The decoders of the configured devices, by their names: what takes a kept message up again
// without knowing who speaks what.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::adapters {

/// Pure: the bytes of one message of the device, as kept.
struct Decoder {
  /// What sync takes in; what cannot be read comes out as a dead letter with its reason.
  std::function<std::shared_ptr<sync::IncomingMessage>(std::string bytes)> decode;
  /// For people, in UTF-8.
  std::function<std::string(std::string_view bytes)> text;
};

using Decoders = std::map<std::string, Decoder>;

/// Works on a kept message again, with the maps and settings of now; `patient`: the Patient a
/// person says it is about, else empty.
core::Result<sync::Taken> retry_message(sync::Holdings& holdings, std::int64_t number,
                                        const Decoders& decoders, const std::string& patient);

}  // namespace gateway::adapters
