#include "sync/data_set_digest.h"

#include <string_view>
#include <vector>

#include "core/text.h"

namespace gateway::sync {

std::string digest_text(const crypto::Digest& digest) {
  return core::to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

core::Result<std::string> data_set_digest(crypto::ObjectStore& objects, const std::string& object,
                                          std::uint64_t offset,
                                          const std::function<bool()>& stopping) {
  GW_TRY(const auto reader, objects.open_object(object));
  crypto::Sha256 sum;
  std::vector<std::byte> piece(256U << 10);
  for (std::uint64_t at = offset; at < reader->size();) {
    if (stopping && stopping()) return core::Error(core::Code::cancelled, "the gateway stops");
    GW_TRY(const std::size_t got, reader->read(at, piece));
    if (got == 0) return core::Error(core::Code::corrupt, "an object ends before its size");
    sum.update(std::span(piece).first(got));
    at += got;
  }
  return digest_text(sum.finish());
}

}  // namespace gateway::sync
