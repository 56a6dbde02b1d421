#include "crypto/sealed_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "core/text.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kReadThroughBytes = 1U << 20;

}  // namespace

ChunkOpener::ChunkOpener(std::string id, std::unique_ptr<core::File> file,
                         const ObjectHeader& header, const ObjectLayout& layout, AesGcm cipher)
    : id_(std::move(id)),
      file_(std::move(file)),
      header_(header),
      layout_(layout),
      cipher_(std::move(cipher)),
      // A small object needs no more than itself.
      buffer_(std::make_unique_for_overwrite<std::byte[]>(
          std::min<std::uint64_t>(layout.chunk_bytes, layout.plain_bytes) + kTagBytes)) {}

core::Result<std::unique_ptr<SealedReader>> ChunkOpener::open(std::string id,
                                                              std::unique_ptr<core::File> file,
                                                              const ObjectHeader& header,
                                                              AesGcm cipher) {
  GW_TRY(std::uint64_t file_bytes, file->size());
  auto layout = object_layout(file_bytes, header.chunk_bytes);
  if (!layout.ok()) return std::move(layout).error().with_context(core::cat("object ", id));
  std::unique_ptr<ChunkOpener> opener(
      new ChunkOpener(std::move(id), std::move(file), header, *layout, std::move(cipher)));
  GW_CHECK(opener->load(layout->chunks - 1));
  return std::unique_ptr<SealedReader>(std::move(opener));
}

core::Status ChunkOpener::load(std::uint64_t index) {
  if (loaded_ == index) return {};
  loaded_ = kNoChunk;
  const auto plain = static_cast<std::size_t>(layout_.plain_in(index));
  std::span sealed(buffer_.get(), plain + kTagBytes);
  GW_TRY(std::size_t got, file_->read_at(layout_.offset_of(index), sealed));
  if (got != sealed.size()) {
    return core::Error(core::Code::corrupt, core::cat("object ", id_, " was cut while being read"));
  }
  const bool last = index + 1 == layout_.chunks;
  auto opened =
      cipher_.open(chunk_nonce(header_, index, last), header_.id, sealed, sealed.first(plain));
  if (!opened.ok()) {
    return std::move(opened).with_context(
        core::cat("object ", id_, ", chunk ", index + 1, " of ", layout_.chunks));
  }
  loaded_ = index;
  return {};
}

core::Result<std::size_t> ChunkOpener::read(std::uint64_t offset, std::span<std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size() && offset < layout_.plain_bytes) {
    const std::uint64_t index = offset / layout_.chunk_bytes;
    GW_CHECK(load(index));
    const auto within = static_cast<std::size_t>(offset % layout_.chunk_bytes);
    const std::size_t taken =
        std::min(static_cast<std::size_t>(layout_.plain_in(index)) - within, bytes.size() - done);
    std::memcpy(bytes.data() + done, buffer_.get() + within, taken);
    done += taken;
    offset += taken;
  }
  return done;
}

core::Status read_through(ObjectStore& objects, const std::string& id) {
  GW_TRY(const auto reader, objects.open_object(id));
  std::vector<std::byte> buffer(kReadThroughBytes);
  for (std::uint64_t at = 0; at < reader->size();) {
    GW_TRY(const std::size_t got, reader->read(at, buffer));
    if (got == 0) return core::Error(core::Code::corrupt, core::cat("object ", id, " ends early"));
    at += got;
  }
  return {};
}

}  // namespace gateway::crypto
