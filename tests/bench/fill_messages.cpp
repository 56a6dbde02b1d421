// Makes a state folder that has taken in many messages, for mllp.py, with a credential slot, whose
// secret it prints. By the code a listener runs, without its socket; many at once, so that their
// commits are shared.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>

#include "adapters/hl7/message_reader.h"
#include "tests/bench/oru_message.h"
#include "tests/bench/state_keys.h"

namespace gateway {
namespace {

constexpr int kAtOnce = 512;

/// What a filler's coroutines share.
struct Filling {
  sync::Holdings& held;
  adapters::hl7::DeviceProfile device;
  std::int64_t next = 0;
  std::int64_t end = 0;
  std::int64_t results = 1;
  core::Status failed;
};

core::net::Awaitable<void> take_messages(Filling& filling) {
  while (filling.next < filling.end && filling.failed.ok()) {
    std::string text = bench::oru_message(filling.next++, filling.results);
    const auto read = adapters::hl7::read_message(std::move(text), filling.device, "127.0.0.1",
                                                  core::system_clock());
    auto taken = co_await filling.held.intake().take(read.incoming);
    if (!taken.ok()) {
      filling.failed = std::move(taken).error();
    } else if (taken->outcome != sync::Taken::Outcome::stored) {
      filling.failed = core::Error(core::Code::internal, taken->reason);
    }
  }
}

core::Status fill(const std::string& folder, std::int64_t messages, std::int64_t results) {
  std::string secret;
  GW_TRY(auto keyring, bench::make_keys(folder, secret));
  sync::HoldingsOptions options;
  options.state_folder = folder;
  options.ingest = {"urn:oid:2.25.1", {}, {"his"}};
  GW_TRY(auto held, sync::Holdings::open(core::system_files(), std::move(keyring),
                                         core::system_clock(), options));
  Filling filling{*held, {}, 0, messages, results, {}};
  filling.device.name = "lab";
  filling.device.time_zone = "UTC";
  filling.device.patient_id_issuer = "urn:oid:2.25.1";
  boost::asio::io_context loop(1);
  for (int i = 0; i < kAtOnce; ++i)
    boost::asio::co_spawn(loop, take_messages(filling), boost::asio::detached);
  loop.run();
  GW_CHECK(std::move(filling.failed));
  std::printf("%s\n", core::to_hex(secret).c_str());
  return {};
}

}  // namespace
}  // namespace gateway

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_fill_messages STATE_FOLDER MESSAGES RESULTS\n");
    return 2;
  }
  const auto filled = gateway::fill(argv[1], std::atoll(argv[2]), std::atoll(argv[3]));
  if (filled.ok()) return 0;
  std::fprintf(stderr, "%s\n", filled.error().message().c_str());
  return 1;
}
