// Rejection notes of IHE RAD Imaging Object Change Management: Key Object Selection documents
// (PS3.3 A.35.4, PS3.16 TID 2010) whose title withdraws what they name. No type of DCMTK is
// visible.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "sync/holdings.h"
#include "sync/rejection.h"

namespace gateway::adapters::dicom {

/// sync::ReadRejectionNote: by title (0040,A043) and evidence (0040,A375). Images of other studies
/// than the note's own are left out. Code::invalid: it cannot be read, or names too many.
core::Result<std::optional<sync::RejectionNote>> read_rejection_note(
    crypto::ObjectStore& objects, const sync::ReceivedInstance& instance);

struct Withdrawal {
  std::string study_uid;
  std::string series_uid;                      // empty: every series
  std::vector<std::string> sop_instance_uids;  // empty: every image
  std::string reason;                          // sync::RejectionReason::word
};
struct Withdrawn {
  std::size_t images = 0;
  std::string note_uid;  // SOP Instance UID
};
/// Writes the note a person asks for and takes it in like one from a modality: on return the images
/// are withdrawn and the note is queued. Code::invalid names what is wrong with the wish;
/// Code::not_found as sync::images_to_reject(). Blocking.
core::Result<Withdrawn> withdraw(const std::shared_ptr<sync::Holdings>& holdings,
                                 const core::Clock& clock, const Withdrawal& wish);

}  // namespace gateway::adapters::dicom
