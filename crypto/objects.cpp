#include "crypto/objects.h"

#include <sodium.h>

#include <array>
#include <mutex>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "crypto/object_folder.h"
#include "crypto/object_format.h"
#include "crypto/octets.h"
#include "crypto/sealed_reader.h"
#include "crypto/sealed_writer.h"

namespace gateway::crypto {
namespace {

class SealedObjectStore final : public ObjectStore {
 public:
  SealedObjectStore(std::unique_ptr<ObjectFolder> folder, Keyring& keyring)
      : folder_(std::move(folder)), keyring_(keyring) {}

  core::Result<std::unique_ptr<SealedWriter>> create() override;
  core::Status settle(const std::string& id) override;
  core::Result<std::unique_ptr<SealedReader>> open_object(const std::string& id) override;
  core::Status shred(const std::string& id) override;
  core::Result<SweepReport> sweep(
      const std::function<core::Result<bool>(const std::string& id)>& is_committed) override;

 private:
  core::Result<WrappedKey> wrap_under(std::uint32_t epoch, const Secret& key,
                                      std::span<const std::byte> associated);
  core::Status sweep_one(
      const std::string& id,
      const std::function<core::Result<bool>(const std::string& id)>& is_committed,
      SweepReport& report);

  std::unique_ptr<ObjectFolder> folder_;
  Keyring& keyring_;
  ChunkBuffers buffers_;
  // The epoch new objects are sealed under. Locked memory is slow to get, too slow for every
  // object.
  std::mutex mutex_;
  std::uint32_t wrapping_epoch_ = 0;
  Secret wrapping_key_;
};

std::span<const std::byte> bound_part(const ObjectHeaderBytes& bytes) {
  return std::span(bytes).first(kBoundHeaderBytes);
}

core::Result<WrappedKey> SealedObjectStore::wrap_under(std::uint32_t epoch, const Secret& key,
                                                       std::span<const std::byte> associated) {
  std::lock_guard lock(mutex_);
  if (wrapping_epoch_ != epoch || wrapping_key_.empty()) {
    GW_TRY(wrapping_key_, keyring_.epoch_key(epoch));
    wrapping_epoch_ = epoch;
  }
  return wrap_key(wrapping_key_, key, associated);
}

core::Result<std::unique_ptr<SealedWriter>> SealedObjectStore::create() {
  GW_TRY(std::uint32_t epoch, keyring_.current_epoch());
  const Secret key = Secret::random(kKeyBytes);
  GW_TRY(AesGcm cipher, AesGcm::create(key.bytes(), AesGcm::Direction::seal));
  GW_TRY(ObjectFolder::Entry entry, folder_->take_empty());
  ObjectHeader header;
  header.chunk_bytes = kChunkBytes;
  header.epoch = epoch;
  GW_TRY(header.id, object_id(entry.id));
  randombytes_buf(header.nonce_prefix.data(), header.nonce_prefix.size());
  GW_TRY(header.wrapped_key, wrap_under(epoch, key, bound_part(write_header(header))));
  return std::unique_ptr<SealedWriter>(std::make_unique<ChunkSealer>(
      *folder_, buffers_, std::move(entry), header, std::move(cipher)));
}

core::Status SealedObjectStore::settle(const std::string& id) {
  GW_CHECK(object_id(id));
  return folder_->settle(id);
}

core::Result<std::unique_ptr<SealedReader>> SealedObjectStore::open_object(const std::string& id) {
  GW_TRY(ObjectId wanted, object_id(id));
  GW_TRY(auto file, folder_->open_read(id));
  ObjectHeaderBytes bytes;
  GW_TRY(std::size_t got, file->read_at(0, bytes));
  if (got != bytes.size()) {
    return core::Error(core::Code::corrupt, core::cat("object ", id, " is cut short"));
  }
  auto header = read_header(bytes);
  if (!header.ok()) return std::move(header).error().with_context(core::cat("object ", id));
  if (header->id != wanted) {
    return core::Error(core::Code::corrupt,
                       core::cat("object ", id, ": the file of that name holds another object"));
  }
  auto epoch_key = keyring_.epoch_key(header->epoch);
  if (!epoch_key.ok() && epoch_key.error().code() == core::Code::not_found) {
    // Not "not found": the object is here, and whoever deletes must not take it for gone.
    return core::Error(core::Code::corrupt,
                       core::cat("object ", id, ": the key of its epoch ", header->epoch,
                                 " is not here: the header is damaged, or the epoch was retired"));
  }
  if (!epoch_key.ok()) return std::move(epoch_key).error().with_context(core::cat("object ", id));
  auto key = unwrap_key(*epoch_key, header->wrapped_key, bound_part(bytes));
  if (!key.ok()) return std::move(key).error().with_context(core::cat("object ", id, ", header"));
  GW_TRY(AesGcm cipher, AesGcm::create(key->bytes(), AesGcm::Direction::open));
  return ChunkOpener::open(id, std::move(file), *header, std::move(cipher));
}

core::Status SealedObjectStore::shred(const std::string& id) {
  GW_CHECK(object_id(id));
  return folder_->shred(id, kObjectHeaderBytes);
}

core::Result<SweepReport> SealedObjectStore::sweep(
    const std::function<core::Result<bool>(const std::string& id)>& is_committed) {
  SweepReport report;
  GW_TRY(auto names, folder_->list_incoming());
  for (const std::string& name : names) {
    if (object_id(name).ok()) {
      GW_CHECK(sweep_one(name, is_committed, report));
    } else {
      core::log_warn("crypto", "a file that is not ours lies among the incoming objects");
    }
  }
  return report;
}

core::Status SealedObjectStore::sweep_one(
    const std::string& id,
    const std::function<core::Result<bool>(const std::string& id)>& is_committed,
    SweepReport& report) {
  GW_TRY(bool committed, is_committed(id));
  if (committed) {
    GW_CHECK(folder_->settle(id));
    ++report.settled;
  } else {
    GW_CHECK(folder_->remove_incoming(id));
    ++report.removed;
  }
  return {};
}

}  // namespace

core::Result<std::unique_ptr<ObjectStore>> ObjectStore::open(core::Files& files,
                                                             const std::string& folder,
                                                             Keyring& keyring,
                                                             std::uint64_t reserve_bytes) {
  GW_TRY(auto opened, ObjectFolder::open(files, folder, reserve_bytes));
  return std::unique_ptr<ObjectStore>(
      std::make_unique<SealedObjectStore>(std::move(opened), keyring));
}

}  // namespace gateway::crypto
