// What whoever helps from afar needs to see: one .tar.gz of documents, without patient data. Each
// holds only what is listed here as safe: states, counts, times, our own sentences, and names of
// the configuration; never a peer's words, a message of the log, a value of the configuration that
// could be a secret. What the log said is told by the place in the source that said it. Pure.
//
//   manifest.json       versions, and size and SHA-256 of the others
//   health.json         as central operations hear it (docs/mqtt/health.schema.json)
//   inventory.json      docs/mqtt/inventory.schema.json
//   metrics.txt         OpenMetrics
//   queue.json          sync::queue_classes()
//   doctor.json         check, verdict, advice; the detail where it is our own
//   certificates.json   [{"key","ends","days_left","readable"}]
//   config.json         config_outline()
//   log.jsonl           {"at","level","component","file","line"} of the newest lines
//
// What only the running daemon knows is left out where it does not run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/json.h"
#include "core/log.h"
#include "daemon/ops/doctor.h"
#include "daemon/ops/inventory.h"
#include "daemon/ops/metrics_text.h"
#include "daemon/ops/vitals.h"

namespace gateway::daemon {

/// What only the running daemon knows.
struct BundleOfTheDaemon {
  Vitals vitals;
  ProcessFacts process;
  core::Json queue;  // null while not ready
  std::vector<core::LogTrace> log;
};

struct BundleParts {
  core::Wall made_at;
  core::Config config;
  std::vector<core::ConfigKey> keys;
  core::Json certificates;  // certificates_report()
  std::vector<Finding> findings;
  SystemFacts system;
  std::optional<BundleOfTheDaemon> daemon;
};

/// The archive's bytes.
std::string support_bundle(const BundleParts& parts);

/// Of the configuration and this machine, with nothing of the daemon. Reads files and asks peers;
/// blocks for up to 10 s.
BundleParts examine_for_bundle(const std::string& config_path, DaemonSeen daemon, core::Wall now);

}  // namespace gateway::daemon
