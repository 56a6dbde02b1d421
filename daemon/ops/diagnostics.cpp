#include "daemon/ops/diagnostics.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/base64.h"
#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"
#include "daemon/blocking.h"
#include "daemon/ops/bundle_chunks.h"
#include "daemon/ops/certificates.h"
#include "daemon/ops/doctor.h"
#include "daemon/ops/support_bundle.h"
#include "sync/central_outbox.h"
#include "sync/reports.h"

namespace gateway::daemon {
namespace {

using core::Json;

void append(std::vector<Finding>& findings, std::vector<Finding> more) {
  findings.insert(findings.end(), more.begin(), more.end());
}

/// What is queued, by classes; null while there is nothing to ask.
core::Result<Json> queue_of(const std::shared_ptr<sync::Holdings>& holdings) {
  if (!holdings) return Json();
  return holdings->database().read_value<Json>(sync::queue_classes);
}

core::Result<std::string> make_bundle(const std::string& config_path, Vitals vitals,
                                      const std::shared_ptr<sync::Holdings>& holdings,
                                      core::Wall now) {
  BundleParts parts = examine_for_bundle(config_path, DaemonSeen::running, now);
  append(parts.findings, examine_vitals(vitals));
  GW_TRY(Json queue, queue_of(holdings));
  parts.daemon =
      BundleOfTheDaemon{std::move(vitals), read_process_facts(), queue, core::recent_log()};
  return support_bundle(parts);
}

Json described(const std::string& bundle) {
  const auto digest = crypto::sha256(crypto::as_octets(bundle));
  return Json::object({{"bytes", static_cast<std::uint64_t>(bundle.size())},
                       {"sha256", core::to_hex(crypto::as_text(digest))}});
}

/// Durably; how many chunks it makes.
core::Result<Json> queue_for_central(const std::shared_ptr<sync::Holdings>& holdings,
                                     const std::string& bundle) {
  if (!holdings) return core::Error(core::Code::locked, "the gateway is locked");
  GW_TRY(const std::vector<Json> chunks, bundle_chunks(bundle));
  GW_CHECK(holdings->database().write([&](crypto::Connection& connection) {
    return sync::queue_parts(connection, sync::kCentralDiagnostics, chunks);
  }));
  return Json(static_cast<std::uint64_t>(chunks.size()));
}

}  // namespace

Diagnostics::JsonAnswer Diagnostics::doctor() {
  const Vitals now = co_await vitals_();
  auto lane = std::make_shared<BlockingLane>();
  auto examine = [path = config_path_] { return examine_machine(path, DaemonSeen::running); };
  std::vector<Finding> findings = co_await lane->run(std::move(examine));
  append(findings, examine_vitals(now));
  co_return findings_document(findings);
}

Diagnostics::JsonAnswer Diagnostics::certificates() {
  auto lane = std::make_shared<BlockingLane>();
  auto look = [files = certificate_files(config_), now = clock_.wall()] {
    return certificates_report(files, now);
  };
  const Json rows = co_await lane->run(std::move(look));
  co_return Json::object({{"certificates", rows}});
}

Diagnostics::JsonAnswer Diagnostics::support_bundle(const std::string& method) {
  return make_bundle_for(method == "POST" ? Destination::file : Destination::asker);
}

Diagnostics::JsonAnswer Diagnostics::send_support_bundle() {
  return make_bundle_for(Destination::central);
}

/// What is sent is kept as well, so that the site can see what central operations were told.
Diagnostics::JsonAnswer Diagnostics::make_bundle_for(Destination destination) {
  Vitals now = co_await vitals_();
  auto lane = std::make_shared<BlockingLane>();
  auto work = [path = config_path_, vitals = std::move(now), holdings = door_.get(),
               at = clock_.wall(), destination,
               file = core::cat(settings_.state_folder,
                                "/support-bundle.tar.gz")]() mutable -> core::Result<Json> {
    GW_TRY(const std::string bundle, make_bundle(path, std::move(vitals), holdings, at));
    Json answer = described(bundle);
    if (destination == Destination::asker) {
      answer.set("archive", core::to_base64(bundle));
      return answer;
    }
    GW_CHECK(core::write_file_durably(core::system_files(), file, bundle));
    answer.set("file", file);
    if (destination == Destination::central) {
      GW_TRY(Json count, queue_for_central(holdings, bundle));
      answer.set("chunks", std::move(count));
    }
    return answer;
  };
  co_return co_await lane->run(std::move(work));
}

}  // namespace gateway::daemon
