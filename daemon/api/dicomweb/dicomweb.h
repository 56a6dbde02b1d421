// DICOMweb below /dicomweb on the local API: QIDO-RS and WADO-RS (PS3.18 10.4, 10.6) over what is
// held, for clients with system/ImagingStudy.s and .r. What it answers is stated in
// docs/dicom-conformance.md.
#pragma once

#include <memory>
#include <string>

#include "core/clock.h"
#include "core/net/https_server.h"
#include "daemon/api/access.h"
#include "daemon/api/read_trail.h"
#include "sync/holdings.h"

namespace gateway::daemon::dicomweb {

class DicomWeb {
 public:
  /// `door` and `clock` outlive it.
  static std::unique_ptr<DicomWeb> create(const sync::HoldingsDoor& door, const core::Clock& clock,
                                          std::shared_ptr<ReadTrail> trail);
  virtual ~DicomWeb() = default;
  /// `client`: who proved to be one; null: nobody. `host`: "https://host:port".
  virtual core::net::Awaitable<core::net::HttpResponse> answer(core::net::HttpRequest http,
                                                               const core::net::HttpPeer& peer,
                                                               const ApiClient* client,
                                                               std::string host) = 0;
};

}  // namespace gateway::daemon::dicomweb
