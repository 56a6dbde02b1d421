#include "crypto/audit_checkpoint.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/file_steps.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/audit_past.h"
#include "crypto/octets.h"
#include "crypto/signing_key.h"

namespace gateway::crypto {
namespace {

constexpr int kSchema = 1;
constexpr std::size_t kWitnessMax = 4096;

std::string hex_of(std::span<const std::byte> octets) { return core::to_hex(as_text(octets)); }

std::string path_in(const std::string& folder) { return core::cat(folder, "/audit.witness"); }

core::Status older(const AuditCheckpoint& witness, const AuditHead& head, const std::string& path) {
  return core::Error(
      core::Code::corrupt,
      core::cat("the database is not the one that was here last: its audit trail ends at row ",
                head.sequence, ", but row ", witness.head.sequence, " was witnessed at ",
                witness.at,
                ". An older copy was put back: bring the newer one back, or, if its loss is "
                "accepted, remove ",
                path, " and start again"));
}

core::Result<bool> holds(Connection& connection, const AuditHead& head) {
  GW_TRY(Rows rows, connection.query("SELECT mac FROM audit WHERE seq = ?", head.sequence));
  GW_TRY(const bool there, rows.next());
  return there && std::ranges::equal(rows.blob(0), head.mac);
}

}  // namespace

core::Json AuditCheckpoint::document() const {
  return core::Json::object({{"schema", kSchema},
                             {"sequence", head.sequence},
                             {"mac", hex_of(head.mac)},
                             {"at", at},
                             {"public_key", public_key},
                             {"signature", signature}});
}

std::string AuditCheckpoint::signed_text() const {
  return core::cat("clinic-gateway audit checkpoint ", kSchema, '\n', head.sequence, '\n',
                   hex_of(head.mac), '\n', at, '\n', public_key, '\n');
}

core::Result<AuditCheckpoint> AuditCheckpoint::parse(std::string_view json) {
  GW_TRY(const core::Json document, core::Json::parse(json, 4));
  AuditCheckpoint checkpoint;
  checkpoint.at = document["at"].text();
  checkpoint.public_key = document["public_key"].text();
  checkpoint.signature = document["signature"].text();
  const std::string mac = core::from_hex(document["mac"].text());
  const auto sequence = document["sequence"].integer();
  if (document["schema"].integer() != kSchema || !sequence || *sequence < 0 ||
      mac.size() != checkpoint.head.mac.size() ||
      core::from_hex(checkpoint.public_key).size() != crypto_sign_PUBLICKEYBYTES ||
      core::from_hex(checkpoint.signature).size() != crypto_sign_BYTES) {
    return core::Error(core::Code::invalid, "this is not an audit checkpoint of schema 1");
  }
  checkpoint.head.sequence = *sequence;
  std::ranges::copy(as_octets(mac), checkpoint.head.mac.begin());
  return checkpoint;
}

bool AuditCheckpoint::is_signed() const {
  return crypto::is_signed({core::from_hex(public_key)}, signed_text(), core::from_hex(signature));
}

core::Result<AuditSigner> AuditSigner::create(const Keyring& keyring, std::uint32_t root) {
  static_assert(crypto_sign_SEEDBYTES == kKeyBytes);
  GW_TRY(const Secret seed, keyring.derived_key_of(root, "audit-signing"));
  Secret secret(crypto_sign_SECRETKEYBYTES);
  std::array<std::byte, crypto_sign_PUBLICKEYBYTES> open;
  if (crypto_sign_seed_keypair(raw(std::span<std::byte>(open)), raw(secret.bytes()),
                               raw(seed.bytes())) != 0) {
    return core::Error(core::Code::internal, "libsodium refused to derive a signing key");
  }
  return AuditSigner(std::move(secret), hex_of(open));
}

core::Result<AuditCheckpoint> AuditSigner::sign(const AuditHead& head, core::Wall at) const {
  AuditCheckpoint checkpoint{head, core::to_instant(at), public_key_, {}};
  const std::string text = checkpoint.signed_text();
  std::array<std::byte, crypto_sign_BYTES> signature;
  if (crypto_sign_detached(raw(std::span<std::byte>(signature)), nullptr, raw(as_octets(text)),
                           text.size(), raw(secret_.bytes())) != 0) {
    return core::Error(core::Code::internal, "libsodium refused to sign");
  }
  checkpoint.signature = hex_of(signature);
  return checkpoint;
}

core::Result<std::vector<FormerSigner>> former_signers(Connection& connection) {
  GW_TRY(Rows rows,
         connection.query("SELECT public_key, last_seq FROM audit_signer ORDER BY root"));
  std::vector<FormerSigner> signers;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return signers;
    signers.push_back({std::string(rows.text(0)), rows.integer(1)});
  }
}

/// Not again: a rotation that is gone on with has signed by the new key since.
core::Status remember_signer(Connection& connection, std::uint32_t root,
                             const std::string& public_key) {
  GW_TRY(const AuditHead head, Audit::head(connection));
  return connection.run(
      "INSERT OR IGNORE INTO audit_signer (root, public_key, last_seq) VALUES (?, ?, ?)", root,
      public_key, head.sequence);
}

core::Result<WitnessFinding> AuditWitness::examine(core::Files& files, const std::string& folder,
                                                   const AuditSigner& signer,
                                                   Connection& connection) {
  const std::string path = path_in(folder);
  GW_TRY(const bool there, files.exists(path));
  if (!there) return WitnessFinding::absent;
  GW_TRY(const std::string text, core::read_whole_file(files, path, kWitnessMax));
  const auto witness = AuditCheckpoint::parse(text);
  if (!witness.ok() || witness->public_key != signer.public_key() || !witness->is_signed()) {
    return WitnessFinding::damaged;
  }
  if (witness->head.sequence == 0) return WitnessFinding::agrees;
  GW_TRY(const bool held, holds(connection, witness->head));
  if (held) return WitnessFinding::agrees;
  GW_TRY(const AuditHead head, Audit::head(connection));
  return older(*witness, head, path).error();
}

core::Result<bool> has_audit_witness(core::Files& files, const std::string& folder) {
  return files.exists(path_in(folder));
}

core::Result<std::optional<AuditCheckpoint>> read_audit_witness(core::Files& files,
                                                                const std::string& folder) {
  GW_TRY(const bool there, has_audit_witness(files, folder));
  if (!there) return std::optional<AuditCheckpoint>();
  GW_TRY(const std::string text, core::read_whole_file(files, path_in(folder), kWitnessMax));
  auto witness = AuditCheckpoint::parse(text);
  if (!witness.ok() || !witness->is_signed()) return std::optional<AuditCheckpoint>();
  return std::optional(std::move(*witness));
}

core::Status AuditWitness::forget(core::Files& files, const std::string& folder) {
  return core::remove_if_there(files, path_in(folder));
}

AuditWitness::AuditWitness(core::Files& files, const std::string& folder, AuditSigner signer,
                           Database& database, const core::Clock& clock)
    : files_(files),
      path_(path_in(folder)),
      signer_(std::move(signer)),
      database_(database),
      clock_(clock) {}

AuditWitness::~AuditWitness() {
  // The next start compares with the last one written then: less is noticed, nothing is lost.
  if (auto taken = take(); !taken.ok()) {
    core::log_warn("crypto", core::cat("audit witness: ", taken.error().message()));
  }
}

void AuditWitness::sign_with(AuditSigner signer) {
  const std::lock_guard lock(mutex_);
  signer_ = std::move(signer);
}

std::string AuditWitness::public_key() const {
  const std::lock_guard lock(mutex_);
  return signer_.public_key();
}

core::Result<AuditCheckpoint> AuditWitness::take() {
  const std::lock_guard lock(mutex_);
  GW_TRY(const AuditHead head, database_.read_value<AuditHead>(
                                   [](Connection& connection) { return Audit::head(connection); }));
  GW_TRY(AuditCheckpoint checkpoint, signer_.sign(head, clock_.wall()));
  GW_CHECK(core::write_file_durably(files_, path_, core::cat(checkpoint.document().dump(), '\n')));
  return checkpoint;
}

}  // namespace gateway::crypto
