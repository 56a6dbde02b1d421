// What every adapter has in common: one way in for devices, with a life of its own. It decodes just
// enough to know what arrived, hands the bytes to sync::Ingest and gives its positive answer only
// after that call has succeeded. Starting, failing or stopping one adapter never touches another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"

namespace gateway::adapters {

namespace frame {
class LineRecorder;
}

/// start() and stop() from one thread; report() from any.
class Adapter {
 public:
  virtual ~Adapter() = default;

  /// The adapter's name in configuration, health and log: "dicom".
  virtual std::string_view name() const = 0;
  /// Begins to serve and returns at once. An Error leaves the adapter stopped and may be retried by
  /// calling start() again; on a running adapter it does nothing.
  virtual core::Status start() = 0;
  /// Takes nothing new, ends what is running, returns when every thread is gone. What was
  /// acknowledged stays committed. Idempotent; start() may follow.
  virtual void stop() = 0;
  /// Takes nobody new and frees its ports, serves out who is there, and is asked again until nobody
  /// is: then true. stop() ends it sooner. Where an adapter knows no end of what it serves, this is
  /// stop().
  virtual bool leave() {
    stop();
    return true;
  }
  /// {"name","state":"running|stopped|failed","reason","last_seen","counts":{...}}: `reason` is
  /// empty unless failed, `last_seen` (instant or null) is when a device last spoke. No patient
  /// data.
  virtual core::Json report() const = 0;
  /// Grows at least every few seconds while the thread that takes devices' calls works, also when
  /// none calls: the watchdog reads it. Nothing while stopped or where an adapter offers none. From
  /// any thread.
  virtual std::optional<std::uint64_t> turns() const { return std::nullopt; }
  /// Records what passes on the connections of a device of this adapter, for as long as the adapter
  /// lives; null: no such device, or it has none.
  virtual frame::LineRecorder* recorder(const std::string& /*device*/) { return nullptr; }
};

}  // namespace gateway::adapters
