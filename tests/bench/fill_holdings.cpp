// Makes a state folder with many resources and objects, as years of work leave it, for start.py;
// then prints how long opening its key slot takes, in seconds.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "core/files.h"
#include "core/ids.h"
#include "core/text.h"
#include "crypto/octets.h"
#include "sync/holdings.h"
#include "sync/replica.h"

namespace gateway {
namespace {

constexpr char kNow[] = "2026-03-01T08:00:00.000Z";
constexpr std::int64_t kBatch = 5'000;
constexpr int kThreads = 4;

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

core::Status fill(const std::string& folder, const std::string& passphrase_file,
                  std::int64_t resources, std::int64_t objects) {
  auto& files = core::system_files();
  GW_TRY(std::string text, core::read_whole_file(files, passphrase_file, 4096));
  const crypto::Passphrase passphrase{crypto::Secret::copy_of(core::trim(text))};
  GW_TRY(auto keyring, crypto::Keyring::create(files, folder, passphrase, core::system_clock()));
  sync::HoldingsOptions options;
  options.state_folder = folder;
  options.ingest = {"urn:oid:2.25.1", {"pacs"}, {}};
  {
    GW_TRY(auto held,
           sync::Holdings::open(files, std::move(keyring), core::system_clock(), options));
    GW_CHECK(add_resources(*held, resources));
    std::vector<std::thread> threads;
    std::vector<core::Status> outcomes(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        outcomes[static_cast<std::size_t>(t)] =
            add_objects(*held, objects * t / kThreads, objects * (t + 1) / kThreads);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (core::Status& outcome : outcomes) GW_CHECK(outcome);
  }
  const auto begin = std::chrono::steady_clock::now();
  GW_TRY(keyring, crypto::Keyring::open(files, folder, passphrase, core::system_clock()));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.3f\n", took.count());
  return {};
}

}  // namespace
}  // namespace gateway

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr,
                 "usage: bench_fill_holdings STATE_FOLDER PASSPHRASE_FILE RESOURCES OBJECTS\n");
    return 2;
  }
  const auto filled = gateway::fill(argv[1], argv[2], std::atoll(argv[3]), std::atoll(argv[4]));
  if (filled.ok()) return 0;
  std::fprintf(stderr, "%s\n", filled.error().message().c_str());
  return 1;
}
