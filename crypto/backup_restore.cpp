#include "crypto/backup_restore.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/file_steps.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/backup_folder.h"
#include "crypto/database_copy.h"
#include "crypto/database_key.h"
#include "crypto/digest.h"
#include "crypto/objects.h"
#include "crypto/octets.h"
#include "crypto/sealed_reader.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kManifestMax = 256U << 20;
constexpr std::size_t kPieceMax = 1U << 20;
constexpr std::size_t kCopyBytes = 1U << 20;
constexpr std::size_t kReportMax = 1U << 20;
constexpr std::size_t kNamedMax = 100;
constexpr std::string_view kHeadersLost = " objects whose headers are lost";

std::string marker_path(const std::string& folder) {
  return core::cat(folder, "/restore-unfinished");
}
std::string keyring_path(const std::string& folder) { return core::cat(folder, "/keyring.json"); }

struct Opened {
  std::string folder;  // of the run
  Secret key;
  std::uint32_t root = 1;  // that the key derives from
  BackupManifest manifest;
};

/// The root of `keyring` that the run was made under.
core::Result<std::uint32_t> root_of_run(core::Files& files, const std::string& run_folder,
                                        const Keyring& keyring) {
  GW_TRY(const std::uint32_t root, Keyring::stored_root(files, run_folder));
  const RootState state = keyring.root();
  if (root == state.number || (state.is_moving && root + 1 == state.number)) return root;
  return core::Error(core::Code::refused,
                     core::cat("the backup was made under root key ", root,
                               ", before it was rotated: it can only restore the whole gateway "
                               "onto an empty box, with what opened it then"));
}

core::Result<Opened> open_run(core::Files& files, const std::string& backup_folder,
                              const std::string& run_folder, const Keyring& keyring) {
  Opened opened;
  opened.folder = run_folder;
  GW_TRY(const std::string box, keyring.box());
  GW_TRY(const std::string owner,
         core::read_whole_file(files, core::cat(backup_folder, "/GATEWAY"), 4096));
  if (core::trim(owner) != box) {
    return core::Error(core::Code::refused,
                       core::cat(backup_folder, " holds the backup of another gateway"));
  }
  GW_TRY(opened.root, root_of_run(files, run_folder, keyring));
  GW_TRY(opened.key, backup_key(keyring, opened.root));
  GW_TRY(const std::string text,
         open_whole_backup_file(opened.key, kManifestLabel, files,
                                core::cat(run_folder, "/manifest"), kManifestMax));
  GW_TRY(opened.manifest, read_manifest_text(text));
  return opened;
}

/// Code::corrupt or Code::not_found: the backup no longer holds it.
core::Result<std::string> read_piece(core::Files& files, const std::string& backup_folder,
                                     const Secret& key, const std::string& name) {
  GW_TRY(std::string bytes, core::try_twice_or_damaged([&] {
           return open_whole_backup_file(key, piece_label(name), files,
                                         core::cat(backup_folder, '/', piece_path(name)),
                                         kPieceMax);
         }));
  const Digest digest = sha256(as_octets(bytes));
  if (core::to_hex(as_text(digest)) != name) {
    return core::Error(core::Code::corrupt, core::cat("the backup's piece ", name, " is damaged"));
  }
  return bytes;
}

/// Of the backup, which no second attempt brings back.
bool is_lost(const core::Error& error) {
  return error.code() == core::Code::corrupt || error.code() == core::Code::not_found;
}

/// Hands out the database piece by piece; errors as read_piece().
core::Status read_database(core::Files& files, const std::string& backup_folder, const Opened& run,
                           const std::function<core::Status(std::span<const std::byte>)>& take) {
  std::uint64_t size = 0;
  for (const std::string& name : run.manifest.pieces) {
    GW_TRY(const std::string bytes, read_piece(files, backup_folder, run.key, name));
    size += bytes.size();
    GW_CHECK(take(as_octets(bytes)));
  }
  if (size == run.manifest.database_bytes) return {};
  return core::Error(core::Code::corrupt, "the backup's manifest and its pieces disagree");
}

core::Status write_database(core::Files& files, const std::string& backup_folder, const Opened& run,
                            const std::string& state_folder) {
  const std::string target = database_path(state_folder);
  const std::string beside = target + ".restoring";
  GW_CHECK(core::remove_if_there(files, beside));
  {
    GW_TRY(auto file, files.create(beside));
    const auto append = [&](std::span<const std::byte> bytes) { return file->append(bytes); };
    auto written = read_database(files, backup_folder, run, append);
    if (!written.ok()) {
      (void)files.remove(beside);  // the next attempt does
      return written;
    }
    GW_CHECK(file->sync());
  }
  // Before the file is there: a kill in between leaves a note without a file, which is tried again.
  GW_CHECK(write_database_key_state(files, state_folder,
                                    {run.manifest.generation, std::nullopt, run.root}));
  GW_CHECK(files.rename(beside, target));
  return files.sync_folder(state_folder);
}

/// Whatever lies in the state folder of a box that holds nothing yet.
core::Status check_bare(core::Files& files, const std::string& folder) {
  GW_CHECK(files.make_folder(folder));
  GW_TRY(const bool unfinished, files.exists(marker_path(folder)));
  GW_TRY(const auto names, files.list(folder));
  for (const std::string& name : names) {
    if (!unfinished && (name == "keyring.json" || name == "objects" || name == "epochs" ||
                        name.ends_with(".db"))) {
      return core::Error(core::Code::exists,
                         core::cat(folder, " holds a gateway already (", name,
                                   "); restore onto an empty box, or move that folder away first"));
    }
  }
  return {};
}

/// As long as the body is here, whatever the gateway's own copy was cut to when the header was
/// taken: its last chunk says whether that is all. What the medium does not give is Code::corrupt,
/// what the target does not take Code::io.
core::Status copy_body(core::Files& files, const std::string& from, const BackupHeader& record,
                       const std::string& to) {
  GW_TRY(auto body, core::try_twice_or_damaged([&] { return files.open_read(from); }));
  GW_TRY(const std::uint64_t size, body->size());
  GW_CHECK(core::remove_if_there(files, to));
  GW_TRY(auto file, files.create(to));
  GW_CHECK(file->append(record.header));
  std::vector<std::byte> buffer(kCopyBytes);
  for (std::uint64_t at = 0; at < size;) {
    GW_TRY(const std::size_t got,
           core::try_twice_or_damaged([&] { return body->read_at(at, buffer); }));
    if (got == 0) return core::Error(core::Code::io, core::cat(from, " was cut while being read"));
    GW_CHECK(file->append(std::span(buffer).first(got)));
    at += got;
  }
  GW_CHECK(file->sync());
  file->release_cached();
  return {};
}

/// Puts header and body together again and reads the result with the object's own key.
class ObjectRestore {
 public:
  ObjectRestore(core::Files& files, const std::string& backup_folder, std::string objects_folder,
                ObjectStore& store, RestoreReport& report)
      : files_(files),
        backup_folder_(backup_folder),
        objects_folder_(std::move(objects_folder)),
        store_(store),
        report_(report) {}

  core::Status take(std::span<const std::byte> bytes) {
    position_ += bytes.size();
    const std::size_t torn = std::min(torn_, bytes.size());
    torn_ -= torn;
    pending_ += as_text(bytes.subspan(torn));
    std::size_t at = 0;
    for (; pending_.size() - at >= kBackupHeaderBytes; at += kBackupHeaderBytes) {
      GW_CHECK(restore_one(as_octets(std::string_view(pending_).substr(at, kBackupHeaderBytes))));
    }
    pending_.erase(0, at);
    return {};
  }

  /// Some of the headers are not to be had: it goes on with the first that begins after them.
  core::Status skip(const core::Error& error, std::size_t bytes) {
    core::log_warn("crypto", error.message());
    position_ += bytes;
    pending_.clear();
    torn_ = (kBackupHeaderBytes - position_ % kBackupHeaderBytes) % kBackupHeaderBytes;
    return {};
  }

  /// The backup holds so many objects.
  core::Status finish(std::uint64_t objects) {
    if (objects > seen_) note_lost(core::cat(objects - seen_, kHeadersLost), objects - seen_);
    for (const std::string& fan : folders_) GW_CHECK(files_.sync_folder(fan));
    return {};
  }

 private:
  core::Status restore_one(std::span<const std::byte> bytes) {
    ++seen_;
    BackupHeader record;
    std::ranges::copy(bytes.first(kObjectHeaderBytes), record.header.begin());
    record.body_bytes = get_little_endian(bytes.subspan<kObjectHeaderBytes, 8>());
    auto header = read_header(record.header);
    if (!header.ok()) return lost("an object whose header was damaged", header.error());
    const std::string id = uuid_text(header->id);
    const std::string fan = core::cat(objects_folder_, '/', std::string_view(id).substr(34));
    folders_.insert(fan);
    const std::string to = core::cat(fan, '/', id);
    auto copied = copy_body(files_, core::cat(backup_folder_, '/', body_path(id)), record, to);
    if (!copied.ok()) {
      GW_CHECK(core::remove_if_there(files_, to));
      return lost(id, copied.error());
    }
    auto opened = read_through(store_, id);
    if (!opened.ok()) return lost(id, opened.error());
    ++report_.objects;
    return {};
  }

  /// A damaged medium must not keep the rest from coming back; a full or failing disk must.
  core::Status lost(const std::string& id, const core::Error& error) {
    if (!is_lost(error)) return error;
    core::log_warn("crypto", core::cat("not restored: ", id, ": ", error.message()));
    note_lost(id, 1);
    return {};
  }

  void note_lost(std::string what, std::uint64_t objects) {
    report_.missing_count += objects;
    if (report_.missing_objects.size() < kNamedMax) {
      report_.missing_objects.push_back(std::move(what));
    }
  }

  core::Files& files_;
  const std::string& backup_folder_;
  const std::string objects_folder_;
  ObjectStore& store_;
  RestoreReport& report_;
  std::set<std::string> folders_;
  std::string pending_;
  std::uint64_t position_ = 0;  // in the list of headers
  std::size_t torn_ = 0;        // bytes to come of a header whose beginning was lost
  std::uint64_t seen_ = 0;
};

core::Status restore_objects(core::Files& files, const std::string& backup_folder,
                             const Opened& run, const std::string& state_folder, Keyring& keyring,
                             RestoreReport& report) {
  const std::string folder = core::cat(state_folder, "/objects");
  GW_TRY(auto store, ObjectStore::open(files, folder, keyring, 0));
  ObjectRestore restore(files, backup_folder, folder, *store, report);
  const auto read_headers = [&]() -> core::Status {
    GW_TRY(const auto headers, core::try_twice_or_damaged([&] {
             return files.open_read(core::cat(run.folder, "/headers"));
           }));
    return open_backup_file(
        run.key, kHeadersLabel, *headers,
        [&](std::span<const std::byte> bytes) { return restore.take(bytes); },
        [&](const core::Error& error, std::size_t bytes) { return restore.skip(error, bytes); });
  };
  auto read = read_headers();
  if (!read.ok() && !is_lost(read.error())) return read;
  GW_CHECK(restore.finish(run.manifest.objects));
  return files.sync_folder(folder);
}

core::Status copy_small(core::Files& files, const std::string& from, const std::string& to) {
  GW_TRY(const std::string text, core::read_whole_file(files, from, kReportMax));
  return core::write_file_durably(files, to, text);
}

core::Status restore_keys(core::Files& files, const std::string& run_folder,
                          const std::string& state_folder) {
  GW_CHECK(files.make_folder(core::cat(state_folder, "/epochs")));
  GW_TRY(const auto epochs, core::list_if_there(files, core::cat(run_folder, "/epochs")));
  for (const std::string& name : epochs) {
    if (!name.ends_with(".key")) continue;
    GW_CHECK(copy_small(files, core::cat(run_folder, "/epochs/", name),
                        core::cat(state_folder, "/epochs/", name)));
  }
  GW_CHECK(files.sync_folder(state_folder));
  return copy_small(files, keyring_path(run_folder), keyring_path(state_folder));
}

}  // namespace

core::Result<RestoreReport> restore_gateway(core::Files& files, const std::string& backup_folder,
                                            const std::string& state_folder,
                                            const KeyringOpener& open_keyring,
                                            const std::string& now, const RestoreSteps& steps) {
  GW_CHECK(check_bare(files, state_folder));
  GW_TRY(const std::string run, current_backup_run(files, backup_folder));
  const std::string run_folder = core::cat(backup_folder, '/', run_path(run));
  GW_TRY(auto keyring, open_keyring(run_folder));
  GW_TRY(const Opened opened, open_run(files, backup_folder, run_folder, *keyring));
  GW_CHECK(core::write_file_durably(files, marker_path(state_folder), "unfinished\n"));
  // An earlier attempt's last step: with it, what is here would pass for whole.
  GW_CHECK(core::remove_if_there(files, keyring_path(state_folder)));
  GW_CHECK(files.sync_folder(state_folder));
  GW_CHECK(remove_database_files(files, database_path(state_folder)));
  RestoreReport report;
  report.what = "gateway";
  report.from = backup_folder;
  report.created = opened.manifest.created;
  report.at = now;
  auto written = write_database(files, backup_folder, opened, state_folder);
  if (!written.ok() && !is_lost(written.error())) return std::move(written).error();
  GW_CHECK(restore_objects(files, backup_folder, opened, state_folder, *keyring, report));
  if (!written.ok()) {
    if (report.objects == 0) {
      return std::move(written).error().with_context(
          "neither the database nor any object can be brought back");
    }
    report.database_lost = written.error().message();
    report.resync = false;  // whatever is indexed anew counts as perhaps sent
    GW_CHECK(steps.rebuild_index());
  }
  // Before the keyring: with it the box is a gateway again, and must not send what was sent.
  GW_CHECK(write_restore_report(files, state_folder, report));
  GW_CHECK(restore_keys(files, run_folder, state_folder));
  GW_CHECK(steps.hand_over());
  GW_CHECK(end_restore(files, state_folder));
  return report;
}

core::Result<bool> is_restore_cut_off(core::Files& files, const std::string& state_folder) {
  GW_TRY(const bool begun, files.exists(marker_path(state_folder)));
  if (!begun) return false;
  GW_TRY(const bool whole, files.exists(keyring_path(state_folder)));
  return !whole;
}

core::Status end_restore(core::Files& files, const std::string& state_folder) {
  GW_TRY(const bool begun, files.exists(marker_path(state_folder)));
  if (!begun) return {};
  GW_CHECK(files.remove(marker_path(state_folder)));
  return files.sync_folder(state_folder);
}

core::Result<BackupManifest> restore_database(core::Files& files, const std::string& backup_folder,
                                              const std::string& state_folder,
                                              const Keyring& keyring) {
  GW_TRY(const std::string run, current_backup_run(files, backup_folder));
  GW_TRY(Opened opened,
         open_run(files, backup_folder, core::cat(backup_folder, '/', run_path(run)), keyring));
  GW_CHECK(write_database(files, backup_folder, opened, state_folder));
  return std::move(opened.manifest);
}

core::Status check_backup(core::Files& files, const std::string& backup_folder,
                          const Keyring& keyring) {
  GW_TRY(const std::string run, current_backup_run(files, backup_folder));
  GW_TRY(const Opened opened,
         open_run(files, backup_folder, core::cat(backup_folder, '/', run_path(run)), keyring));
  return read_database(files, backup_folder, opened,
                       [](std::span<const std::byte>) { return core::Status(); });
}

}  // namespace gateway::crypto
