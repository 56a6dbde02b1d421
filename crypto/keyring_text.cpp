// keyring.json as text. docs/formats.md.
#include <sodium.h>

#include "core/json.h"
#include "core/text.h"
#include "crypto/aes_gcm.h"
#include "crypto/base64url.h"
#include "crypto/json_checksum.h"
#include "crypto/key_slots.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

constexpr std::string_view kFormat = "clinic-gateway keyring";
constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kRotatedVersion =
    2;  // a version that knows one root must not take it for that
constexpr std::int64_t kRootsMax = INT64_C(1) << 31;
constexpr std::string_view kKdfName = "argon2id13";
constexpr std::size_t kSlotsMax = 32;

Error damaged(std::string_view what) {
  return {Code::corrupt,
          cat("the key slots are damaged (", what, "); restore the file from a backup")};
}

Json kdf_to_json(const KeySlot& slot) {
  return Json::object({{"name", kKdfName},
                       {"passes", slot.cost.passes},
                       {"memory_bytes", slot.cost.memory_bytes},
                       {"salt", core::to_hex(slot.salt)}});
}

Json point_to_json(const CurvePoint& point) {
  return Json::object({{"x", to_base64url(point.x)}, {"y", to_base64url(point.y)}});
}

Json tang_to_json(const TangBinding& tang) {
  return Json::object({{"url", tang.url},
                       {"key", tang.exchange_thumbprint},
                       {"server", point_to_json(tang.server)},
                       {"client", point_to_json(tang.client)}});
}

Json slot_to_json(const KeySlot& slot) {
  Json json = Json::object({{"id", slot.info.id},
                            {"kind", slot.info.kind},
                            {"label", slot.info.label},
                            {"created", slot.info.created}});
  if (slot.info.kind == "passphrase") json.set("kdf", kdf_to_json(slot));
  if (slot.info.kind == "credential") json.set("sealed_with", slot.info.detail);
  if (slot.tang) json.set("tang", tang_to_json(*slot.tang));
  json.set("public_key", core::to_hex(slot.public_key));
  json.set("sealed_key", core::to_hex(slot.sealed_key));
  json.set("wrapped_key", core::to_hex(slot.wrapped_key));
  return json;
}

/// The checksum is no authentication: whoever can write the file must not choose how much memory
/// and time opening takes.
bool read_kdf(const Json& kdf, KeySlot& slot) {
  slot.cost.passes = static_cast<std::uint64_t>(kdf["passes"].integer().value_or(0));
  slot.cost.memory_bytes = static_cast<std::uint64_t>(kdf["memory_bytes"].integer().value_or(0));
  slot.salt = core::from_hex(kdf["salt"].text());
  return kdf["name"].text() == kKdfName && is_bearable(slot.cost) && is_passphrase_salt(slot.salt);
}

CurvePoint point_from_json(const Json& json) {
  return {from_base64url(json["x"].text()).value_or(""),
          from_base64url(json["y"].text()).value_or("")};
}

bool read_tang(const Json& json, KeySlot& slot) {
  TangBinding tang{std::string(json["url"].text()), std::string(json["key"].text()),
                   point_from_json(json["server"]), point_from_json(json["client"])};
  slot.info.detail = tang.url;
  // The points must lie on the curve; a first question shows it.
  const bool good = !tang.url.empty() && from_base64url(tang.exchange_thumbprint).has_value() &&
                    TangExchange::start(tang).ok();
  slot.tang = std::move(tang);
  return good;
}

bool read_means(const Json& json, KeySlot& slot) {
  const std::string& kind = slot.info.kind;
  if (kind == "passphrase") return read_kdf(json["kdf"], slot);
  if (kind == "tang") return read_tang(json["tang"], slot);
  if (kind == "credential") {
    slot.info.detail = json["sealed_with"].text();
    return slot.info.detail == "tpm2" || slot.info.detail == "host";
  }
  if (kind == "escrow") slot.info.detail = fingerprint({slot.public_key});
  return kind == "escrow" || kind == "recovery";
}

core::Result<KeySlot> slot_from_json(const Json& json) {
  KeySlot slot;
  slot.info = {std::string(json["id"].text()), std::string(json["kind"].text()),
               std::string(json["created"].text()), std::string(json["label"].text()), ""};
  slot.public_key = core::from_hex(json["public_key"].text());
  slot.sealed_key = core::from_hex(json["sealed_key"].text());
  slot.wrapped_key = core::from_hex(json["wrapped_key"].text());
  if (slot.info.id.empty() || slot.public_key.size() != kKeyBytes ||
      slot.sealed_key.size() != kKeyBytes + crypto_box_SEALBYTES ||
      slot.wrapped_key.size() != kWrappedKeyBytes || !read_means(json, slot)) {
    return damaged("a slot's fields are out of range");
  }
  return slot;
}

std::string previous_associated(std::uint32_t number) {
  return cat("clinic-gateway keyring root before ", number);
}

bool read_record(const Json& keyring, RootRecord& record) {
  if (keyring["version"].integer() == kVersion) return true;
  const auto number = keyring["root"].integer().value_or(0);
  record.number = static_cast<std::uint32_t>(number);
  record.box = keyring["box"].text();
  record.previous = core::from_hex(keyring["previous"].text());
  return number > 1 && number < kRootsMax && !record.box.empty() &&
         (record.previous.empty() || record.previous.size() == kWrappedKeyBytes);
}

core::Result<std::string> mac_of(std::string_view text, const Secret& root) {
  GW_TRY(const Secret key, derive_key(root, "keyring"));
  std::string mac(crypto_auth_hmacsha256_BYTES, '\0');
  static_assert(crypto_auth_hmacsha256_KEYBYTES == kKeyBytes);
  crypto_auth_hmacsha256(reinterpret_cast<unsigned char*>(mac.data()), raw(as_octets(text)),
                         text.size(), raw(key.bytes()));
  return mac;
}

}  // namespace

core::Result<std::string> wrap_previous_root(const Secret& root, std::uint32_t number,
                                             const Secret& previous) {
  GW_TRY(const Secret key, derive_key(root, "previous-root"));
  GW_TRY(const WrappedKey wrapped, wrap_key(key, previous, as_octets(previous_associated(number))));
  return std::string(as_text(wrapped));
}

core::Result<Secret> unwrap_previous_root(const Secret& root, const RootRecord& record) {
  GW_TRY(const Secret key, derive_key(root, "previous-root"));
  return unwrap_key(key, as_octets(record.previous), as_octets(previous_associated(record.number)));
}

core::Result<std::string> write_keyring_text(const std::vector<KeySlot>& slots, const Secret& root,
                                             const RootRecord& record) {
  if (slots.size() > kSlotsMax) {
    return Error(Code::invalid, cat("there are ", kSlotsMax,
                                    " key slots already, and no more fit: remove one that is no "
                                    "longer used (keys list, keys remove)"));
  }
  Json list = Json::array();
  for (const KeySlot& slot : slots) list.add(slot_to_json(slot));
  Json keyring = Json::object({{"format", kFormat},
                               {"version", record.number == 1 ? kVersion : kRotatedVersion},
                               {"slots", std::move(list)}});
  if (record.number > 1) {
    keyring.set("root", std::int64_t{record.number});
    keyring.set("box", record.box);
  }
  if (!record.previous.empty()) keyring.set("previous", core::to_hex(record.previous));
  GW_TRY(const std::string mac, mac_of(keyring.dump(), root));
  keyring.set("mac", core::to_hex(mac));
  std::string checksum = json_checksum(keyring);
  keyring.set("checksum", std::move(checksum));
  return keyring.dump() + "\n";
}

core::Result<KeyringText> read_keyring_text(std::string_view text) {
  auto parsed = Json::parse(text);
  if (!parsed.ok()) return damaged("not JSON");
  Json& keyring = *parsed;
  if (keyring["format"].text() != kFormat) return damaged("another file's content");
  std::string checksum(keyring["checksum"].text());
  keyring.erase("checksum");
  if (checksum != json_checksum(keyring)) return damaged("its checksum does not fit");
  const std::int64_t version = keyring["version"].integer().value_or(0);
  if (version < kVersion || version > kRotatedVersion) {
    return Error(Code::invalid,
                 "the key slots were written by a newer clinic-gateway; install that version");
  }
  if (keyring["slots"].size() == 0 || keyring["slots"].size() > kSlotsMax) {
    return damaged("the number of slots is out of range");
  }
  KeyringText read;
  if (!read_record(keyring, read.record)) return damaged("its root is out of range");
  read.mac = core::from_hex(keyring["mac"].text());
  keyring.erase("mac");
  read.authenticated = keyring.dump();
  for (const Json& item : keyring["slots"].items()) {
    GW_TRY(KeySlot slot, slot_from_json(item));
    read.slots.push_back(std::move(slot));
  }
  return read;
}

core::Status check_keyring_mac(const KeyringText& text, const Secret& root) {
  GW_TRY(const std::string mac, mac_of(text.authenticated, root));
  if (mac.size() != text.mac.size() ||
      sodium_memcmp(mac.data(), text.mac.data(), mac.size()) != 0) {
    return Error(Code::corrupt,
                 "the key slots were changed by somebody who does not have the root key; restore "
                 "the file from a backup");
  }
  return {};
}

}  // namespace gateway::crypto
