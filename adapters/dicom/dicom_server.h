// The gateway as a DICOM application entity: C-ECHO, C-STORE, Modality Worklist, MPPS, storage
// commitment and Query/Retrieve SCP (PS3.4 A, B, C, F, J and K; PS3.7; PS3.8). What it negotiates
// and answers is stated in docs/dicom-conformance.md.
//
// One thread accepts, one serves each association up to associations_max. Where all places are
// taken, an address with many connections that have not asked for an association loses its oldest.
// While LOCKED it answers C-ECHO with success, everything else with A700 (out of resources). A
// C-STORE is answered with success only after sync::Ingest::store() has committed it.
#pragma once

#include <cstdint>
#include <memory>

#include "adapters/adapter.h"
#include "adapters/dicom/dicom_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// Counts in report(): "associations", "associations_open", "rejected", "strangers" (of these, who
/// is not known), "echoes", "stored",
/// "repeated", "other_copies", "refused", "queries", "bytes". "out_of_space" there: an image was
/// refused for lack of it, and none was stored since.
class DicomServer : public Adapter {
 public:
  /// `door` and `clock` outlive the server.
  static std::unique_ptr<DicomServer> create(DicomOptions options, const sync::HoldingsDoor& door,
                                             const core::Clock& clock);

  /// The port bound by the last successful start(); 0 before.
  virtual std::uint16_t port() const = 0;
  /// The same for TLS; 0 where there is none.
  virtual std::uint16_t tls_port() const = 0;
};

}  // namespace gateway::adapters::dicom
