#include "daemon/ops/bundle_chunks.h"

#include <algorithm>

#include "core/base64.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::daemon {
namespace {

using core::Json;

constexpr int kSchemaVersion = 1;

}  // namespace

core::Result<std::vector<Json>> bundle_chunks(std::string_view bundle) {
  if (bundle.size() > kSentBundleBytesMax) {
    return core::Error(core::Code::refused,
                       core::cat("the bundle has ", bundle.size(), " bytes, and no more than ",
                                 kSentBundleBytesMax,
                                 " are sent; have the site make and send it: clinic-gateway "
                                 "support-bundle"));
  }
  const std::string digest =
      core::to_hex(crypto::as_text(crypto::sha256(crypto::as_octets(bundle))));
  const std::size_t count =
      std::max<std::size_t>(1, (bundle.size() + kBundleChunkBytes - 1) / kBundleChunkBytes);
  std::vector<Json> chunks;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view part = bundle.substr(i * kBundleChunkBytes, kBundleChunkBytes);
    chunks.push_back(Json::object({{"schema", kSchemaVersion},
                                   {"sha256", digest},
                                   {"bytes", static_cast<std::uint64_t>(bundle.size())},
                                   {"chunk", static_cast<std::uint64_t>(i + 1)},
                                   {"chunks", static_cast<std::uint64_t>(count)},
                                   {"data", core::to_base64(part)}}));
  }
  return chunks;
}

}  // namespace gateway::daemon
