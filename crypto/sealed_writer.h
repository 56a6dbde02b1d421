// Seals one object's bytes chunk by chunk into a file of the object folder. Memory: one chunk, lent
// by ChunkBuffers.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "crypto/epoch_leases.h"
#include "crypto/object_folder.h"
#include "crypto/object_format.h"
#include "crypto/objects.h"

namespace gateway::crypto {

/// Room for a header, a chunk and its tag, kept for the next writer: a fresh mapping of that size
/// costs a page fault every 4 KiB. Thread-safe.
class ChunkBuffers {
 public:
  static constexpr std::size_t kBytes = kObjectHeaderBytes + kChunkBytes + kTagBytes;
  using Buffer = std::unique_ptr<std::byte[]>;

  Buffer lend();
  void give_back(Buffer buffer);

 private:
  static constexpr std::size_t kKeptMax = 8;
  std::mutex mutex_;
  std::vector<Buffer> kept_;
};

class ChunkSealer final : public SealedWriter {
 public:
  /// `header` is complete; `cipher` seals under the key it wraps. Folder and buffers outlive the
  /// writer.
  ChunkSealer(ObjectFolder& folder, ChunkBuffers& buffers, ObjectFolder::Entry entry,
              const ObjectHeader& header, AesGcm cipher, std::shared_ptr<EpochLeases::Lease> lease);
  ~ChunkSealer() override;

  core::Status append(std::span<const std::byte> bytes) override;
  core::Status seal() override;
  core::Result<SealedObject> finish() override;
  bool is_finished() const override { return finished_; }
  std::uint64_t size() const override { return size_; }
  const std::string& id() const override { return entry_.id; }

 private:
  core::Status latch(core::Status status);
  core::Status seal_chunk(bool last);
  std::span<std::byte> chunk() { return {buffer_.get() + kObjectHeaderBytes, kChunkBytes}; }

  ObjectFolder& folder_;
  ChunkBuffers& buffers_;
  std::shared_ptr<EpochLeases::Lease> lease_;  // its epoch's key stays until the object is whole
  ObjectFolder::Entry entry_;
  ObjectHeader header_;
  AesGcm cipher_;
  ChunkBuffers::Buffer buffer_;
  std::size_t filled_ = 0;
  std::uint64_t chunks_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t unwritten_ = 0;  // bytes appended since the last hint to write back
  bool sealed_ = false;          // the last chunk is written
  bool finished_ = false;
  std::optional<core::Error> failed_;
};

}  // namespace gateway::crypto
