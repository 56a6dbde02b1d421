// A prior study's instance that a PACS gave out, taken in beside what the clinic made: of the
// patient it was fetched for (sync/identity.h) or not at all. It came from the PACS, so it counts
// as confirmed there (read, with this digest) and goes nowhere.
#pragma once

#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "sync/holdings.h"
#include "sync/imaging.h"

namespace gateway::sync {

/// Whom it is fetched for, and from where.
struct PriorSource {
  std::string uplink;
  std::string patient;  // id of the Patient
};

/// The facts agree with the Patient's, or with those of another record of the same person: id,
/// name and sex, and the birth date where one is known; the id alone is not enough. The study is
/// not held back, and what is here of it, if anything, is that person's too. Inside the caller's
/// snapshot.
core::Result<bool> is_prior_of(crypto::Connection& connection, const InstanceFacts& facts,
                               const std::string& patient, std::string_view own_issuer);

enum class PriorOutcome { taken, held_already };

/// Commits the sealed object `object_id`, whole and durable, whose data set has `digest`, as an
/// instance of `study_uid`; one whose bytes retention had evicted gets them back, if they are the
/// same. The object is shredded where it is not taken. Code::invalid: it is none of that study, or
/// not the patient's, or the instance is known here with other bytes.
core::Result<PriorOutcome> take_prior(Holdings& holdings, const core::Clock& clock,
                                      const PriorSource& source, const std::string& study_uid,
                                      const std::string& object_id, const std::string& digest);

}  // namespace gateway::sync
