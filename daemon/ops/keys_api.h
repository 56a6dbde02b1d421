// The control socket's routes of the key slots, below /v1/keys:
//
//   GET  /v1/keys                                  {"slots":[...]}; works LOCKED
//   POST /v1/keys/unlock  {"kind"} + opener        {"state":"ready","slot":{...}}
//   POST /v1/keys/add     {"kind","label",...} + what the slot is made of   {"slot":{...}}
//   POST /v1/keys/prove   {"kind"} + opener        which slot it opens: {"slot":{...}}
//   POST /v1/keys/remove  {"id"}                   {"removed":"ID"}
//   POST /v1/keys/tang    {"url"}                  {"url","thumbprints":[...]}: to be compared by a
//   person
//
// A body is one line of JSON; what is secret follows it as raw bytes, so that no parser leaves
// copies of it behind. Openers: passphrase: its text; credential: 64 hexadecimal digits; recovery:
// the code as typed; escrow: the private key in PEM. A slot is made of the same, but escrow: the
// public key in PEM; credential also takes "sealed_with" (tpm2, host); tang takes "url" and
// "thumbprint" and no secret. No answer holds a secret. Changes and refusals are in the audit trail
// before the answer goes out. Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/files.h"
#include "core/net/http.h"
#include "daemon/blocking.h"
#include "daemon/opening.h"
#include "sync/holdings.h"

namespace gateway::daemon {

class KeysApi {
 public:
  using JsonAnswer = core::net::Awaitable<core::Result<core::Json>>;

  KeysApi(boost::asio::any_io_executor loop, core::Files& files, std::string state_folder,
          const core::Clock& clock, sync::HoldingsDoor& door, Opening& opening);

  /// `path` as above. The body is wiped.
  JsonAnswer answer(std::string method, std::string path, std::string body);
  JsonAnswer unlock(crypto::SlotOpener opener);
  void stop() { lane_.stop(); }

 private:
  struct Asked;
  static core::Result<Asked> read_body(std::string_view body);
  JsonAnswer list();
  JsonAnswer add(Asked asked);
  JsonAnswer prove(Asked asked);
  JsonAnswer remove(std::string id);
  JsonAnswer look_at_tang(std::string url);
  core::net::Awaitable<core::Result<crypto::NewSlot>> new_slot(Asked asked);
  core::net::Awaitable<core::Result<crypto::BoundTang>> bind(std::string url,
                                                             std::string thumbprint);
  core::Result<std::shared_ptr<sync::Holdings>> unlocked() const;

  boost::asio::any_io_executor loop_;
  core::Files& files_;
  const std::string state_folder_;
  const core::Clock& clock_;
  sync::HoldingsDoor& door_;
  Opening& opening_;
  // Argon2id and fsyncs: a lane of its own, so that they hold up neither health nor status.
  BlockingLane lane_;
};

}  // namespace gateway::daemon
