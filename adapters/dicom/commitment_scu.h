// Storage Commitment Push Model SCU (PS3.4 J): asks a PACS to commit itself to what it was sent.
// Internal to adapters/dicom.
#pragma once

#include "adapters/dicom/outgoing_association.h"
#include "adapters/dicom/pacs_report.h"
#include "sync/pacs_commitment.h"

namespace gateway::adapters::dicom {

/// In which we are the user of storage commitment.
OutgoingAssociation::Proposal commitment_proposal();

/// N-ACTION, and then the report, if it comes within `report_wait` on this association; else the
/// PACS tells it on one of its own. Code::refused: it said no, and why; Code::lost_answer: the
/// association broke and it may have heard.
core::Status ask_commitment(OutgoingAssociation& association, int answer_seconds,
                            core::Milliseconds report_wait, const sync::PacsCommitment& commitment,
                            const ReportSetting& setting);

}  // namespace gateway::adapters::dicom
