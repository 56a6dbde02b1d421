#include "daemon/ops/metrics_text.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <utility>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;

using Labels = std::vector<std::pair<const char*, std::string_view>>;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

/// One family after the other, each with its samples.
class Exposition {
 public:
  explicit Exposition(MetricsFormat format) : format_(format) {}

  void gauge(std::string_view name, std::string_view help) { begin(name, "gauge", help, name); }
  /// Samples of it are called NAME_total; so was the family before OpenMetrics.
  void counter(std::string_view name, std::string_view help) {
    const std::string total = cat(name, "_total");
    begin(format_ == MetricsFormat::open_metrics ? std::string(name) : total, "counter", help,
          total);
  }
  void line(const Labels& labels, std::string_view value) {
    Json named = Json::object();
    for (const auto& [label, text] : labels) named.append_member(label, text);
    samples_.add(Json::object(
        {{"name", sample_}, {"labels", named}, {"value", Json::Number{std::string(value)}}}));
    text_ += sample_;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      text_ += cat(i == 0 ? '{' : ',', labels[i].first, "=\"", escaped(labels[i].second), '"');
    }
    if (!labels.empty()) text_ += '}';
    text_ += cat(' ', value, '\n');
  }
  /// Left out where there is no number.
  void sample(const Labels& labels, const Json& number) {
    if (number.is_number()) line(labels, number.number_text());
  }
  void one(std::string_view name, std::string_view help, const Json& number) {
    if (!number.is_number()) return;
    gauge(name, help);
    sample({}, number);
  }
  std::string end() {
    if (format_ == MetricsFormat::open_metrics) text_ += "# EOF\n";
    return std::move(text_);
  }
  Json samples() { return std::move(samples_); }

 private:
  void begin(std::string_view family, const char* type, std::string_view help,
             std::string_view samples) {
    sample_ = samples;
    text_ += cat("# TYPE ", family, ' ', type, "\n# HELP ", family, ' ', help, '\n');
  }

  MetricsFormat format_;
  std::string sample_;
  std::string text_;
  Json samples_ = Json::array();
};

std::string_view flag(bool value) { return value ? "1" : "0"; }

std::string hundredths(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", number);
  return text;
}

/// A FHIR instant as seconds since 1970.
Json unix_seconds(std::string_view instant) {
  const auto at = core::parse_instant(instant);
  if (!at) return {};
  return std::chrono::duration_cast<std::chrono::seconds>(at->time_since_epoch()).count();
}

void add_gateway(Exposition& out, const Json& status) {
  out.gauge("clinic_gateway_build_info", "Version that runs; always 1.");
  out.line({{"version", status["version"].text()}}, "1");
  out.gauge("clinic_gateway_state", "1 for the state the gateway is in.");
  for (const char* state : {"locked", "ready", "failed"})
    out.line({{"state", state}}, flag(status["state"].text() == state));
  out.one("clinic_gateway_uptime_seconds", "Since the daemon started.", status["uptime_s"]);
  out.gauge("clinic_gateway_problems", "Parts that do not run.");
  out.line({}, cat(status["problems"].size()));
  out.one("clinic_gateway_reviews_open", "Conflicts that wait for a decision.",
          status["reviews"]["open"]);
  out.one("clinic_gateway_reviews_oldest_age_seconds", "Age of the conflict that waits longest.",
          status["reviews"]["oldest_age_s"]);
  out.one("clinic_gateway_inbox_waiting",
          "Resources of the hospital that wait for what they belong to.",
          status["inbox"]["waiting"]);
  out.one("clinic_gateway_inbox_oldest_age_seconds", "Age of the one that waits longest.",
          status["inbox"]["oldest_age_s"]);
  out.one("clinic_gateway_messages_held", "Messages of devices that wait for a person.",
          status["queue"]["letters"]);
}

void add_per_uplink(Exposition& out, const Json& uplinks, const char* name, const char* help,
                    const char* member) {
  out.gauge(name, help);
  for (const Json& uplink : uplinks.items()) {
    // An uplink nothing waits for has no row in the queue.
    const bool counts = !uplink[member].is_number() && std::string_view(member) != "oldest_age_s";
    out.sample({{"uplink", uplink["name"].text()}}, counts ? Json(0) : uplink[member]);
  }
}

void add_uplinks(Exposition& out, const Json& uplinks) {
  if (uplinks.size() == 0) return;
  out.gauge("clinic_gateway_uplink_up", "1 when the last exchange with the peer went through.");
  for (const Json& uplink : uplinks.items()) {
    out.line({{"uplink", uplink["name"].text()}, {"kind", uplink["kind"].text()}},
             flag(uplink["state"].text() == "up"));
  }
  out.gauge("clinic_gateway_uplink_last_success_timestamp_seconds", "Last delivery or pull.");
  for (const Json& uplink : uplinks.items()) {
    out.sample({{"uplink", uplink["name"].text()}}, unix_seconds(uplink["last_success"].text()));
  }
  add_per_uplink(out, uplinks, "clinic_gateway_queue_waiting", "Items that wait to be sent.",
                 "waiting");
  add_per_uplink(out, uplinks, "clinic_gateway_queue_parked",
                 "Items that were refused and wait for a person.", "parked");
  add_per_uplink(out, uplinks, "clinic_gateway_queue_oldest_age_seconds",
                 "Age of the oldest item in the queue.", "oldest_age_s");
}

void add_intake(Exposition& out, const Json& status) {
  constexpr std::array<std::array<const char*, 3>, 9> kCounts = {{
      {"associations", "associations", "DICOM associations taken."},
      {"rejected", "associations_rejected", "DICOM associations rejected."},
      {"echoes", "echoes", "C-ECHO requests answered."},
      {"stored", "instances_stored", "Instances taken in."},
      {"repeated", "instances_repeated", "Instances that were held already."},
      {"other_copies", "instances_other_copies", "Instances under a used UID with other bytes."},
      {"refused", "instances_refused", "Instances refused."},
      {"queries", "worklist_queries", "Worklist queries answered."},
      {"bytes", "received_bytes", "Bytes of instances taken in."},
  }};
  const Json& counts = status["dicom"]["counts"];
  for (const auto& [member, name, help] : kCounts) {
    if (!counts[member].is_number()) continue;
    out.counter(cat("clinic_gateway_dicom_", name), help);
    out.sample({}, counts[member]);
  }
  out.one("clinic_gateway_dicom_associations_open", "DICOM associations open now.",
          counts["associations_open"]);
  const Json& devices = status["hl7"]["devices"];
  if (devices.size() == 0) return;
  out.counter("clinic_gateway_hl7_messages", "Messages of devices by what became of them.");
  for (const Json& device : devices.items()) {
    for (const auto& [outcome, count] : device["counts"].members())
      out.sample({{"device", device["name"].text()}, {"outcome", outcome}}, count);
  }
}

void add_storage(Exposition& out, const Json& status) {
  out.one("clinic_gateway_disk_free_bytes", "Free on the disk of the state folder.",
          status["disk"]["free_bytes"]);
  out.one("clinic_gateway_disk_reserve_bytes", "Free space below which nothing is taken in.",
          status["disk"]["reserve_bytes"]);
  out.one("clinic_gateway_storage_damaged_objects", "Stored objects that fail their check.",
          status["storage"]["damaged_objects"]);
  out.one("clinic_gateway_storage_evicted_instances", "Instances retention has let go.",
          status["storage"]["evicted"]);
}

void add_wear(Exposition& out, const Json& disks) {
  if (disks.size() == 0) return;
  out.gauge("clinic_gateway_disk_healthy", "1 while the disk says that it is well, 0 if failing.");
  for (const Json& disk : disks.items()) {
    if (disk["passed"].is_bool())
      out.line({{"disk", disk["disk"].text()}}, flag(disk["passed"].boolean()));
  }
  out.gauge("clinic_gateway_disk_life_used_ratio", "Of the life the disk was made for.");
  for (const Json& disk : disks.items()) {
    if (const auto used = disk["used_percent"].integer())
      out.line({{"disk", disk["disk"].text()}}, hundredths(static_cast<double>(*used) / 100));
  }
  out.gauge("clinic_gateway_disk_unreadable_blocks", "Blocks the disk could not read.");
  for (const Json& disk : disks.items())
    out.sample({{"disk", disk["disk"].text()}}, disk["media_errors"]);
  out.gauge("clinic_gateway_disk_report_age_seconds", "Since the disk was asked.");
  for (const Json& disk : disks.items()) out.sample({{"disk", disk["disk"].text()}}, disk["age_s"]);
}

void add_certificates(Exposition& out, const Json& certificates) {
  if (certificates.size() == 0) return;
  out.gauge("clinic_gateway_certificate_end_timestamp_seconds",
            "When a certificate of the configuration ends.");
  for (const Json& row : certificates.items())
    out.sample({{"key", row["key"].text()}}, row["ends_at_s"]);
}

}  // namespace

ProcessFacts read_process_facts() {
  ProcessFacts facts;
  std::ifstream pages("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (pages >> total >> resident)
    facts.resident_bytes = resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    facts.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  return facts;
}

namespace {

void add_all(Exposition& out, const Json& status, const Json& certificates,
             const ProcessFacts& process) {
  add_gateway(out, status);
  add_uplinks(out, status["uplinks"]);
  add_intake(out, status);
  add_storage(out, status);
  add_wear(out, status["wear"]);
  add_certificates(out, certificates);
  if (status["mqtt"]["configured"].boolean()) {
    out.gauge("clinic_gateway_mqtt_connected", "1 while connected to the broker.");
    out.line({}, flag(status["mqtt"]["connected"].boolean()));
  }
  out.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  out.line({}, cat(process.resident_bytes));
  out.counter("process_cpu_seconds", "Total user and system CPU time spent in seconds.");
  out.line({}, hundredths(process.cpu_seconds));
}

}  // namespace

std::string metrics_text(const Json& status, const Json& certificates, const ProcessFacts& process,
                         MetricsFormat format) {
  Exposition out(format);
  add_all(out, status, certificates, process);
  return out.end();
}

Json metrics_samples(const Json& status, const Json& certificates, const ProcessFacts& process) {
  Exposition out(MetricsFormat::open_metrics);
  add_all(out, status, certificates, process);
  return out.samples();
}

}  // namespace gateway::daemon
