// Opens what ChunkSealer sealed, any range of it. Memory: one chunk.
#pragma once

#include <memory>
#include <string>

#include "core/files.h"
#include "crypto/object_format.h"
#include "crypto/objects.h"

namespace gateway::crypto {

class ChunkOpener final : public SealedReader {
 public:
  /// Authenticates the last chunk, and with it the object's length.
  static core::Result<std::unique_ptr<SealedReader>> open(std::string id,
                                                          std::unique_ptr<core::File> file,
                                                          const ObjectHeader& header,
                                                          AesGcm cipher);

  std::uint64_t size() const override { return layout_.plain_bytes; }
  core::Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> bytes) override;

 private:
  static constexpr std::uint64_t kNoChunk = UINT64_MAX;

  ChunkOpener(std::string id, std::unique_ptr<core::File> file, const ObjectHeader& header,
              const ObjectLayout& layout, AesGcm cipher);
  core::Status load(std::uint64_t index);

  std::string id_;
  std::unique_ptr<core::File> file_;
  ObjectHeader header_;
  ObjectLayout layout_;
  AesGcm cipher_;
  std::unique_ptr<std::byte[]> buffer_;
  std::uint64_t loaded_ = kNoChunk;
};

/// Opens all of an object. Code::corrupt: damaged; else as ObjectStore::open_object().
core::Status read_through(ObjectStore& objects, const std::string& id);

}  // namespace gateway::crypto
