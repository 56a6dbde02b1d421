// DCMTK's view of a PeerSocket.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dcmlayer.h>
#include <dcmtk/dcmnet/dcmtrans.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "adapters/dicom/peer_socket.h"

namespace gateway::adapters::dicom {

class PeerConnection : public DcmTCPConnection {
 public:
  explicit PeerConnection(std::shared_ptr<PeerSocket> peer)
      : DcmTCPConnection(peer->handle()), peer_(std::move(peer)) {}
  ~PeerConnection() override { hang_up(); }

  ssize_t read(void* buffer, size_t size) override { return peer_->read(buffer, size); }
  ssize_t write(void* buffer, size_t size) override { return peer_->write(buffer, size); }
  OFBool networkDataAvailable(int seconds) override {
    return peer_->is_readable(std::chrono::seconds(std::max(seconds, 0))) ? OFTrue : OFFalse;
  }
  void close() override { hang_up(); }
  void closeTransportConnection() override { hang_up(); }

 private:
  void hang_up() {
    peer_->close();
    setSocket(-1);
  }
  std::shared_ptr<PeerSocket> peer_;
};

}  // namespace gateway::adapters::dicom
