#include "daemon/ops/inventory.h"

#include <sys/utsname.h>

#include <fstream>
#include <iterator>

#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::daemon {
namespace {

using core::Json;

constexpr int kSchemaVersion = 1;

/// PRETTY_NAME of os-release(5), which quotes with " or not at all in every system we run on.
std::string distribution_name() {
  constexpr std::string_view kKey = "PRETTY_NAME=";
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(kKey)) continue;
    line.erase(0, kKey.size());
    std::erase(line, '"');
    return line;
  }
  return {};
}

Json devices_of(const core::Config& config) {
  Json devices = Json::array();
  for (const std::string& name : config.names("device")) {
    const std::string key = core::cat("device.", name, ".protocol");
    devices.add(Json::object({{"name", name}, {"protocol", config.text(key)}}));
  }
  for (const std::string& name : config.names("dicom.peer"))
    devices.add(Json::object({{"name", name}, {"protocol", "dicom"}}));
  return devices;
}

/// As packaging/sbom.pl wrote it into the package.
std::string sbom_digest() {
  std::ifstream file("/usr/share/clinic-gateway/sbom.cdx.json", std::ios::binary);
  if (!file) return {};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const crypto::Digest digest = crypto::sha256(crypto::as_octets(text));
  return core::to_hex(crypto::as_text(digest));
}

}  // namespace

SystemFacts read_system_facts() {
  SystemFacts facts;
  facts.distribution = distribution_name();
  utsname name{};
  if (::uname(&name) == 0) {
    facts.kernel = name.release;
    facts.architecture = name.machine;
  }
  facts.sbom_sha256 = sbom_digest();
  return facts;
}

Json inventory_document(const Vitals& vitals, const core::Config& config, const Json& certificates,
                        const SystemFacts& system) {
  Json uplinks = Json::array();
  for (const std::string& name : config.names("uplink")) {
    uplinks.add(
        Json::object({{"name", name}, {"kind", config.text(core::cat("uplink.", name, ".kind"))}}));
  }
  Json ends = Json::array();
  for (const Json& row : certificates.items()) {
    ends.add(Json::object(
        {{"key", row["key"]}, {"ends", row["ends"]}, {"days_left", row["days_left"]}}));
  }
  const std::string& protection = vitals.opening.key_protection;
  return Json::object(
      {{"schema", kSchemaVersion},
       {"at", core::to_instant(vitals.now)},
       {"boot_id", vitals.boot_id},
       {"site", vitals.site},
       {"version", vitals.version},
       {"sbom_sha256", system.sbom_sha256.empty() ? Json() : Json(system.sbom_sha256)},
       {"system", Json::object({{"distribution", system.distribution},
                                {"kernel", system.kernel},
                                {"architecture", system.architecture}})},
       {"key_protection", protection.empty() ? Json() : Json(protection)},
       {"uplinks", std::move(uplinks)},
       {"devices", devices_of(config)},
       {"certificates", std::move(ends)}});
}

}  // namespace gateway::daemon
