#include "crypto/database_key.h"

#include <vector>

#include "core/json.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/database_copy.h"
#include "crypto/json_checksum.h"
#include "crypto/octets.h"
#include "crypto/sqlite_connection.h"

namespace gateway::crypto {
namespace {

constexpr std::string_view kFormat = "clinic-gateway database key";
constexpr std::int64_t kVersion = 1;
constexpr std::size_t kTextMax = 4096;
constexpr std::uint32_t kGenerationsTried = 64;
constexpr std::int64_t kGenerationsMax = INT64_C(1) << 31;

core::Error damaged(const std::string& path) {
  return {core::Code::corrupt, core::cat(path, " is damaged")};
}

struct KeyChoice {
  std::uint32_t generation = 1;
  std::uint32_t root = 1;
};

void add_every_root(std::vector<KeyChoice>& choices, std::uint32_t generation,
                    const RootState& root) {
  choices.push_back({generation, root.number});
  if (root.is_moving) choices.push_back({generation, root.number - 1});
}

/// The keys to try, the likeliest first; the last one where no file can tell.
core::Result<std::vector<KeyChoice>> candidates(core::Files& files, const Keyring& keyring,
                                                const std::string& folder) {
  auto state = read_database_key_state(files, folder);
  std::vector<KeyChoice> choices;
  GW_TRY(const bool noted, files.exists(database_key_path(folder)));
  if (state.ok() && (noted || keyring.root().number == 1)) {
    for (std::uint32_t next = state->next.value_or(state->generation); next > state->generation;
         --next) {
      add_every_root(choices, next, keyring.root());
    }
    choices.push_back({state->generation, state->root});
    return choices;
  }
  if (!state.ok() && state.error().code() != core::Code::corrupt) return std::move(state).error();
  core::log_warn("crypto", core::cat(database_key_path(folder),
                                     " is missing or damaged; every generation of the database's "
                                     "key is tried"));
  for (std::uint32_t generation = 1; generation <= kGenerationsTried; ++generation) {
    add_every_root(choices, generation, keyring.root());
  }
  choices.push_back({1, keyring.root().number});
  return choices;
}

core::Result<bool> opens(core::Files& files, const std::string& path, const Secret& key) {
  auto connection = SqliteConnection::open(files, path, key, SqliteConnection::Role::reader);
  if (connection.ok()) return true;
  if (connection.error().code() == core::Code::locked) return false;
  return std::move(connection).error();
}

core::Result<KeyChoice> key_in_use(core::Files& files, const Keyring& keyring,
                                   const std::string& folder) {
  GW_TRY(const auto all, candidates(files, keyring, folder));
  GW_TRY(const bool there, files.exists(database_path(folder)));
  if (all.size() == 1 || !there) return all.back();
  for (const KeyChoice& choice : all) {
    GW_TRY(const Secret key, database_key(keyring, choice.generation, choice.root));
    GW_TRY(const bool fits, opens(files, database_path(folder), key));
    if (fits) return choice;
  }
  return all.back();  // opening it says what is wrong
}

}  // namespace

std::string database_path(const std::string& folder) { return core::cat(folder, "/gateway.db"); }

std::string database_key_path(const std::string& folder) {
  return core::cat(folder, "/database-key.json");
}

core::Result<Secret> database_key(const Keyring& keyring, std::uint32_t generation,
                                  std::uint32_t root) {
  auto key = keyring.derived_key_of(
      root, generation == 1 ? std::string("database") : core::cat("database ", generation));
  return std::move(key).with_context("the database's key");
}

core::Result<DatabaseKeyState> read_database_key_state(core::Files& files,
                                                       const std::string& folder) {
  const std::string path = database_key_path(folder);
  auto text = core::read_whole_file(files, path, kTextMax);
  if (!text.ok() && text.error().code() == core::Code::not_found) return DatabaseKeyState{};
  if (!text.ok() && text.error().code() == core::Code::invalid) return damaged(path);
  if (!text.ok()) return std::move(text).error();
  auto json = core::Json::parse(*text);
  if (!json.ok() || (*json)["format"].text() != kFormat) return damaged(path);
  const std::string checksum((*json)["checksum"].text());
  json->erase("checksum");
  const auto generation = (*json)["generation"].integer().value_or(0);
  if (checksum != json_checksum(*json) || generation < 1 || generation >= kGenerationsMax) {
    return damaged(path);
  }
  const auto root = (*json)["root"].integer().value_or(1);
  if (root < 1 || root >= kGenerationsMax) return damaged(path);
  DatabaseKeyState state{static_cast<std::uint32_t>(generation), std::nullopt,
                         static_cast<std::uint32_t>(root)};
  const auto next = (*json)["next"].integer();
  if (!next) return state;
  if (*next <= generation || *next > generation + kGenerationsTried) return damaged(path);
  state.next = static_cast<std::uint32_t>(*next);
  return state;
}

core::Status write_database_key_state(core::Files& files, const std::string& folder,
                                      const DatabaseKeyState& state) {
  core::Json json = core::Json::object(
      {{"format", kFormat}, {"version", kVersion}, {"generation", std::int64_t{state.generation}}});
  if (state.next) json.set("next", std::int64_t{*state.next});
  if (state.root != 1) json.set("root", std::int64_t{state.root});
  std::string checksum = json_checksum(json);
  json.set("checksum", std::move(checksum));
  return core::write_file_durably(files, database_key_path(folder), json.dump() + "\n");
}

core::Result<std::unique_ptr<Database>> open_database(core::Files& files, const Keyring& keyring,
                                                      const std::string& folder,
                                                      std::span<const Migration> migrations) {
  const std::string path = database_path(folder);
  GW_TRY(const KeyChoice used, key_in_use(files, keyring, folder));
  GW_TRY(const Secret key, database_key(keyring, used.generation, used.root));
  GW_TRY(auto database, Database::open(path, key, migrations, files));
  const auto state = read_database_key_state(files, folder);
  if (!state.ok() || state->next || state->generation != used.generation ||
      state->root != used.root) {
    core::log_info("crypto", core::cat("an interrupted rotation of the database's key is settled: "
                                       "generation ",
                                       used.generation, " is in use"));
    GW_CHECK(write_database_key_state(files, folder, {used.generation, std::nullopt, used.root}));
  }
  GW_CHECK(remove_database_files(files, path + kRotatingSuffix));
  return database;
}

core::Result<std::uint32_t> rotate_database_key(core::Files& files, const Keyring& keyring,
                                                const std::string& folder, Database& database) {
  GW_TRY(const DatabaseKeyState state, read_database_key_state(files, folder));
  // A rotation that failed after it was announced may have used that generation.
  const std::uint32_t next = state.next.value_or(state.generation) + 1;
  const std::uint32_t root = keyring.root().number;
  GW_TRY(const Secret key, database_key(keyring, next, root));
  GW_CHECK(database.rotate_key(
      key,
      {.announce =
           [&] {
             return write_database_key_state(files, folder, {state.generation, next, state.root});
           },
       .confirm =
           [&] {
             return write_database_key_state(files, folder, {next, std::nullopt, root});
           }}));
  return next;
}

}  // namespace gateway::crypto
