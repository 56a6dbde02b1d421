// Seals one object's bytes chunk by chunk into a file of the object folder. Memory: one chunk, lent
// by ChunkBuffers; two and a thread once the object is longer than 2 MiB.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
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

/// Writes a long object's sealed chunks, in order, on a thread of its own: while one is written the
/// next is sealed, so that disk and cipher do not wait for each other. Nobody else uses the file
/// meanwhile. One thread calls it.
class WriteBehind {
 public:
  explicit WriteBehind(core::File& file);
  /// Waits until what it was given is written or has failed.
  ~WriteBehind();
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  /// Takes `size` bytes at `offset` of `full` and gives an empty buffer for it, or `full` itself
  /// and the error of an earlier write. Waits for the write before.
  core::Status exchange(ChunkBuffers::Buffer& full, std::size_t offset, std::size_t size);
  /// Waits until everything is written; the first error there was.
  core::Status drain();

 private:
  void run();

  core::File& file_;
  std::mutex mutex_;
  std::condition_variable changed_;
  ChunkBuffers::Buffer buffer_;  // whose bytes are being written, else the empty one
  std::span<const std::byte> waiting_;
  core::Status outcome_;
  bool ending_ = false;
  std::thread thread_;  // last: it runs with all of the above
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
  core::Status write(std::size_t offset, std::size_t size, bool last);
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
  std::unique_ptr<WriteBehind> behind_;  // of a long object; before the file goes
};

}  // namespace gateway::crypto
