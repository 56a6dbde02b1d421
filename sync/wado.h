// One instance read back from a DICOMweb server as it was stored there (WADO-RS, PS3.18 10.4):
// nothing transcoded, streamed, its SOP Instance UID checked, its data set's digest computed on the
// way.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "core/net/http.h"
#include "core/result.h"
#include "sync/part10.h"

namespace gateway::sync {

struct InstanceName {
  std::string study_uid;
  std::string series_uid;
  std::string sop_instance_uid;
};

struct FetchedInstance {
  Part10Head head;
  std::uint64_t data_set_bytes = 0;
  std::string data_set_digest;  // SHA-256, hex
};

using TakeBytes = std::function<core::Status(std::span<const std::byte>)>;

/// `take` gets the Part 10 file's bytes as they come, which count only when this has answered ok.
/// Code::not_found: the server says it does not have the instance; Code::invalid: it answered with
/// something else than the instance; Code::lost_answer: also, it failed at it (408, 5xx); else the
/// HTTP client's codes.
core::net::Awaitable<core::Result<FetchedInstance>> fetch_instance(
    std::shared_ptr<core::net::HttpClient> client, InstanceName name, TakeBytes take);

}  // namespace gateway::sync
