#include "crypto/objects.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "crypto/epoch_leases.h"
#include "crypto/object_folder.h"
#include "crypto/object_format.h"
#include "crypto/object_rewrap.h"
#include "crypto/octets.h"
#include "crypto/sealed_reader.h"
#include "crypto/sealed_writer.h"

namespace gateway::crypto {
namespace {

class SealedObjectStore final : public ObjectStore {
 public:
  SealedObjectStore(std::unique_ptr<ObjectFolder> folder, Keyring& keyring)
      : folder_(std::move(folder)), keyring_(keyring) {}
  core::Status recover(core::Files& files) {
    rewrap_ = std::make_unique<ObjectRewrap>(files, *folder_, keyring_, headers_);
    return rewrap_->recover();
  }

  core::Result<std::unique_ptr<SealedWriter>> create() override;
  core::Status settle(const std::string& id) override;
  core::Result<std::unique_ptr<SealedReader>> open_object(const std::string& id) override;
  core::Status shred(const std::string& id) override;
  core::Status each(const std::function<core::Status(const std::string& id)>& visit) override {
    return folder_->for_each(visit);
  }
  core::Result<RewrapReport> rewrap_older(std::uint32_t epoch, core::Milliseconds patience,
                                          const std::function<bool()>& stopping) override;
  core::Result<std::unique_ptr<core::File>> open_sealed(const std::string& id) override;
  core::Result<std::vector<std::string>> list_all() override;
  core::Result<SweepReport> sweep(
      const std::function<core::Result<bool>(const std::string& id)>& is_committed) override;

 private:
  core::Result<std::shared_ptr<EpochLeases::Lease>> lease_epoch(std::uint32_t& epoch);
  core::Result<WrappedKey> wrap_under(std::uint32_t epoch, const Secret& key,
                                      std::span<const std::byte> associated);
  core::Status sweep_one(
      const std::string& id,
      const std::function<core::Result<bool>(const std::string& id)>& is_committed,
      SweepReport& report);

  std::unique_ptr<ObjectFolder> folder_;
  Keyring& keyring_;
  ChunkBuffers buffers_;
  EpochLeases leases_;
  std::shared_mutex headers_;  // in place: shared to read or shred one, alone to re-wrap it
  std::mutex rewrapping_;
  std::unique_ptr<ObjectRewrap> rewrap_;
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

/// Under the mutex: whoever has begun a newer epoch either sees the lease or is seen by it.
core::Result<std::shared_ptr<EpochLeases::Lease>> SealedObjectStore::lease_epoch(
    std::uint32_t& epoch) {
  std::lock_guard lock(mutex_);
  GW_TRY(epoch, keyring_.current_epoch());
  return std::make_shared<EpochLeases::Lease>(leases_, epoch);
}

core::Result<RewrapReport> SealedObjectStore::rewrap_older(std::uint32_t epoch,
                                                           core::Milliseconds patience,
                                                           const std::function<bool()>& stopping) {
  std::lock_guard one(rewrapping_);
  { std::lock_guard no_lease_is_being_taken(mutex_); }
  if (!leases_.wait_for_older(epoch, patience)) {
    return core::Error(core::Code::busy,
                       core::cat("objects are still being received under an epoch before ", epoch,
                                 "; that epoch is kept, try again later"));
  }
  return rewrap_->run(epoch, stopping);
}

core::Result<std::unique_ptr<core::File>> SealedObjectStore::open_sealed(const std::string& id) {
  GW_CHECK(object_id(id));
  return folder_->open_read(id);
}

core::Result<std::unique_ptr<SealedWriter>> SealedObjectStore::create() {
  std::uint32_t epoch = 0;
  GW_TRY(auto lease, lease_epoch(epoch));
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
      *folder_, buffers_, std::move(entry), header, std::move(cipher), std::move(lease)));
}

core::Status SealedObjectStore::settle(const std::string& id) {
  GW_CHECK(object_id(id));
  return folder_->settle(id);
}

core::Result<std::unique_ptr<SealedReader>> SealedObjectStore::open_object(const std::string& id) {
  GW_TRY(ObjectId wanted, object_id(id));
  GW_TRY(auto file, folder_->open_read(id));
  ObjectHeaderBytes bytes;
  std::shared_lock not_being_rewrapped(headers_);
  GW_TRY(std::size_t got, file->read_at(0, bytes));
  not_being_rewrapped.unlock();
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
  std::shared_lock not_being_rewrapped(headers_);
  return folder_->shred(id, kObjectHeaderBytes);
}

core::Result<std::vector<std::string>> SealedObjectStore::list_all() {
  GW_TRY(auto ids, folder_->list_all());
  std::erase_if(ids, [](const std::string& id) { return !object_id(id).ok(); });
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
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
  auto store = std::make_unique<SealedObjectStore>(std::move(opened), keyring);
  GW_CHECK(store->recover(files));
  return std::unique_ptr<ObjectStore>(std::move(store));
}

}  // namespace gateway::crypto
