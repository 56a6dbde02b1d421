// Storage commitment with this gateway as the user (DICOM PS3.4 J): what an uplink delivered by
// C-STORE counts as held by the PACS, for retention and for what modalities are told, only once the
// PACS has committed itself to it. Inside the caller's transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/commitment.h"

namespace gateway::sync {

struct PacsCommitment {
  std::string transaction_uid;  // unique in the world, and not to be guessed
  std::vector<CommitmentItem> items;
};

/// Instants.
struct AskingTimes {
  std::string now;            // what was asked after it was asked by a clock that was wrong
  std::string asked_before;   // what was asked about since is left alone
  std::string forget_before;  // transactions asked before are not waited for any more
};

/// Whether `uplink` took something that it is to be asked about. For a reader.
core::Result<bool> has_uncommitted(crypto::Connection& connection, const std::string& uplink,
                                   const AskingTimes& times);
/// Whether an instance, by its row, has gone to `uplink` before. For a reader.
core::Result<bool> was_delivered(crypto::Connection& connection, std::int64_t instance,
                                 const std::string& uplink);

/// A new transaction over what `uplink` took and has not committed, at most `most` instances; no
/// items: there is nothing to ask. It must be durable before it is asked: the PACS may answer at
/// once.
core::Result<PacsCommitment> begin_pacs_commitment(crypto::Connection& connection,
                                                   const std::string& uplink,
                                                   const AskingTimes& times, std::int64_t most);

/// The PACS is to be asked again, as if it had been asked at `asked_at`; empty: at once.
/// `has_heard`: it may have heard of this transaction, whose answer counts still.
core::Status ask_again(crypto::Connection& connection, const std::string& transaction_uid,
                       const std::string& asked_at, bool has_heard);
/// The PACS has refused: it is asked again as if it had not answered.
core::Status forget_pacs_commitment(crypto::Connection& connection,
                                    const std::string& transaction_uid);

/// What an N-EVENT-REPORT says.
struct PacsReport {
  struct Failure {
    std::string sop_instance_uid;
    std::uint16_t reason = 0;  // PS3.3 C.14.1.1
  };
  std::string transaction_uid;
  std::vector<std::string> committed;  // SOP Instance UIDs
  std::vector<Failure> failed;
};

struct PacsVerdict {
  std::string uplink;
  std::int64_t committed = 0;
  std::int64_t missing = 0;  // of those that failed: the PACS says that it does not have them
};

/// Notes what the PACS committed itself to; what it says it does not have becomes 'missing', other
/// failures leave things as they are, to be asked again. An instance of which copies with other
/// bytes are held is proven by nothing that names only its UID. Code::not_found: no such
/// transaction is open (answered before, or not ours); Code::refused: `may_tell` says so of its
/// uplink.
core::Result<PacsVerdict> record_pacs_report(
    crypto::Connection& connection, const PacsReport& report,
    const std::function<bool(const std::string& uplink)>& may_tell, const std::string& now);

}  // namespace gateway::sync
