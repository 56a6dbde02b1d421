#include "crypto/epoch_rotation.h"

#include <mutex>

#include "core/text.h"

namespace gateway::crypto {
namespace {

std::string note_path(const std::string& folder) { return core::cat(folder, "/epoch-rotation"); }

core::Result<EpochRotation> finish(core::Files& files, const std::string& folder, Keyring& keyring,
                                   ObjectStore& objects, core::Milliseconds patience,
                                   const std::function<bool()>& stopping) {
  EpochRotation rotation;
  GW_TRY(rotation.current, keyring.current_epoch());
  GW_TRY(rotation.objects, objects.rewrap_older(rotation.current, patience, stopping));
  GW_TRY(const auto epochs, keyring.epochs());
  for (const std::uint32_t epoch : epochs) {
    if (epoch >= rotation.current) continue;
    GW_CHECK(keyring.retire_epoch(epoch));
    rotation.retired.push_back(epoch);
  }
  GW_CHECK(files.remove(note_path(folder)));
  GW_CHECK(files.sync_folder(folder));
  return rotation;
}

}  // namespace

core::Result<EpochRotation> rotate_epochs(core::Files& files, const std::string& folder,
                                          Keyring& keyring, ObjectStore& objects,
                                          core::Milliseconds patience,
                                          const std::function<bool()>& stopping) {
  const std::lock_guard one(keyring.retiring());
  GW_CHECK(core::write_file_durably(files, note_path(folder), "unfinished\n"));
  GW_CHECK(keyring.begin_epoch());
  return finish(files, folder, keyring, objects, patience, stopping);
}

core::Result<bool> epoch_rotation_unfinished(core::Files& files, const std::string& folder) {
  return files.exists(note_path(folder));
}

core::Result<EpochRotation> finish_epoch_rotation(core::Files& files, const std::string& folder,
                                                  Keyring& keyring, ObjectStore& objects,
                                                  core::Milliseconds patience,
                                                  const std::function<bool()>& stopping) {
  const std::lock_guard one(keyring.retiring());
  GW_TRY(const bool unfinished, epoch_rotation_unfinished(files, folder));
  if (!unfinished) return EpochRotation();  // whoever was first has done it
  return finish(files, folder, keyring, objects, patience, stopping);
}

}  // namespace gateway::crypto
