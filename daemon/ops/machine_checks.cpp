#include "daemon/ops/machine_checks.h"

#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "core/net/tls_context.h"
#include "core/text.h"
#include "daemon/ops/alarms.h"
#include "daemon/ops/certificates.h"
#include "daemon/ops/probes.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;

// No gateway ran before this was written: a clock that says otherwise has lost its time.
constexpr std::string_view kOldestPlausible = "2026-01-01";

/// As adjtimex(2) has it: somebody disciplines the kernel's clock. Nothing where we may not ask, as
/// in the daemon's own unit.
std::optional<bool> is_kept() {
  timex state{};
  const int answer = ::adjtimex(&state);
  if (answer < 0) return std::nullopt;
  return answer != TIME_ERROR;
}

std::string beside(const std::string& path, std::string_view last) {
  return cat(path.substr(0, path.rfind('.') + 1), last);
}

/// What the row of certificates_report() says, where that is no good news.
std::vector<Finding> of_row(const Json& row) {
  const std::string check = cat("certificate ", row["key"].text());
  const auto days = row["days_left"].integer();
  if (!days)
    return {
        bad(Verdict::fail, check, std::string(row["problem"].text()), "put a readable file there")};
  if (*days < 0)
    return {bad(Verdict::fail, check, cat("it ended on ", row["ends"].text()),
                "renew the file; it is read anew by itself or at a reload")};
  if (*days <= kCertificateWarningDays)
    return {bad(Verdict::warn, check,
                cat("it ends on ", row["ends"].text(), ", in ", *days, " days"), "renew the file")};
  return {};
}

/// A certificate of ours and its key, as TLS would load them.
std::vector<Finding> of_pair(const core::Config& config, const std::string& path) {
  const std::string key = config.text(beside(path, "key_file"));
  if (!path.ends_with("certificate_file") || key.empty()) return {};
  const auto loaded = core::net::TlsContext::create({"localhost", "", config.text(path), key});
  if (loaded.ok()) return {};
  return {bad(Verdict::fail, cat("certificate ", path), loaded.error().message(),
              "put the certificate and the key that belong together there")};
}

Finding of_port(const std::string& part, const std::string& address, std::uint16_t port,
                DaemonSeen daemon) {
  const std::string check = cat(part, " port");
  const std::string where = cat("port ", port, " on ", address);
  const bool taken = port_is_taken(address, port);
  if (daemon == DaemonSeen::absent) {
    if (!taken) return good(check, cat(where, " is free; the daemon is not running"));
    // systemd holds it for the console (clinic-gateway.socket).
    constexpr std::uint16_t kHttps = 443;
    if (part == "console" && port == kHttps)
      return good(check, cat(where, " is held by a socket unit"));
    return bad(Verdict::fail, check, cat(where, " is used by another program"),
               cat("stop it or set another port for ", part));
  }
  if (taken) return good(check, cat(where, " listens"));
  return bad(Verdict::fail, check, cat("nothing listens on ", where),
             cat("see the problem of ", part, " below"));
}

}  // namespace

Finding examine_clock() {
  const std::string now = core::to_instant(core::system_clock().wall());
  if (now < kOldestPlausible) {
    return bad(Verdict::fail, "clock", cat("it is ", now, " here"),
               "set the clock (timedatectl) or let systemd-timesyncd reach a time server: "
               "certificates look invalid until then");
  }
  const auto kept = is_kept();
  if (!kept) return good("clock", now);
  if (!*kept) {
    return bad(Verdict::warn, "clock", cat(now, "; no time server keeps it right"),
               "let systemd-timesyncd or chrony reach a time server: see timedatectl");
  }
  return good("clock", cat(now, ", kept by a time server"));
}

std::vector<Finding> examine_certificates(const core::Config& config, core::Wall now) {
  std::vector<Finding> findings;
  const auto files = certificate_files(config);
  const Json report = certificates_report(files, now);
  for (const Json& row : report.items())
    for (Finding& finding : of_row(row)) findings.push_back(std::move(finding));
  for (const auto& [path, file] : files)
    for (Finding& finding : of_pair(config, path)) findings.push_back(std::move(finding));
  if (findings.empty() && !files.empty())
    findings.push_back(good("certificates", cat(files.size(), " of ours are good for more than ",
                                                kCertificateWarningDays, " days")));
  return findings;
}

std::vector<Finding> examine_ports(const core::Config& config, DaemonSeen daemon) {
  std::vector<Finding> findings;
  const auto add = [&](const std::string& part, const std::string& path) {
    const auto port = static_cast<std::uint16_t>(config.integer(path));
    findings.push_back(of_port(part, config.text(beside(path, "bind")), port, daemon));
  };
  add("dicom", "dicom.port");
  if (config.has("dicom.tls_certificate_file")) add("dicom TLS", "dicom.tls_port");
  for (const std::string part : {"api", "console"})
    if (const std::string path = cat(part, ".port"); config.has(path)) add(part, path);
  for (const std::string& name : config.names("device")) {
    const std::string path = cat("device.", name, ".port");
    // With a host it is the device's own.
    if (config.has(path) && !config.has(beside(path, "host"))) add(cat("device ", name), path);
  }
  return findings;
}

Finding examine_tpm(bool sealed_to_it, const std::string& device) {
  const bool is_there = ::access(device.c_str(), F_OK) == 0;
  const std::string why = is_there ? "" : std::strerror(errno);
  if (sealed_to_it && !is_there)
    return bad(Verdict::fail, "tpm", cat("a key slot is sealed to it, and ", device, ": ", why),
               "switch the TPM on in the firmware's set-up; until then unlock by a passphrase or "
               "the recovery code");
  if (!is_there) return good("tpm", cat("none here (", device, ": ", why, ")"));
  return good("tpm", cat(device, sealed_to_it ? " is there, and a key slot is sealed to it"
                                              : " is there; no key slot uses it"));
}

}  // namespace gateway::daemon
