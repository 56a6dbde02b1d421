// Six years of audit rows in a database of their own, then the questions an auditor asks. One JSON
// line: see audit.sh.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/clock.h"
#include "core/files.h"
#include "core/ids.h"
#include "core/text.h"
#include "crypto/audit.h"
#include "crypto/database_key.h"
#include "crypto/migrations.h"

namespace gateway::crypto {
namespace {

using std::chrono::steady_clock;

constexpr std::int64_t kBatch = 20'000;
constexpr std::int64_t kPatients = 20'000;
constexpr std::size_t kPage = 500;
constexpr std::chrono::hours kSixYears{24 * 365 * 6};

double seconds_since(steady_clock::time_point begun) {
  return std::chrono::duration<double>(steady_clock::now() - begun).count();
}

/// Evenly over six years, patients and devices by turns.
core::Status fill(Database& database, const Audit& audit, core::Wall begin, std::int64_t rows) {
  for (std::int64_t at = 0; at < rows; at += kBatch) {
    auto written = database.write([&](Connection& connection) -> core::Status {
      for (std::int64_t i = at; i < std::min(rows, at + kBatch); ++i) {
        const auto passed = core::Milliseconds(kSixYears) / rows * i;
        GW_CHECK(audit.append(connection, {.at = begin + passed,
                                           .actor = core::cat("ae:CT", i % 7),
                                           .action = "store",
                                           .resource = core::cat("ImagingStudy/", i / 20),
                                           .patient = core::cat("Patient/", i * 7919 % kPatients),
                                           .source = "10.1.2.3",
                                           .outcome = "success"}));
      }
      return {};
    });
    GW_CHECK(std::move(written));
  }
  return {};
}

/// Milliseconds for all pages the filter gives; `found` counts the rows.
core::Result<double> ask(Database& database, const AuditFilter& filter, std::size_t& found) {
  const auto begun = steady_clock::now();
  AuditPlace place;
  for (found = 0;;) {
    GW_TRY(const auto page, database.read_value<std::vector<AuditRow>>([&](Connection& connection) {
      return Audit::read(connection, filter, place, kPage);
    }));
    found += page.size();
    if (page.size() < kPage) break;
    place = {page.back().at, page.back().sequence};
  }
  return 1000 * seconds_since(begun);
}

core::Status run(const std::string& folder, std::int64_t rows) {
  core::Files& files = core::system_files();
  const core::Clock& clock = core::system_clock();
  const Passphrase passphrase{Secret::copy_of(core::new_uuid())};
  GW_TRY(const auto keyring, Keyring::create(files, folder, passphrase, clock));
  GW_TRY(const auto database, open_database(files, *keyring, folder, migrations()));
  GW_TRY(const Audit audit, Audit::create(*keyring));
  const core::Wall begin = clock.wall() - kSixYears;
  auto begun = steady_clock::now();
  GW_CHECK(fill(*database, audit, begin, rows));
  const double filled_s = seconds_since(begun);

  const core::Wall third_year = begin + kSixYears / 2;
  std::size_t of_patient = 0;
  std::size_t of_day = 0;
  GW_TRY(const double patient_ms, ask(*database, {.patient = "Patient/4711"}, of_patient));
  GW_TRY(const double day_ms, ask(*database,
                                  {.since = core::to_instant(third_year),
                                   .until = core::to_instant(third_year + std::chrono::hours(24))},
                                  of_day));
  begun = steady_clock::now();
  GW_TRY(const auto verified, database->read_value<AuditReport>([&](Connection& connection) {
    return audit.verify(connection);
  }));
  if (verified.broken_at) return core::Error(core::Code::corrupt, "the chain is broken");
  std::printf(
      "{\"rows\":%lld,\"append_per_s\":%.0f,\"patient_ms\":%.1f,\"patient_rows\":%zu,"
      "\"day_ms\":%.1f,\"day_rows\":%zu,\"verify_s\":%.1f}\n",
      static_cast<long long>(rows), static_cast<double>(rows) / filled_s, patient_ms, of_patient,
      day_ms, of_day, seconds_since(begun));
  return {};
}

}  // namespace
}  // namespace gateway::crypto

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_audit_trail FOLDER ROWS\n");
    return 2;
  }
  const auto done = gateway::crypto::run(argv[1], std::atoll(argv[2]));
  if (done.ok()) return 0;
  std::fprintf(stderr, "%s\n", done.error().message().c_str());
  return 1;
}
