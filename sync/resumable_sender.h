// Instances that are larger than a bad link ever carries whole, sent by resumable upload (tus
// 1.0.0) to a gateway in the hub role, or another server of that protocol: after a cut only what
// the server has not got goes again. Where the server joins uploads ("concatenation") an instance
// goes as several at once, because one connection over a link that loses packets fills a fourth of
// it. Where the bytes lie there is kept in the database, so a restart goes on too.
//
// An instance is delivered when the server has acknowledged its last byte, which a hub does once
// it has committed the instance. Used from the loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/clock.h"
#include "sync/holdings.h"
#include "sync/uplink.h"

namespace gateway::sync {

struct ResumableTarget {
  std::shared_ptr<core::net::HttpClient> server;
  std::string path;              // where uploads are created
  std::uint64_t over_bytes = 0;  // what is larger goes this way
};

class ResumableSender {
 public:
  /// `clock` outlives it.
  static std::unique_ptr<ResumableSender> create(std::string uplink, ResumableTarget target,
                                                 std::shared_ptr<Holdings> holdings,
                                                 const core::Clock& clock);
  virtual ~ResumableSender() = default;
  virtual bool takes(const OutboxRow& row) const = 0;
  /// Something of it may be there already.
  virtual bool has_begun(const OutboxRow& row) const = 0;
  /// Sends what is missing of `object`, for some minutes: Delivery::begun where more is left than
  /// that, or the link broke after some of it went.
  virtual core::net::Awaitable<RowOutcome> send(OutboxRow row, std::string object) = 0;
  virtual void close() = 0;
};

}  // namespace gateway::sync
