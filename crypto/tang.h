// The client's half of Tang's McCallum-Relyea exchange (https://github.com/latchset/tang), on
// P-521. A binding keeps the client's public point C = cG and the server's S = sG; c is forgotten.
// The secret cS comes back only with the server's help, and the server learns nothing of it:
//   X = C + eG, e random and new each time  ->  POST /rec/<thumbprint>  ->  Y = sX;  cS = Y - eS
// So what is asked over plain HTTP gives an eavesdropper nothing, and a server that lies gives a
// point that opens no slot. Pure, but for randomness.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

/// A point of P-521, 66 bytes each, checked to lie on the curve by whoever made it.
struct CurvePoint {
  std::string x;
  std::string y;
};

/// What the server says of itself (GET /adv): its keys, signed by each of its signing keys.
struct TangAdvertisement {
  CurvePoint exchange;
  std::string exchange_thumbprint;
  /// RFC 7638, SHA-256, base64url: what `tang-show-keys` prints at the server.
  std::vector<std::string> signing_thumbprints;
};

/// Code::invalid when it is no advertisement, a signature does not fit, or no P-521 key is in it.
core::Result<TangAdvertisement> read_tang_advertisement(std::string_view jws);

/// What a slot remembers. Nothing of it is secret.
struct TangBinding {
  std::string url;
  std::string exchange_thumbprint;
  CurvePoint server;
  CurvePoint client;
};

/// The secret of a binding: the x of cS.
struct TangSecret {
  Secret bytes;
};

struct BoundTang {
  TangBinding binding;
  TangSecret secret;
};
core::Result<BoundTang> bind_tang(std::string url, const TangAdvertisement& advertisement);

/// One question to the server: start(), send request() to path(), finish() with the answer.
class TangExchange {
 public:
  static core::Result<TangExchange> start(const TangBinding& binding);

  std::string path() const;  // "/rec/<thumbprint>"
  /// A JWK, to be sent as application/jwk+json.
  const std::string& request() const { return request_; }
  /// Code::invalid when the answer is no point of the curve.
  core::Result<TangSecret> finish(std::string_view answer) const;

 private:
  TangExchange(TangBinding binding, Secret blind, std::string request);
  TangBinding binding_;
  Secret blind_;  // e
  std::string request_;
};

}  // namespace gateway::crypto
