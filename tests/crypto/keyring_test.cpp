#include "crypto/keyring.h"

#include <gtest/gtest.h>

#include <string>

#include "crypto/epoch_files.h"
#include "crypto/key_slots.h"
#include "tests/crypto/keys.h"

namespace gateway::crypto {
namespace {

using fakes::FaultFiles;
using fakes::Unsynced;

constexpr auto kPath = "/keys/keyring.json";

struct Box {
  HandClock clock;
  FaultFiles files;

  core::Result<std::unique_ptr<Keyring>> create(std::string_view text = "correct horse") {
    return Keyring::create(files, "/keys", passphrase(text), clock);
  }
  core::Result<std::unique_ptr<Keyring>> open(std::string_view text = "correct horse") {
    return Keyring::open(files, "/keys", passphrase(text), clock);
  }
};

TEST(Keyring, OpensWithItsPassphraseAndGivesTheSameKeysAgain) {
  Box box;
  EXPECT_FALSE(*Keyring::exists(box.files, "/keys"));
  auto made = box.create();
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_TRUE(*Keyring::exists(box.files, "/keys"));
  auto opened = box.open();
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_EQ(text_of(*(*made)->derived_key("database")),
            text_of(*(*opened)->derived_key("database")));
  EXPECT_NE(text_of(*(*made)->derived_key("database")), text_of(*(*made)->derived_key("audit")));
  EXPECT_EQ((*opened)->protection(), "passphrase");
  ASSERT_EQ((*opened)->slots().size(), 1u);
  EXPECT_EQ((*opened)->slots()[0].kind, "passphrase");
  EXPECT_EQ((*opened)->slots()[0].created, "2026-03-15T00:00:00.000Z");
}

TEST(Keyring, StaysLockedForAnotherPassphraseAndSaysWhatToDo) {
  Box box;
  ASSERT_TRUE(box.create().ok());
  auto opened = box.open("battery staple");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), core::Code::locked);
  EXPECT_EQ(opened.error().message(),
            "the passphrase opens none of the 1 key slots of /keys/keyring.json; check the "
            "passphrase the service was given");
}

TEST(Keyring, IsMadeOnceAndNotWithoutAPassphrase) {
  Box box;
  EXPECT_EQ(box.open().error().code(), core::Code::not_found);
  EXPECT_EQ(box.create("").error().code(), core::Code::invalid);
  ASSERT_TRUE(box.create().ok());
  EXPECT_EQ(box.create().error().code(), core::Code::exists);
}

TEST(Keyring, HoldsNoKeyAndNoPassphraseInTheClear) {
  Box box;
  auto made = box.create();
  ASSERT_TRUE(made.ok());
  ASSERT_TRUE((*made)->current_epoch().ok());
  std::string epoch_key = text_of(*(*made)->epoch_key(202603));
  for (const std::string& path : box.files.paths()) {
    EXPECT_EQ(box.files.content(path).find("correct horse"), std::string::npos) << path;
    EXPECT_EQ(box.files.content(path).find(epoch_key), std::string::npos) << path;
  }
}

TEST(Keyring, TellsADamagedFileFromAWrongPassphrase) {
  Box box;
  ASSERT_TRUE(box.create().ok());
  const std::string whole = box.files.content(kPath);
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    box.files.set_content(kPath, damaged);
    auto opened = box.open();
    ASSERT_FALSE(opened.ok()) << "at byte " << i;
    ASSERT_EQ(opened.error().code(), core::Code::corrupt) << "at byte " << i;
  }
  box.files.set_content(kPath, whole.substr(0, whole.size() / 2));
  EXPECT_EQ(box.open().error().code(), core::Code::corrupt);
  box.files.set_content(kPath, "");
  EXPECT_EQ(box.open().error().code(), core::Code::corrupt);
}

TEST(KeySlots, RefuseCostsThatWouldExhaustTheBox) {
  const Secret root(kKeyBytes);
  auto slot = make_slot(root, {passphrase("x"), ""}, {2, kPassphraseMemoryBytes}, "now");
  ASSERT_TRUE(slot.ok());
  const auto read_back = [&] { return read_keyring_text(*write_keyring_text({*slot}, root)); };
  EXPECT_TRUE(read_back().ok());
  slot->cost = {2, UINT64_C(1) << 40};
  EXPECT_EQ(read_back().error().code(), core::Code::corrupt);
  slot->cost = {1000000, kPassphraseMemoryBytes};
  EXPECT_EQ(read_back().error().code(), core::Code::corrupt);
  EXPECT_EQ(read_keyring_text(*write_keyring_text({}, root)).error().code(), core::Code::corrupt);
}

TEST(KeySlots, CostIsMeasuredWithinItsLimits) {
  auto cost = measure_passphrase_cost(core::system_clock());
  ASSERT_TRUE(cost.ok());
  EXPECT_GE(cost->passes, 2u);
  EXPECT_LE(cost->passes, 64u);
  EXPECT_EQ(cost->memory_bytes, kPassphraseMemoryBytes);
}

TEST(Epochs, ChangeWithTheMonthAndOldOnesStayReadable) {
  Box box;
  auto keyring = box.create();
  ASSERT_TRUE(keyring.ok());
  EXPECT_EQ(*(*keyring)->current_epoch(), 202603u);
  const std::string march = text_of(*(*keyring)->epoch_key(202603));
  box.clock.set_wall(at_month(2026, 4));
  EXPECT_EQ(*(*keyring)->current_epoch(), 202604u);
  EXPECT_NE(text_of(*(*keyring)->epoch_key(202604)), march);

  auto again = box.open();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(text_of(*(*again)->epoch_key(202603)), march);
  EXPECT_EQ((*again)->epoch_key(202602).error().code(), core::Code::not_found);
}

TEST(Epochs, StayAtTheNewestWhenTheClockFallsBack) {
  Box box;
  auto keyring = box.create();
  ASSERT_TRUE(keyring.ok());
  ASSERT_EQ(*(*keyring)->current_epoch(), 202603u);
  box.clock.set_wall(at_month(1970, 1));
  EXPECT_EQ(*(*keyring)->current_epoch(), 202603u);
  EXPECT_EQ(*(*box.open())->current_epoch(), 202603u);
}

TEST(Epochs, AKeyThatIsThereIsNotWrittenOver) {
  fakes::FaultFiles files;
  const auto open = [&files] {
    return EpochFiles::open(files, "/keys", Secret::copy_of(std::string(kKeyBytes, 'w')));
  };
  auto first = open();
  auto second = open();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(*files.exists("/keys/epochs")) << "a medium may take no folder";
  ASSERT_TRUE(first->make(202603).ok());
  ASSERT_TRUE(second->make(202603).ok());
  EXPECT_EQ(text_of(*first->key(202603)), text_of(*second->key(202603)));
  EXPECT_EQ(second->make(1000000).error().code(), core::Code::invalid);
}

TEST(Epochs, DamageOrAnotherMonthsFileIsFound) {
  Box box;
  auto keyring = box.create();
  ASSERT_TRUE(keyring.ok());
  ASSERT_TRUE((*keyring)->current_epoch().ok());
  box.clock.set_wall(at_month(2026, 4));
  ASSERT_TRUE((*keyring)->current_epoch().ok());
  const std::string april = box.files.content("/keys/epochs/202604.key");

  auto fresh = box.open();
  ASSERT_TRUE(fresh.ok());
  std::string damaged = april;
  for (std::size_t i = 0; i < april.size(); ++i) {
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    box.files.set_content("/keys/epochs/202604.key", damaged);
    ASSERT_EQ((*fresh)->epoch_key(202604).error().code(), core::Code::corrupt) << "byte " << i;
    damaged[i] = april[i];
  }
  box.files.set_content("/keys/epochs/202603.key", april);
  EXPECT_EQ((*fresh)->epoch_key(202603).error().code(), core::Code::corrupt);
}

TEST(Epochs, ALostKeyIsMissedAndItsNumberNotGivenAgain) {
  Box box;
  auto keyring = box.create();
  ASSERT_TRUE(keyring.ok());
  ASSERT_EQ(*(*keyring)->current_epoch(), 202603u);
  const std::string march = "/keys/epochs/202603.key";
  const std::string content = box.files.content(march);
  const std::string before = text_of(*(*keyring)->epoch_key(202603));
  for (const bool gone : {false, true}) {
    if (gone) {
      ASSERT_TRUE(box.files.remove(march).ok());
    } else {
      box.files.set_content(march, "damaged");
    }
    auto later = box.open();
    ASSERT_TRUE(later.ok());
    ASSERT_TRUE((*later)->remember_epochs().ok());
    EXPECT_EQ((*later)->lost_epochs(), std::vector<std::uint32_t>{202603});
    EXPECT_EQ(*(*later)->current_epoch(), 202604u) << "intake goes on, under another key";
    EXPECT_EQ(*(*box.open())->current_epoch(), 202604u) << "and stays there";
    if (gone) {
      EXPECT_FALSE(*box.files.exists(march));
    }
  }
  ASSERT_TRUE(core::write_file_durably(box.files, march, content).ok());
  auto mended = box.open();
  ASSERT_TRUE(mended.ok());
  EXPECT_TRUE((*mended)->lost_epochs().empty());
  EXPECT_EQ(text_of(*(*mended)->epoch_key(202603)), before);
}

TEST(Epochs, ADestroyedOneIsNotMissed) {
  Box box;
  auto keyring = box.create();
  ASSERT_TRUE(keyring.ok());
  ASSERT_TRUE((*keyring)->current_epoch().ok());
  ASSERT_TRUE((*keyring)->begin_epoch().ok());
  ASSERT_TRUE((*keyring)->retire_epoch(202603).ok());
  EXPECT_TRUE((*box.open())->lost_epochs().empty());
}

TEST(Keyring, PowerCutWhileItIsMadeLeavesNoneOrAWholeOne) {
  for (std::uint64_t at = 1;; ++at) {
    Box box;
    ASSERT_TRUE(box.files.make_folder("/keys").ok());
    ASSERT_TRUE(box.files.sync_folder("/").ok());
    box.files.crash_at_operation(at);
    auto made = box.create();
    const bool has_epoch = made.ok() && (*made)->current_epoch().ok();
    const bool crashed = box.files.crashed();
    box.files.restart(at % 2 == 0 ? Unsynced::torn : Unsynced::lost);
    if (made.ok() || *Keyring::exists(box.files, "/keys")) {
      ASSERT_TRUE(read_keyring_text(box.files.content(kPath)).ok()) << "crash at " << at;
    }
    if (made.ok()) {
      auto opened = box.open();
      ASSERT_TRUE(opened.ok()) << "crash at " << at << ": " << opened.error().message();
      if (has_epoch) {
        EXPECT_EQ(text_of(*(*opened)->epoch_key(202603)), text_of(*(*made)->epoch_key(202603)));
      }
      ASSERT_TRUE((*opened)->current_epoch().ok()) << "crash at " << at;
    }
    if (!crashed) break;
  }
}

}  // namespace
}  // namespace gateway::crypto
