#include "crypto/backup_source.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/file_steps.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/database_key.h"
#include "crypto/digest.h"
#include "crypto/epoch_files.h"
#include "crypto/octets.h"
#include "crypto/sealed_reader.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kKeyFileMax = 1U << 20;
constexpr std::string_view kDatabaseFile = "database";

std::string spool_in(const std::string& state_folder) {
  return core::cat(state_folder, "/backup-spool");
}

core::Result<std::string> read_at(core::File& file, std::uint64_t offset, std::size_t count) {
  std::string bytes(count, '\0');
  GW_TRY(const std::size_t got,
         file.read_at(offset, {reinterpret_cast<std::byte*>(bytes.data()), bytes.size()}));
  bytes.resize(got);
  return bytes;
}

}  // namespace

core::Status remove_backup_spool(core::Files& files, const std::string& state_folder) {
  const std::string spool = spool_in(state_folder);
  GW_TRY(const bool there, files.exists(spool));
  if (!there) return {};
  GW_TRY(const auto names, files.list(spool));
  for (const std::string& name : names) GW_CHECK(files.remove(core::cat(spool, '/', name)));
  return {};
}

BackupSource::BackupSource(BackupInputs inputs)
    : inputs_(std::move(inputs)), spool_(spool_in(inputs_.state_folder)), id_(core::new_uuid()) {}

BackupSource::~BackupSource() {
  if (auto removed = remove_backup_spool(inputs_.files, inputs_.state_folder); !removed.ok()) {
    core::log_warn("crypto", removed.error().message());
  }
}

core::Result<std::unique_ptr<BackupSource>> BackupSource::begin(BackupInputs inputs) {
  std::unique_ptr<BackupSource> source(new BackupSource(std::move(inputs)));
  GW_CHECK(source->prepare_spool());
  GW_CHECK(source->copy_database());
  // After the database: whatever it names and has not been deleted since is found. No epoch may go
  // between its objects' headers and its key.
  const std::lock_guard no_epoch_retires(source->inputs_.keyring.retiring());
  GW_CHECK(source->collect_headers());
  GW_CHECK(source->write_manifest());
  GW_CHECK(source->read_key_files());
  GW_CHECK(source->check_key_files());
  return source;
}

core::Status BackupSource::prepare_spool() {
  const RootState root = inputs_.keyring.root();
  if (root.is_moving) {
    // Pieces that lie there under the older key would pass for this run's.
    return core::Error(core::Code::busy,
                       "the root key is being rotated; finish that first (clinic-gateway keys "
                       "rotate root), then run the backup again");
  }
  GW_TRY(key_, backup_key(inputs_.keyring, root.number));
  GW_TRY(manifest_.box, inputs_.keyring.box());
  manifest_.created = inputs_.created;
  GW_CHECK(inputs_.files.make_folder(spool_));
  return remove_backup_spool(inputs_.files, inputs_.state_folder);
}

core::Status BackupSource::check_space(std::uint64_t bytes) {
  GW_TRY(const std::uint64_t free, inputs_.files.free_bytes(spool_));
  if (free >= inputs_.reserve_bytes + bytes) return {};
  return core::Error(core::Code::no_space,
                     "the disk has no room for the backup's copy of the database above its "
                     "reserve; free space and run the backup again");
}

core::Status BackupSource::copy_database() {
  GW_TRY(const DatabaseKeyState state,
         read_database_key_state(inputs_.files, inputs_.state_folder));
  manifest_.generation = state.generation;
  GW_TRY(auto file, inputs_.files.create(core::cat(spool_, '/', kDatabaseFile)));
  const auto take = [&](std::span<const std::byte> bytes) -> core::Status {
    GW_CHECK(check_space(bytes.size()));
    GW_CHECK(file->append(bytes));
    manifest_.database_bytes += bytes.size();
    // Read a MiB at a time: pieces end where reads end, but for the last one.
    for (std::size_t at = 0; at < bytes.size(); at += kDatabasePieceBytes) {
      const auto piece = bytes.subspan(at, std::min(kDatabasePieceBytes, bytes.size() - at));
      manifest_.pieces.push_back(core::to_hex(as_text(sha256(piece))));
    }
    return {};
  };
  return inputs_.database.copy_file(take);
}

core::Result<BackupSealer> BackupSource::seal_into(std::string_view label,
                                                   const std::string& name) {
  GW_TRY(auto created, inputs_.files.create(core::cat(spool_, '/', name)));
  std::shared_ptr<core::File> file = std::move(created);
  return BackupSealer::create(key_, std::string(label),
                              [this, file, name](std::span<const std::byte> bytes) -> core::Status {
                                GW_CHECK(check_space(bytes.size()));
                                spooled_[name] += bytes.size();
                                return file->append(bytes);
                              });
}

core::Status BackupSource::collect_headers() {
  GW_TRY(BackupSealer sealer, seal_into(kHeadersLabel, "headers"));
  const auto visit = [&](std::string_view id) { return add_header(id, sealer); };
  GW_CHECK(inputs_.database.read(
      [&](Connection& connection) { return inputs_.each_object(connection, visit); }));
  manifest_.objects = bodies_.size();
  return sealer.finish();
}

core::Status BackupSource::add_header(std::string_view id, BackupSealer& sealer) {
  std::array<std::byte, kBackupHeaderBytes> record{};
  const auto header = std::span(record).first(kObjectHeaderBytes);
  BackupBody body{std::string(id), 0, true, ""};
  const auto read = [&] { return read_start(body, header); };
  const auto got = core::try_twice(read);
  if (!got.ok() && got.error().code() == core::Code::not_found) {
    ++missing_;
    return {};
  }
  if (got.ok()) {
    GW_CHECK(look_at_header(body, header.first(*got)));
  } else if (got.error().code() == core::Code::io) {
    // Of this object alone: the others are to be saved.
    body.opens = false;
    body.doubt = core::cat("object ", id, " cannot be read: ", got.error().message());
  } else {
    return got.error();
  }
  if (!body.opens && inputs_.objects.open_object(body.id).ok()) {
    // It was being put under another epoch just then.
    GW_CHECK(read());
    body.opens = true;
    body.doubt.clear();
    GW_CHECK(look_at_header(body, header));
  }
  if (body.opens && inputs_.noted_damage.contains(body.id)) {
    body.doubt = core::cat("object ", id, " is noted as damaged");
  }
  put_little_endian(std::span(record).last<8>(), body.bytes);
  bodies_.push_back(std::move(body));
  return sealer.append(record);
}

/// As much as there is of an object's header, and how long what follows it is.
core::Result<std::size_t> BackupSource::read_start(BackupBody& body, std::span<std::byte> header) {
  GW_TRY(const auto file, inputs_.objects.open_sealed(body.id));
  GW_TRY(const std::uint64_t size, file->size());
  GW_TRY(const std::size_t got, file->read_at(0, header));
  if (got == kObjectHeaderBytes) body.bytes = size - kObjectHeaderBytes;
  return got;
}

/// Whether the key of its epoch opens it. The body is not looked at: that takes reading all of it.
core::Status BackupSource::look_at_header(BackupBody& body, std::span<const std::byte> bytes) {
  const auto doubt = [&](std::string_view why) -> core::Status {
    body.opens = false;
    body.doubt = core::cat("object ", body.id, why);
    return {};
  };
  if (bytes.size() < kObjectHeaderBytes) return doubt(" is cut short");
  const auto header = read_header(bytes.first<kObjectHeaderBytes>());
  GW_TRY(const ObjectId wanted, object_id(body.id));
  if (!header.ok() || header->id != wanted) return doubt(" has a damaged header");
  auto known = epoch_keys_.find(header->epoch);
  if (known == epoch_keys_.end()) {
    auto key = inputs_.keyring.epoch_key(header->epoch);
    if (!key.ok()) {
      return doubt(core::cat(" is of epoch ", header->epoch, ", whose key is damaged or gone"));
    }
    known = epoch_keys_.emplace(header->epoch, std::move(*key)).first;
  }
  if (unwrap_key(known->second, header->wrapped_key, bytes.first(kBoundHeaderBytes)).ok())
    return {};
  return doubt(core::cat(" does not open with the key of its epoch ", header->epoch,
                         ": its header, or that key, is not what it was"));
}

core::Status BackupSource::check(const std::string& id) {
  return core::try_twice_or_damaged([&] { return read_through(inputs_.objects, id); });
}

core::Status BackupSource::write_manifest() {
  GW_TRY(BackupSealer sealer, seal_into(kManifestLabel, "manifest"));
  GW_CHECK(sealer.append(as_octets(write_manifest_text(manifest_))));
  return sealer.finish();
}

core::Status BackupSource::read_key_files() {
  const std::string& folder = inputs_.state_folder;
  std::vector<std::string> names{"keyring.json"};
  GW_TRY(const auto epochs, core::list_if_there(inputs_.files, core::cat(folder, "/epochs")));
  for (const std::string& name : epochs) {
    if (name.ends_with(".key")) names.push_back(core::cat("epochs/", name));
  }
  for (const std::string& name : names) {
    GW_TRY(key_files_[name],
           core::read_whole_file(inputs_.files, core::cat(folder, '/', name), kKeyFileMax));
  }
  return {};
}

/// The gateway works with the keys it opened at its start; what the disk has of them by now is what
/// a restore would have to open with.
core::Status BackupSource::check_key_files() {
  core::Files& files = inputs_.files;
  const std::string& folder = inputs_.state_folder;
  const RootState root = inputs_.keyring.root();
  const auto stored = Keyring::stored_root(files, folder);
  const auto changed = [&](const std::string& what) {
    return core::Error(core::Code::refused,
                       core::cat(folder, '/', what,
                                 " is damaged, gone, or not the key in use; the "
                                 "backup was left as it was, with the good copy in its runs/: put "
                                 "that file back before the service is restarted, then run the "
                                 "backup again"));
  };
  // A drive may give on the second try what it refused on the first: that says nothing of the file.
  if (!stored.ok() && stored.error().code() == core::Code::io) return stored.error();
  if (!stored.ok() || *stored != root.number) return changed("keyring.json");
  GW_TRY(Secret wrapping, inputs_.keyring.derived_key_of(root.number, "epoch-wrap"));
  GW_TRY(EpochFiles on_disk, EpochFiles::open(files, folder, std::move(wrapping)));
  for (const auto& [epoch, key] : epoch_keys_) {
    const auto found = on_disk.key(epoch);
    const std::string name = core::cat("epochs/", epoch, ".key");
    if (!found.ok() && found.error().code() == core::Code::io) return found.error();
    if (!found.ok() || !same_secret(*found, key) || !key_files_.contains(name))
      return changed(name);
  }
  return {};
}

core::Result<std::string> BackupSource::piece(std::size_t number) {
  if (number >= manifest_.pieces.size()) {
    return core::Error(core::Code::not_found, "the backup has no such piece");
  }
  GW_TRY(auto file, inputs_.files.open_read(core::cat(spool_, '/', kDatabaseFile)));
  GW_TRY(const std::string plain,
         read_at(*file, number * kDatabasePieceBytes, kDatabasePieceBytes));
  std::string sealed;
  GW_TRY(BackupSealer sealer,
         BackupSealer::create(key_, piece_label(manifest_.pieces[number]),
                              [&](std::span<const std::byte> bytes) -> core::Status {
                                sealed += as_text(bytes);
                                return {};
                              }));
  GW_CHECK(sealer.append(as_octets(plain)));
  GW_CHECK(sealer.finish());
  return sealed;
}

core::Result<std::string> BackupSource::body(const std::string& id, std::uint64_t offset,
                                             std::size_t count) {
  return core::try_twice_or_damaged([&]() -> core::Result<std::string> {
    GW_TRY(auto file, inputs_.objects.open_sealed(id));
    return read_at(*file, kObjectHeaderBytes + offset, count);
  });
}

std::vector<std::pair<std::string, std::uint64_t>> BackupSource::key_part() const {
  std::vector<std::pair<std::string, std::uint64_t>> files;
  for (const auto& [name, text] : key_files_) files.emplace_back(name, text.size());
  for (const auto& [name, bytes] : spooled_) files.emplace_back(name, bytes);
  return files;
}

core::Result<std::string> BackupSource::key_part_bytes(const std::string& name,
                                                       std::uint64_t offset, std::size_t count) {
  const auto small = key_files_.find(name);
  if (small != key_files_.end()) {
    return small->second.substr(std::min<std::uint64_t>(offset, small->second.size()), count);
  }
  if (!spooled_.contains(name)) {
    return core::Error(core::Code::not_found, core::cat("the backup has no file ", name));
  }
  GW_TRY(auto file, inputs_.files.open_read(core::cat(spool_, '/', name)));
  return read_at(*file, offset, count);
}

}  // namespace gateway::crypto
