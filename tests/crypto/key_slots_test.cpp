// Slots of every kind: what opens them, what does not, adding, removing, and a keyring file
// somebody has meddled with.
#include "crypto/key_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include "crypto/keyring.h"
#include "crypto/octets.h"
#include "tests/crypto/keys.h"

namespace gateway::crypto {
namespace {

using fakes::FaultFiles;
using fakes::Unsynced;
using testing::HasSubstr;

constexpr auto kPath = "/keys/keyring.json";
constexpr PassphraseCost kCheap{1, 1U << 20};

// openssl genpkey -algorithm X25519, and -pubout of it: made for this test.
constexpr std::string_view kEscrowPem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VuBCIEICBAF82V29xCuB1S+ELIy5GSNpnT/5MuVwEYzqgYwrl/\n"
    "-----END PRIVATE KEY-----\n";

EscrowPublicKey public_half(const EscrowKey& key) {
  EscrowPublicKey half{std::string(kKeyBytes, '\0')};
  crypto_scalarmult_base(reinterpret_cast<unsigned char*>(half.bytes.data()),
                         raw(key.bytes.bytes()));
  return half;
}

/// A way to make a slot and the way to open it.
struct Way {
  std::string kind;
  NewSlot made_of;
  SlotOpener opener;
};

std::vector<Way> all_ways() {
  std::vector<Way> ways;
  ways.push_back({"passphrase", {passphrase("quiet otters"), ""}, passphrase("quiet otters")});
  Secret credential = Secret::random(kKeyBytes);
  ways.push_back({"credential",
                  {NewCredential{{credential.clone()}, "tpm2"}, ""},
                  CredentialSecret{credential.clone()}});
  RecoveryCode code = RecoveryCode::random();
  ways.push_back({"recovery", {RecoveryCode{code.bits.clone()}, ""}, std::move(code)});
  EscrowKey escrow{Secret::random(kKeyBytes)};
  ways.push_back({"escrow", {public_half(escrow), "central"}, std::move(escrow)});
  return ways;
}

TEST(KeySlots, OfEveryKindGiveTheRootBackToTheirOpenerAlone) {
  const Secret root = Secret::random(kKeyBytes);
  const std::vector<Way> ways = all_ways();
  const std::vector<Way> strangers = all_ways();
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const auto slot = make_slot(root, ways[i].made_of, kCheap, "now");
    ASSERT_TRUE(slot.ok()) << ways[i].kind << slot.error().message();
    EXPECT_EQ(slot->info.kind, ways[i].kind);
    const auto text = read_keyring_text(*write_keyring_text({*slot}, root));
    ASSERT_TRUE(text.ok()) << text.error().message();
    const auto opened = open_slot(text->slots[0], ways[i].opener);
    ASSERT_TRUE(opened.ok()) << ways[i].kind;
    EXPECT_EQ(text_of(*opened), text_of(root));
    if (i > 0) {  // the passphrases are the same
      EXPECT_EQ(open_slot(*slot, strangers[i].opener).error().code(), core::Code::locked);
    }
    EXPECT_EQ(open_slot(*slot, ways[(i + 1) % ways.size()].opener).error().code(),
              core::Code::locked);
  }
}

TEST(KeySlots, AnotherRootIsSealedToThemWithoutTheirSecrets) {
  const Secret root = Secret::random(kKeyBytes);
  const Secret next = Secret::random(kKeyBytes);
  for (const Way& way : all_ways()) {
    const auto slot = make_slot(root, way.made_of, kCheap, "now");
    ASSERT_TRUE(slot.ok());
    const auto resealed = reseal_slots({*slot}, next);
    ASSERT_TRUE(resealed.ok());
    EXPECT_EQ(text_of(*open_slot(resealed->front(), way.opener)), text_of(next)) << way.kind;
  }
}

TEST(KeySlots, DamageIsToldFromAWrongOpener) {
  const Secret root = Secret::random(kKeyBytes);
  for (const Way& way : all_ways()) {
    const auto slot = make_slot(root, way.made_of, kCheap, "now");
    ASSERT_TRUE(slot.ok());
    for (std::string KeySlot::*field : {&KeySlot::sealed_key, &KeySlot::wrapped_key}) {
      KeySlot damaged = *slot;
      (damaged.*field)[7] = static_cast<char>((damaged.*field)[7] ^ 1);
      EXPECT_EQ(open_slot(damaged, way.opener).error().code(), core::Code::corrupt) << way.kind;
    }
    KeySlot moved = *slot;
    moved.info.id = "another";
    EXPECT_EQ(open_slot(moved, way.opener).error().code(), core::Code::corrupt) << way.kind;
  }
}

TEST(KeySlots, EscrowKeysAreReadFromPem) {
  const auto key = read_escrow_key(kEscrowPem);
  ASSERT_TRUE(key.ok()) << key.error().message();
  EXPECT_EQ(key->bytes.size(), kKeyBytes);
  EXPECT_EQ(read_escrow_key("nonsense").error().code(), core::Code::invalid);
  EXPECT_EQ(read_escrow_public_key(kEscrowPem).error().code(), core::Code::invalid);
  const auto half = read_escrow_public_key(
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAZrCmsZgGOIuC/2S1ccn40r29OCRO+ekf1PGulERKMgg=\n"
      "-----END PUBLIC KEY-----\n");
  ASSERT_TRUE(half.ok()) << half.error().message();
  EXPECT_EQ(half->bytes, public_half(*key).bytes);
  EXPECT_EQ(fingerprint(*half).size(), 32u);
}

TEST(KeySlots, AnEscrowKeyThatWouldSealToEverybodyIsRefused) {
  const EscrowPublicKey low_order{std::string(kKeyBytes, '\0')};
  const auto slot = make_slot(Secret(kKeyBytes), {low_order, ""}, kCheap, "now");
  ASSERT_FALSE(slot.ok());
  EXPECT_EQ(slot.error().code(), core::Code::invalid);
}

struct Box {
  HandClock clock;
  FaultFiles files;
  std::unique_ptr<Keyring> keyring;

  Box() {
    auto made = Keyring::create(files, "/keys", passphrase("correct horse"), clock);
    EXPECT_TRUE(made.ok());
    keyring = std::move(*made);
  }
  core::Result<std::unique_ptr<Keyring>> open(const SlotOpener& opener) {
    return Keyring::open(files, "/keys", opener, clock);
  }
};

TEST(Keyring, OpensByEachOfItsSlotsAndSaysHowItIsProtected) {
  Box box;
  const std::vector<Way> ways = all_ways();
  for (const Way& way : ways) {
    const auto added = box.keyring->add_slot(way.made_of);
    ASSERT_TRUE(added.ok()) << way.kind << added.error().message();
    EXPECT_EQ(added->kind, way.kind);
  }
  ASSERT_EQ(box.keyring->slots().size(), ways.size() + 1);
  for (const Way& way : ways) {
    const auto opened = box.open(way.opener);
    ASSERT_TRUE(opened.ok()) << way.kind << opened.error().message();
    EXPECT_EQ((*opened)->protection(), way.kind == "credential" ? "tpm2" : way.kind);
    EXPECT_EQ((*opened)->opened_by().kind, way.kind);
    EXPECT_EQ(text_of(*(*opened)->derived_key("database")),
              text_of(*box.keyring->derived_key("database")));
  }
  EXPECT_EQ(Keyring::stored_slots(box.files, "/keys")->size(), ways.size() + 1);
}

TEST(Keyring, NeverLosesTheLastSlotThatOpensByItself) {
  Box box;
  const std::string first = box.keyring->slots()[0].id;
  EXPECT_EQ(box.keyring->remove_slot("nobody").error().code(), core::Code::not_found);
  EXPECT_EQ(box.keyring->remove_slot(first).error().code(), core::Code::invalid);
  const std::vector<Way> ways = all_ways();
  ASSERT_TRUE(box.keyring->add_slot(ways[3].made_of).ok());
  EXPECT_EQ(box.keyring->remove_slot(first).error().code(), core::Code::invalid)
      << "central alone can open an escrow slot";
  const auto recovery = box.keyring->add_slot(ways[2].made_of);
  ASSERT_TRUE(recovery.ok());
  EXPECT_EQ(box.keyring->remove_slot(first).error().code(), core::Code::invalid)
      << "nobody may have read the code";
  ASSERT_TRUE(box.keyring->prove(ways[2].opener).ok());
  EXPECT_TRUE(box.keyring->remove_slot(first).ok());
  EXPECT_EQ(box.open(passphrase("correct horse")).error().code(), core::Code::locked);
  EXPECT_TRUE(box.open(ways[2].opener).ok());
  EXPECT_EQ(box.keyring->remove_slot(recovery->id).error().code(), core::Code::invalid);
}

TEST(Keyring, RefusesASlotMoreThanItsFileHolds) {
  FaultFiles files;
  HandClock clock;
  auto keyring = Keyring::create(files, "/keys", passphrase("p"), clock);
  ASSERT_TRUE(keyring.ok());
  const auto add = [&] {
    return (*keyring)->add_slot({NewCredential{{Secret::random(kKeyBytes)}, "host"}, ""});
  };
  for (int i = 1; i < 32; ++i) ASSERT_TRUE(add().ok()) << i;
  const auto refused = add();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), core::Code::invalid);
  EXPECT_NE(refused.error().message().find("remove one"), std::string::npos);
  EXPECT_EQ((*keyring)->slots().size(), 32u);
  EXPECT_TRUE(Keyring::open(files, "/keys", passphrase("p"), clock).ok());
}

TEST(Keyring, CountsAMachinesSlotOnlyWhereItDidOpen) {
  Box box;
  const std::vector<Way> ways = all_ways();
  ASSERT_TRUE(box.keyring->add_slot(ways[1].made_of).ok());
  // A later run that a person unlocked: nobody knows whether the TPM still gives its part.
  auto later = box.open(passphrase("correct horse"));
  ASSERT_TRUE(later.ok());
  const std::string first = (*later)->opened_by().id;
  EXPECT_EQ((*later)->remove_slot(first).error().code(), core::Code::invalid);
  const auto proven = (*later)->prove(ways[1].opener);
  ASSERT_TRUE(proven.ok()) << proven.error().message();
  EXPECT_EQ(proven->kind, "credential");
  EXPECT_TRUE((*later)->remove_slot(first).ok());
}

TEST(Keyring, ASlotSlippedInFromOutsideIsFound) {
  Box box;
  auto slots = Keyring::stored_slots(box.files, "/keys");
  ASSERT_TRUE(slots.ok());
  const EscrowKey thief{Secret::random(kKeyBytes)};
  slots->push_back(*make_slot(Secret::random(kKeyBytes), {public_half(thief), ""}, kCheap, "now"));
  // Whoever does this has no root key: the MAC is under another one.
  box.files.set_content(kPath, *write_keyring_text(*slots, Secret::random(kKeyBytes)));
  const auto opened = box.open(passphrase("correct horse"));
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), core::Code::corrupt);
  EXPECT_THAT(opened.error().message(), HasSubstr("does not have the root key"));
}

TEST(Keyring, PowerCutWhileASlotIsAddedOrRemovedLeavesTheOldSlotsOrTheNew) {
  const std::vector<Way> ways = all_ways();
  for (std::uint64_t at = 1;; ++at) {
    Box box;
    box.files.crash_at_operation(at);
    const auto added = box.keyring->add_slot(ways[2].made_of);
    const bool removed = added.ok() && box.keyring->prove(ways[2].opener).ok() &&
                         box.keyring->remove_slot(box.keyring->opened_by().id).ok();
    const bool crashed = box.files.crashed();
    box.files.restart(at % 2 == 0 ? Unsynced::torn : Unsynced::lost);
    if (added.ok()) {
      EXPECT_TRUE(box.open(ways[2].opener).ok()) << "crash at " << at;
    }
    if (removed) {
      EXPECT_FALSE(box.open(passphrase("correct horse")).ok()) << "crash at " << at;
    }
    EXPECT_TRUE(box.open(passphrase("correct horse")).ok() || box.open(ways[2].opener).ok())
        << "crash at " << at;
    if (!crashed) break;
  }
}

}  // namespace
}  // namespace gateway::crypto
