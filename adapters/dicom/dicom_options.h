// What a site may set of the DICOM adapter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

/// A modality the gateway calls back.
struct DicomPeer {
  std::string ae_title;
  std::string host;  // empty: where its request came from
  std::uint16_t port = 104;
};

struct DicomOptions {
  std::string bind = "0.0.0.0";  // numeric IPv4 or IPv6 address
  std::uint16_t port = 11112;    // 0 (tests only): any free one
  std::string ae_title = "CLINICGW";
  std::size_t associations_max = 16;
  core::Milliseconds idle_timeout{60'000};  // an association without any message
  std::vector<DicomPeer> peers;
  core::Milliseconds stall_timeout{30'000};  // a peer that stops in the middle of a message or PDU
};

/// dicom.bind, .port, .ae_title, .max_associations, .idle_timeout_s, .peer.*; and
/// .patient_id_issuer and .commitment, which the daemon hands to sync.
std::vector<core::ConfigKey> dicom_config_keys();

/// Code::invalid names the place and what to write instead.
core::Result<DicomOptions> dicom_options(const core::Config& config);

}  // namespace gateway::adapters::dicom
