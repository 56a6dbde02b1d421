// Tells modalities what became of their storage commitment requests (N-EVENT-REPORT, PS3.4 J.3.3),
// each on an association of our own to the AE title that asked. What is to be told is in the
// database, so it survives restarts; a modality that cannot be reached is tried again, ever less
// often, up to every ten minutes.
#pragma once

#include <memory>

#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/traffic.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

class CommitmentReporter {
 public:
  /// Starts its thread. The arguments outlive it.
  static std::unique_ptr<CommitmentReporter> start(const DicomOptions& options,
                                                   const sync::HoldingsDoor& door,
                                                   const core::Clock& clock, Traffic& traffic);
  /// Stops; waits for a report on its way, at most some seconds.
  virtual ~CommitmentReporter() = default;
};

}  // namespace gateway::adapters::dicom
