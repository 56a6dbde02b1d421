// The gateway's side of a backup run: one consistent moment of everything, handed out piece by
// piece to whoever writes the folder. Only what the folder lacks is asked for. While it exists, the
// database's copy and the sealed lists lie in `<state>/backup-spool/`; the next start or run
// removes what a kill leaves there. One thread at a time; what it was given outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "crypto/backup_format.h"
#include "crypto/database.h"
#include "crypto/keyring.h"
#include "crypto/objects.h"

namespace gateway::crypto {

struct BackupBody {
  std::string id;
  std::uint64_t bytes = 0;  // without the header
  bool opens = true;        // its header, under the keys that are here
  std::string doubt;        // why it may be damaged here; empty: no sign of it
};

struct BackupInputs {
  core::Files& files;
  std::string state_folder;
  std::uint64_t reserve_bytes = 0;
  const Keyring& keyring;
  Database& database;
  ObjectStore& objects;
  /// Names every object the database knows.
  std::function<core::Status(Connection&,
                             const std::function<core::Status(std::string_view id)>& visit)>
      each_object;
  std::string created;                      // instant
  std::set<std::string> noted_damage = {};  // ids of objects known to be damaged
};

class BackupSource {
 public:
  /// Takes the moment. Code::busy while the root key is being rotated. Code::no_space when the
  /// spool would touch the reserve. Code::refused when a key file on the disk is not the key in
  /// use: the next run would put it in place of the good one.
  static core::Result<std::unique_ptr<BackupSource>> begin(BackupInputs inputs);
  /// Removes the spool.
  ~BackupSource();
  BackupSource(const BackupSource&) = delete;
  BackupSource& operator=(const BackupSource&) = delete;

  const std::string& id() const { return id_; }
  const std::string& box() const { return manifest_.box; }
  const std::string& created() const { return manifest_.created; }
  const std::vector<std::string>& pieces() const { return manifest_.pieces; }
  const std::vector<BackupBody>& bodies() const { return bodies_; }
  /// Objects whose row outlived their file: not in this backup.
  std::uint64_t missing() const { return missing_; }

  core::Result<std::string> piece(std::size_t number);
  /// At most `count` bytes of an object's sealed chunks. Code::not_found: deleted since.
  /// Code::corrupt: the disk does not give them.
  core::Result<std::string> body(const std::string& id, std::uint64_t offset, std::size_t count);
  /// Reads an object through. Code::corrupt: damaged, or not to be read. Code::not_found: deleted
  /// since.
  core::Status check(const std::string& id);
  /// The key part's files: name below the run's folder, and bytes.
  std::vector<std::pair<std::string, std::uint64_t>> key_part() const;
  core::Result<std::string> key_part_bytes(const std::string& name, std::uint64_t offset,
                                           std::size_t count);

 private:
  explicit BackupSource(BackupInputs inputs);
  core::Status prepare_spool();
  core::Status copy_database();
  core::Status collect_headers();
  core::Status add_header(std::string_view id, BackupSealer& sealer);
  core::Result<std::size_t> read_start(BackupBody& body, std::span<std::byte> header);
  core::Status look_at_header(BackupBody& body, std::span<const std::byte> header);
  core::Status write_manifest();
  core::Status read_key_files();
  core::Status check_key_files();
  core::Status check_space(std::uint64_t bytes);
  core::Result<BackupSealer> seal_into(std::string_view label, const std::string& name);

  BackupInputs inputs_;
  const std::string spool_;
  const std::string id_;
  Secret key_;
  BackupManifest manifest_;
  std::vector<BackupBody> bodies_;
  std::uint64_t missing_ = 0;
  std::map<std::uint32_t, Secret> epoch_keys_;    // that headers opened with
  std::map<std::string, std::string> key_files_;  // whole, small
  std::map<std::string, std::uint64_t> spooled_;  // name and bytes of files in the spool
};

/// What an earlier run left in the spool.
core::Status remove_backup_spool(core::Files& files, const std::string& state_folder);

}  // namespace gateway::crypto
