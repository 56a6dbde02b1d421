// Bodies of DICOMweb answers, made while they are sent: parts of multipart/related (RFC 2387) and
// the array of metadata. What is in memory is one piece of each, and what had to be made anew,
// bounded for all together. One that cannot be finished ends without its closing boundary or
// bracket, so that nobody takes it for whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/dicom/held_instance.h"
#include "adapters/dicom/media.h"
#include "core/net/http.h"
#include "daemon/api/dicomweb/memory.h"
#include "sync/holdings.h"

namespace gateway::daemon::dicomweb {

struct GivenInstance {
  std::int64_t row = 0;
  std::string transfer_syntax;  // of the answer
};

struct Source {
  std::shared_ptr<sync::Holdings> holdings;
  const core::Clock& clock;
  std::shared_ptr<Memory> memory;
};

/// An instance that stays open while it is sent.
struct OpenInstance {
  std::unique_ptr<adapters::dicom::HeldInstance> instance;
  std::shared_ptr<Memory> memory;
  std::shared_ptr<void> seat;  // given up with it
};

/// As parts between `boundary`.
std::shared_ptr<core::net::BodyStream> stream_instances(Source source,
                                                        std::vector<GivenInstance> instances,
                                                        std::string boundary);

/// `base`: the API's, below which the values of each are.
std::shared_ptr<core::net::BodyStream> stream_metadata(Source source,
                                                       std::vector<std::int64_t> rows,
                                                       std::string base);

/// Frames of one instance.
std::shared_ptr<core::net::BodyStream> stream_frames(OpenInstance open,
                                                     std::vector<std::uint32_t> frames,
                                                     bool as_held, std::string content_type,
                                                     std::string boundary);

/// One value of an instance.
std::shared_ptr<core::net::BodyStream> stream_value(OpenInstance open, std::string place,
                                                    std::string boundary);

/// What is made already, held until it is sent.
std::shared_ptr<core::net::BodyStream> stream_whole(Memory& memory, std::string body);

/// Before one asks again for what others have.
core::net::Awaitable<void> a_moment();

}  // namespace gateway::daemon::dicomweb
