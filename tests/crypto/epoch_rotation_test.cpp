// Epochs retire under every kill: each object opens before, during and after; the old keys are gone
// at the end.
#include "crypto/epoch_rotation.h"

#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <thread>

#include "crypto/object_format.h"
#include "crypto/octets.h"
#include "tests/crypto/fixed_keys.h"
#include "tests/crypto/keys.h"
#include "tests/fakes/bad_sectors.h"
#include "tests/fakes/fault_files.h"

namespace gateway::crypto {
namespace {

using fakes::FaultFiles;
using fakes::Unsynced;

constexpr core::Milliseconds kPatience{2000};

core::Status store_one(ObjectStore& store, std::map<std::string, std::string>& held,
                       const std::string& content) {
  GW_TRY(auto writer, store.create());
  GW_CHECK(writer->append(as_octets(content)));
  GW_TRY(SealedObject object, writer->finish());
  held.emplace(object.id, content);
  return store.settle(object.id);
}

void expect_all(ObjectStore& store, const std::map<std::string, std::string>& held) {
  for (const auto& [id, content] : held) {
    auto reader = store.open_object(id);
    ASSERT_TRUE(reader.ok()) << reader.error().message();
    std::string read(content.size() + 1, '\0');
    auto got = (*reader)->read(0, {reinterpret_cast<std::byte*>(read.data()), read.size()});
    ASSERT_TRUE(got.ok()) << got.error().message();
    read.resize(*got);
    ASSERT_EQ(read, content);
  }
}

struct Life {
  FaultFiles files;
  HandClock clock;
  std::map<std::string, std::string> held;
  std::unique_ptr<Keyring> keys;
  std::unique_ptr<ObjectStore> store;

  void start() {
    auto fixed = FixedKeys::open(files, "/state", clock);
    ASSERT_TRUE(fixed.ok()) << fixed.error().message();
    keys = std::move(*fixed);
    auto opened = ObjectStore::open(files, "/state/objects", *keys, 0);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    store = std::move(*opened);
  }
  void fill() {
    for (unsigned month : {3U, 4U}) {
      clock.set_wall(at_month(2026, month));
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(store_one(*store, held, "object").ok());
    }
    ASSERT_TRUE(store_one(*store, held, std::string(kChunkBytes + 5, 'x')).ok());
    for (const char* folder : {"/state", "/state/objects/incoming"}) {
      ASSERT_TRUE(files.sync_folder(folder).ok());
    }
  }
};

TEST(EpochRotation, MovesEveryObjectAndDestroysTheOldKeys) {
  Life life;
  ASSERT_TRUE(life.files.make_folder("/state").ok());
  life.start();
  life.fill();
  auto rotation = rotate_epochs(life.files, "/state", *life.keys, *life.store, kPatience);
  ASSERT_TRUE(rotation.ok()) << rotation.error().message();
  EXPECT_EQ(rotation->current, 202605u);
  EXPECT_EQ(rotation->retired, (std::vector<std::uint32_t>{202603, 202604}));
  EXPECT_EQ(rotation->objects.rewrapped, life.held.size());
  expect_all(*life.store, life.held);
  ASSERT_TRUE(store_one(*life.store, life.held, "later").ok());
  EXPECT_EQ(life.keys->epochs().value(), std::vector<std::uint32_t>{202605});
  EXPECT_EQ(life.keys->epoch_key(202603).error().code(), core::Code::not_found);
  EXPECT_FALSE(*epoch_rotation_unfinished(life.files, "/state"));
  life.store.reset();
  life.start();
  expect_all(*life.store, life.held);
}

TEST(EpochRotation, ADeadSectorKeepsItsEpochAndNoOtherObjectInIt) {
  Life life;
  ASSERT_TRUE(life.files.make_folder("/state").ok());
  life.start();
  life.fill();
  life.store.reset();
  fakes::BadSectors drive(life.files);
  const std::string dead = life.held.begin()->first;
  const std::string hard_to_read = life.held.rbegin()->first;
  drive.spoil(dead, 0);
  drive.spoil(hard_to_read, 0, 1);
  auto store = ObjectStore::open(drive, "/state/objects", *life.keys, 0);
  ASSERT_TRUE(store.ok());
  auto rotation = rotate_epochs(life.files, "/state", *life.keys, **store, kPatience);
  ASSERT_FALSE(rotation.ok());
  EXPECT_EQ(rotation.error().code(), core::Code::io);
  EXPECT_NE(rotation.error().message().find(dead), std::string::npos);
  for (const auto& [id, content] : life.held) {
    const std::string bytes = life.files.content("/state/objects/" + id.substr(34) + "/" + id);
    const auto header = read_header(as_octets(bytes).first<kObjectHeaderBytes>());
    EXPECT_EQ(header->epoch == 202605u, id != dead) << header->epoch;
  }
  EXPECT_TRUE(life.keys->epoch_key(202603).ok()) << "it may be read another time";
  drive.mend();
  rotation = finish_epoch_rotation(life.files, "/state", *life.keys, **store, kPatience);
  ASSERT_TRUE(rotation.ok()) << rotation.error().message();
  EXPECT_EQ(rotation->objects.rewrapped, 1u);
  expect_all(**store, life.held);
}

TEST(EpochRotation, WaitsForWhoStillSealsUnderAnOldEpoch) {
  Life life;
  ASSERT_TRUE(life.files.make_folder("/state").ok());
  life.start();
  life.fill();
  auto writer = life.store->create();
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->append(as_octets(std::string_view("slow sender"))).ok());
  auto early = rotate_epochs(life.files, "/state", *life.keys, *life.store, core::Milliseconds(1));
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code(), core::Code::busy);
  EXPECT_TRUE(*epoch_rotation_unfinished(life.files, "/state"));
  std::thread rotating([&] {
    auto rotation = finish_epoch_rotation(life.files, "/state", *life.keys, *life.store, kPatience);
    EXPECT_TRUE(rotation.ok()) << rotation.error().message();
  });
  auto object = (*writer)->finish();
  ASSERT_TRUE(object.ok());
  life.held.emplace(object->id, "slow sender");
  writer->reset();
  rotating.join();
  expect_all(*life.store, life.held);
  EXPECT_EQ(life.keys->epochs().value(), std::vector<std::uint32_t>{202605});
}

TEST(EpochRotation, ObjectsLostBeforeDoNotStopIt) {
  Life life;
  ASSERT_TRUE(life.files.make_folder("/state").ok());
  life.start();
  life.fill();
  // A bit of its version, of its epoch's number, of its wrapped key.
  for (const std::size_t at : {8U, 17U, 50U}) {
    const std::string victim = life.held.begin()->first;
    const std::string path = "/state/objects/" + victim.substr(34) + "/" + victim;
    std::string bytes = life.files.content(path);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    life.files.set_content(path, bytes);
    life.held.erase(victim);
  }
  auto rotation = rotate_epochs(life.files, "/state", *life.keys, *life.store, kPatience);
  ASSERT_TRUE(rotation.ok()) << rotation.error().message();
  EXPECT_EQ(rotation->objects.unreadable, 3u);
  expect_all(*life.store, life.held);
}

TEST(EpochRotation, AnEpochKeyThatCannotBeReadStopsItBeforeAnyGoes) {
  Life life;
  ASSERT_TRUE(life.files.make_folder("/state").ok());
  life.start();
  life.fill();
  life.store.reset();
  life.files.set_content("/state/epochs/202603.key", "damaged");
  life.start();
  auto rotation = rotate_epochs(life.files, "/state", *life.keys, *life.store, kPatience);
  ASSERT_FALSE(rotation.ok());
  EXPECT_EQ(life.keys->epochs().value().size(), 3u);
}

TEST(EpochRotationCrash, AtEveryOperationEveryObjectStaysAndTheRestFollows) {
  std::uint64_t points = 0;
  for (Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::torn}) {
    for (std::uint64_t at = 1;; ++at) {
      Life life;
      ASSERT_TRUE(life.files.make_folder("/state").ok());
      ASSERT_TRUE(life.files.sync_folder("/").ok());
      life.start();
      life.fill();
      life.files.crash_at_operation(at);
      auto rotated = rotate_epochs(life.files, "/state", *life.keys, *life.store, kPatience);
      const bool crashed = life.files.crashed();
      ASSERT_TRUE(rotated.ok() || crashed) << rotated.error().message();
      life.store.reset();
      life.files.restart(unsynced);
      SCOPED_TRACE(testing::Message() << "crash at operation " << at << ", unsynced bytes "
                                      << static_cast<int>(unsynced));
      life.start();
      if (HasFatalFailure()) return;
      expect_all(*life.store, life.held);
      if (HasFatalFailure()) return;
      if (*epoch_rotation_unfinished(life.files, "/state")) {
        auto finished =
            finish_epoch_rotation(life.files, "/state", *life.keys, *life.store, kPatience);
        ASSERT_TRUE(finished.ok()) << finished.error().message();
        expect_all(*life.store, life.held);
        ASSERT_EQ(life.keys->epochs().value().size(), 1u);
      }
      if (!crashed) break;
      ++points;
    }
  }
  std::cout << "crashed at " << points << " points\n";
}

}  // namespace
}  // namespace gateway::crypto
