#include "daemon/ops/keys_api.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>

#include "core/text.h"
#include "crypto/octets.h"
#include "daemon/credential_source.h"
#include "daemon/tang_client.h"

namespace gateway::daemon {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;
using crypto::SlotInfo;

struct KeysApi::Asked {
  Json parameters;
  crypto::Secret secret;

  std::string text(std::string_view member) const { return std::string(parameters[member].text()); }
  std::string_view secret_text() const { return crypto::as_text(secret.bytes()); }
};

namespace {

constexpr std::size_t kSecretMax = 4096;
constexpr std::size_t kLabelMax = 80;
constexpr std::size_t kPassphraseMin = 12;

Json slot_document(const SlotInfo& slot, const std::string& opened_by) {
  return Json::object({{"id", slot.id},
                       {"kind", slot.kind},
                       {"protection", crypto::protection_of(slot)},
                       {"label", slot.label},
                       {"created", slot.created},
                       {"detail", slot.detail},
                       {"opened", slot.id == opened_by}});
}

core::Result<crypto::SlotOpener> opener_of(std::string_view kind, std::string_view secret) {
  if (secret.empty()) return Error(Code::invalid, cat("no ", kind, " was given"));
  if (kind == "passphrase") {
    return crypto::SlotOpener(crypto::Passphrase{crypto::Secret::copy_of(secret)});
  }
  if (kind == "credential") {
    GW_TRY(auto credential, read_slot_key(secret));
    return crypto::SlotOpener(std::move(credential));
  }
  if (kind == "recovery") {
    GW_TRY(auto code, crypto::read_recovery_code(secret));
    return crypto::SlotOpener(std::move(code));
  }
  if (kind == "escrow") {
    GW_TRY(auto key, crypto::read_escrow_key(secret));
    return crypto::SlotOpener(std::move(key));
  }
  return Error(Code::invalid, cat("nobody unlocks by ", kind,
                                  "; give passphrase, credential, recovery or escrow"));
}

/// A person's new one, whether for a slot or for the first; those in use open as ever.
core::Status check_new_passphrase(std::string_view passphrase) {
  if (passphrase.size() < kPassphraseMin) {
    return Error(Code::invalid,
                 cat("a new passphrase has at least ", kPassphraseMin,
                     " bytes; a few words that do not belong together are a good one"));
  }
  const bool is_typed = std::none_of(passphrase.begin(), passphrase.end(),
                                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (is_typed) return {};
  return Error(Code::invalid,
               "a passphrase holds no control characters: nobody could type it at a terminal");
}

core::Result<crypto::NewSlot> credential_slot(std::string_view secret, std::string sealed_with,
                                              std::string label) {
  if (sealed_with != "tpm2" && sealed_with != "host") {
    return Error(Code::invalid, "a credential is sealed with tpm2 or host");
  }
  GW_TRY(auto credential, read_slot_key(secret));
  return crypto::NewSlot{crypto::NewCredential{std::move(credential), std::move(sealed_with)},
                         std::move(label)};
}

/// One row, durable before the answer goes out. On the lane.
core::Status record(sync::Holdings& holdings, core::Wall at, const std::string& action,
                    const std::string& slot, const core::Status& outcome) {
  return holdings.database().write([&](crypto::Connection& connection) {
    return holdings.audit().append(
        connection,
        {.at = at,
         .actor = "operator",
         .action = action,
         .resource = slot.empty() ? "KeySlot" : cat("KeySlot/", slot),
         .patient = "",
         .source = "local",
         .outcome =
             outcome.ok() ? "success" : std::string(core::to_string(outcome.error().code()))});
  });
}

/// The outcome of a change, with its audit row; a change that is not in the trail is not kept
/// quiet.
template <class Value>
core::Result<Value> recorded(sync::Holdings& holdings, core::Wall at, const std::string& action,
                             const std::string& slot, core::Result<Value> outcome) {
  core::Status status;
  if (!outcome.ok()) status = outcome.error();
  auto written = record(holdings, at, action, slot, status);
  if (!written.ok() && outcome.ok()) {
    return std::move(written).error().with_context("done, but not in the audit trail");
  }
  return outcome;
}

}  // namespace

KeysApi::KeysApi(boost::asio::any_io_executor loop, core::Files& files, std::string state_folder,
                 const core::Clock& clock, sync::HoldingsDoor& door, Opening& opening)
    : loop_(std::move(loop)),
      files_(files),
      state_folder_(std::move(state_folder)),
      clock_(clock),
      door_(door),
      opening_(opening) {}

core::Result<KeysApi::Asked> KeysApi::read_body(std::string_view body) {
  const std::size_t line = std::min(body.find('\n'), body.size());
  const std::string_view secret = body.substr(std::min(line + 1, body.size()));
  auto parameters = Json::parse(body.substr(0, line), 4);
  if (!parameters.ok() || !parameters->is_object() || secret.size() > kSecretMax) {
    return Error(Code::invalid,
                 cat("the body must be a line of JSON, then at most ", kSecretMax, " bytes"));
  }
  return Asked{std::move(*parameters), crypto::Secret::copy_of(secret)};
}

KeysApi::JsonAnswer KeysApi::answer(std::string method, std::string path, std::string body) {
  const bool reads = path == "/v1/keys";
  if (method != (reads ? "GET" : "POST")) {
    co_return Error(Code::refused, cat("this route takes ", reads ? "GET" : "POST"));
  }
  if (reads) co_return co_await list();
  auto read = read_body(body);
  ::explicit_bzero(body.data(), body.size());
  if (!read.ok()) co_return std::move(read).error();
  Asked asked = std::move(*read);
  if (path == "/v1/keys/add") co_return co_await add(std::move(asked));
  if (path == "/v1/keys/prove") co_return co_await prove(std::move(asked));
  if (path == "/v1/keys/remove") co_return co_await remove(asked.text("id"));
  if (path == "/v1/keys/tang") co_return co_await look_at_tang(asked.text("url"));
  if (path != "/v1/keys/unlock") co_return Error(Code::not_found, "there is no such route");
  GW_CO_TRY(auto opener, opener_of(asked.text("kind"), asked.secret_text()));
  if (std::holds_alternative<crypto::Passphrase>(opener) && !opening_.report().set_up) {
    if (auto good = check_new_passphrase(asked.secret_text()); !good.ok()) co_return good.error();
  }
  co_return co_await unlock(std::move(opener));
}

KeysApi::JsonAnswer KeysApi::unlock(crypto::SlotOpener opener) {
  // Shared with the callback: the socket may give up on this coroutine before it is answered.
  struct Pending {
    explicit Pending(const boost::asio::any_io_executor& loop)
        : done(loop, boost::asio::steady_timer::time_point::max()) {}
    boost::asio::steady_timer done;
    core::Status status{Error(Code::cancelled, "the gateway is stopping")};
  };
  auto pending = std::make_shared<Pending>(loop_);
  opening_.unlock(std::move(opener), [pending](core::Status status) {
    pending->status = std::move(status);
    pending->done.expires_at(boost::asio::steady_timer::time_point::min());
  });
  co_await pending->done.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  if (!pending->status.ok()) co_return pending->status.error();
  Json answer = Json::object({{"state", std::string(to_string(opening_.report().state))}});
  if (const auto holdings = door_.get()) {
    const SlotInfo slot = holdings->keyring().opened_by();
    answer.set("slot", slot_document(slot, slot.id));
  }
  co_return answer;
}

KeysApi::JsonAnswer KeysApi::list() {
  const auto holdings = door_.get();
  std::vector<SlotInfo> slots;
  std::string opened_by;
  if (holdings) {
    slots = holdings->keyring().slots();
    opened_by = holdings->keyring().opened_by().id;
  } else {
    GW_CO_TRY(auto stored, crypto::Keyring::stored_slots(files_, state_folder_));
    for (crypto::KeySlot& slot : stored) slots.push_back(std::move(slot.info));
  }
  Json rows = Json::array();
  for (const SlotInfo& slot : slots) rows.add(slot_document(slot, opened_by));
  co_return Json::object({{"slots", std::move(rows)}});
}

core::Result<std::shared_ptr<sync::Holdings>> KeysApi::unlocked() const {
  auto holdings = door_.get();
  if (!holdings) {
    return Error(Code::locked, "the gateway is not unlocked; run clinic-gateway keys unlock first");
  }
  return holdings;
}

KeysApi::JsonAnswer KeysApi::add(Asked asked) {
  GW_CO_TRY(auto holdings, unlocked());
  if (asked.parameters["label"].text().size() > kLabelMax) {
    co_return Error(Code::invalid, cat("a label has at most ", kLabelMax, " bytes"));
  }
  const std::string action = cat("add key slot: ", asked.text("kind"));
  auto wanted = co_await new_slot(std::move(asked));
  if (!wanted.ok()) co_return std::move(wanted).error();
  const std::string opened_by = holdings->keyring().opened_by().id;
  auto make = [holdings, action, at = clock_.wall(),
               slot = std::make_shared<crypto::NewSlot>(std::move(*wanted))] {
    auto added = holdings->keyring().add_slot(*slot);
    const std::string id = added.ok() ? added->id : "";
    return recorded(*holdings, at, action, id, std::move(added));
  };
  auto added = co_await lane_.run(std::move(make));
  if (!added.ok()) co_return std::move(added).error();
  co_return Json::object({{"slot", slot_document(*added, opened_by)}});
}

Awaitable<core::Result<crypto::NewSlot>> KeysApi::new_slot(Asked asked) {
  const std::string kind = asked.text("kind");
  std::string label = asked.text("label");
  const std::string_view secret = asked.secret_text();
  if (kind == "tang") {
    auto tang = co_await bind(asked.text("url"), asked.text("thumbprint"));
    if (!tang.ok()) co_return std::move(tang).error();
    co_return crypto::NewSlot{std::move(*tang), std::move(label)};
  }
  if (kind == "credential") {
    co_return credential_slot(secret, asked.text("sealed_with"), std::move(label));
  }
  if (kind == "escrow") {
    GW_CO_TRY(auto key, crypto::read_escrow_public_key(secret));
    co_return crypto::NewSlot{std::move(key), std::move(label)};
  }
  GW_CO_TRY(auto opener, opener_of(kind, secret));
  if (auto* code = std::get_if<crypto::RecoveryCode>(&opener)) {
    co_return crypto::NewSlot{std::move(*code), std::move(label)};
  }
  if (auto good = check_new_passphrase(secret); !good.ok()) co_return good.error();
  co_return crypto::NewSlot{std::move(std::get<crypto::Passphrase>(opener)), std::move(label)};
}

/// Asks the server for its help at once: a slot that it cannot open is not made.
Awaitable<core::Result<crypto::BoundTang>> KeysApi::bind(std::string url, std::string thumbprint) {
  auto advertisement = co_await fetch_tang_advertisement(loop_, url);
  if (!advertisement.ok()) co_return std::move(advertisement).error();
  const auto& trusted = advertisement->signing_thumbprints;
  if (std::find(trusted.begin(), trusted.end(), thumbprint) == trusted.end()) {
    co_return Error(Code::untrusted,
                    cat("the server ", url, " does not sign with the key ", thumbprint,
                        "; compare with tang-show-keys at the server"));
  }
  GW_CO_TRY(auto tang, crypto::bind_tang(url, *advertisement));
  auto again = co_await recover_tang_secret(loop_, tang.binding);
  if (!again.ok()) co_return std::move(again).error();
  if (!crypto::same_secret(again->bytes, tang.secret.bytes)) {
    co_return Error(Code::refused, cat("the server ", url,
                                       " does not give back what was bound to it; is there a "
                                       "cache or a balancer between several servers before it?"));
  }
  co_return tang;
}

KeysApi::JsonAnswer KeysApi::prove(Asked asked) {
  GW_CO_TRY(auto holdings, unlocked());
  GW_CO_TRY(auto opener, opener_of(asked.text("kind"), asked.secret_text()));
  const std::string opened_by = holdings->keyring().opened_by().id;
  auto look = [holdings, at = clock_.wall(),
               held = std::make_shared<crypto::SlotOpener>(std::move(opener))] {
    auto proven = holdings->keyring().prove(*held);
    const std::string id = proven.ok() ? proven->id : "";
    return recorded(*holdings, at, "prove key slot", id, std::move(proven));
  };
  auto proven = co_await lane_.run(std::move(look));
  // The secret opens nothing; the gateway itself is open.
  if (!proven.ok() && proven.error().code() == Code::locked)
    co_return Error(Code::refused, proven.error().message());
  if (!proven.ok()) co_return std::move(proven).error();
  co_return Json::object({{"slot", slot_document(*proven, opened_by)}});
}

KeysApi::JsonAnswer KeysApi::remove(std::string id) {
  GW_CO_TRY(auto holdings, unlocked());
  auto take_away = [holdings, id, at = clock_.wall()] {
    core::Result<bool> outcome = true;
    if (auto removed = holdings->keyring().remove_slot(id); !removed.ok()) {
      outcome = std::move(removed).error();
    }
    return recorded(*holdings, at, "remove key slot", id, std::move(outcome));
  };
  auto removed = co_await lane_.run(std::move(take_away));
  if (!removed.ok()) co_return std::move(removed).error();
  co_return Json::object({{"removed", id}});
}

KeysApi::JsonAnswer KeysApi::look_at_tang(std::string url) {
  auto advertisement = co_await fetch_tang_advertisement(loop_, url);
  if (!advertisement.ok()) co_return std::move(advertisement).error();
  Json thumbprints = Json::array();
  for (const std::string& thumbprint : advertisement->signing_thumbprints) {
    thumbprints.add(thumbprint);
  }
  co_return Json::object({{"url", url}, {"thumbprints", std::move(thumbprints)}});
}

}  // namespace gateway::daemon
