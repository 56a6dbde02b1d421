// What monitors say second by second and nobody sends on: kept as it came, durable before it is
// acknowledged, after some minutes packed into blocks (gzip, many messages of one device), and gone
// after retention.sample_days. It becomes no resource and has no row in the audit trail.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/holdings.h"

namespace gateway::sync {

struct SampleMessage {
  std::string device;
  std::string bytes;  // as they came
  std::int64_t value_count = 0;
};

/// Resumes once it is on stable storage; false: it was held already, and not yet packed.
/// Code::busy, no_space...: it was not kept. `clock` outlives the call.
core::net::Awaitable<core::Result<bool>> keep_sample(std::shared_ptr<Holdings> holdings,
                                                     std::shared_ptr<const SampleMessage> message,
                                                     const core::Clock& clock);

/// A block holds at most as many messages, and bytes.
inline constexpr std::int64_t kSamplesOfBlockMax = 600;
inline constexpr std::int64_t kSampleBytesOfBlockMax = 4 << 20;

/// Packs one block of the device that waits longest: of a full one's worth, or of what came before
/// `before` (instant). Answers how many messages it holds; 0: none is due.
core::Result<std::int64_t> pack_samples(crypto::Connection& connection, const std::string& before);

/// Removes up to `count_max` of the blocks whose newest message came before `before` (instant);
/// answers how many.
core::Result<std::int64_t> expire_samples(crypto::Connection& connection, const std::string& before,
                                          std::int64_t count_max);

/// Of each device: {"device","messages","values","bytes","first_at","last_at"}.
core::Result<core::Json> samples_report(crypto::Connection& connection);

struct KeptSample {
  std::string received_at;
  std::string bytes;
};
/// The device's newest messages, at most `count_max` and some 8 MB, the oldest of them first.
core::Result<std::vector<KeptSample>> read_samples(crypto::Connection& connection,
                                                   const std::string& device,
                                                   std::size_t count_max);

}  // namespace gateway::sync
