// Epoch keys on disk: `<folder>/epochs/YYYYMM.key`, one random key per month, wrapped under a key
// derived from the root. Removing one such file for good makes every object of that month
// unreadable. `<folder>/epochs/known` names every epoch that was made and not destroyed, so that a
// lost file is noticed and its number never given again. Format: docs/formats.md. One thread at a
// time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

/// 2026-03-... UTC -> 202603. A time before 1970 counts as its first month.
std::uint32_t epoch_of(core::Wall time);
/// 202612 -> 202701.
std::uint32_t epoch_after(std::uint32_t epoch);

class EpochFiles {
 public:
  static std::string folder_in(const std::string& keyring_folder);
  /// Lists what is there; keys are read when first asked for.
  static core::Result<EpochFiles> open(core::Files& files, const std::string& keyring_folder,
                                       Secret wrapping);

  /// From now on keys are wrapped under `wrapping`; those wrapped before still open.
  void change_wrapping(Secret wrapping);
  /// For an opening in between: `wrapping` was there before the one given to open().
  void remember_wrapping(Secret wrapping) { previous_wrapping_ = std::move(wrapping); }
  /// Before the wrapping changes, after which a copy of a key file from before opens no more:
  /// forgets `epochs`, which are lost. Code::invalid: one of them is not; Code::refused: another
  /// one is.
  core::Status give_up(const std::set<std::uint32_t>& epochs);
  /// Wraps every key under the newest wrapping, each durably, its former file overwritten.
  /// Code::not_found, Code::corrupt: one is lost; the others are done.
  core::Status wrap_all_again();
  void forget_previous_wrapping() { previous_wrapping_.reset(); }

  /// 0 when there is none; a lost one counts.
  std::uint32_t newest() const { return newest_; }
  /// Writes down which epochs there are, where that is not written yet. (make() and destroy() keep
  /// it so.)
  core::Status remember();
  /// Known, not destroyed, and their key can't be had: the file is gone or damaged. Oldest first.
  std::vector<std::uint32_t> lost();
  /// The one to seal under at that time, made where it is not there yet. A clock that runs behind
  /// (no RTC) does not bring an old epoch back, which may be destroyed already; where the newest
  /// one's key is lost, the next one begins.
  core::Result<std::uint32_t> current(core::Wall now);
  /// Makes and proves a new epoch's key; durable on return. Code::invalid past 999999.
  core::Status make(std::uint32_t epoch);
  /// Code::not_found when the epoch is unknown or retired, Code::corrupt when its file is damaged.
  core::Result<Secret> key(std::uint32_t epoch);
  /// Oldest first.
  core::Result<std::vector<std::uint32_t>> list() const;
  /// Overwrites the key's file, then removes it, both durably. Code::invalid for the newest. Killed
  /// in between, what is left opens nothing and can be destroyed again.
  core::Status destroy(std::uint32_t epoch);

 private:
  EpochFiles(core::Files& files, std::string folder, Secret wrapping);
  core::Result<Secret> read(std::uint32_t epoch) const;
  core::Result<std::string> file_of(std::uint32_t epoch, const Secret& key) const;
  std::string path_of(std::uint32_t epoch) const;
  core::Status make_file(std::uint32_t epoch);
  core::Result<bool> is_lost(std::uint32_t epoch);
  core::Status read_known();
  core::Status write_known(std::set<std::uint32_t> known);

  core::Files* files_;
  std::string folder_;
  Secret wrapping_;
  std::optional<Secret> previous_wrapping_;
  std::uint32_t newest_ = 0;
  std::set<std::uint32_t> known_;  // as the file has it
  std::map<std::uint32_t, Secret> keys_;
};

}  // namespace gateway::crypto
