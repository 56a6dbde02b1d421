// HL7 v2 over MLLP: one listener per configured device. A message is answered positively after its
// commit and not before; what is sent again is answered as before; what cannot be read, mapped or
// given a patient is kept for a person (sync/intake.h) and answered for what it is. LOCKED, or
// without room, the answer is AE and nothing was taken.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/hl7/hl7_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::hl7 {

class Hl7Server : public Adapter {
 public:
  /// `door` and `clock` outlive it.
  static std::unique_ptr<Hl7Server> create(std::vector<Hl7Device> devices,
                                           const sync::HoldingsDoor& door,
                                           const core::Clock& clock);
  /// The port of a device's listener that runs.
  virtual std::uint16_t port(const std::string& device) const = 0;
};

}  // namespace gateway::adapters::hl7
