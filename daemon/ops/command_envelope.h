// A command of central operations as it comes over MQTT (docs/mqtt/command.schema.json):
//
//   {"schema":1,"key":"central","payload":"<base64url>","signature":"<base64url>"}
//
// The payload is the JSON text that was signed, byte for byte, so that nothing has to be written
// in one canonical form:
//
//   {"schema":1,"id":"<uuid>","gateway":"<site.name>","kind":"...","parameters":{},
//    "issued":"<instant>","expires":"<instant>"}
//
// The signature is Ed25519 over the line "clinic-gateway command 1" and the payload. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"
#include "crypto/signing_key.h"
#include "daemon/settings.h"
#include "sync/central_commands.h"

namespace gateway::daemon {

/// Nobody but central operations may ask for it: a support bundle is made and sent to them.
inline constexpr char kSendBundleRoute[] = "/v1/support-bundle/send";

/// All there are; each is off until commands.allowed names it.
const std::set<std::string>& command_kinds();

/// What this gateway goes by.
struct CommandPolicy {
  std::string gateway;  // site.name
  std::set<std::string> allowed;
  std::map<std::string, crypto::VerifyingKey> keys;  // by name
};

/// What the settings say; a key that cannot be read is logged and left out.
CommandPolicy command_policy(const Settings& settings);

/// Signed by a pinned key, for this gateway, of an allowed kind, with parameters that kind takes.
/// Code::untrusted: not signed by a pinned key; Code::invalid: not such an envelope; Code::refused:
/// signed well, and not for us to do. Times and repetition are for sync::admit_command().
core::Result<sync::CentralCommand> open_command(std::string_view envelope,
                                                const CommandPolicy& policy);
/// The id an envelope claims, unverified; empty where that is none.
std::string claimed_id(std::string_view envelope);

/// The envelope of a payload.
core::Result<std::string> seal_command(const core::Json& payload, const std::string& key_name,
                                       const crypto::SigningKey& key);

/// The request of the control socket that carries it out. Code::invalid: parameters it does not
/// take.
core::Result<core::net::HttpRequest> command_request(const std::string& kind,
                                                     const core::Json& parameters);
/// What of that request's answer is told: nothing a peer wrote.
core::Json command_result(const std::string& kind, const core::Json& answer);

}  // namespace gateway::daemon
