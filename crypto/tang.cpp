#include "crypto/tang.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include <memory>
#include <utility>

#include "core/json.h"
#include "core/text.h"
#include "crypto/base64url.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

constexpr std::size_t kCoordinateBytes = 66;
constexpr std::string_view kCurve = "P-521";
constexpr std::size_t kKeysMax = 64;

struct Free {
  void operator()(BIGNUM* number) const { BN_clear_free(number); }
  void operator()(EC_POINT* point) const { EC_POINT_clear_free(point); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(OSSL_PARAM* parameters) const { OSSL_PARAM_free(parameters); }
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

const EC_GROUP* curve() {
  static const EC_GROUP* const group = EC_GROUP_new_by_curve_name(NID_secp521r1);
  return group;
}

Error refused_by_openssl() {
  ERR_clear_error();
  return {Code::internal, "OpenSSL refused a computation on P-521"};
}

Owned<EC_POINT> new_point() { return Owned<EC_POINT>(EC_POINT_new(curve())); }

core::Result<Owned<EC_POINT>> point_of(const CurvePoint& coordinates) {
  if (coordinates.x.size() != kCoordinateBytes || coordinates.y.size() != kCoordinateBytes) {
    return Error(Code::invalid, "a coordinate on the curve P-521 has 66 bytes");
  }
  const Owned<BIGNUM> x(BN_bin2bn(raw(as_octets(coordinates.x)), kCoordinateBytes, nullptr));
  const Owned<BIGNUM> y(BN_bin2bn(raw(as_octets(coordinates.y)), kCoordinateBytes, nullptr));
  Owned<EC_POINT> point = new_point();
  // Refuses what is not on the curve: another curve's point would give away the secret's bits.
  if (EC_POINT_set_affine_coordinates(curve(), point.get(), x.get(), y.get(), nullptr) != 1) {
    ERR_clear_error();
    return Error(Code::invalid, "a point is not on the curve P-521");
  }
  return point;
}

core::Result<CurvePoint> coordinates_of(const EC_POINT* point) {
  const Owned<BIGNUM> x(BN_new());
  const Owned<BIGNUM> y(BN_new());
  CurvePoint coordinates{std::string(kCoordinateBytes, '\0'), std::string(kCoordinateBytes, '\0')};
  const auto bytes = [](std::string& out) { return reinterpret_cast<unsigned char*>(out.data()); };
  if (EC_POINT_get_affine_coordinates(curve(), point, x.get(), y.get(), nullptr) != 1 ||
      BN_bn2binpad(x.get(), bytes(coordinates.x), kCoordinateBytes) < 0 ||
      BN_bn2binpad(y.get(), bytes(coordinates.y), kCoordinateBytes) < 0) {
    return refused_by_openssl();
  }
  return coordinates;
}

core::Result<TangSecret> secret_of(const EC_POINT* point) {
  const Owned<BIGNUM> x(BN_secure_new());
  TangSecret secret{Secret(kCoordinateBytes)};
  if (EC_POINT_get_affine_coordinates(curve(), point, x.get(), nullptr, nullptr) != 1 ||
      BN_bn2binpad(x.get(), raw(secret.bytes.bytes()), kCoordinateBytes) < 0) {
    return refused_by_openssl();
  }
  return secret;
}

core::Result<Owned<BIGNUM>> random_scalar() {
  Owned<BIGNUM> scalar(BN_secure_new());
  do {
    if (BN_priv_rand_range(scalar.get(), EC_GROUP_get0_order(curve())) != 1) {
      return refused_by_openssl();
    }
  } while (BN_is_zero(scalar.get()) == 1);
  BN_set_flags(scalar.get(), BN_FLG_CONSTTIME);
  return scalar;
}

/// scalar * point; the generator when `point` is null.
core::Result<Owned<EC_POINT>> multiply(const BIGNUM* scalar, const EC_POINT* point) {
  Owned<EC_POINT> product = new_point();
  const int done = point != nullptr
                       ? EC_POINT_mul(curve(), product.get(), nullptr, point, scalar, nullptr)
                       : EC_POINT_mul(curve(), product.get(), scalar, nullptr, nullptr, nullptr);
  if (done != 1) return refused_by_openssl();
  return product;
}

core::Result<Owned<EC_POINT>> add(const EC_POINT* a, const EC_POINT* b) {
  Owned<EC_POINT> sum = new_point();
  if (EC_POINT_add(curve(), sum.get(), a, b, nullptr) != 1) return refused_by_openssl();
  return sum;
}

core::Result<CurvePoint> point_of_jwk(const Json& jwk) {
  const auto x = from_base64url(jwk["x"].text());
  const auto y = from_base64url(jwk["y"].text());
  if (jwk["kty"].text() != "EC" || jwk["crv"].text() != kCurve || !x || !y ||
      x->size() != kCoordinateBytes || y->size() != kCoordinateBytes) {
    return Error(Code::invalid, "a key is none of P-521");
  }
  CurvePoint point{*x, *y};
  GW_TRY(const auto checked, point_of(point));
  return point;
}

/// RFC 7638: the required members in the order of their names.
std::string thumbprint(const CurvePoint& point) {
  const Json jwk = Json::object(
      {{"crv", kCurve}, {"kty", "EC"}, {"x", to_base64url(point.x)}, {"y", to_base64url(point.y)}});
  return to_base64url(as_text(sha256(as_octets(jwk.dump()))));
}

Owned<EVP_PKEY> verifying_key(const CurvePoint& point) {
  const std::string octets = cat('\x04', point.x, point.y);
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, kCurve.data(), 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, octets.data(),
                                   octets.size());
  const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return Owned<EVP_PKEY>(key);
}

/// JOSE writes r and s one after the other (RFC 7518 3.4), OpenSSL wants them as DER.
std::string der_of(std::string_view signature) {
  const auto half = [&](std::size_t at) {
    return BN_bin2bn(raw(as_octets(signature.substr(at, kCoordinateBytes))), kCoordinateBytes,
                     nullptr);
  };
  const Owned<ECDSA_SIG> parts(ECDSA_SIG_new());
  ECDSA_SIG_set0(parts.get(), half(0), half(kCoordinateBytes));
  std::string der(static_cast<std::size_t>(i2d_ECDSA_SIG(parts.get(), nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(parts.get(), &out);
  return der;
}

/// ES512 (RFC 7518 3.4).
bool verifies(const CurvePoint& point, std::string_view text, std::string_view signature) {
  if (signature.size() != 2 * kCoordinateBytes) return false;
  const Owned<EVP_PKEY> key = verifying_key(point);
  const std::string der = der_of(signature);
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const bool fits =
      key && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha512(), nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), raw(as_octets(der)), der.size(), raw(as_octets(text)),
                       text.size()) == 1;
  ERR_clear_error();
  return fits;
}

bool allows(const Json& jwk, std::string_view operation) {
  for (const Json& allowed : jwk["key_ops"].items()) {
    if (allowed.text() == operation) return true;
  }
  return false;
}

/// RFC 7515 7.2: several signatures, or one whose members stand in the JWS itself.
bool signed_by(const Json& jws, const CurvePoint& key) {
  const Json::Array lone{jws};
  const Json::Array& signatures = jws["signatures"].is_array() ? jws["signatures"].items() : lone;
  if (signatures.size() > kKeysMax) return false;
  for (const Json& signature : signatures) {
    const auto bytes = from_base64url(signature["signature"].text());
    const std::string text = cat(signature["protected"].text(), '.', jws["payload"].text());
    if (bytes && verifies(key, text, *bytes)) return true;
  }
  return false;
}

Json jwk_of(const CurvePoint& point) {
  return Json::object({{"alg", "ECMR"},
                       {"crv", kCurve},
                       {"key_ops", Json::array({"deriveKey"})},
                       {"kty", "EC"},
                       {"x", to_base64url(point.x)},
                       {"y", to_base64url(point.y)}});
}

}  // namespace

core::Result<TangAdvertisement> read_tang_advertisement(std::string_view text) {
  const auto no_tang = [](std::string_view why) {
    return Error(Code::invalid, cat("this is no Tang advertisement: ", why));
  };
  const auto jws = Json::parse(text);
  if (!jws.ok()) return no_tang("no JSON");
  const auto payload = from_base64url((*jws)["payload"].text());
  const auto set = Json::parse(payload.value_or(""));
  if (!set.ok() || (*set)["keys"].size() > kKeysMax) return no_tang("no set of keys in it");
  TangAdvertisement advertisement;
  for (const Json& jwk : (*set)["keys"].items()) {
    const auto key = point_of_jwk(jwk);
    if (!key.ok()) continue;  // of another kind: a newer server may have some
    if (allows(jwk, "verify")) {
      if (!signed_by(*jws, *key)) return no_tang("a signature does not fit");
      advertisement.signing_thumbprints.push_back(thumbprint(*key));
    } else if (allows(jwk, "deriveKey") && advertisement.exchange_thumbprint.empty()) {
      advertisement.exchange = *key;
      advertisement.exchange_thumbprint = thumbprint(*key);
    }
  }
  if (advertisement.signing_thumbprints.empty()) return no_tang("no P-521 signing key in it");
  if (advertisement.exchange_thumbprint.empty()) return no_tang("no P-521 exchange key in it");
  return advertisement;
}

core::Result<BoundTang> bind_tang(std::string url, const TangAdvertisement& advertisement) {
  GW_TRY(const auto server, point_of(advertisement.exchange));
  GW_TRY(const auto scalar, random_scalar());
  GW_TRY(const auto client, multiply(scalar.get(), nullptr));
  GW_TRY(const auto shared, multiply(scalar.get(), server.get()));
  GW_TRY(TangSecret secret, secret_of(shared.get()));
  GW_TRY(CurvePoint client_point, coordinates_of(client.get()));
  return BoundTang{{std::move(url), advertisement.exchange_thumbprint, advertisement.exchange,
                    std::move(client_point)},
                   std::move(secret)};
}

TangExchange::TangExchange(TangBinding binding, Secret blind, std::string request)
    : binding_(std::move(binding)), blind_(std::move(blind)), request_(std::move(request)) {}

core::Result<TangExchange> TangExchange::start(const TangBinding& binding) {
  GW_TRY(const auto client, point_of(binding.client));
  GW_TRY(const auto server, point_of(binding.server));
  GW_TRY(const auto scalar, random_scalar());
  GW_TRY(const auto blind_point, multiply(scalar.get(), nullptr));
  GW_TRY(const auto asked, add(client.get(), blind_point.get()));
  GW_TRY(const CurvePoint coordinates, coordinates_of(asked.get()));
  Secret blind(kCoordinateBytes);
  if (BN_bn2binpad(scalar.get(), raw(blind.bytes()), kCoordinateBytes) < 0) {
    return refused_by_openssl();
  }
  return TangExchange(binding, std::move(blind), jwk_of(coordinates).dump());
}

std::string TangExchange::path() const { return cat("/rec/", binding_.exchange_thumbprint); }

core::Result<TangSecret> TangExchange::finish(std::string_view answer) const {
  auto jwk = Json::parse(answer);
  if (!jwk.ok()) return Error(Code::invalid, "the answer is no JWK");
  GW_TRY(const CurvePoint answered, point_of_jwk(*jwk));
  GW_TRY(const auto answered_point, point_of(answered));
  GW_TRY(const auto server, point_of(binding_.server));
  const Owned<BIGNUM> scalar(BN_secure_new());
  BN_bin2bn(raw(blind_.bytes()), kCoordinateBytes, scalar.get());
  BN_set_flags(scalar.get(), BN_FLG_CONSTTIME);
  GW_TRY(const auto blind, multiply(scalar.get(), server.get()));
  if (EC_POINT_invert(curve(), blind.get(), nullptr) != 1) return refused_by_openssl();
  GW_TRY(const auto shared, add(answered_point.get(), blind.get()));
  return secret_of(shared.get());
}

}  // namespace gateway::crypto
