// What a peer sends on a DICOM connection (PS3.8 9.3), from its first byte to the sealed object and
// the rows that name it: served as the gateway serves it, by a socket pair in place of TCP.
// Whatever was stored must be a whole file that says of itself what the rows say.
#include <dcmtk/config/osconfig.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "adapters/dicom/association.h"
#include "adapters/dicom/session.h"
#include "core/files.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/holdings.h"
#include "sync/part10.h"
#include "tests/fuzz/pdus.h"

namespace gateway::fuzz {
namespace {

using namespace adapters::dicom;

[[noreturn]] void fail(std::string_view what) {
  std::cerr << what << "\n";
  std::abort();
}

template <class Value>
Value must(core::Result<Value> result) {
  if (!result.ok()) fail(result.error().message());
  return std::move(result).value();
}

// Standing still it makes the keyring choose the least passphrase cost.
class StillClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return {}; }
  core::Wall wall() const override {
    return std::chrono::sys_days(std::chrono::year(2026) / 3 / 1);
  }
};

/// A gateway that is unlocked, in a folder of its own.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gateway-fuzz-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) fail("no scratch folder");
    folder_ = pattern;
    auto& files = core::system_files();
    const crypto::Passphrase passphrase{
        crypto::Secret::copy_of(std::string_view("a test's passphrase"))};
    sync::HoldingsOptions options;
    options.state_folder = folder_;
    options.ingest = {"urn:oid:2.25.1", {"pacs"}, {"his"}};
    door.open(must(sync::Holdings::open(
        files, must(crypto::Keyring::create(files, folder_ + "/keyring", passphrase, clock_)),
        core::system_clock(), options)));
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// Looks at what came since the last call.
  void check() {
    const auto load = [&](crypto::Connection& connection) -> core::Status {
      GW_TRY(auto rows, connection.query("SELECT row, object_id, size, data_set_offset,"
                                         " sop_instance_uid, sop_class_uid, transfer_syntax_uid"
                                         " FROM dicom_instance WHERE row > ? ORDER BY row",
                                         checked_));
      while (true) {
        GW_TRY(const bool more, rows.next());
        if (!more) return {};
        checked_ = rows.integer(0);
        check_object(
            std::string(rows.text(1)), static_cast<std::uint64_t>(rows.integer(2)),
            {std::string(rows.text(5)), std::string(rows.text(4)), std::string(rows.text(6)), "",
             "", static_cast<std::uint64_t>(rows.integer(3))});
      }
    };
    if (const auto read = door.get()->database().read(load); !read.ok())
      fail(read.error().message());
  }

  sync::HoldingsDoor door;

 private:
  void check_object(const std::string& id, std::uint64_t size, const sync::Part10Head& row) {
    const auto object = must(door.get()->objects().open_object(id));
    if (object->size() != size) fail("a row names another length than its object has");
    std::vector<std::byte> bytes(size);
    if (must(object->read(0, bytes)) != size) fail("a stored object cannot be read through");
    const auto head = must(sync::read_part10_head(bytes));
    if (!head || head->sop_instance_uid != row.sop_instance_uid ||
        head->sop_class_uid != row.sop_class_uid ||
        head->transfer_syntax_uid != row.transfer_syntax_uid ||
        head->data_set_offset != row.data_set_offset)
      fail("a stored object says of itself another thing than its row");
  }

  StillClock clock_;
  std::string folder_;
  std::int64_t checked_ = 0;
};

Scratch& scratch() {
  // Never destroyed: at the end of the process OpenSSL is gone before it would be.
  static auto& kept = *new Scratch();
  return kept;
}

/// Everything was sent already, and the peer hears the answers only once all was served.
std::shared_ptr<PeerSocket> peer_that_sent(std::string_view bytes, int& other_end) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("no socket pair");
  const int room = 4 << 20;
  (void)::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  (void)::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  if (::send(ends[1], bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(bytes.size()))
    fail("the socket pair takes too little");
  ::shutdown(ends[1], SHUT_WR);
  other_end = ends[1];
  return std::make_shared<PeerSocket>(ends[0], "192.0.2.1", core::Milliseconds(500));
}

void serve(std::string_view bytes) {
  static const auto acceptor = must(Acceptor::create(131'072));
  static const DicomOptions options = [] {
    DicomOptions made;
    made.ae_title = "CLINICGW";
    made.more_ae_titles = {"*"};
    made.idle_timeout = core::Milliseconds(500);
    made.users = {{"tech", "tech", ""}};
    made.peers = {DicomPeer{"TECH*"}};
    made.peers.front().users = {"tech"};
    return made;
  }();
  static Traffic traffic;
  static QueryTrail trail(core::system_clock());
  int other_end = -1;
  const auto peer = peer_that_sent(bytes, other_end);
  if (peer->await_associate_request() == PeerSocket::Begin::associate_request) {
    Admission admission(options, scratch().door, core::system_clock());
    auto association = Association::receive(*acceptor, peer);
    if (association.ok()) {
      serve_session({options, scratch().door, core::system_clock(), traffic, admission, trail},
                    **association);
    }
  }
  peer->close();
  ::close(other_end);
  scratch().check();
}

}  // namespace
}  // namespace gateway::fuzz

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*words*/) {
  using namespace gateway;
  core::set_log_level(core::Level::error);
  const auto prepared = adapters::dicom::prepare_dcmtk();
  if (!prepared.ok()) fuzz::fail(prepared.error().message());
  static_cast<void>(fuzz::scratch());
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gateway::fuzz::serve({reinterpret_cast<const char*>(data), size});
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  return gateway::fuzz::mutate_pdus(data, size, size_max, seed);
}
