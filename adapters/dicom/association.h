// One accepted association on DCMTK's upper layer (PS3.8): taking over the socket, negotiating,
// receiving commands, answering. The services (store, worklist) speak through it. Internal to
// adapters/dicom: DCMTK's types are visible here.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>

#include <functional>
#include <memory>
#include <string>

#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/negotiation.h"
#include "adapters/dicom/peer_socket.h"
#include "adapters/dicom/user_identity.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

/// DCMTK's acceptor without a listening socket of its own; one serves all associations.
/// Thread-safe.
class Acceptor {
 public:
  /// `pdu_bytes_max`: what peers are told they may send in one PDU.
  static core::Result<std::unique_ptr<Acceptor>> create(std::uint32_t pdu_bytes_max);
  ~Acceptor();

 private:
  friend class Association;
  class Layer;
  Acceptor();
  OFCondition receive(const std::shared_ptr<PeerSocket>& peer, T_ASC_Association** association);

  std::unique_ptr<Layer> layer_;
  T_ASC_Network* network_ = nullptr;
  std::uint32_t pdu_bytes_max_ = ASC_MAXIMUMPDUSIZE;
};

enum class Rejection {
  called_title_unknown,
  calling_title_unknown,
  user_unknown,
  not_allowed,        // for a reason PS3.8 has no name for
  limit_exceeded,     // passes by itself
  not_at_the_moment,  // the same
};

/// Used by one thread. Destroying it closes the connection.
class Association {
 public:
  /// Reads and parses the A-ASSOCIATE-RQ, which await_associate_request() has seen whole.
  static core::Result<std::unique_ptr<Association>> receive(Acceptor& acceptor,
                                                            std::shared_ptr<PeerSocket> peer);
  ~Association();
  Association(const Association&) = delete;
  Association& operator=(const Association&) = delete;

  /// AE titles without DICOM padding.
  const std::string& calling_title() const { return calling_title_; }
  const std::string& called_title() const { return called_title_; }
  PeerSocket& peer() { return *peer_; }
  T_ASC_Association* handle() { return association_; }

  UserIdentity user_identity() const;
  /// The A-ASSOCIATE-AC tells the caller, if it wants to know, that its user was accepted.
  void confirm_user();

  void reject(Rejection reason);
  /// Decides every proposed context by what the caller may do and sends the A-ASSOCIATE-AC. False:
  /// nothing in common, and it was rejected.
  core::Result<bool> accept(const Rights& rights, const HeldSyntaxes& held);
  /// The caller wants to be given objects on this association.
  bool proposes_retrieval();

  struct Command {
    T_ASC_PresentationContextID context = 0;
    T_DIMSE_Message message{};
  };
  enum class Next { command, released, aborted, failed };
  /// Waits up to `idle` for the next command. After anything but `command` the association is over,
  /// its peer informed where possible.
  Next next_command(Command& command, core::Milliseconds idle);

  /// The context's abstract and accepted transfer syntax.
  struct Context {
    std::string abstract_syntax;
    std::string transfer_syntax;
  };
  Context context(T_ASC_PresentationContextID id) const;

  void abort();

 private:
  Association(T_ASC_Association* association, std::shared_ptr<PeerSocket> peer);

  T_ASC_Association* association_;
  std::shared_ptr<PeerSocket> peer_;
  std::string calling_title_;
  std::string called_title_;
};

}  // namespace gateway::adapters::dicom
