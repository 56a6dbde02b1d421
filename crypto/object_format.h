// The sealed object's bytes: a header of 128 bytes, then chunks of AES-256-GCM in a STREAM
// construction. The layout is drawn in docs/formats.md. Pure: bytes in, values out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/aes_gcm.h"

namespace gateway::crypto {

constexpr std::size_t kObjectHeaderBytes = 128;
constexpr std::size_t kChunkBytes = 256U << 10;  // plaintext in one chunk of what we write
constexpr std::size_t kChunkBytesMax = 16U << 20;

/// The 16 bytes of the object's uuid.
using ObjectId = std::array<std::byte, 16>;
/// Code::not_found for a text that cannot name an object.
core::Result<ObjectId> object_id(std::string_view uuid);
std::string uuid_text(const ObjectId& id);

struct ObjectHeader {
  std::uint32_t chunk_bytes = 0;
  std::uint32_t epoch = 0;
  ObjectId id{};
  std::array<std::byte, 7> nonce_prefix{};
  WrappedKey wrapped_key{};
};

using ObjectHeaderBytes = std::array<std::byte, kObjectHeaderBytes>;
ObjectHeaderBytes write_header(const ObjectHeader& header);
/// Code::corrupt when it is no header of ours, Code::invalid when a newer version wrote it.
core::Result<ObjectHeader> read_header(std::span<const std::byte, kObjectHeaderBytes> bytes);
/// What the wrapping of the object key authenticates: everything in the header before it.
constexpr std::size_t kBoundHeaderBytes = 44;

/// Nonce of chunk `index`; `last` marks the end of the object.
Nonce chunk_nonce(const ObjectHeader& header, std::uint64_t index, bool last);

/// Where the chunks lie, told from the length of the file alone; whether that length is the true
/// one is for the last chunk's authentication to say.
struct ObjectLayout {
  std::uint64_t chunks = 0;
  std::uint64_t plain_bytes = 0;
  std::uint32_t chunk_bytes = 0;

  std::uint64_t plain_in(std::uint64_t index) const;
  std::uint64_t offset_of(std::uint64_t index) const;
};
/// Code::corrupt when no object has that length.
core::Result<ObjectLayout> object_layout(std::uint64_t file_bytes, std::uint32_t chunk_bytes);

/// Chunks are counted in 32 bits.
constexpr std::uint64_t kChunksMax = UINT64_C(1) << 32;

}  // namespace gateway::crypto
