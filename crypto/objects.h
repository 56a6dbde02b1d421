// Sealed objects: bulk bytes (pixel data, PDFs) as files nobody can read without the keyring.
// Chunks of AES-256-GCM in a STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizard 2015):
// truncation, reordering and swapped files are detected. Each object has a random key, wrapped in
// the file's own header under an epoch key of the keyring, so that the keyring and the files alone
// give every object back. Format and write order: docs/formats.md.
//
// Life of an object: create() opens a file in `<folder>/incoming/`; finish() makes bytes and name
// durable; the caller then commits the object's id to the database and calls settle(), which moves
// the file to `<folder>/<2 hex>/`. open_object() finds it in either place, so a crash between
// commit and settle loses nothing; sweep() at start settles what is committed and removes what is
// not.
//
// Deleting: mark the object in the database, shred(), delete the row; after a crash shred what is
// marked again (Code::not_found: done).
//
// Memory: one chunk (256 KiB) per writer, two for a long object, at most one per reader. Threads:
// the store from any; one writer or reader object from one thread at a time. Store and keyring
// outlive their writers; a reader needs neither.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "crypto/keyring.h"

namespace gateway::crypto {

/// What finish() promises is on disk.
struct SealedObject {
  std::string id;          // uuid; the file's name and bound into every chunk's authentication
  std::uint64_t size = 0;  // plaintext bytes
};

class SealedWriter {
 public:
  virtual ~SealedWriter() = default;  // without finish(): the file is removed
  /// Seals and appends. After an error every further call answers the same error.
  virtual core::Status append(std::span<const std::byte> bytes) = 0;
  /// Seals the last chunk and sets it on its way to the disk without waiting: what the caller has
  /// still to compute costs no time then. Nothing may be appended afterwards. Optional.
  virtual core::Status seal() = 0;
  /// The last chunk, fsync of the file and of its folder entry. Again: the same answer.
  virtual core::Result<SealedObject> finish() = 0;
  virtual bool is_finished() const = 0;
  virtual std::uint64_t size() const = 0;
  /// The object's id, from the beginning.
  virtual const std::string& id() const = 0;
};

class SealedReader {
 public:
  virtual ~SealedReader() = default;
  virtual std::uint64_t size() const = 0;
  /// Up to bytes.size() plaintext bytes at `offset`, fewer only at the end. Only the touched chunks
  /// are decrypted. Code::corrupt when any touched chunk fails its authentication.
  virtual core::Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> bytes) = 0;
};

struct SweepReport {
  std::uint64_t settled = 0;
  std::uint64_t removed = 0;
};

struct RewrapReport {
  std::uint64_t looked_at = 0;
  std::uint64_t rewrapped = 0;
  std::uint64_t unreadable = 0;  // headers that no key opens: those objects were lost before
};

class ObjectStore {
 public:
  /// `reserve_bytes`: create() and append() answer Code::no_space when less than that would stay
  /// free.
  static core::Result<std::unique_ptr<ObjectStore>> open(core::Files& files,
                                                         const std::string& folder,
                                                         Keyring& keyring,
                                                         std::uint64_t reserve_bytes);
  virtual ~ObjectStore() = default;

  virtual core::Result<std::unique_ptr<SealedWriter>> create() = 0;
  /// Moves a committed object to its place; not durable by itself, nor need it be.
  virtual core::Status settle(const std::string& id) = 0;
  /// Authenticates header and last chunk, so size() can be trusted. Code::not_found when there is
  /// no such object, Code::corrupt when it is damaged, cut or another's.
  virtual core::Result<std::unique_ptr<SealedReader>> open_object(const std::string& id) = 0;
  /// Overwrites the header with its wrapped key, syncs, then removes the file durably: the bytes
  /// left behind cannot be opened. Also for finished objects whose commit failed.
  virtual core::Status shred(const std::string& id) = 0;
  /// Names every object that is here, settled or not.
  virtual core::Status each(const std::function<core::Status(const std::string& id)>& visit) = 0;
  /// Puts every object of an epoch before `epoch`, whose key exists, under `epoch`. Waits for the
  /// writers of older epochs; Code::busy when they are not done within `patience`. Interrupted, the
  /// next start and the next call go on where it stopped; Code::cancelled once `stopping` says so.
  /// One at a time, the rest goes on. Code::io at the end, when the disk refused some of them.
  virtual core::Result<RewrapReport> rewrap_older(std::uint32_t epoch, core::Milliseconds patience,
                                                  const std::function<bool()>& stopping) = 0;
  /// Hands out what the file holds, header included, as it is: for backups. Errors as
  /// open_object().
  virtual core::Result<std::unique_ptr<core::File>> open_sealed(const std::string& id) = 0;
  /// The ids of all object files, sorted (oldest first), also of those that are not whole or were
  /// never committed; empty names in stock are left out. Reads every folder: for repairs.
  virtual core::Result<std::vector<std::string>> list_all() = 0;
  /// At start, before any create(): looks only at `incoming/`.
  virtual core::Result<SweepReport> sweep(
      const std::function<core::Result<bool>(const std::string& id)>& is_committed) = 0;
};

}  // namespace gateway::crypto
