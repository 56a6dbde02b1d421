// Which key opens the database: HKDF "database" of a root key for generation 1, "database <n>" for
// a later one. `<folder>/database-key.json` names root and generation in use, and while a rotation
// swaps the files the generation to come; without it both are 1. Format: docs/formats.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/files.h"
#include "core/result.h"
#include "crypto/database.h"
#include "crypto/keyring.h"

namespace gateway::crypto {

struct DatabaseKeyState {
  std::uint32_t generation = 1;
  std::optional<std::uint32_t> next;  // the file may be under this one already
  std::uint32_t root = 1;             // the root that `generation` derives from; `next`: the newest
};

std::string database_path(const std::string& folder);
std::string database_key_path(const std::string& folder);
/// Errors as Keyring::derived_key_of().
core::Result<Secret> database_key(const Keyring& keyring, std::uint32_t generation,
                                  std::uint32_t root);

/// Code::corrupt when the file is damaged.
core::Result<DatabaseKeyState> read_database_key_state(core::Files& files,
                                                       const std::string& folder);
core::Status write_database_key_state(core::Files& files, const std::string& folder,
                                      const DatabaseKeyState& state);

/// Opens `<folder>/gateway.db`, having finished or undone the rotation that a stop interrupted.
/// With a damaged database-key.json the generations are tried one after the other and the file is
/// written anew. Errors as Database::open().
core::Result<std::unique_ptr<Database>> open_database(core::Files& files, const Keyring& keyring,
                                                      const std::string& folder,
                                                      std::span<const Migration> migrations);

/// Puts the open database under the next generation's key, of the newest root, online; answers that
/// generation.
core::Result<std::uint32_t> rotate_database_key(core::Files& files, const Keyring& keyring,
                                                const std::string& folder, Database& database);

}  // namespace gateway::crypto
