// Signed checkpoints of the audit trail: its newest row's number and mac, under an Ed25519 key
// (RFC 8032) derived from the root key, so that it is there from set-up on and as long as the
// root is. Whoever holds a checkpoint and the public key can tell that rows were cut off,
// without any secret of the gateway.
//
// The newest checkpoint also lies beside the database (`audit.witness`): an older database put back
// in its place is recognised when it opens. An older copy of both is recognised only by a
// checkpoint kept elsewhere (MQTT, docs/mqtt/audit.schema.json).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/files.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/database.h"
#include "crypto/keyring.h"

namespace gateway::crypto {

struct AuditCheckpoint {
  AuditHead head;
  std::string at;          // FHIR instant by the gateway's clock
  std::string public_key;  // 64 hex digits
  std::string signature;   // 128 hex digits

  /// {"schema","sequence","mac","at","public_key","signature"}
  core::Json document() const;
  /// What the signature covers: five lines of text, docs/formats.md.
  std::string signed_text() const;
  /// Code::invalid when it is not such a document.
  static core::Result<AuditCheckpoint> parse(std::string_view json);
  /// True when `public_key` itself has signed it. Whose key it is, is for the caller to know.
  bool is_signed() const;
};

/// Immutable once made; any thread.
class AuditSigner {
 public:
  /// The key of one of the keyring's roots; errors as Keyring::derived_key_of().
  static core::Result<AuditSigner> create(const Keyring& keyring, std::uint32_t root);
  const std::string& public_key() const { return public_key_; }
  core::Result<AuditCheckpoint> sign(const AuditHead& head, core::Wall at) const;

 private:
  AuditSigner(Secret secret, std::string public_key)
      : secret_(std::move(secret)), public_key_(std::move(public_key)) {}
  Secret secret_;
  std::string public_key_;
};

/// How an open database stands to the witness beside it.
enum class WitnessFinding {
  agrees,
  absent,   // no witness: a new gateway, or somebody removed it
  damaged,  // not a witness of this keyring
};

/// The witness as it lies beside the database; nothing: none is there, or it is not signed. Whose
/// key it is, is for the caller to know.
core::Result<std::optional<AuditCheckpoint>> read_audit_witness(core::Files& files,
                                                                const std::string& folder);

/// Keeps `<folder>/audit.witness`. Thread-safe. All it is given outlives it.
class AuditWitness {
 public:
  /// Compares, never writes. Code::corrupt when the database is older than its witness, or another:
  /// the message names both rows and says what to do.
  static core::Result<WitnessFinding> examine(core::Files& files, const std::string& folder,
                                              const AuditSigner& signer, Connection& connection);

  /// For a database that was restored or made anew, and is older by intent.
  static core::Status forget(core::Files& files, const std::string& folder);

  AuditWitness(core::Files& files, const std::string& folder, AuditSigner signer,
               Database& database, const core::Clock& clock);
  /// Takes a last checkpoint.
  ~AuditWitness();
  AuditWitness(const AuditWitness&) = delete;
  AuditWitness& operator=(const AuditWitness&) = delete;

  /// Signs the newest committed row and writes it beside the database, durably. Blocks on the disk.
  core::Result<AuditCheckpoint> take();
  /// Checkpoints from the next one on are signed by it: the root key has changed.
  void sign_with(AuditSigner signer);
  std::string public_key() const;

 private:
  core::Files& files_;
  const std::string path_;
  AuditSigner signer_;  // under mutex_
  Database& database_;
  const core::Clock& clock_;
  mutable std::mutex mutex_;
};

}  // namespace gateway::crypto
