#include "adapters/dicom/outgoing_association.h"

#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/ofstd/ofstd.h>

#include <algorithm>

#include "adapters/dicom/identity.h"
#include "adapters/dicom/peer_connection.h"
#include "core/text.h"

namespace gateway::adapters::dicom {

using core::Code;
using core::Error;

std::shared_ptr<PeerSocket> Line::take(int socket, const std::string& address) {
  const std::lock_guard lock(mutex_);
  peer_ = std::make_shared<PeerSocket>(socket, address, patience_);
  if (closed_) peer_->shut();
  return peer_;
}

void Line::hang_up() {
  const std::lock_guard lock(mutex_);
  peer_.reset();
}

void Line::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  if (peer_) peer_->shut();
}

/// The client's end.
class OutgoingAssociation::Connection final : public PeerConnection {
 public:
  Connection(std::shared_ptr<PeerSocket> peer, core::net::TlsContext* tls, SendLimit* limit,
             std::string& problem)
      : PeerConnection(peer), peer_(std::move(peer)), tls_(tls), limit_(limit), problem_(problem) {}

  ssize_t write(void* buffer, size_t size) override {
    if (limit_ == nullptr) return PeerConnection::write(buffer, size);
    auto* const bytes = static_cast<std::byte*>(buffer);
    for (std::size_t at = 0; at < size;) {
      const std::size_t part = std::min(limit_->portion(), size - at);
      if (!limit_->wait(part) || PeerConnection::write(bytes + at, part) < 0) return -1;
      at += part;
    }
    return static_cast<ssize_t>(size);
  }

  OFCondition clientSideHandshake() override {
    if (tls_ == nullptr || peer_->secure(tls_->take(peer_->handle()), problem_)) return EC_Normal;
    // Which check the peer's certificate failed says more than OpenSSL's word for it.
    if (std::string failed = tls_->take_failure(); !failed.empty()) problem_ = std::move(failed);
    return makeDcmnetCondition(DULC_TLSERROR, OF_error, "TLS handshake failed");
  }

 private:
  std::shared_ptr<PeerSocket> peer_;
  core::net::TlsContext* tls_;
  SendLimit* limit_;
  std::string& problem_;
};

class OutgoingAssociation::Layer final : public DcmTransportLayer {
 public:
  explicit Layer(Line& line) : line_(line) {}
  DcmTransportConnection* createConnection(DcmNativeSocketType socket, OFBool /*secure*/) override {
    peer_ = line_.take(socket, address);
    return new Connection(peer_, tls, line_.limit(), problem_);  // DCMTK owns and deletes it
  }
  /// Why there is no TLS, or none any more; empty: not for that.
  std::string problem() const {
    return problem_.empty() && peer_ != nullptr ? peer_->tls_problem() : problem_;
  }
  std::string address;
  core::net::TlsContext* tls = nullptr;

 private:
  Line& line_;
  std::shared_ptr<PeerSocket> peer_;
  std::string problem_;
};

OutgoingAssociation::OutgoingAssociation(Line& line)
    : line_(line), layer_(std::make_unique<Layer>(line)) {}

OutgoingAssociation::~OutgoingAssociation() {
  if (association_ != nullptr) {
    (void)ASC_dropAssociation(association_);
    (void)ASC_destroyAssociation(&association_);
  }
  if (network_ != nullptr) (void)ASC_dropNetwork(&network_);
  line_.hang_up();
}

core::Result<std::unique_ptr<OutgoingAssociation>> OutgoingAssociation::open(
    Line& line, const Destination& to, const std::string& calling_title,
    const std::string& called_title, const std::vector<Proposal>& proposals) {
  std::unique_ptr<OutgoingAssociation> association(new OutgoingAssociation(line));
  GW_CHECK(association->request(to, calling_title, called_title, proposals));
  return association;
}

core::Status OutgoingAssociation::request(const Destination& to, const std::string& calling_title,
                                          const std::string& called_title,
                                          const std::vector<Proposal>& proposals) {
  GW_CHECK(prepare(to));
  OFCondition cond = ASC_initializeNetwork(NET_REQUESTOR, 0, Line::kAnswerSeconds, &network_);
  if (cond.good()) cond = ASC_setTransportLayer(network_, layer_.get(), 0);
  T_ASC_Parameters* parameters = nullptr;
  if (cond.good()) cond = ASC_createAssociationParameters(&parameters, ASC_MAXIMUMPDUSIZE);
  if (cond.bad()) return Error(Code::internal, cond.text());
  OFStandard::strlcpy(parameters->ourImplementationClassUID, kImplementationClassUid,
                      sizeof parameters->ourImplementationClassUID);
  OFStandard::strlcpy(parameters->ourImplementationVersionName, kImplementationVersionName,
                      sizeof parameters->ourImplementationVersionName);
  (void)ASC_setAPTitles(parameters, calling_title.c_str(), called_title.c_str(), nullptr);
  const bool is_ipv6 = to.host.find(':') != std::string::npos;
  (void)ASC_setPresentationAddresses(
      parameters, "localhost",
      core::cat(is_ipv6 ? "[" : "", to.host, is_ipv6 ? "]" : "", ":", to.port).c_str());
  T_ASC_PresentationContextID id = 1;
  for (const Proposal& proposal : proposals) {
    std::vector<const char*> syntaxes;
    for (const std::string& syntax : proposal.transfer_syntaxes) syntaxes.push_back(syntax.c_str());
    (void)ASC_addPresentationContext(parameters, id, proposal.abstract_syntax.c_str(),
                                     syntaxes.data(), static_cast<int>(syntaxes.size()),
                                     proposal.as_provider ? ASC_SC_ROLE_SCP : ASC_SC_ROLE_DEFAULT);
    id = static_cast<T_ASC_PresentationContextID>(id + 2);
  }
  cond = ASC_requestAssociation(network_, parameters, &association_, nullptr, nullptr, DUL_NOBLOCK,
                                Line::kAnswerSeconds);
  if (cond.good()) return {};
  // The association, if there is one, owns them.
  if (association_ == nullptr) (void)ASC_destroyAssociationParameters(&parameters);
  return failure(cond);
}

core::Status OutgoingAssociation::prepare(const Destination& to) {
  layer_->address = to.host;
  if (!to.tls) return {};
  GW_TRY(tls_, core::net::TlsContext::create(
                   {to.host, to.tls->ca_file, to.tls->certificate_file, to.tls->key_file}));
  layer_->tls = tls_.get();
  return {};
}

Error OutgoingAssociation::failure(const OFCondition& cond) const {
  const std::string problem = layer_->problem();
  return {Code::unavailable, problem.empty() ? core::cat("no association: ", cond.text())
                                             : core::cat("no TLS: ", problem)};
}

OFCondition OutgoingAssociation::receive(T_DIMSE_Message& message,
                                         T_ASC_PresentationContextID& context, int seconds) {
  DcmDataset* detail = nullptr;
  const OFCondition cond =
      DIMSE_receiveCommand(association_, DIMSE_NONBLOCKING, seconds, &context, &message, &detail);
  delete detail;
  return cond;
}

void OutgoingAssociation::release() { (void)ASC_releaseAssociation(association_); }

}  // namespace gateway::adapters::dicom
