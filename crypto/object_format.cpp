#include "crypto/object_format.h"

#include <algorithm>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::string_view kMagic = "CGOBJECT";
constexpr std::uint16_t kVersion = 1;

// Offsets within the header.
constexpr std::size_t kAtVersion = 8;
constexpr std::size_t kAtHeaderBytes = 10;
constexpr std::size_t kAtChunkBytes = 12;
constexpr std::size_t kAtEpoch = 16;
constexpr std::size_t kAtId = 20;
constexpr std::size_t kAtNoncePrefix = 36;
constexpr std::size_t kAtWrappedKey = kBoundHeaderBytes;
constexpr std::size_t kAtReserved = kAtWrappedKey + kWrappedKeyBytes;
static_assert(kAtReserved < kObjectHeaderBytes);

core::Error damaged(std::string_view what) {
  return {core::Code::corrupt, core::cat("damaged sealed object: ", what)};
}

}  // namespace

core::Result<ObjectId> object_id(std::string_view uuid) {
  if (!core::is_uuid(uuid)) {
    return core::Error(core::Code::not_found, "no object has a name of that form");
  }
  std::string digits(uuid);
  std::erase(digits, '-');
  std::string octets = core::from_hex(digits);
  ObjectId id;
  std::copy_n(as_octets(octets).begin(), id.size(), id.begin());
  return id;
}

std::string uuid_text(const ObjectId& id) {
  std::string hex = core::to_hex(as_text(id));
  for (const std::size_t at : {8U, 13U, 18U, 23U}) hex.insert(at, 1, '-');
  return hex;
}

ObjectHeaderBytes write_header(const ObjectHeader& header) {
  ObjectHeaderBytes bytes{};
  std::span all(bytes);
  std::ranges::copy(as_octets(kMagic), bytes.begin());
  put_little_endian(all.subspan<kAtVersion, 2>(), kVersion);
  put_little_endian(all.subspan<kAtHeaderBytes, 2>(), kObjectHeaderBytes);
  put_little_endian(all.subspan<kAtChunkBytes, 4>(), header.chunk_bytes);
  put_little_endian(all.subspan<kAtEpoch, 4>(), header.epoch);
  std::ranges::copy(header.id, bytes.begin() + kAtId);
  std::ranges::copy(header.nonce_prefix, bytes.begin() + kAtNoncePrefix);
  std::ranges::copy(header.wrapped_key, bytes.begin() + kAtWrappedKey);
  return bytes;
}

core::Result<ObjectHeader> read_header(std::span<const std::byte, kObjectHeaderBytes> bytes) {
  if (!std::ranges::equal(bytes.first<kMagic.size()>(), as_octets(kMagic))) {
    return damaged("its header is not one of ours, or was shredded");
  }
  if (get_little_endian(bytes.subspan<kAtVersion, 2>()) != kVersion) {
    // A newer release's database would not have opened: next to ours it is a damaged byte.
    return damaged("its format version is not this release's");
  }
  ObjectHeader header;
  header.chunk_bytes =
      static_cast<std::uint32_t>(get_little_endian(bytes.subspan<kAtChunkBytes, 4>()));
  header.epoch = static_cast<std::uint32_t>(get_little_endian(bytes.subspan<kAtEpoch, 4>()));
  std::ranges::copy(bytes.subspan<kAtId, 16>(), header.id.begin());
  std::ranges::copy(bytes.subspan<kAtNoncePrefix, 7>(), header.nonce_prefix.begin());
  std::ranges::copy(bytes.subspan<kAtWrappedKey, kWrappedKeyBytes>(), header.wrapped_key.begin());
  if (header.chunk_bytes == 0 || header.chunk_bytes > kChunkBytesMax) {
    return damaged("its chunk size is out of range");
  }
  // Writing the header again must give the same bytes: no bit of it is free to differ.
  if (!std::ranges::equal(write_header(header), bytes)) return damaged("its header was altered");
  return header;
}

Nonce chunk_nonce(const ObjectHeader& header, std::uint64_t index, bool last) {
  Nonce nonce{};
  std::ranges::copy(header.nonce_prefix, nonce.begin());
  put_little_endian(std::span(nonce).subspan<7, 4>(), index);
  nonce[11] = last ? std::byte{1} : std::byte{0};
  return nonce;
}

std::uint64_t ObjectLayout::plain_in(std::uint64_t index) const {
  return index + 1 < chunks ? chunk_bytes : plain_bytes - index * chunk_bytes;
}

std::uint64_t ObjectLayout::offset_of(std::uint64_t index) const {
  return kObjectHeaderBytes + index * (std::uint64_t{chunk_bytes} + kTagBytes);
}

core::Result<ObjectLayout> object_layout(std::uint64_t file_bytes, std::uint32_t chunk_bytes) {
  if (file_bytes < kObjectHeaderBytes + kTagBytes) return damaged("it is cut short");
  const std::uint64_t body = file_bytes - kObjectHeaderBytes;
  const std::uint64_t sealed_chunk = std::uint64_t{chunk_bytes} + kTagBytes;
  ObjectLayout layout;
  layout.chunk_bytes = chunk_bytes;
  layout.chunks = (body + sealed_chunk - 1) / sealed_chunk;
  const std::uint64_t last_sealed = body - (layout.chunks - 1) * sealed_chunk;
  // Only the empty object has a chunk without a byte in it.
  if (last_sealed < kTagBytes || (last_sealed == kTagBytes && layout.chunks > 1)) {
    return damaged("it is cut short");
  }
  if (layout.chunks > kChunksMax) return damaged("it is longer than an object can be");
  layout.plain_bytes = body - layout.chunks * kTagBytes;
  return layout;
}

}  // namespace gateway::crypto
