#include "crypto/backup_format.h"

#include <algorithm>
#include <utility>

#include "core/file_steps.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::string_view kMagic = "CGBACKUP";
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kPrefixBytes = kMagic.size() + kSaltBytes;
constexpr std::size_t kPlainBytes = 256U << 10;
constexpr std::string_view kFormat = "clinic-gateway backup";
constexpr std::int64_t kVersion = 1;

Nonce nonce_of(std::uint64_t index, bool last) {
  Nonce nonce{};
  put_little_endian(std::span(nonce).subspan<3, 8>(), index);
  nonce[11] = last ? std::byte{1} : std::byte{0};
  return nonce;
}

core::Result<AesGcm> cipher_of(const Secret& key, std::string_view salt,
                               AesGcm::Direction direction) {
  GW_TRY(const Secret own, derive_key(key, core::cat("file ", core::to_hex(salt))));
  return AesGcm::create(own.bytes(), direction);
}

core::Error damaged(std::string_view what) {
  return {core::Code::corrupt, core::cat("the backup's ", what, " is damaged")};
}

std::string fan(std::string_view name) { return std::string(name.substr(name.size() - 2)); }

}  // namespace

std::string piece_label(std::string_view name) { return core::cat("database ", name); }

core::Result<Secret> backup_key(const Keyring& keyring, std::uint32_t root) {
  return keyring.derived_key_of(root, "backup");
}

BackupSealer::BackupSealer(AesGcm cipher, std::string label, Sink sink)
    : cipher_(std::move(cipher)), label_(std::move(label)), sink_(std::move(sink)) {
  plain_.reserve(kPlainBytes);
}

core::Result<BackupSealer> BackupSealer::create(const Secret& key, std::string label, Sink sink) {
  const std::string salt = core::random_bytes(kSaltBytes);
  GW_TRY(AesGcm cipher, cipher_of(key, salt, AesGcm::Direction::seal));
  GW_CHECK(sink(as_octets(core::cat(kMagic, salt))));
  return BackupSealer(std::move(cipher), std::move(label), std::move(sink));
}

core::Status BackupSealer::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    // Kept back until more comes: the last chunk is sealed as the last.
    if (plain_.size() == kPlainBytes) GW_CHECK(seal(false));
    const std::size_t taken = std::min(bytes.size(), kPlainBytes - plain_.size());
    plain_.insert(plain_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    bytes = bytes.subspan(taken);
  }
  return {};
}

core::Status BackupSealer::finish() { return seal(true); }

core::Status BackupSealer::seal(bool last) {
  sealed_.resize(plain_.size() + kTagBytes);
  GW_CHECK(cipher_.seal(nonce_of(chunks_++, last), as_octets(label_), plain_, sealed_));
  plain_.clear();
  return sink_(sealed_);
}

core::Status open_backup_file(const Secret& key, std::string_view label, core::File& file,
                              const TakeChunk& take, const SkipChunk& skip) {
  GW_TRY(const std::uint64_t size, file.size());
  std::vector<std::byte> sealed(kPlainBytes + kTagBytes);
  const std::span<std::byte> prefix = std::span(sealed).first(kPrefixBytes);
  GW_TRY(const std::size_t got,
         core::try_twice_or_damaged([&] { return file.read_at(0, prefix); }));
  if (got != kPrefixBytes || !as_text(prefix).starts_with(kMagic)) return damaged(label);
  GW_TRY(AesGcm cipher,
         cipher_of(key, as_text(prefix.subspan(kMagic.size())), AesGcm::Direction::open));
  std::uint64_t at = kPrefixBytes;
  for (std::uint64_t index = 0;; ++index) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(sealed.size(), size - at));
    if (count < kTagBytes) return damaged(label);
    const std::span<std::byte> chunk = std::span(sealed).first(count);
    const std::span<std::byte> plain = chunk.first(count - kTagBytes);
    const bool last = at + count >= size;
    const auto open = [&]() -> core::Status {
      GW_TRY(const std::size_t read,
             core::try_twice_or_damaged([&] { return file.read_at(at, chunk); }));
      if (read != count) return damaged(label);
      return cipher.open(nonce_of(index, last), as_octets(label), chunk, plain);
    };
    auto opened = open().with_context(core::cat("the backup's ", label));
    GW_CHECK(opened.ok() ? take(plain) : skip(opened.error(), plain.size()));
    if (last) return {};
    at += count;
  }
}

core::Result<std::string> open_whole_backup_file(const Secret& key, std::string_view label,
                                                 core::Files& files, const std::string& path,
                                                 std::size_t size_max) {
  GW_TRY(auto file, files.open_read(path));
  GW_TRY(const std::uint64_t size, file->size());
  if (size > size_max) return damaged(label);
  std::string whole;
  GW_CHECK(open_backup_file(key, label, *file, [&](std::span<const std::byte> bytes) {
    whole += as_text(bytes);
    return core::Status();
  }));
  return whole;
}

std::string write_manifest_text(const BackupManifest& manifest) {
  core::Json pieces = core::Json::array();
  for (const std::string& name : manifest.pieces) pieces.add(name);
  return core::Json::object({{"format", kFormat},
                             {"version", kVersion},
                             {"box", manifest.box},
                             {"created", manifest.created},
                             {"database_key_generation", std::int64_t{manifest.generation}},
                             {"database_bytes", manifest.database_bytes},
                             {"piece_bytes", std::uint64_t{kDatabasePieceBytes}},
                             {"pieces", std::move(pieces)},
                             {"objects", manifest.objects}})
      .dump();
}

core::Result<BackupManifest> read_manifest_text(std::string_view text) {
  GW_TRY(const core::Json json, core::Json::parse(text));
  if (json["format"].text() != kFormat) return damaged(kManifestLabel);
  if (json["version"].integer() != kVersion) {
    return core::Error(core::Code::invalid,
                       "a newer clinic-gateway made this backup; install that version");
  }
  BackupManifest manifest;
  manifest.box = json["box"].text();
  manifest.created = json["created"].text();
  manifest.generation =
      static_cast<std::uint32_t>(json["database_key_generation"].integer().value_or(1));
  manifest.database_bytes =
      static_cast<std::uint64_t>(json["database_bytes"].integer().value_or(0));
  manifest.objects = static_cast<std::uint64_t>(json["objects"].integer().value_or(0));
  for (const core::Json& name : json["pieces"].items()) manifest.pieces.emplace_back(name.text());
  return manifest;
}

std::string piece_path(std::string_view name) {
  return core::cat("database/", fan(name), '/', name);
}
std::string body_path(std::string_view uuid) { return core::cat("objects/", fan(uuid), '/', uuid); }
std::string run_path(std::string_view run) { return core::cat("runs/", run); }

}  // namespace gateway::crypto
