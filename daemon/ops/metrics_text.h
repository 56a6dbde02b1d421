// The gateway's state as Prometheus reads it: OpenMetrics 1.0, or the older text format 0.0.4 for
// whoever does not ask for it. Names by Prometheus' conventions: base units, _total for what only
// grows. Made of states, counts, times and names of the configuration; never of a peer's words.
// The same samples go to central operations over MQTT as JSON. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"

namespace gateway::daemon {

enum class MetricsFormat { open_metrics, text_0_0_4 };

/// What the process costs.
struct ProcessFacts {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;
};
ProcessFacts read_process_facts();

/// `status`: status_document(); `certificates`: certificates_report().
std::string metrics_text(const core::Json& status, const core::Json& certificates,
                         const ProcessFacts& process, MetricsFormat format);

/// The same as docs/mqtt/metrics.schema.json: [{"name","labels":{...},"value"}].
core::Json metrics_samples(const core::Json& status, const core::Json& certificates,
                           const ProcessFacts& process);

}  // namespace gateway::daemon
