// One association from its request to its end: who calls is admitted or refused, contexts are
// negotiated, and each command goes to the service it is for. Internal to adapters/dicom.
#pragma once

#include "adapters/dicom/admission.h"
#include "adapters/dicom/association.h"
#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/query_trail.h"
#include "adapters/dicom/traffic.h"
#include "core/clock.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// What all associations share.
struct SessionSetting {
  const DicomOptions& options;
  const sync::HoldingsDoor& door;
  const core::Clock& clock;
  Traffic& traffic;
  Admission& admission;
  QueryTrail& query_trail;
};

/// Before the first association, again and again if need be. Code::invalid: DCMTK is not whole.
core::Status prepare_dcmtk();

/// On the association's own thread; returns when it is over.
void serve_session(const SessionSetting& setting, Association& association);

}  // namespace gateway::adapters::dicom
