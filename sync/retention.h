// Which held bytes may go, and which should be asked after first. Pure: facts and the time in, a
// plan out.
//
// An instance may go when every uplink of images it goes to (sync/routes.h) has confirmed it with
// proof 'verified' (read back, same digest) or 'committed' (DICOM storage commitment,
// sync/pacs_commitment.h). What must stay, whatever the age and however full the
// disk: what nobody else has, and what is not shown to a plan at all: pinned studies, studies whose
// patient is not settled (unassigned, disputed), damaged objects. A plan never goes beyond what age
// or free space asks for, oldest study first.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace gateway::sync {

/// In SQL, of a row of dicom_delivery: the PACS is proven to have the instance.
inline constexpr char kIsProven[] = "proof IN ('verified', 'committed')";
inline bool is_proof(std::string_view proof) { return proof == "verified" || proof == "committed"; }

struct RetentionPolicy {
  std::optional<core::Milliseconds> keep;  // older studies go; nothing: age alone evicts nothing
  std::uint64_t free_below_bytes = 0;      // room is made when less than this is free; 0: never
  std::uint64_t free_until_bytes = 0;      // until this much is
};

struct HeldInstance {
  std::int64_t row = 0;
  std::uint64_t bytes = 0;
  bool confirmed = false;  // by every uplink it goes to, of which there is at least one
  std::vector<std::string> to_be_asked;  // uplinks that took it and are yet to prove it
};

struct HeldStudy {
  std::string study_uid;
  core::Wall last_received;
  std::vector<HeldInstance> instances;
};

struct Question {
  std::int64_t row = 0;
  std::string uplink;
  bool operator==(const Question&) const = default;
};

struct RetentionPlan {
  std::vector<std::int64_t> evict;
  std::vector<Question> ask;  // a good answer lets the instance go; planned as if it were good
};

/// The marks for a site that names none: made for the usual disk of 128 GB (4 and 8 GB), less on a
/// smaller one, and always above the reserve, where intake would stop before room is made.
RetentionPolicy usual_marks(std::uint64_t disk_bytes, std::uint64_t reserve_bytes);

/// Whether room is to be made: from below the lower mark until the upper one is reached.
bool is_making_room(const RetentionPolicy& policy, std::uint64_t free_bytes, bool before);

/// `oldest_first`: studies with held bytes. `wanted_bytes`: how much more room is to be made, 0
/// when none is.
RetentionPlan plan_retention(const RetentionPolicy& policy, core::Wall now,
                             std::uint64_t wanted_bytes, std::span<const HeldStudy> oldest_first);

}  // namespace gateway::sync
