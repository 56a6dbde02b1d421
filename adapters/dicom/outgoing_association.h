// An association the gateway opens itself: to report a storage commitment, to send what a C-MOVE
// asks for, to a PACS. Over TLS where the peer's settings say so. Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/peer_socket.h"
#include "adapters/dicom/send_limit.h"
#include "core/net/tls_context.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

/// The connection of the call in progress; close() ends it and every later one, from any thread.
class Line {
 public:
  /// For one answer of the peer, and for each PDU.
  static constexpr int kAnswerSeconds = 10;

  /// `patience`: how long a PDU may take. `limit`, which outlives it: of what goes out; null: none.
  explicit Line(core::Milliseconds patience = std::chrono::seconds(kAnswerSeconds),
                SendLimit* limit = nullptr)
      : patience_(patience), limit_(limit) {}

  SendLimit* limit() const { return limit_; }
  std::shared_ptr<PeerSocket> take(int socket, const std::string& address);
  void hang_up();
  void close();

 private:
  const core::Milliseconds patience_;
  SendLimit* const limit_;
  std::mutex mutex_;
  std::shared_ptr<PeerSocket> peer_;
  bool closed_ = false;
};

/// Used by one thread. Destroying it closes the connection.
class OutgoingAssociation {
 public:
  struct Proposal {
    std::string abstract_syntax;
    std::vector<std::string> transfer_syntaxes;
    bool as_provider = false;
  };

  /// At most 128 proposals. `line` outlives it. Code::unavailable: no connection, or refused;
  /// Code::invalid: a file for TLS cannot be used. Files are read anew each time, so that a renewed
  /// certificate is shown.
  static core::Result<std::unique_ptr<OutgoingAssociation>> open(
      Line& line, const Destination& to, const std::string& calling_title,
      const std::string& called_title, const std::vector<Proposal>& proposals);
  ~OutgoingAssociation();
  OutgoingAssociation(const OutgoingAssociation&) = delete;
  OutgoingAssociation& operator=(const OutgoingAssociation&) = delete;

  T_ASC_Association* handle() { return association_; }
  /// Waits for the peer's next command.
  OFCondition receive(T_DIMSE_Message& message, T_ASC_PresentationContextID& context, int seconds);
  void release();

 private:
  class Connection;
  class Layer;
  explicit OutgoingAssociation(Line& line);
  core::Status prepare(const Destination& to);
  core::Error failure(const OFCondition& cond) const;
  core::Status request(const Destination& to, const std::string& calling_title,
                       const std::string& called_title, const std::vector<Proposal>& proposals);

  Line& line_;
  std::unique_ptr<core::net::TlsContext> tls_;  // null: plain
  std::unique_ptr<Layer> layer_;
  T_ASC_Network* network_ = nullptr;
  T_ASC_Association* association_ = nullptr;
};

}  // namespace gateway::adapters::dicom
