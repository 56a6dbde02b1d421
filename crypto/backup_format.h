// What a backup folder holds and how its own files are sealed; docs/formats.md draws it.
//
//   CURRENT                      the name of the run that counts
//   runs/<name>/                 the key part, small: keyring.json, epochs/, headers, manifest,
//                                SHA256SUMS; each run writes its own and destroys the ones before
//   database/<2 hex>/<sha256>    pieces of the database's file, named by what they hold
//   objects/<2 hex>/<uuid>       objects without their headers: nothing opens them but a key part
//
// A sealed file is one STREAM of AES-256-GCM chunks under a key of its own, HKDF of the backup key
// with the file's random salt; its label is authenticated, so that none passes for another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "crypto/aes_gcm.h"
#include "crypto/keyring.h"
#include "crypto/object_format.h"
#include "crypto/secret.h"

namespace gateway::crypto {

constexpr std::size_t kDatabasePieceBytes = 64U << 10;

/// Labels of the sealed files.
constexpr std::string_view kManifestLabel = "manifest";
constexpr std::string_view kHeadersLabel = "headers";
std::string piece_label(std::string_view name);

/// Of a root by its number; errors as Keyring::derived_key_of().
core::Result<Secret> backup_key(const Keyring& keyring, std::uint32_t root);

/// Seals what is appended into `sink`, 256 KiB at a time.
class BackupSealer {
 public:
  using Sink = std::function<core::Status(std::span<const std::byte>)>;
  static core::Result<BackupSealer> create(const Secret& key, std::string label, Sink sink);
  core::Status append(std::span<const std::byte> bytes);
  core::Status finish();

 private:
  BackupSealer(AesGcm cipher, std::string label, Sink sink);
  core::Status seal(bool last);

  AesGcm cipher_;
  std::string label_;
  Sink sink_;
  std::vector<std::byte> plain_;
  std::vector<std::byte> sealed_;
  std::uint64_t chunks_ = 0;
};

using TakeChunk = std::function<core::Status(std::span<const std::byte>)>;
/// Hears of a chunk that does not open, and how many bytes were in it.
using SkipChunk = std::function<core::Status(const core::Error&, std::size_t plain_bytes)>;
inline core::Status refuse_damage(const core::Error& error, std::size_t) { return error; }
/// Opens a sealed file chunk by chunk. Code::corrupt when it is damaged, cut, or another's; with a
/// `skip` that lets it go on, only when not even its beginning is there.
core::Status open_backup_file(const Secret& key, std::string_view label, core::File& file,
                              const TakeChunk& take, const SkipChunk& skip = refuse_damage);
core::Result<std::string> open_whole_backup_file(const Secret& key, std::string_view label,
                                                 core::Files& files, const std::string& path,
                                                 std::size_t size_max);

struct BackupManifest {
  std::string box;
  std::string created;
  std::uint32_t generation = 1;  // of the database's key
  std::uint64_t database_bytes = 0;
  std::vector<std::string> pieces;  // names, in the order of the file
  std::uint64_t objects = 0;
};
std::string write_manifest_text(const BackupManifest& manifest);
core::Result<BackupManifest> read_manifest_text(std::string_view text);

/// One object in the `headers` file.
struct BackupHeader {
  ObjectHeaderBytes header{};
  std::uint64_t body_bytes = 0;
};
constexpr std::size_t kBackupHeaderBytes = kObjectHeaderBytes + 8;

/// Where things lie below the folder, as paths relative to it.
std::string piece_path(std::string_view name);
std::string body_path(std::string_view uuid);
std::string run_path(std::string_view run);

}  // namespace gateway::crypto
