#include <gtest/gtest.h>

#include <string>

#include "core/text.h"
#include "crypto/aes_gcm.h"
#include "crypto/digest.h"
#include "crypto/octets.h"
#include "crypto/secret.h"
#include "tests/crypto/keys.h"

namespace gateway::crypto {
namespace {

Secret counting_key() {
  Secret key(kKeyBytes);
  for (std::size_t i = 0; i < kKeyBytes; ++i) key.bytes()[i] = static_cast<std::byte>(i);
  return key;
}

TEST(Secret, IsZeroWhenNewAndMovesWithoutCopying) {
  Secret secret(16);
  EXPECT_EQ(text_of(secret), std::string(16, '\0'));
  secret = Secret::copy_of(std::string_view("swordfish"));
  const std::byte* place = secret.bytes().data();
  Secret moved = std::move(secret);
  EXPECT_EQ(moved.bytes().data(), place);
  EXPECT_EQ(text_of(moved), "swordfish");
  Secret clone = moved.clone();
  EXPECT_NE(clone.bytes().data(), place);
  EXPECT_EQ(text_of(clone), "swordfish");
}

TEST(Secret, RandomOnesDiffer) {
  EXPECT_NE(text_of(Secret::random(kKeyBytes)), text_of(Secret::random(kKeyBytes)));
  EXPECT_TRUE(Secret::random(0).empty());
}

// Keys of boxes in the field hang on these bytes: computed with Python's hmac module, never to
// change.
TEST(DeriveKey, GivesTheKeysItAlwaysGave) {
  auto key = derive_key(counting_key(), "database");
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(core::to_hex(text_of(*key)),
            "c90a20eeb68e7c329353bd1ba5a53205d0e633cec5b5b2f065114e682047d73c");
}

TEST(DeriveKey, SeparatesLabelsAndRoots) {
  EXPECT_NE(text_of(*derive_key(counting_key(), "database")),
            text_of(*derive_key(counting_key(), "audit")));
  EXPECT_NE(text_of(*derive_key(counting_key(), "database")),
            text_of(*derive_key(Secret(kKeyBytes), "database")));
  EXPECT_FALSE(derive_key(Secret(16), "database").ok());
}

TEST(Sha256, MatchesTheStandardsExampleAndStartsAfresh) {
  Sha256 digest;
  for (int round = 0; round < 2; ++round) {
    digest.update(as_octets("a"));
    digest.update(as_octets("bc"));
    EXPECT_EQ(core::to_hex(as_text(digest.finish())),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }
  EXPECT_EQ(core::to_hex(as_text(sha256({}))),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// Case 14 of the GCM specification's own vectors.
TEST(AesGcm, MatchesTheSpecificationsVector) {
  const std::array<std::byte, kKeyBytes> key{};
  auto cipher = AesGcm::create(key, AesGcm::Direction::seal);
  ASSERT_TRUE(cipher.ok());
  std::array<std::byte, 32> buffer{};
  ASSERT_TRUE(cipher->seal(Nonce{}, {}, std::span(buffer).first(16), buffer).ok());
  EXPECT_EQ(core::to_hex(as_text(buffer)),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

TEST(AesGcm, OpensOnlyWhatWasSealedWithTheSameNonceAndAssociatedBytes) {
  const Secret key = Secret::random(kKeyBytes);
  auto sealer = AesGcm::create(key.bytes(), AesGcm::Direction::seal);
  auto opener = AesGcm::create(key.bytes(), AesGcm::Direction::open);
  ASSERT_TRUE(sealer.ok() && opener.ok());
  std::string sealed(5 + kTagBytes, '\0');
  std::span out(reinterpret_cast<std::byte*>(sealed.data()), sealed.size());
  ASSERT_TRUE(sealer->seal(Nonce{}, as_octets("for me"), as_octets("hello"), out).ok());

  std::array<std::byte, 5> plain;
  EXPECT_TRUE(opener->open(Nonce{}, as_octets("for me"), out, plain).ok());
  EXPECT_EQ(as_text(plain), "hello");
  EXPECT_EQ(opener->open(Nonce{}, as_octets("for you"), out, plain).error().code(),
            core::Code::corrupt);
  EXPECT_EQ(as_text(plain), std::string(5, '\0'));
  Nonce other{};
  other[11] = std::byte{1};
  EXPECT_FALSE(opener->open(other, as_octets("for me"), out, plain).ok());
  EXPECT_FALSE(opener->open(Nonce{}, as_octets("for me"), out.first(3), plain).ok());
}

TEST(WrapKey, UnwrapsOnlyWithTheSameKeyAndContext) {
  const Secret wrapping = Secret::random(kKeyBytes);
  const Secret key = Secret::random(kKeyBytes);
  auto wrapped = wrap_key(wrapping, key, as_octets("slot 1"));
  ASSERT_TRUE(wrapped.ok());
  EXPECT_EQ(text_of(*unwrap_key(wrapping, *wrapped, as_octets("slot 1"))), text_of(key));
  EXPECT_FALSE(unwrap_key(wrapping, *wrapped, as_octets("slot 2")).ok());
  EXPECT_FALSE(unwrap_key(key, *wrapped, as_octets("slot 1")).ok());
  EXPECT_FALSE(unwrap_key(wrapping, std::span(*wrapped).first(20), as_octets("slot 1")).ok());
  EXPECT_NE(core::to_hex(as_text(*wrapped)),
            core::to_hex(as_text(*wrap_key(wrapping, key, as_octets("slot 1")))));
}

}  // namespace
}  // namespace gateway::crypto
