#include "adapters/dicom/association.h"

#include <cerrno>
#include <mutex>

#include "adapters/dicom/identity.h"
#include "adapters/dicom/negotiation.h"
#include "adapters/dicom/peer_connection.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

// On the wire, with the start of the data set that may share a PDU with its command set.
constexpr std::uint64_t kCommandWireBytesMax = 1u << 20;
constexpr int kCloseWaitSeconds = 2;  // for the peer to hang up after a release or rejection

// The one door by which DCMTK takes a socket it has not accepted itself is a global variable.
std::mutex& external_socket_mutex() {
  static std::mutex mutex;
  return mutex;
}

class ExternalSocket {
 public:
  explicit ExternalSocket(int socket) : lock_(external_socket_mutex()) {
    dcmExternalSocketHandle.set(socket);
  }
  ~ExternalSocket() { dcmExternalSocketHandle.set(-1); }
  ExternalSocket(const ExternalSocket&) = delete;
  ExternalSocket& operator=(const ExternalSocket&) = delete;

 private:
  std::lock_guard<std::mutex> lock_;
};

std::string unpadded(const char* title) { return std::string(core::trim(title)); }

}  // namespace

// Called by DCMTK inside receive(), under its lock.
class Acceptor::Layer final : public DcmTransportLayer {
 public:
  DcmTransportConnection* createConnection(DcmNativeSocketType /*socket*/,
                                           OFBool /*secure*/) override {
    return new PeerConnection(peer);  // DCMTK owns and deletes it
  }
  std::shared_ptr<PeerSocket> peer;
};

Acceptor::Acceptor() : layer_(std::make_unique<Layer>()) {}

Acceptor::~Acceptor() {
  if (network_ != nullptr) ASC_dropNetwork(&network_);
}

core::Result<std::unique_ptr<Acceptor>> Acceptor::create(std::uint32_t pdu_bytes_max) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor());
  acceptor->pdu_bytes_max_ = pdu_bytes_max;
  // With an external socket set, DCMTK opens no listening socket; which one does not matter here.
  const ExternalSocket any_socket(0);
  OFCondition cond = ASC_initializeNetwork(NET_ACCEPTOR, 0, 30, &acceptor->network_);
  if (cond.good()) cond = ASC_setTransportLayer(acceptor->network_, acceptor->layer_.get(), 0);
  if (cond.bad()) return Error(Code::internal, core::cat("DICOM network layer: ", cond.text()));
  return acceptor;
}

OFCondition Acceptor::receive(const std::shared_ptr<PeerSocket>& peer,
                              T_ASC_Association** association) {
  // Held only while bytes that are here already are parsed.
  const ExternalSocket socket(peer->handle());
  layer_->peer = peer;
  const OFCondition cond = ASC_receiveAssociation(network_, association, pdu_bytes_max_, nullptr,
                                                  nullptr, OFFalse, DUL_NOBLOCK, 1);
  layer_->peer.reset();
  return cond;
}

core::Result<std::unique_ptr<Association>> Association::receive(Acceptor& acceptor,
                                                                std::shared_ptr<PeerSocket> peer) {
  T_ASC_Association* raw = nullptr;
  const OFCondition cond = acceptor.receive(peer, &raw);
  if (cond.bad()) {
    if (raw != nullptr) {
      (void)ASC_dropAssociation(raw);
      (void)ASC_destroyAssociation(&raw);
    }
    return Error(Code::invalid,
                 core::cat("the association request of ", peer->address(), " could not be read"));
  }
  return std::unique_ptr<Association>(new Association(raw, std::move(peer)));
}

Association::Association(T_ASC_Association* association, std::shared_ptr<PeerSocket> peer)
    : association_(association),
      peer_(std::move(peer)),
      calling_title_(unpadded(association->params->DULparams.callingAPTitle)),
      called_title_(unpadded(association->params->DULparams.calledAPTitle)) {
  OFStandard::strlcpy(association->params->ourImplementationClassUID, kImplementationClassUid,
                      sizeof association->params->ourImplementationClassUID);
  OFStandard::strlcpy(association->params->ourImplementationVersionName, kImplementationVersionName,
                      sizeof association->params->ourImplementationVersionName);
}

Association::~Association() {
  (void)ASC_dropAssociation(association_);
  (void)ASC_destroyAssociation(&association_);
}

UserIdentity Association::user_identity() const { return user_identity_of(*association_->params); }

void Association::confirm_user() { confirm_user_identity(*association_->params); }

void Association::reject(Rejection reason) {
  T_ASC_RejectParameters parameters{};
  switch (reason) {
    case Rejection::called_title_unknown:
      parameters = {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                    ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED};
      break;
    case Rejection::calling_title_unknown:
      parameters = {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                    ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED};
      break;
    case Rejection::user_unknown:  // PS3.7 D.3.3.7
      parameters = {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEPROVIDER_ACSE_RELATED,
                    ASC_REASON_SP_ACSE_NOREASON};
      break;
    case Rejection::not_at_the_moment:
      parameters = {ASC_RESULT_REJECTEDTRANSIENT, ASC_SOURCE_SERVICEPROVIDER_PRESENTATION_RELATED,
                    ASC_REASON_SP_PRES_TEMPORARYCONGESTION};
      break;
    case Rejection::limit_exceeded:
      parameters = {ASC_RESULT_REJECTEDTRANSIENT, ASC_SOURCE_SERVICEPROVIDER_PRESENTATION_RELATED,
                    ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED};
      break;
    case Rejection::not_allowed:
      parameters = {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER, ASC_REASON_SU_NOREASON};
      break;
  }
  (void)ASC_rejectAssociation(association_, &parameters);
  (void)ASC_dropSCPAssociation(association_, kCloseWaitSeconds);
}

bool Association::proposes_retrieval() { return dicom::proposes_retrieval(*association_->params); }

core::Result<bool> Association::accept(const Rights& rights, const HeldSyntaxes& held) {
  if (decide_contexts(*association_->params, rights, held) == 0) {
    reject(Rejection::not_allowed);
    return false;
  }
  const OFCondition cond = ASC_acknowledgeAssociation(association_);
  if (cond.bad())
    return Error(Code::unavailable,
                 core::cat("no association with ", peer_->address(), ": it went away"));
  return true;
}

Association::Next Association::next_command(Command& command, core::Milliseconds idle) {
  peer_->set_patience(idle);
  peer_->set_read_allowance(kCommandWireBytesMax);
  const OFCondition cond = DIMSE_receiveCommand(association_, DIMSE_BLOCKING, 0, &command.context,
                                                &command.message, nullptr);
  if (cond.good() && cond != DUL_PEERREQUESTEDRELEASE) return Next::command;
  if (cond == DUL_PEERREQUESTEDRELEASE) {
    (void)ASC_acknowledgeRelease(association_);
    (void)ASC_dropSCPAssociation(association_, kCloseWaitSeconds);
    return Next::released;
  }
  if (cond == DUL_PEERABORTEDASSOCIATION) return Next::aborted;
  abort();
  return Next::failed;
}

Association::Context Association::context(T_ASC_PresentationContextID id) const {
  T_ASC_PresentationContext found{};
  if (ASC_findAcceptedPresentationContext(association_->params, id, &found).bad()) return {};
  return {found.abstractSyntax, found.acceptedTransferSyntax};
}

void Association::abort() { (void)ASC_abortAssociation(association_); }

}  // namespace gateway::adapters::dicom
