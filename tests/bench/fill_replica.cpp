// Makes a state folder whose replica holds patients and their results, for api.py and drain.py:
// each patient has 99 Observations of five codes over ten years. With an uplink, their ids are
// UUIDs and all of them wait for it.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/files.h"
#include "core/ids.h"
#include "core/text.h"
#include "sync/holdings.h"
#include "sync/outbox.h"
#include "sync/replica.h"

namespace gateway {
namespace {

using core::cat;
using core::Json;

constexpr char kNow[] = "2026-03-01T08:00:00.000Z";
constexpr std::int64_t kPerPatient = 100;
constexpr std::int64_t kPatientsPerStep = 200;

std::string two_digits(std::int64_t number) { return cat(number < 10 ? "0" : "", number); }

Json patient(std::int64_t number, const std::string& id) {
  Json body = Json::object({{"resourceType", "Patient"}, {"id", id}});
  body.set(
      "identifier",
      Json::array({Json::object({{"system", "urn:bench"}, {"value", std::to_string(number)}})}));
  body.set("name", Json::array({Json::object({{"family", cat("Family", number % 5'000)}})}));
  body.set("birthDate", cat(1930 + number % 90, "-", two_digits(1 + number % 12), "-01"));
  return body;
}

Json observation(std::int64_t number, std::int64_t which, const std::string& id,
                 const std::string& patient_id) {
  Json body = Json::object({{"resourceType", "Observation"}, {"id", id}, {"status", "final"}});
  body.set("code",
           Json::object(
               {{"coding", Json::array({Json::object({{"system", "http://loinc.org"},
                                                      {"code", cat("100", which % 5, "-1")}})})}}));
  body.set("subject", Json::object({{"reference", cat("Patient/", patient_id)}}));
  body.set("effectiveDateTime", cat(2016 + which % 10, "-", two_digits(1 + which % 12), "-",
                                    two_digits(1 + number % 28), "T08:00:00Z"));
  body.set("valueQuantity", Json::object({{"value", which}, {"unit", "mmol/L"}}));
  return body;
}

/// What an analyzer's result carries besides.
void add_particulars(Json& body, std::int64_t which) {
  body.set(
      "identifier",
      Json::array({Json::object({{"system", "urn:bench:results"}, {"value", core::new_uuid()}})}));
  body.set("issued", cat("2026-03-01T", two_digits(which % 24), ':', two_digits(which * 7 % 60),
                         ':', two_digits(which * 13 % 60), ".000Z"));
  body.set("performer", Json::array({Json::object({{"display", "Laboratory"}})}));
  body.set("device", Json::object({{"display", "Analyzer 7"}}));
}

core::Status put(crypto::Connection& connection, const std::string& uplink, const Json& body) {
  const sync::ResourceKey key{std::string(body["resourceType"].text()),
                              std::string(body["id"].text())};
  GW_TRY(const auto version, sync::put_resource(connection, key, body, "clinic", kNow));
  if (version != 1) return core::Error(core::Code::internal, "written twice");
  if (uplink.empty()) return {};
  GW_TRY([[maybe_unused]] const auto row,
         sync::queue_row(connection, uplink, "resource", key.text(), 0, std::nullopt, kNow));
  return {};
}

core::Status fill_step(crypto::Connection& connection, const std::string& uplink,
                       std::int64_t first, std::int64_t last) {
  for (std::int64_t number = first; number < last; ++number) {
    const std::string id = uplink.empty() ? cat("p", number) : core::new_uuid();
    GW_CHECK(put(connection, uplink, patient(number, id)));
    for (std::int64_t which = 1; which < kPerPatient; ++which) {
      const std::string own = uplink.empty() ? cat("o", number, "-", which) : core::new_uuid();
      Json result = observation(number, which, own, id);
      if (!uplink.empty()) add_particulars(result, which);
      GW_CHECK(put(connection, uplink, result));
    }
  }
  return {};
}

core::Status fill(const std::string& folder, const std::string& passphrase_file,
                  std::int64_t resources, const std::string& uplink) {
  auto& files = core::system_files();
  GW_TRY(std::string text, core::read_whole_file(files, passphrase_file, 4096));
  const crypto::Passphrase passphrase{crypto::Secret::copy_of(core::trim(text))};
  GW_TRY(auto keyring, crypto::Keyring::create(files, folder, passphrase, core::system_clock()));
  sync::HoldingsOptions options;
  options.state_folder = folder;
  GW_TRY(auto held, sync::Holdings::open(files, std::move(keyring), core::system_clock(), options));
  const std::int64_t patients = resources / kPerPatient;
  for (std::int64_t at = 0; at < patients; at += kPatientsPerStep) {
    GW_CHECK(held->database().write([&](crypto::Connection& connection) {
      return fill_step(connection, uplink, at, std::min(patients, at + kPatientsPerStep));
    }));
  }
  return {};
}

}  // namespace
}  // namespace gateway

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fprintf(stderr,
                 "usage: bench_fill_replica STATE_FOLDER PASSPHRASE_FILE RESOURCES [UPLINK]\n");
    return 2;
  }
  const auto filled =
      gateway::fill(argv[1], argv[2], std::atoll(argv[3]), argc == 5 ? argv[4] : "");
  if (filled.ok()) return 0;
  std::fprintf(stderr, "%s\n", filled.error().message().c_str());
  return 1;
}
