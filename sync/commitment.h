// Storage commitment (DICOM PS3.4 J): what a modality wants to be told is safe, before it erases
// its own copy. CLINICAL.md's rule: yes only when the object is verified here and a second copy is
// confirmed; until then the request is pending, for days if the link is away. Inside the caller's
// transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/retention.h"

namespace gateway::sync {

struct CommitmentItem {
  std::string sop_class_uid;
  std::string sop_instance_uid;
};

struct CommitmentRequest {
  std::string transaction_uid;
  std::string calling_ae_title;
  std::string called_ae_title;
  std::string peer_address;
  std::vector<CommitmentItem> items;
};

enum class CommitmentRule {
  second_copy,  // an uplink of images was read back and has the same bytes, or has committed itself
  stored,       // the site's choice: this gateway's own copy was read through and is whole
};

/// Keeps the request; asked again under the same transaction by the same AE title it is one
/// request, told again. Code::exists: that transaction named other instances before.
core::Status record_commitment(crypto::Connection& connection, const CommitmentRequest& request,
                               const std::string& now_instant);

/// True when decide_commitments() may have something to do; for a reader, so that the writer need
/// not look through what only waits.
core::Result<bool> may_decide_commitments(crypto::Connection& connection, CommitmentRule rule);
/// Decides what can be decided now. Where several copies with other bytes are held under one UID,
/// each must be safe. `may_still_come(number)`: the request is so fresh that an
/// instance not held yet may be on its way. Answers how many requests became ready to be told.
core::Result<std::int64_t> decide_commitments(
    crypto::Connection& connection, CommitmentRule rule,
    const std::function<bool(std::int64_t number)>& may_still_come);

/// What has to be found out for open requests, by row from behind `after` on: instances that
/// `uplink` took and is yet to prove, or, with it empty, instances to be read here. Not those the
/// uplink was asked about in vain since `asked_before`.
core::Result<std::vector<Question>> commitment_questions(crypto::Connection& connection,
                                                         const std::string& uplink,
                                                         const std::string& asked_before,
                                                         std::int64_t after, std::int64_t limit);

struct CommitmentReport {
  std::int64_t number = 0;
  std::string transaction_uid;
  std::string calling_ae_title;
  std::string called_ae_title;
  std::string peer_address;
  struct Verdict {
    CommitmentItem item;
    std::uint16_t reason = 0;  // 0: committed
  };
  std::vector<Verdict> verdicts;
};
/// The first request behind number `after` that is decided and not told yet, but of none of the AE
/// titles `not_to`.
core::Result<std::optional<CommitmentReport>> next_commitment_to_tell(
    crypto::Connection& connection, std::int64_t after, const std::set<std::string>& not_to);
/// Records that the modality has taken the report, and forgets requests told before
/// `forget_before`.
core::Status commitment_told(crypto::Connection& connection, std::int64_t number,
                             const std::string& now_instant, const std::string& forget_before);

}  // namespace gateway::sync
