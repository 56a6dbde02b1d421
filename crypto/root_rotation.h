// A new root key, online. First every slot gets the new root, with the one before wrapped beside it
// (one file, replaced at once): from then on the rotation only goes forward, and whatever opened a
// slot opens it still. Then everything that derives from a root moves: the audit chain, the
// database, the witness, the wraps of the epoch keys. Last the root before is forgotten. A stop in
// between leaves both roots, with which everything opens, and is gone on with; docs/formats.md has
// the table. Objects, readers and commits go on meanwhile.
//
// The epoch keys stay what they are: rotate_epochs() afterwards makes a copy of older key files
// worthless for what comes. Any thread that may wait; one at a time.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "core/files.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/audit_checkpoint.h"
#include "crypto/database.h"
#include "crypto/keyring.h"

namespace gateway::crypto {

struct RootRotation {
  std::uint32_t root = 0;        // its number
  std::uint32_t generation = 0;  // of the database's key
};

struct UnderRoot {
  core::Files& files;
  std::string state_folder;
  Keyring& keyring;
  Database& database;
  const Audit& audit;
  AuditWitness& witness;
  // Epochs whose lost keys, and what is sealed under them, are not waited for any more.
  std::set<std::uint32_t> given_up = {};
};

/// Begins a rotation, or goes on with one that a stop or an error interrupted (Keyring::root()
/// says so). On an error nothing is lost: run it again. Code::refused: the key of an epoch is lost,
/// put it back or give it up.
core::Result<RootRotation> rotate_root(const UnderRoot& under);

}  // namespace gateway::crypto
