// An [uplink.NAME] of kind dicom: a PACS that images are sent to by C-STORE. It names a
// [dicom.peer.NAME], which says where and how it is called, and who may report for it.
#pragma once

#include <cstdint>
#include <string>

#include "adapters/dicom/dicom_options.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

struct DicomUplink {
  std::string name;
  DicomPeer peer;
  std::string calling_title;                // ours
  std::uint64_t send_bytes_per_second = 0;  // 0: as fast as it goes
  core::Milliseconds patience{60'000};      // with an answer, and with a PDU on its way

  Destination to() const { return {peer.host, peer.port, peer.tls}; }
};

/// Code::invalid names the place, the key and what to write instead: a peer that is not there or
/// cannot be called, TLS that is missing, a key that only HTTP knows.
core::Result<DicomUplink> dicom_uplink(const core::Config& config, const std::string& name);

}  // namespace gateway::adapters::dicom
