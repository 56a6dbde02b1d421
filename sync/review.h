// The review queue: what both sides changed, what the machine made of it, and what a person is
// asked. Nothing is dropped: each decision keeps all sides, and any of them can be taken later.
// Functions run inside the caller's transaction or snapshot.
//
// A decision as JSON:
// {"group","rule","shown":"ours|theirs|merged","asked":bool,"reason","base":{},"ours":{},"theirs":{},"merged":{}}
// where the last four hold the group's elements as each version has them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/database.h"
#include "sync/conflict.h"
#include "sync/replica.h"

namespace gateway::sync {

/// The group of a review that is not about one resource's elements (sync/contraindication.h):
/// whatever is chosen only closes it.
inline constexpr std::string_view kContraindication = "contraindication";

struct ReviewVersions {
  std::int64_t base = 0;
  std::int64_t ours = 0;
  std::int64_t theirs = 0;
  std::int64_t shown = 0;
};

/// Keeps what the merge decided. Answers the review's number.
core::Result<std::int64_t> put_review(crypto::Connection& connection, std::string_view uplink,
                                      const ResourceKey& key, const ReviewVersions& versions,
                                      const Merge& merge, std::string_view now_instant);

/// Who decides, and when.
struct Reviewer {
  std::string actor;  // for the audit trail: "operator", "user:..."
  core::Wall at;
};

/// Takes a side of the named groups, or of every asked one where `choices` is empty and `otherwise`
/// is what to take, into the resource as it is now; sends it, and closes the review. Also for
/// groups that were merged without a question, and again: the losing value comes back in one
/// action. Code::not_found, Code::invalid: no such review or group.
core::Status decide_review(crypto::Connection& connection, const crypto::Audit& audit,
                           std::int64_t number, const std::map<std::string, Choice>& choices,
                           Choice otherwise, const Reviewer& reviewer);

/// True when a person's decision later than version `since` made of what the hospital keeps
/// (Rule::his) what `ours` says of it: it is theirs to send, not a proposal any more.
core::Result<bool> is_decided_for(crypto::Connection& connection, const ResourceKey& key,
                                  std::int64_t since, const core::Json& ours);

/// Open ones first, oldest first, at most `limit`:
/// [{"number","resource","uplink","state","at","groups":[names],"decided_by"}]
core::Result<core::Json> reviews_report(crypto::Connection& connection, std::int64_t limit);
/// One with everything: the above and "policy","decisions","base","ours","theirs","shown" (whole
/// resources). Code::not_found.
core::Result<core::Json> review_report(crypto::Connection& connection, std::int64_t number);
/// {"open","oldest_age_s" (null when none)}: without any patient data, for health.
core::Result<core::Json> reviews_health(crypto::Connection& connection, core::Wall now);

}  // namespace gateway::sync
