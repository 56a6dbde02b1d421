// The power goes at every single operation of a scripted life of the object store; then the store
// starts again as the daemon does: what was acknowledged is there, nothing else is.
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <set>

#include "crypto/object_format.h"
#include "crypto/objects.h"
#include "crypto/octets.h"
#include "tests/crypto/keys.h"
#include "tests/fakes/fault_files.h"

namespace gateway::crypto {
namespace {

using fakes::FaultFiles;
using fakes::Unsynced;

/// What the database would know: survives every crash.
struct Ledger {
  std::map<std::string, std::string> committed;  // id -> content
  std::set<std::string> doomed;                  // to be shredded: marked first, forgotten last
};

core::Status store_one(ObjectStore& store, Ledger& ledger, const std::string& content) {
  GW_TRY(auto writer, store.create());
  GW_CHECK(writer->append(as_octets(content)));
  GW_TRY(SealedObject object, writer->finish());
  ledger.committed.emplace(object.id, content);
  return store.settle(object.id);
}

core::Status shred_doomed(ObjectStore& store, Ledger& ledger) {
  while (!ledger.doomed.empty()) {
    auto gone = store.shred(*ledger.doomed.begin());
    if (!gone.ok() && gone.error().code() != core::Code::not_found) return gone;
    ledger.doomed.erase(ledger.doomed.begin());
  }
  return {};
}

core::Status live(FaultFiles& files, Ledger& ledger) {
  GW_TRY(auto store, ObjectStore::open(files, "/state/objects", shared_keyring(), 0));
  GW_CHECK(store->sweep([](const std::string&) { return core::Result<bool>(false); }));
  for (std::size_t size : {std::size_t{100}, kChunkBytes, 2 * kChunkBytes + 9}) {
    GW_CHECK(store_one(*store, ledger, std::string(size, 'p')));
  }
  {
    GW_TRY(auto abandoned, store->create());
    GW_CHECK(abandoned->append(as_octets(std::string(kChunkBytes + 1, 'a'))));
  }
  const std::string victim = ledger.committed.begin()->first;
  ledger.committed.erase(victim);
  ledger.doomed.insert(victim);
  GW_CHECK(shred_doomed(*store, ledger));
  // More than one pool of names holds, so that a refill's fsync meets unsynced renames.
  for (int i = 0; i < 20; ++i) GW_CHECK(store_one(*store, ledger, "small"));
  return {};
}

void expect_exactly_what_was_acknowledged(FaultFiles& files, Ledger& ledger) {
  auto store = ObjectStore::open(files, "/state/objects", shared_keyring(), 0);
  ASSERT_TRUE(store.ok()) << store.error().message();
  auto report = (*store)->sweep([&](const std::string& id) {
    return core::Result<bool>(ledger.committed.contains(id) || ledger.doomed.contains(id));
  });
  ASSERT_TRUE(report.ok()) << report.error().message();
  ASSERT_TRUE(shred_doomed(**store, ledger).ok());
  for (const auto& [id, content] : ledger.committed) {
    auto reader = (*store)->open_object(id);
    ASSERT_TRUE(reader.ok()) << reader.error().message();
    std::string read(content.size() + 1, '\0');
    auto got = (*reader)->read(0, {reinterpret_cast<std::byte*>(read.data()), read.size()});
    ASSERT_TRUE(got.ok()) << got.error().message();
    read.resize(*got);
    ASSERT_EQ(read, content);
  }
  ASSERT_EQ(files.paths().size(), ledger.committed.size());
}

TEST(ObjectsCrash, AtEveryOperation) {
  std::uint64_t points = 0;
  for (Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::torn}) {
    for (std::uint64_t at = 1;; ++at) {
      FaultFiles files;
      Ledger ledger;
      ASSERT_TRUE(files.make_folder("/state").ok());
      ASSERT_TRUE(files.sync_folder("/").ok());
      files.crash_at_operation(at);
      auto lived = live(files, ledger);
      const bool crashed = files.crashed();
      ASSERT_EQ(lived.ok() || crashed, true) << lived.error().message();
      files.restart(unsynced);
      SCOPED_TRACE(testing::Message() << "crash at operation " << at << ", unsynced bytes "
                                      << static_cast<int>(unsynced));
      expect_exactly_what_was_acknowledged(files, ledger);
      if (HasFatalFailure()) return;
      if (!crashed) break;
      ++points;
    }
  }
  std::cout << "crashed at " << points << " points\n";
}

}  // namespace
}  // namespace gateway::crypto
