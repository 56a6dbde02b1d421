// The keyring: one random root key for everything at rest, wrapped by key slots in
// `<folder>/keyring.json` (the way LUKS does it), and monthly epoch keys wrapped under the root in
// `<folder>/epochs/`. Database, object and audit keys derive from the root with HKDF. The format is
// in docs/formats.md. What must work LOCKED (broker identity) is not in here.
//
// Threads: open()/create() from one thread; everything else from any. Adding and removing slots
// takes up to seconds (Argon2id, fsync) and holds up nobody who wants a key.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "crypto/key_slots.h"
#include "crypto/secret.h"
#include "crypto/slot_kinds.h"

namespace gateway::crypto {

/// Roots are counted from 1, the one made with the keyring.
struct RootState {
  std::uint32_t number = 1;
  bool is_moving = false;  // the one before is still there: not everything is under this one yet
};

class Keyring {
 public:
  /// True when `<folder>/keyring.json` exists: the box has been set up.
  static core::Result<bool> exists(core::Files& files, const std::string& folder);

  /// Makes root key and first slot, writes them durably and opens the slot again to prove it.
  /// Code::exists if there is one. The Argon2id cost is measured so that opening takes about half a
  /// second here, never below 32 MiB and 4 passes.
  static core::Result<std::unique_ptr<Keyring>> create(core::Files& files,
                                                       const std::string& folder,
                                                       const Passphrase& passphrase,
                                                       const core::Clock& clock);

  /// Tries every slot the opener fits. Code::locked when none opens ("the passphrase opens none of
  /// the N key slots of FILE; ..."), Code::corrupt when the file itself is damaged.
  static core::Result<std::unique_ptr<Keyring>> open(core::Files& files, const std::string& folder,
                                                     const SlotOpener& opener,
                                                     const core::Clock& clock);
  static core::Result<std::unique_ptr<Keyring>> open(core::Files& files, const std::string& folder,
                                                     const Passphrase& passphrase,
                                                     const core::Clock& clock);

  /// The slots as they stand in the file, without any key: works LOCKED. Unauthenticated until the
  /// keyring is opened. Code::not_found when there is no keyring.
  static core::Result<std::vector<KeySlot>> stored_slots(core::Files& files,
                                                         const std::string& folder);

  /// The number of the root they hold.
  static core::Result<std::uint32_t> stored_root(core::Files& files, const std::string& folder);

  virtual ~Keyring() = default;

  virtual std::vector<SlotInfo> slots() const = 0;
  /// The slot it was opened with.
  virtual SlotInfo opened_by() const = 0;
  /// How that slot is protected ("tpm2", "host", "tang", "passphrase", "recovery", "escrow"), for
  /// status and health.
  virtual std::string protection() const = 0;

  /// Makes a slot, opens it again, writes it durably and reads it back. (An escrow slot opens at
  /// central only: there it is proven with prove().)
  virtual core::Result<SlotInfo> add_slot(const NewSlot& wanted) = 0;
  /// Durable on return. Code::not_found; Code::invalid when no slot would be left that still opens
  /// by itself: a passphrase's, or a recovery, credential or Tang slot that did open or was proven
  /// in this run. An escrow slot alone is not enough.
  virtual core::Status remove_slot(const std::string& id) = 0;
  /// Which slot the opener opens, without changing anything. Code::locked: none.
  virtual core::Result<SlotInfo> prove(const SlotOpener& opener) = 0;

  /// 32 bytes for a purpose: "database", "audit", ...
  virtual core::Result<Secret> derived_key(std::string_view purpose) const = 0;
  /// The same of a root by its number. Code::refused when it is not here: gone, or this keyring is
  /// an older copy.
  virtual core::Result<Secret> derived_key_of(std::uint32_t root,
                                              std::string_view purpose) const = 0;
  virtual RootState root() const = 0;
  /// Tells one gateway's backups from another's, also after the root has changed. Nothing follows
  /// from it.
  virtual core::Result<std::string> box() const = 0;
  /// Makes a new root, seals it to every slot and puts the root before it, wrapped, beside them:
  /// durable on return, whatever opened a slot opens it still. Nothing to do while one is moving.
  /// The caller moves what derives from it (crypto/root_rotation.h). Code::refused while the key
  /// of an epoch is lost that is not among `given_up`: a copy of its file opens under this root
  /// only.
  virtual core::Status begin_root(const std::set<std::uint32_t>& given_up) = 0;
  /// Wraps every epoch key under the newest root, then forgets the one before: what it held in the
  /// files is overwritten. The one before stays while the key of an epoch is lost.
  virtual core::Status end_root() = 0;
  /// The id (YYYYMM as a number, or the last known one when the clock runs behind it) of the epoch
  /// new objects are wrapped under; its key exists durably. Where that one's key is lost, the one
  /// after it: a number is never given to a second key.
  virtual core::Result<std::uint32_t> current_epoch() = 0;
  virtual core::Result<Secret> epoch_key(std::uint32_t epoch) const = 0;
  /// Every epoch there is a key file of, oldest first.
  virtual core::Result<std::vector<std::uint32_t>> epochs() const = 0;
  /// Writes down which epochs there are, for lost_epochs(). At each start.
  virtual core::Status remember_epochs() = 0;
  /// Epochs that were made and never destroyed, whose key file is gone or damaged: what is wrapped
  /// under them opens again when the file is put back.
  virtual std::vector<std::uint32_t> lost_epochs() const = 0;
  /// Makes the epoch after the newest the current one, whatever the month.
  virtual core::Result<std::uint32_t> begin_epoch() = 0;
  /// Destroys the key of an epoch before the current one: overwritten, synced, removed. What is
  /// still wrapped under it is lost for good.
  virtual core::Status retire_epoch(std::uint32_t epoch) = 0;
  /// Held while epochs are retired, and by whoever needs headers and epoch keys to stay together.
  std::mutex& retiring() const { return retiring_; }

 private:
  mutable std::mutex retiring_;
};

}  // namespace gateway::crypto
