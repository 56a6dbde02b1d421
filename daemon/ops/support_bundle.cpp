#include "daemon/ops/support_bundle.h"

#include <set>
#include <string_view>
#include <utility>

#include "core/gzip.h"
#include "core/tar.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"
#include "daemon/config_faults.h"
#include "daemon/ops/certificates.h"
#include "daemon/ops/config_outline.h"
#include "daemon/settings.h"
#include "daemon/version.h"

namespace gateway::daemon {
namespace {

using core::Json;

constexpr int kSchemaVersion = 1;

using Document = std::pair<const char*, std::string>;

/// Checks whose detail is made of our own words, numbers and folders only. Elsewhere a peer, or
/// the configuration, may be quoted.
bool tells_only_ours(const std::string& check) {
  static const std::set<std::string_view> kOurs{"clock",     "disk",         "state folder",
                                                "key slots", "dicom port",   "state",
                                                "queue",     kWearComponent, kDiskFailureComponent};
  return kOurs.contains(check);
}

Json doctor_of(const std::vector<Finding>& findings) {
  std::vector<Finding> shown = findings;
  for (Finding& finding : shown)
    if (!tells_only_ours(finding.check)) finding.detail.clear();
  return findings_document(shown);
}

Json certificates_of(const Json& report) {
  Json rows = Json::array();
  for (const Json& row : report.items()) {
    rows.add(Json::object({{"key", row["key"]},
                           {"ends", row["ends"]},
                           {"days_left", row["days_left"]},
                           {"readable", row["problem"].text().empty()}}));
  }
  return rows;
}

std::string log_of(const std::vector<core::LogTrace>& traces) {
  std::string lines;
  for (const core::LogTrace& trace : traces) {
    lines += Json::object({{"at", core::to_instant(trace.at)},
                           {"level", core::to_string(trace.level)},
                           {"component", trace.component},
                           {"file", trace.file},
                           {"line", trace.line}})
                 .dump();
    lines += '\n';
  }
  return lines;
}

void add_daemon(const BundleParts& parts, std::vector<Document>& documents) {
  const BundleOfTheDaemon& daemon = *parts.daemon;
  documents.emplace_back("health.json", health_document(daemon.vitals, 0).dump());
  documents.emplace_back(
      "inventory.json",
      inventory_document(daemon.vitals, parts.config, parts.certificates, parts.system).dump());
  documents.emplace_back("metrics.txt",
                         metrics_text(status_document(daemon.vitals), parts.certificates,
                                      daemon.process, MetricsFormat::open_metrics));
  documents.emplace_back("queue.json", daemon.queue.dump());
  documents.emplace_back("log.jsonl", log_of(daemon.log));
}

Json manifest_of(const BundleParts& parts, const std::vector<Document>& documents) {
  Json files = Json::array();
  for (const auto& [name, content] : documents) {
    const auto digest = crypto::sha256(crypto::as_octets(content));
    files.add(Json::object({{"name", name},
                            {"bytes", static_cast<std::uint64_t>(content.size())},
                            {"sha256", core::to_hex(crypto::as_text(digest))}}));
  }
  return Json::object({{"schema", kSchemaVersion},
                       {"made_at", core::to_instant(parts.made_at)},
                       {"version", kVersion},
                       {"site", parts.config.text("site.name")},
                       {"distribution", parts.system.distribution},
                       {"kernel", parts.system.kernel},
                       {"architecture", parts.system.architecture},
                       {"daemon_runs", parts.daemon.has_value()},
                       {"files", std::move(files)}});
}

}  // namespace

std::string support_bundle(const BundleParts& parts) {
  std::vector<Document> documents;
  if (parts.daemon) add_daemon(parts, documents);
  documents.emplace_back("doctor.json", doctor_of(parts.findings).dump());
  documents.emplace_back("certificates.json", certificates_of(parts.certificates).dump());
  documents.emplace_back("config.json", config_outline(parts.config, parts.keys).dump());
  core::TarWriter archive(parts.made_at);
  archive.add("manifest.json", manifest_of(parts, documents).dump());
  for (const auto& [name, content] : documents) archive.add(name, content);
  return core::gzip(std::move(archive).finish());
}

BundleParts examine_for_bundle(const std::string& config_path, DaemonSeen daemon, core::Wall now) {
  BundleParts parts;
  parts.made_at = now;
  parts.keys = all_config_keys();
  auto reading = core::Config::read(config_path, parts.keys);
  (void)leave_out_faults(reading, parts.keys);  // the findings tell of them
  parts.config = std::move(reading.config);
  parts.certificates = certificates_report(certificate_files(parts.config), now);
  parts.findings = examine_machine(config_path, daemon);
  parts.system = read_system_facts();
  return parts;
}

}  // namespace gateway::daemon
