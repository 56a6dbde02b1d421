#include "crypto/epoch_rotation.h"

#include "core/text.h"

namespace gateway::crypto {
namespace {

std::string note_path(const std::string& folder) { return core::cat(folder, "/epoch-rotation"); }

}  // namespace

core::Result<EpochRotation> rotate_epochs(core::Files& files, const std::string& folder,
                                          Keyring& keyring, ObjectStore& objects,
                                          core::Milliseconds patience) {
  GW_CHECK(core::write_file_durably(files, note_path(folder), "unfinished\n"));
  GW_CHECK(keyring.begin_epoch());
  return finish_epoch_rotation(files, folder, keyring, objects, patience);
}

core::Result<bool> epoch_rotation_unfinished(core::Files& files, const std::string& folder) {
  return files.exists(note_path(folder));
}

core::Result<EpochRotation> finish_epoch_rotation(core::Files& files, const std::string& folder,
                                                  Keyring& keyring, ObjectStore& objects,
                                                  core::Milliseconds patience) {
  EpochRotation rotation;
  GW_TRY(rotation.current, keyring.current_epoch());
  GW_TRY(rotation.objects, objects.rewrap_older(rotation.current, patience));
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

}  // namespace gateway::crypto
