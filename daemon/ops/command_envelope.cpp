#include "daemon/ops/command_envelope.h"

#include <utility>

#include "core/civil_time.h"
#include "core/files.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/base64url.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

constexpr int kSchemaVersion = 1;
constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kPemMax = 4000;
constexpr std::string_view kSignedWith = "clinic-gateway command 1\n";

Error refused(std::string why) { return {Code::refused, std::move(why)}; }

std::string signed_text(std::string_view payload) { return cat(kSignedWith, payload); }

/// The bytes that were signed.
core::Result<std::string> verified_payload(const Json& envelope, const CommandPolicy& policy) {
  const auto payload = crypto::from_base64url(envelope["payload"].text());
  const auto signature = crypto::from_base64url(envelope["signature"].text());
  if (envelope["schema"].integer() != kSchemaVersion || !payload || !signature || payload->empty())
    return Error(Code::invalid, "this is no command of schema 1");
  const auto key = policy.keys.find(std::string(envelope["key"].text()));
  if (key == policy.keys.end())
    return Error(Code::untrusted, "it names no key of this gateway's settings (commands.key.*)");
  if (!crypto::is_signed(key->second, signed_text(*payload), *signature))
    return Error(Code::untrusted, "its signature is not that key's");
  return *payload;
}

core::Result<crypto::VerifyingKey> read_key(const std::string& file) {
  GW_TRY(const std::string pem, core::read_whole_file(core::system_files(), file, kPemMax));
  return crypto::read_verifying_key(pem);
}

core::Result<core::Wall> instant_of(const Json& payload, const char* member) {
  const auto instant = core::parse_instant(payload[member].text());
  if (!instant) return Error(Code::invalid, cat("its \"", member, "\" is no instant"));
  return *instant;
}

/// "member": a text of the object, or absent; anything else is in the way.
class Parameters {
 public:
  explicit Parameters(const Json& given) : given_(given) {}
  std::string text(std::string_view name) {
    const Json& value = take(name);
    if (!value.is_null() && !value.is_string()) wrong_ = name;
    return std::string(value.text());
  }
  std::int64_t number(std::string_view name, std::int64_t low, std::int64_t high) {
    const Json& value = take(name);
    const auto number = value.is_null() ? low : value.integer().value_or(low - 1);
    if (number < low || number > high) wrong_ = name;
    return number;
  }
  core::Status done() const {
    if (!wrong_.empty())
      return Error(Code::invalid, cat("its parameter \"", wrong_, "\" is wrong"));
    if (known_ == given_.size()) return {};
    return Error(Code::invalid, "it has a parameter that its kind does not take");
  }

 private:
  const Json& take(std::string_view name) {
    const Json& value = given_[name];
    if (!value.is_null()) ++known_;
    return value;
  }

  const Json& given_;
  std::size_t known_ = 0;
  std::string wrong_;
};

struct Route {
  const char* target;
  Json body;
};

/// Nothing for a kind there is not.
Route route_of(const std::string& kind, Parameters& parameters) {
  if (kind == "sync-now") return {"/v1/uplinks/sync", Json::object()};
  if (kind == "pause-uplink" || kind == "resume-uplink") {
    return {"/v1/uplinks/pause", Json::object({{"uplink", parameters.text("uplink")},
                                               {"paused", kind == "pause-uplink"}})};
  }
  if (kind == "probe")
    return {"/v1/uplinks/probe", Json::object({{"uplink", parameters.text("uplink")}})};
  if (kind == "resend")
    return {"/v1/retry", Json::object({{"number", parameters.number("number", 0, INT64_MAX)}})};
  if (kind == "log-level") {
    return {"/v1/log-level", Json::object({{"level", parameters.text("level")},
                                           {"minutes", parameters.number("minutes", 1, 1440)}})};
  }
  if (kind == "reload") return {"/v1/reload", Json::object()};
  if (kind == "collect-diagnostics") return {"/v1/support-bundle", Json::object()};
  if (kind == "send-diagnostics") return {kSendBundleRoute, Json::object()};
  if (kind == "rotate-keys")
    return {"/v1/keys/rotate", Json::object({{"what", parameters.text("what")}})};
  if (kind == "approve-device") {
    return {"/v1/peers/approve", Json::object({{"ae_title", parameters.text("ae_title")},
                                               {"address", parameters.text("address")}})};
  }
  return {"", Json()};
}

/// What was found of each server, without the words it said of itself.
Json probed(const Json& answer) {
  Json rows = Json::array();
  for (const Json& uplink : answer["uplinks"].items()) {
    Json row = Json::object({{"name", uplink["name"]}, {"answered", uplink["error"].is_null()}});
    for (const auto& [name, value] : uplink["server"].members())
      if (value.is_bool()) row.set(name, value.boolean());
    rows.add(row);
  }
  return Json::object({{"uplinks", rows}});
}

}  // namespace

const std::set<std::string>& command_kinds() {
  static const std::set<std::string> kinds{"approve-device", "collect-diagnostics",
                                           "log-level",      "pause-uplink",
                                           "probe",          "reload",
                                           "resend",         "resume-uplink",
                                           "rotate-keys",    "send-diagnostics",
                                           "sync-now"};
  return kinds;
}

CommandPolicy command_policy(const Settings& settings) {
  CommandPolicy policy{
      settings.site_name, {settings.commands.allowed.begin(), settings.commands.allowed.end()}, {}};
  for (const auto& [name, file] : settings.commands.public_keys) {
    const auto key = read_key(file);
    if (key.ok()) {
      policy.keys[name] = *key;
    } else {
      core::log_warn("daemon", cat("commands signed by ", name, " are refused: ", file, ": ",
                                   key.error().message()));
    }
  }
  return policy;
}

core::Result<sync::CentralCommand> open_command(std::string_view envelope,
                                                const CommandPolicy& policy) {
  GW_TRY(const Json outer, Json::parse(envelope, kDepthMax));
  GW_TRY(const std::string text, verified_payload(outer, policy));
  GW_TRY(const Json payload, Json::parse(text, kDepthMax));
  sync::CentralCommand command;
  command.id = payload["id"].text();
  command.kind = payload["kind"].text();
  if (payload["schema"].integer() != kSchemaVersion || !core::is_uuid(command.id) ||
      !payload["parameters"].is_object())
    return Error(Code::invalid, "what was signed is no command of schema 1");
  if (payload["gateway"].text() != policy.gateway)
    return refused(cat("it is for another gateway than ", policy.gateway));
  if (!command_kinds().contains(command.kind))
    return refused("this gateway knows no command of that kind");
  if (!policy.allowed.contains(command.kind))
    return refused(cat("commands.allowed of this gateway does not name ", command.kind));
  GW_TRY(command.issued, instant_of(payload, "issued"));
  GW_TRY(command.expires, instant_of(payload, "expires"));
  GW_CHECK(command_request(command.kind, payload["parameters"]));
  command.digest = core::to_hex(crypto::as_text(crypto::sha256(crypto::as_octets(text))));
  command.signer = outer["key"].text();
  command.parameters = payload["parameters"].dump();
  return command;
}

std::string claimed_id(std::string_view envelope) {
  const auto outer = Json::parse(envelope, kDepthMax);
  if (!outer.ok()) return "";
  const auto text = crypto::from_base64url((*outer)["payload"].text());
  const auto payload = Json::parse(text.value_or(""), kDepthMax);
  if (!payload.ok()) return "";
  std::string id((*payload)["id"].text());
  return core::is_uuid(id) ? id : "";
}

core::Result<std::string> seal_command(const Json& payload, const std::string& key_name,
                                       const crypto::SigningKey& key) {
  const std::string text = payload.dump();
  GW_TRY(const std::string signature, crypto::sign(key, signed_text(text)));
  return Json::object({{"schema", kSchemaVersion},
                       {"key", key_name},
                       {"payload", crypto::to_base64url(text)},
                       {"signature", crypto::to_base64url(signature)}})
      .dump();
}

core::Result<core::net::HttpRequest> command_request(const std::string& kind,
                                                     const Json& parameters) {
  Parameters given(parameters);
  const Route route = route_of(kind, given);
  GW_CHECK(given.done());
  core::net::HttpRequest request;
  request.method = "POST";
  request.target = route.target;
  request.body = route.body.dump();
  return request;
}

Json command_result(const std::string& kind, const Json& answer) {
  return kind == "probe" ? probed(answer) : answer;
}

}  // namespace gateway::daemon
