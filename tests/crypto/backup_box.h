// A box with objects, a database and keys that open without a passphrase, and its backups.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "core/text.h"
#include "crypto/backup_folder.h"
#include "crypto/backup_restore.h"
#include "crypto/database_key.h"
#include "crypto/key_slots.h"
#include "crypto/octets.h"
#include "tests/crypto/backup_feed.h"
#include "tests/crypto/fixed_keys.h"
#include "tests/crypto/keys.h"
#include "tests/crypto/scratch_folder.h"

namespace gateway::crypto {

inline constexpr std::array<Migration, 1> kSchema = {
    Migration{"core", 1, "held", "CREATE TABLE held (id TEXT PRIMARY KEY, content TEXT);"}};

/// What stands in a keyring file; the keys of these tests come from elsewhere.
inline std::string some_keyring() {
  static const Secret root = Secret::random(kKeyBytes);
  static const auto slot = make_slot(root, {RecoveryCode::random(), ""}, {}, "");
  return write_keyring_text({*slot}, root).value();
}

class Box {
 public:
  explicit Box(std::string folder, core::Files& files = core::system_files())
      : folder_(std::move(folder)), files_(files) {}

  void start() {
    ASSERT_TRUE(core::system_files().make_folder(folder_).ok());
    auto keys = FixedKeys::open(core::system_files(), folder_, clock_);
    ASSERT_TRUE(keys.ok()) << keys.error().message();
    keys_ = std::move(*keys);
    auto database = open_database(core::system_files(), *keys_, folder_, kSchema);
    ASSERT_TRUE(database.ok()) << database.error().message();
    database_ = std::move(*database);
    auto objects = ObjectStore::open(files_, folder_ + "/objects", *keys_, 0);
    ASSERT_TRUE(objects.ok()) << objects.error().message();
    objects_ = std::move(*objects);
    if (!std::filesystem::exists(folder_ + "/keyring.json")) {
      ASSERT_TRUE(
          core::write_file_durably(core::system_files(), folder_ + "/keyring.json", some_keyring())
              .ok());
    }
  }

  std::string store(const std::string& content) {
    auto writer = objects_->create();
    EXPECT_TRUE((*writer)->append(as_octets(content)).ok());
    auto object = (*writer)->finish();
    EXPECT_TRUE(object.ok());
    EXPECT_TRUE(database_
                    ->write([&](Connection& connection) {
                      return connection.run("INSERT INTO held VALUES (?, ?)", object->id, content);
                    })
                    .ok());
    EXPECT_TRUE(objects_->settle(object->id).ok());
    return object->id;
  }

  void remove(const std::string& id) {
    EXPECT_TRUE(objects_->shred(id).ok());
    EXPECT_TRUE(database_
                    ->write([&](Connection& connection) {
                      return connection.run("DELETE FROM held WHERE id = ?", id);
                    })
                    .ok());
  }

  core::Result<std::unique_ptr<BackupSource>> source() {
    return BackupSource::begin(
        {files_, folder_, 0, *keys_, *database_, *objects_,
         [](Connection& connection,
            const std::function<core::Status(std::string_view)>& visit) -> core::Status {
           GW_TRY(Rows rows, connection.query("SELECT id FROM held"));
           while (true) {
             GW_TRY(const bool row, rows.next());
             if (!row) return {};
             GW_CHECK(visit(rows.text(0)));
           }
         },
         "2026-03-15T12:00:00.000Z"});
  }

  std::unique_ptr<BackupSource> begin() {
    auto begun = source();
    EXPECT_TRUE(begun.ok()) << begun.error().message();
    return begun.ok() ? std::move(*begun) : nullptr;
  }

  /// Everything the database names, opened and compared.
  std::map<std::string, std::string> held() {
    std::map<std::string, std::string> found;
    auto read = database_->read([&](Connection& connection) -> core::Status {
      GW_TRY(Rows rows, connection.query("SELECT id, content FROM held"));
      while (true) {
        GW_TRY(const bool row, rows.next());
        if (!row) return {};
        found.emplace(rows.text(0), rows.text(1));
      }
    });
    EXPECT_TRUE(read.ok());
    for (const auto& [id, content] : found) {
      auto reader = objects_->open_object(id);
      EXPECT_TRUE(reader.ok()) << reader.error().message();
      if (!reader.ok()) continue;
      std::string bytes(content.size() + 1, '\0');
      auto got = (*reader)->read(0, {reinterpret_cast<std::byte*>(bytes.data()), bytes.size()});
      EXPECT_TRUE(got.ok());
      bytes.resize(got.ok() ? *got : 0);
      EXPECT_EQ(bytes, content);
    }
    return found;
  }

  void stop() {
    objects_.reset();
    database_.reset();
    keys_.reset();
  }
  Keyring& keys() { return *keys_; }
  ObjectStore& objects() { return *objects_; }
  Database& database() { return *database_; }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  core::Files& files_;
  HandClock clock_;
  std::unique_ptr<Keyring> keys_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<ObjectStore> objects_;
};

inline core::Result<BackupOutcome> back_up(Box& box, core::Files& files,
                                           const std::string& folder) {
  auto source = box.begin();
  if (!source) return core::Error(core::Code::internal, "no source");
  const BackupFeed feed = feed_of(*source);
  return BackupFolder(files, folder).run(feed);
}

inline KeyringOpener fixed_opener() {
  return [](const std::string& folder) {
    static HandClock clock;
    return FixedKeys::open(core::system_files(), folder, clock);
  };
}

inline core::Result<RestoreReport> restore(core::Files& files, const std::string& from,
                                           const std::string& to) {
  const auto rebuild_index = [&] {
    return core::write_file_durably(files, to + "/rebuild-index", "");
  };
  return restore_gateway(files, from, to, fixed_opener(), "2026-04-01T00:00:00.000Z",
                         {rebuild_index, [] { return core::Status(); }});
}

class BackupTest : public testing::Test {
 protected:
  void SetUp() override {
    box_.start();
    box_.store("small");
    box_.store(std::string(300'000, 'p'));
    box_.store("");
  }
  ScratchFolder scratch_;
  Box box_{scratch_ / "box"};
  std::string medium_ = scratch_ / "medium";
};

}  // namespace gateway::crypto
