// What DICOMweb requests are answered with, once it is known whose they are (PS3.18 10.4, 10.6).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/http.h"
#include "daemon/api/dicomweb/accept.h"
#include "daemon/api/dicomweb/bodies.h"
#include "daemon/api/dicomweb/place.h"
#include "sync/holdings.h"

namespace gateway::daemon::dicomweb {

/// One request.
struct Call {
  std::shared_ptr<sync::Holdings> holdings;
  Place place;
  sync::QueryPairs query;
  std::vector<MediaRange> accepted;
  std::string base;            // of its URLs
  std::shared_ptr<void> seat;  // of an instance that stays open

  const std::string& issuer() const { return holdings->options().ingest.patient_id_issuer; }
};

/// Errors are for refusal_of().
core::Result<core::net::HttpResponse> respond(const Call& call, Source source);

core::net::HttpResponse refusal_of(const core::Error& error);
core::net::HttpResponse text_answer(int status, std::string_view text);

}  // namespace gateway::daemon::dicomweb
