// Opens a stopped gateway's state folder and says what it holds, one line for each instance, each
// message as it came and each version of an Observation, oldest first:
//   instance SOP-INSTANCE-UID COPY SHA-256-OF-THE-DATA-SET
//   message DEVICE CONTROL-ID SHA-256-OF-ITS-BYTES
//   version ID BODY
// and at the end "audit ROWS intact" or "audit broken at N". Every object is read to its last byte;
// one that does not open says "instance SOP-INSTANCE-UID COPY corrupt: WHY".
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"
#include "sync/holdings.h"

namespace gateway {
namespace {

struct Row {
  std::string sop, object;
  std::int64_t copy = 0;
  std::uint64_t offset = 0;
};

core::Result<std::string> digest_of(sync::Holdings& held, const Row& row) {
  GW_TRY(auto reader, held.objects().open_object(row.object));
  crypto::Sha256 digest;
  std::vector<std::byte> piece(256U << 10);
  for (std::uint64_t at = row.offset; at < reader->size();) {
    GW_TRY(const std::size_t got, reader->read(at, piece));
    digest.update(std::span(piece).first(got));
    at += got;
  }
  return core::to_hex(crypto::as_text(digest.finish()));
}

core::Status say_messages(crypto::Connection& connection) {
  GW_TRY(auto found, connection.query("SELECT m.device, m.control_id, r.bytes FROM message m JOIN "
                                      "message_raw r USING (number) ORDER BY number"));
  while (true) {
    GW_TRY(const bool more, found.next());
    if (!more) return {};
    const crypto::Digest digest = crypto::sha256(found.blob(2));
    std::printf("message %s %s %s\n", std::string(found.text(0)).c_str(),
                std::string(found.text(1)).c_str(), core::to_hex(crypto::as_text(digest)).c_str());
  }
}

core::Status say_versions(crypto::Connection& connection) {
  GW_TRY(auto found, connection.query("SELECT id, body FROM resource_version WHERE type = "
                                      "'Observation' ORDER BY id, version"));
  while (true) {
    GW_TRY(const bool more, found.next());
    if (!more) return {};
    std::printf("version %s %s\n", std::string(found.text(0)).c_str(),
                std::string(found.text(1)).c_str());
  }
}

core::Result<std::vector<Row>> instances(crypto::Connection& connection) {
  std::vector<Row> rows;
  GW_TRY(auto found, connection.query("SELECT sop_instance_uid, object_id, copy, data_set_offset "
                                      "FROM dicom_instance ORDER BY row"));
  while (true) {
    GW_TRY(const bool more, found.next());
    if (!more) return rows;
    rows.push_back({std::string(found.text(0)), std::string(found.text(1)), found.integer(2),
                    static_cast<std::uint64_t>(found.integer(3))});
  }
}

core::Status say_all(const std::string& folder, const std::string& passphrase_file) {
  auto& files = core::system_files();
  GW_TRY(std::string text, core::read_whole_file(files, passphrase_file, 4096));
  const crypto::Passphrase passphrase{crypto::Secret::copy_of(core::trim(text))};
  GW_TRY(auto keyring, crypto::Keyring::open(files, folder, passphrase, core::system_clock()));
  sync::HoldingsOptions options;
  options.state_folder = folder;
  GW_TRY(auto held, sync::Holdings::open(files, std::move(keyring), core::system_clock(), options));
  std::vector<Row> rows;
  crypto::AuditReport audit;
  auto read = held->database().read([&](crypto::Connection& connection) -> core::Status {
    GW_TRY(audit, held->audit().verify(connection));
    GW_TRY(rows, instances(connection));
    GW_CHECK(say_messages(connection));
    return say_versions(connection);
  });
  GW_CHECK(read);
  for (const Row& row : rows) {
    const auto digest = digest_of(*held, row);
    std::printf(
        "instance %s %lld %s\n", row.sop.c_str(), static_cast<long long>(row.copy),
        digest.ok() ? digest->c_str() : core::cat("corrupt: ", digest.error().message()).c_str());
  }
  std::printf("%s\n", audit.broken_at ? core::cat("audit broken at ", *audit.broken_at).c_str()
                                      : core::cat("audit ", audit.rows, " intact").c_str());
  return {};
}

}  // namespace
}  // namespace gateway

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_open_holdings STATE_FOLDER PASSPHRASE_FILE\n");
    return 2;
  }
  gateway::core::set_log_level(gateway::core::Level::warn);
  const auto said = gateway::say_all(argv[1], argv[2]);
  if (said.ok()) return 0;
  std::fprintf(stderr, "%s\n", said.error().message().c_str());
  return 1;
}
