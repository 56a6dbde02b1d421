// Retiring epoch keys: a new epoch begins, every object moves to it, the older keys are destroyed;
// with them whatever was shredded before, spare blocks of a flash drive included. The note
// `<folder>/epoch-rotation` stands from the beginning to the end, so that a stop in between is
// gone on with. Any thread that may wait; a second call waits for the first.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "crypto/keyring.h"
#include "crypto/objects.h"

namespace gateway::crypto {

struct EpochRotation {
  std::uint32_t current = 0;
  std::vector<std::uint32_t> retired;
  RewrapReport objects;
};

/// Objects and readers go on meanwhile. On an error nothing is lost: no key goes before every
/// object that needed it is under the new one. Code::cancelled once `stopping` says so: it is to be
/// finished then.
core::Result<EpochRotation> rotate_epochs(
    core::Files& files, const std::string& folder, Keyring& keyring, ObjectStore& objects,
    core::Milliseconds patience, const std::function<bool()>& stopping = [] { return false; });

/// A stop interrupted rotate_epochs(): it should be run again, though without a new epoch.
core::Result<bool> epoch_rotation_unfinished(core::Files& files, const std::string& folder);
core::Result<EpochRotation> finish_epoch_rotation(
    core::Files& files, const std::string& folder, Keyring& keyring, ObjectStore& objects,
    core::Milliseconds patience, const std::function<bool()>& stopping = [] { return false; });

}  // namespace gateway::crypto
