// Makes a state folder with many resources, objects and worklist steps, as years of work leave it,
// for start.py and worklist.py, with a credential slot, whose secret it prints. Real formats by the
// real code; large transactions and many senders at once, so that their fsyncs are shared.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/octets.h"
#include "sync/holdings.h"
#include "sync/replica.h"
#include "sync/worklist.h"
#include "tests/bench/state_keys.h"

namespace gateway {
namespace {

constexpr char kNow[] = "2026-03-01T08:00:00.000Z";
constexpr std::int64_t kBatch = 20'000;
constexpr int kSenders = 32;

core::Status add_resources(sync::Holdings& held, std::int64_t count) {
  for (std::int64_t at = 0; at < count; at += kBatch) {
    auto written = held.database().write([&](crypto::Connection& connection) -> core::Status {
      for (std::int64_t i = at; i < std::min(count, at + kBatch); ++i) {
        const std::string id = core::new_uuid();
        const core::Json body = core::Json::object(
            {{"resourceType", "Observation"},
             {"id", id},
             {"status", "final"},
             {"identifier", core::Json::array({core::Json::object(
                                {{"system", "urn:bench"}, {"value", std::to_string(i)}})})},
             {"valueQuantity", core::Json::object({{"value", i}, {"unit", "mmol/L"}})}});
        GW_CHECK(sync::put_resource(connection, {"Observation", id}, body, "clinic", kNow));
      }
      return {};
    });
    GW_CHECK(written);
  }
  return {};
}

constexpr std::array kFamilies = {"Quintanavilla",   "Oyarzabaleta", "Villarrubiales",
                                  "N\u00fa\u00f1ez", "Kov\u00e1cs",  "M\u00fcller"};
constexpr std::array kModalities = {"CT", "MR", "US", "CR", "DX", "MG"};

core::Json order_of(const std::string& id, std::int64_t number, const std::string& patient) {
  const auto coding = [](std::string_view system, std::string_view code) {
    return core::Json::object(
        {{"coding",
          core::Json::array({core::Json::object({{"system", system}, {"code", code}})})}});
  };
  const core::Json accession =
      core::Json::object({{"type", coding("http://terminology.hl7.org/CodeSystem/v2-0203", "ACSN")},
                          {"value", core::cat("A", number)}});
  // Two hundred working days of a clinic that is far too busy.
  const auto day =
      std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + std::chrono::days(number % 200);
  return core::Json::object(
      {{"resourceType", "ServiceRequest"},
       {"id", id},
       {"status", "active"},
       {"intent", "order"},
       {"identifier", core::Json::array({accession})},
       {"category", core::Json::array({coding("http://snomed.info/sct", "363679005")})},
       {"orderDetail", core::Json::array({coding(
                           "http://dicom.nema.org/resources/ontology/DCM",
                           kModalities[static_cast<std::size_t>(number) % kModalities.size()])})},
       {"code", core::Json::object({{"text", "imaging"}})},
       {"subject", core::Json::object({{"reference", core::cat("Patient/", patient)}})},
       {"occurrenceDateTime", core::to_instant(core::Wall(day) + std::chrono::hours(8))}});
}

core::Json patient_of(const std::string& id, std::int64_t number) {
  const std::string_view family = kFamilies[static_cast<std::size_t>(number) % kFamilies.size()];
  return core::Json::object(
      {{"resourceType", "Patient"},
       {"id", id},
       {"identifier", core::Json::array({core::Json::object(
                          {{"system", "urn:oid:2.25.1"}, {"value", core::cat("W", number)}})})},
       {"name", core::Json::array(
                    {core::Json::object({{"family", core::cat(family, number)},
                                         {"given", core::Json::array({core::Json("Ana")})}})})},
       {"birthDate", "1980-01-02"},
       {"gender", "female"}});
}

/// Orders as the hospital's, each of a patient of its own: the worklist's steps.
core::Status add_steps(sync::Holdings& held, std::int64_t count) {
  for (std::int64_t at = 0; at < count; at += kBatch) {
    auto written = held.database().write([&](crypto::Connection& connection) -> core::Status {
      for (std::int64_t i = at; i < std::min(count, at + kBatch); ++i) {
        const std::string patient = core::new_uuid();
        const std::string order = core::new_uuid();
        GW_CHECK(sync::put_resource(connection, {"Patient", patient}, patient_of(patient, i), "his",
                                    kNow));
        GW_CHECK(sync::put_resource(connection, {"ServiceRequest", order},
                                    order_of(order, i, patient), "his", kNow));
        GW_CHECK(sync::refresh_worklist(connection, order, held.options().worklist));
      }
      return {};
    });
    GW_CHECK(written);
  }
  return {};
}

core::Status add_objects(sync::Holdings& held, std::int64_t first, std::int64_t last) {
  for (std::int64_t i = first; i < last; ++i) {
    sync::InstanceFacts facts;
    facts.study_instance_uid = core::cat("1.2.3.", i / 100);
    facts.series_instance_uid = facts.study_instance_uid + ".1";
    facts.sop_instance_uid = core::cat("1.2.3.1.1.", i);
    facts.patient_id = core::cat("P", i / 1000);
    GW_TRY(auto object, held.ingest().begin_object());
    GW_CHECK(object->append(crypto::as_octets(std::string(1000, 'b'))));
    GW_CHECK(held.ingest().store({facts, {}, 0, "CT1", "GATEWAY", "127.0.0.1"}, *object));
  }
  return {};
}

core::Status send_all(sync::Holdings& held, std::int64_t objects) {
  std::vector<std::thread> senders;
  std::vector<core::Status> outcomes(kSenders);
  for (int s = 0; s < kSenders; ++s) {
    senders.emplace_back([&, s] {
      outcomes[static_cast<std::size_t>(s)] =
          add_objects(held, objects * s / kSenders, objects * (s + 1) / kSenders);
    });
  }
  for (std::thread& sender : senders) sender.join();
  for (core::Status& outcome : outcomes) GW_CHECK(std::move(outcome));
  return {};
}

core::Status fill(const std::string& folder, std::int64_t resources, std::int64_t objects,
                  std::int64_t steps) {
  std::string secret;
  GW_TRY(auto keyring, bench::make_keys(folder, secret));
  sync::HoldingsOptions options;
  options.state_folder = folder;
  options.ingest = {"urn:oid:2.25.1", {"pacs"}, {}, "UTC"};
  options.worklist.patient_id_issuer = "urn:oid:2.25.1";
  options.worklist.time_zone = "UTC";
  GW_TRY(auto held, sync::Holdings::open(core::system_files(), std::move(keyring),
                                         core::system_clock(), options));
  GW_CHECK(add_resources(*held, resources));
  GW_CHECK(add_steps(*held, steps));
  GW_CHECK(send_all(*held, objects));
  std::printf("%s\n", core::to_hex(secret).c_str());
  return {};
}

}  // namespace
}  // namespace gateway

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_fill_holdings STATE_FOLDER RESOURCES OBJECTS STEPS\n");
    return 2;
  }
  const auto filled =
      gateway::fill(argv[1], std::atoll(argv[2]), std::atoll(argv[3]), std::atoll(argv[4]));
  if (filled.ok()) return 0;
  std::fprintf(stderr, "%s\n", filled.error().message().c_str());
  return 1;
}
