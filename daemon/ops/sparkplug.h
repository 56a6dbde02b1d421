// Status, health and metrics as Sparkplug B (Eclipse Sparkplug 3.0.0): what the messages of an edge
// node without devices hold. Who sends them when is daemon/ops/sparkplug_edge.h. Pure; no aliases.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"

namespace gateway::daemon {

using SparkplugValue = std::variant<bool, std::int64_t, double, std::string>;
using SparkplugMetrics = std::map<std::string, SparkplugValue>;  // by name

/// "health/..." of health_document() but for what each payload says anyway, "metrics/NAME/LABEL..."
/// of metrics_samples(). What is null there is not among them.
SparkplugMetrics sparkplug_metrics(const core::Json& health, const core::Json& samples);

/// NDEATH of the session that NBIRTHs with the same bdSeq begin.
std::string sparkplug_death(std::uint64_t bd_seq, core::Wall now);

/// Whether an NCMD asks for NBIRTH; other commands there are none. Code::invalid: it is no
/// Sparkplug payload.
core::Result<bool> asks_for_rebirth(std::string_view command);

/// What the hosts know of this node.
class SparkplugNode {
 public:
  /// NBIRTH: all there is, and seq 0.
  std::string birth(const SparkplugMetrics& present, std::uint64_t bd_seq, core::Wall now);
  /// NDATA: what changed, with the next seq; what is not there any more is null. Empty: nothing
  /// did. Absent: a metric is new or of another type, which takes an NBIRTH.
  std::optional<std::string> data(const SparkplugMetrics& present, core::Wall now);

 private:
  struct Told {
    SparkplugValue value;
    bool is_null = false;
  };
  bool is_new(const SparkplugMetrics& present) const;

  std::map<std::string, Told> told_;
  std::uint64_t seq_ = 0;
};

}  // namespace gateway::daemon
