// The client's half of Tang, against an advertisement of Debian's tangd and that server's exchange
// key, both made for this test.
#include "crypto/tang.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <memory>

#include "core/json.h"
#include "crypto/base64url.h"
#include "crypto/key_slots.h"
#include "crypto/octets.h"
#include "tests/crypto/keys.h"

namespace gateway::crypto {
namespace {

using core::Json;

constexpr std::string_view kAdvertisement =
    R"({"payload": "eyJrZXlzIjogW3siYWxnIjogIkVTNTEyIiwgImNydiI6ICJQLTUyMSIsICJrZXlfb3BzIjo)"
    R"(gWyJ2ZXJpZnkiXSwgImt0eSI6ICJFQyIsICJ4IjogIkFCSTRTZUs1UjB2MGdDc3RoaTlDbHlKNmhDWUl5cUp)"
    R"(XS1RxRV8zYUVLdl9leE03VWZRWE4tNXBrNm1SaV9sY1dYckk5M0pjTnlObjhIRnY4el90SnhsZTkiLCAieSI)"
    R"(6ICJBZlVjWm5STHpFUlZmZ3ZCUl9rc0lza1FaMXJKWHd1TmRnQlh2S0RVY1JTSlEyeEVHQkJQSENWa3JBS2o)"
    R"(5RnhGU3hCSm1lb1pxWFB0a1J2WmtPTm56d21OIn0sIHsiYWxnIjogIkVDTVIiLCAiY3J2IjogIlAtNTIxIiw)"
    R"(gImtleV9vcHMiOiBbImRlcml2ZUtleSJdLCAia3R5IjogIkVDIiwgIngiOiAiQUhlck90RGlaZmtXclc2QjF)"
    R"(oTTRvdnh4WW9ueTNxOEFmZ0dmYWJaVi1pLUc1ZzJSM1FQWEJhbnlMTUsxQ2lmTjd2alZOYy12NnVtODZpOXd)"
    R"(odzZNZEJPaiIsICJ5IjogIkFEWm9FQ2prQkZub3RuQk9xS1ZmU3JSdlJPclhxQ0pia3g3dVFoRWJNSF9TSlp)"
    R"(CQVNBcDVJeWI4SnNwUlZaZk9QdGhmc1hoRmJvMFoxUzZyRXFYQi01WEMifV19", "protected": "eyJhbG)"
    R"(ciOiJFUzUxMiIsImN0eSI6Imp3ay1zZXQranNvbiJ9", "signature": "AF3QrW1xwugjHtTcwZzF7EwHG)"
    R"(9YmFq69AcQjTxv4hBLPhhbj4Cui0MxR4UuUouxl2hR6OOATPM23furHdFNIvdxaAXsoHI8qBw2Z5Ko97O7pb)"
    R"(8vagWAT4iWVvV-_RfidDIsITNCiA3nLJo8kuSKo3Ao9JeDqIXyfDdFmCWql_Fu2t5b9"})";
constexpr std::string_view kServerScalar =
    R"(ALK9LhL66uMqIFfPU9fdR3MHTRkWsIkyxKfCcXNRWL0poqxzaqpXbEF1eE-jpEJvuGK6xBltBCL9b3NmJbvt)"
    R"(n7ac)";
// jose jwk thp -a S256
constexpr std::string_view kSigningThumbprint = "bYJvj2kQdr3tlZYDCEjVilaBK5Ve40NdlogZq3e7GMg";
constexpr std::string_view kExchangeThumbprint = "Q8h5DEjgDU_LF20HVPoR-UG5DoCQ0eKJuDkB6nO1Gi0";

struct Free {
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(EC_POINT* point) const { EC_POINT_free(point); }
  void operator()(EC_GROUP* group) const { EC_GROUP_free(group); }
};

/// The server's step: Y = sX.
std::string answer_to(const std::string& request, std::string_view scalar = kServerScalar) {
  const auto asked = Json::parse(request);
  const auto number = [](std::string_view base64) {
    const std::string bytes = *from_base64url(base64);
    return std::unique_ptr<BIGNUM, Free>(
        BN_bin2bn(raw(as_octets(bytes)), static_cast<int>(bytes.size()), nullptr));
  };
  const std::unique_ptr<EC_GROUP, Free> group(EC_GROUP_new_by_curve_name(NID_secp521r1));
  const std::unique_ptr<EC_POINT, Free> point(EC_POINT_new(group.get()));
  const auto x = number((*asked)["x"].text());
  const auto y = number((*asked)["y"].text());
  EXPECT_EQ(EC_POINT_set_affine_coordinates(group.get(), point.get(), x.get(), y.get(), nullptr),
            1);
  EC_POINT_mul(group.get(), point.get(), nullptr, point.get(), number(scalar).get(), nullptr);
  EC_POINT_get_affine_coordinates(group.get(), point.get(), x.get(), y.get(), nullptr);
  const auto text = [](const BIGNUM* coordinate) {
    std::string bytes(66, '\0');
    BN_bn2binpad(coordinate, reinterpret_cast<unsigned char*>(bytes.data()), 66);
    return to_base64url(bytes);
  };
  return Json::object({{"kty", "EC"}, {"crv", "P-521"}, {"x", text(x.get())}, {"y", text(y.get())}})
      .dump();
}

BoundTang bound() {
  auto made = bind_tang("http://tang.test", *read_tang_advertisement(kAdvertisement));
  EXPECT_TRUE(made.ok());
  return std::move(*made);
}

TEST(Tang, AnAdvertisementOfDebiansServerIsReadAndItsSignatureChecked) {
  const auto read = read_tang_advertisement(kAdvertisement);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->exchange_thumbprint, kExchangeThumbprint);
  ASSERT_EQ(read->signing_thumbprints.size(), 1u);
  EXPECT_EQ(read->signing_thumbprints[0], kSigningThumbprint);
}

TEST(Tang, AnAdvertisementThatSomebodyChangedIsRefused) {
  auto jws = Json::parse(kAdvertisement);
  auto payload = Json::parse(*from_base64url((*jws)["payload"].text()));
  // Another key to exchange with, under the signature of the old set.
  const Json& keys = (*payload)["keys"];
  Json swapped = keys[1];
  swapped.set("x", keys[0]["x"]);
  swapped.set("y", keys[0]["y"]);
  jws->set("payload",
           to_base64url(Json::object({{"keys", Json::array({keys[0], swapped})}}).dump()));
  EXPECT_EQ(read_tang_advertisement(jws->dump()).error().code(), core::Code::invalid);
  for (const std::string_view nonsense : {"", "{}", R"({"payload":"e30"})", "[1]"}) {
    EXPECT_EQ(read_tang_advertisement(nonsense).error().code(), core::Code::invalid) << nonsense;
  }
}

TEST(Tang, TheServerGivesTheSecretBackAndEveryQuestionLooksDifferent) {
  const BoundTang tang = bound();
  const auto first = TangExchange::start(tang.binding);
  const auto second = TangExchange::start(tang.binding);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->request(), second->request());
  EXPECT_EQ(first->path(), "/rec/" + std::string(kExchangeThumbprint));
  const auto secret = first->finish(answer_to(first->request()));
  ASSERT_TRUE(secret.ok()) << secret.error().message();
  EXPECT_EQ(text_of(secret->bytes), text_of(tang.secret.bytes));
}

TEST(Tang, AnotherServersAnswerGivesAnotherSecretAndNonsenseNone) {
  const BoundTang tang = bound();
  const auto exchange = TangExchange::start(tang.binding);
  const auto wrong = exchange->finish(answer_to(exchange->request(), "AQ"));
  ASSERT_TRUE(wrong.ok());
  EXPECT_NE(text_of(wrong->bytes), text_of(tang.secret.bytes));
  auto off_curve = Json::parse(exchange->request());
  off_curve->set("y", (*off_curve)["x"]);
  for (const std::string& answer : {std::string("no"), std::string("{}"), off_curve->dump()}) {
    EXPECT_EQ(exchange->finish(answer).error().code(), core::Code::invalid) << answer;
  }
}

TEST(Tang, ASlotWhosePointsAreOfAnotherLengthIsDamaged) {
  for (const bool is_server : {true, false}) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{67}}) {
      TangBinding binding = bound().binding;
      (is_server ? binding.server : binding.client).y.resize(size);
      EXPECT_EQ(TangExchange::start(binding).error().code(), core::Code::invalid) << size;
    }
  }
}

TEST(Tang, ASlotOpensWithItsServersHelpAndIsKeptAsText) {
  const Secret root = Secret::random(kKeyBytes);
  const auto slot = make_slot(root, {bound(), "ward"}, {}, "now");
  ASSERT_TRUE(slot.ok()) << slot.error().message();
  const auto text = read_keyring_text(*write_keyring_text({*slot}, root));
  ASSERT_TRUE(text.ok()) << text.error().message();
  const KeySlot& kept = text->slots[0];
  EXPECT_EQ(kept.info.detail, "http://tang.test");
  const auto exchange = TangExchange::start(*kept.tang);
  ASSERT_TRUE(exchange.ok());
  auto secret = exchange->finish(answer_to(exchange->request()));
  const SlotOpener opener = std::move(*secret);
  EXPECT_EQ(text_of(*open_slot(kept, opener)), text_of(root));
  auto other = exchange->finish(answer_to(exchange->request(), "AQ"));
  const SlotOpener wrong = std::move(*other);
  EXPECT_EQ(open_slot(kept, wrong).error().code(), core::Code::locked);
}

}  // namespace
}  // namespace gateway::crypto
