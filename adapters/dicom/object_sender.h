// The C-STORE sub-operations of a retrieval (PS3.4 C.4.2, C.4.3; PS3.7 9.1.1): held objects over an
// association on which the peer is the storage provider. In the transfer syntax they are held in
// they go out byte for byte, streamed from the sealed object; else decoded where that can be.
// Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/dicom/outgoing_association.h"
#include "sync/archive.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// A context in which the peer takes objects.
struct SendContext {
  T_ASC_PresentationContextID id = 0;
  std::string abstract_syntax;
  std::string transfer_syntax;
};
/// `peer_opened`: it did, so that only contexts in which it has the provider's role count.
std::vector<SendContext> send_contexts(T_ASC_Association& association, bool peer_opened);

/// For an association that is to carry objects `held` so: each class in each transfer syntax it is
/// held in, and in those everything can be decoded to; at most 128.
std::vector<OutgoingAssociation::Proposal> store_proposals(
    const std::set<sync::ArchiveSyntax>& held);

/// Who asked for a C-MOVE; a C-GET names nobody.
struct MoveOrigin {
  std::string ae_title;
  std::uint16_t message_id = 0;
};

/// Used by one thread.
class ObjectSender {
 public:
  /// `receive` waits for the next command of the peer; false: the association broke.
  using Receive = std::function<bool(T_DIMSE_Message& message)>;
  ObjectSender(T_ASC_Association& association, std::vector<SendContext> contexts, Receive receive,
               MoveOrigin origin)
      : association_(association),
        contexts_(std::move(contexts)),
        receive_(std::move(receive)),
        origin_(std::move(origin)) {}

  enum class Outcome { stored, warned, failed, broken };
  /// `now`: DICOM DT, noted where the identity was corrected.
  Outcome send(crypto::ObjectStore& objects, const sync::RetrievedInstance& retrieved,
               const std::string& now);
  /// Why the last one failed, for the log; no patient data.
  const std::string& reason() const { return reason_; }
  /// What the peer answered to the last one; nothing: it did not.
  std::optional<std::uint16_t> status() const { return status_; }

 private:
  const SendContext* choose(const sync::ArchiveInstance& instance) const;
  Outcome send_stored(crypto::SealedReader& reader, const sync::ArchiveInstance& instance,
                      const SendContext& context);
  Outcome send_decoded(std::shared_ptr<crypto::SealedReader> reader,
                       const sync::RetrievedInstance& retrieved, const SendContext& context,
                       const std::string& now);
  bool send_command(const sync::ArchiveInstance& instance, T_ASC_PresentationContextID context);
  bool send_fragment(T_ASC_PresentationContextID context, DUL_DATAPDV kind, void* bytes,
                     std::size_t size, bool is_last);
  T_DIMSE_C_StoreRQ request_of(const sync::ArchiveInstance& instance) const;
  Outcome await_answer();
  Outcome fail(std::string reason);

  T_ASC_Association& association_;
  const std::vector<SendContext> contexts_;
  const Receive receive_;
  const MoveOrigin origin_;
  std::uint16_t message_id_ = 0;
  std::string reason_;
  std::optional<std::uint16_t> status_;
};

}  // namespace gateway::adapters::dicom
