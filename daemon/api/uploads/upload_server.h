// Resumable upload of DICOM files below /uploads on the API of a gateway in the hub role: tus
// 1.0.0 with creation, expiration, termination and concatenation, for clients with
// system/ImagingStudy.c. An offset is acknowledged when the bytes before it are on the disk, the
// last one when the instance is committed (docs/dicom-conformance.md).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/net/https_server.h"
#include "daemon/api/access.h"
#include "sync/holdings.h"

namespace gateway::daemon {

class UploadServer {
 public:
  static constexpr std::string_view kBasePath = "/uploads";

  /// `door` and `clock` outlive it.
  static std::unique_ptr<UploadServer> create(const sync::HoldingsDoor& door,
                                              const core::Clock& clock);
  /// After whoever calls it has ended.
  virtual ~UploadServer() = default;
  /// `client`: who proved to be one; null: nobody. `host`: "https://host:port".
  virtual core::net::Awaitable<core::net::HttpResponse> answer(core::net::HttpRequest http,
                                                               const core::net::HttpPeer& peer,
                                                               core::net::BodyArrival& body,
                                                               const ApiClient* client,
                                                               std::string host) = 0;
};

}  // namespace gateway::daemon
