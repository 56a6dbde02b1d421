#include "crypto/root_rotation.h"

#include "crypto/audit_past.h"
#include "crypto/database_key.h"

namespace gateway::crypto {
namespace {

core::Result<std::uint32_t> move_database(const UnderRoot& under, std::uint32_t root) {
  GW_TRY(const DatabaseKeyState state, read_database_key_state(under.files, under.state_folder));
  if (state.root == root) return state.generation;
  return rotate_database_key(under.files, under.keyring, under.state_folder, under.database);
}

core::Status move_witness(const UnderRoot& under, std::uint32_t root) {
  GW_TRY(const AuditSigner former, AuditSigner::create(under.keyring, root - 1));
  GW_TRY(AuditSigner signer, AuditSigner::create(under.keyring, root));
  under.witness.sign_with(std::move(signer));
  // What was published before must still count, and the root it derives from goes.
  GW_CHECK(under.database.write([&](Connection& connection) {
    return remember_signer(connection, root - 1, former.public_key());
  }));
  GW_CHECK(under.witness.take());
  return {};
}

}  // namespace

core::Result<RootRotation> rotate_root(const UnderRoot& under) {
  GW_CHECK(under.keyring.begin_root(under.given_up));
  RootRotation rotation;
  rotation.root = under.keyring.root().number;
  GW_CHECK(under.database.write(
      [&](Connection& connection) { return under.audit.move_to_newest_root(connection); }));
  GW_TRY(rotation.generation, move_database(under, rotation.root));
  GW_CHECK(move_witness(under, rotation.root));
  GW_CHECK(under.keyring.end_root());
  return rotation;
}

}  // namespace gateway::crypto
