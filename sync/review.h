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
#include "sync/worklist.h"

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

/// What a person makes of one group: the elements as a side had them, as the merge left them, or as
/// they are held now, whatever came since.
struct GroupAnswer {
  enum class Take { ours, theirs, merged, held } take = Take::held;
  /// An object: its elements are set in what is held of the group, null takes one out. `take` does
  /// not count then.
  core::Json edit;
};

struct ReviewAnswer {
  std::map<std::string, GroupAnswer> groups;  // by name
  /// Where `groups` is empty: of every group that is asked about, of all where none is.
  GroupAnswer otherwise;
  /// "held_version" of the report the person decides by; 0: they have seen no more than what the
  /// review kept.
  std::int64_t seen = 0;
};

/// Who decides, and with what.
struct Deciding {
  const crypto::Audit& audit;
  const WorklistOptions& worklist;
  std::string actor;  // for the audit trail: "operator", "user:..."
  core::Wall at;
};

/// Puts the answer into the resource as it is now; sends it to every uplink that has agreed on
/// another version, and closes the review. Also for groups
/// that were merged without a question, and again: the losing value comes back in one action.
/// Code::exists: a group was changed since the review (since it was last decided), and `seen` is
/// not what is held now; nothing was done. Code::not_found, Code::invalid: no such review or group,
/// or an edit that makes no resource.
core::Status decide_review(crypto::Connection& connection, const Deciding& with,
                           std::int64_t number, const ReviewAnswer& answer);

/// True when a person's decision later than version `since` made of what the hospital keeps
/// (Rule::his) what `ours` says of it: it is theirs to send, not a proposal any more.
core::Result<bool> is_decided_for(crypto::Connection& connection, const ResourceKey& key,
                                  std::int64_t since, const core::Json& ours);

/// Open ones first, oldest first, at most `limit`:
/// [{"number","resource","uplink","state","at","groups":[names],"decided_by"}]
core::Result<core::Json> reviews_report(crypto::Connection& connection, std::int64_t limit);
/// One with everything: the above and "policy","decisions","base","ours","theirs","shown" (whole
/// resources) and "held_version". Each decision also has "now": the group's elements as they are
/// held (of "existence": the resource), and "is_stale": they are not what the review, or the last
/// decision, left. Code::not_found.
core::Result<core::Json> review_report(crypto::Connection& connection, std::int64_t number);
/// {"open","oldest_age_s" (null when none)}: without any patient data, for health.
core::Result<core::Json> reviews_health(crypto::Connection& connection, core::Wall now);

}  // namespace gateway::sync
