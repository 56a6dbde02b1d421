// Images that were withdrawn: of the wrong patient, under the wrong worklist entry, of no use (IHE
// RAD, Imaging Object Change Management; Key Object Selection documents with a title of CID 7011).
// What a note names is not shown any more, to C-FIND, C-MOVE, C-GET, DICOMweb, exports and the
// ImagingStudy, whether it is here already or comes later, and does not go to any PACS that does
// not have it yet. The note goes to every PACS. Nothing is deleted: a person may take it back here.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "crypto/objects.h"
#include "sync/imaging.h"

namespace gateway::sync {

class Holdings;

inline constexpr std::string_view kKeyObjectSelection = "1.2.840.10008.5.1.4.1.1.88.59";
/// A note names at most so many images; one that names more is kept like any other document.
inline constexpr std::size_t kRejectedMax = 50'000;

/// Why (DICOM CID 7011): what a person says, the code of DCM and its meaning.
struct RejectionReason {
  std::string_view word;
  std::string_view code;
  std::string_view meaning;
};
/// By either; null: none of those that withdraw.
const RejectionReason* find_rejection_reason(std::string_view word_or_code);

struct RejectionNote {
  std::string reason;                          // the code
  std::vector<std::string> sop_instance_uids;  // of the note's own study
};

/// Reads a Key Object Selection document that was just sealed; nothing: it withdraws nothing.
using ReadRejectionNote = std::function<core::Result<std::optional<RejectionNote>>(
    crypto::ObjectStore&, const ReceivedInstance&)>;

/// Takes a note in with its own row, inside the caller's transaction. Answers how many images held
/// here it withdrew.
core::Result<std::int64_t> apply_rejection(crypto::Connection& connection,
                                           const RejectionNote& note,
                                           const ReceivedInstance& instance, std::int64_t row,
                                           const std::string& now_instant);
/// Whether a note that came before names the instance of that row, which is marked then.
core::Result<bool> mark_if_rejected(crypto::Connection& connection, const InstanceFacts& facts,
                                    std::int64_t row);

/// What a note over a study's images says of study and images: the attributes as they were sent.
struct RejectedImages {
  struct Image {
    std::string series_uid;
    std::string sop_class_uid;
    std::string sop_instance_uid;
  };
  InstanceFacts study;  // patient and study alone
  std::vector<Image> images;
};
/// Of a whole study, of one series (`series_uid`), or of the instances named. Code::not_found: no
/// such study or instance, or nothing of it stands; Code::invalid: more than kRejectedMax.
/// Blocking.
core::Result<RejectedImages> images_to_reject(Holdings& holdings, const std::string& study_uid,
                                              const std::string& series_uid,
                                              const std::vector<std::string>& sop_instance_uids);

/// Shows what was withdrawn of a study again, and queues what a PACS does not have. The notes stay
/// hidden; a PACS that got them goes by them. Answers how many images. Code::not_found: nothing of
/// such a study is withdrawn. Blocking.
core::Result<std::int64_t> restore_rejected(Holdings& holdings, const core::Clock& clock,
                                            const std::string& study_uid);

}  // namespace gateway::sync
