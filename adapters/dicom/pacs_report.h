// What a PACS tells of the storage commitment we asked for (N-EVENT-REPORT, PS3.4 J.3.3), on our
// association or on one of its own. Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>

#include <functional>
#include <string>

#include "adapters/dicom/association.h"
#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/n_answer.h"
#include "adapters/dicom/traffic.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

struct ReportSetting {
  std::shared_ptr<sync::Holdings> holdings;  // null: LOCKED
  const core::Clock& clock;
  std::string who;  // tells it, for log and audit trail
  /// Whether it may speak for the PACS of an uplink.
  std::function<bool(const std::string& uplink)> may_tell;
};

/// Receives, notes and answers one report. Answers its Transaction UID, empty where it was not
/// taken; Code::unavailable: the association broke.
core::Result<std::string> take_pacs_report(T_ASC_Association& association,
                                           T_ASC_PresentationContextID context,
                                           const T_DIMSE_N_EventReportRQ& request,
                                           const ReportSetting& setting);

/// The same on an association of the PACS. False: the association broke.
bool serve_pacs_report(Association& association, T_ASC_PresentationContextID context,
                       const T_DIMSE_N_EventReportRQ& request, const DicomOptions& options,
                       const sync::HoldingsDoor& door, const core::Clock& clock, Traffic& traffic);

}  // namespace gateway::adapters::dicom
